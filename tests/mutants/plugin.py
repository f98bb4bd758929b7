"""A pytest plugin: a broken module in the place of the sound one, or a record of which test reaches which line.

It is loaded with ``-p`` before anything of logweir is imported, and reads in the environment what to do.
"""

from __future__ import annotations

import importlib.util
import json
import os
import sys
import threading
from collections import defaultdict
from collections.abc import Iterator, Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, SourceFileLoader
from pathlib import Path
from types import CodeType, FrameType, ModuleType
from typing import Any

import pytest

from mutants.mutations import Mutant, applied

__all__ = ["MUTANT", "RECORD"]

#: The names of the variables: the mutant as JSON; and a file to write the record to, with the folder to watch.
MUTANT, RECORD = "LOGWEIR_MUTANT", "LOGWEIR_MUTANT_RECORD"


class _Loader(SourceFileLoader):
    """Loads one module with a change in it."""

    def __init__(self, name: str, path: str, mutant: Mutant) -> None:
        super().__init__(name, path)
        self._mutant = mutant

    def get_code(self, fullname: str) -> CodeType:
        return compile(
            applied(Path(self.path).read_bytes(), self._mutant), self.path, "exec", dont_inherit=True
        )


class _Finder(MetaPathFinder):
    def __init__(self, path: Path, mutant: Mutant) -> None:
        self._path = path
        self._mutant = mutant

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if not fullname.startswith("logweir.") or fullname.rpartition(".")[2] != self._path.stem:
            return None
        for finder in sys.meta_path:
            spec = None if finder is self else finder.find_spec(fullname, path, target)
            if spec is not None and spec.origin is not None and Path(spec.origin).resolve() == self._path:
                loader = _Loader(fullname, spec.origin, self._mutant)
                return importlib.util.spec_from_file_location(fullname, spec.origin, loader=loader)
        return None


class _Recorder:
    """Which test reaches which lines of a folder."""

    def __init__(self, file: Path, folder: Path) -> None:
        self._file = file
        self._folder = f"{folder}/"
        self._tests: dict[str, set[str]] = defaultdict(set)
        self._seconds: dict[str, float] = {}
        self._failed: set[str] = set()
        self._seen: set[str] = set()
        self._watched: dict[str, str | None] = {}

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Iterator[None]:
        self._seen = self._tests[item.nodeid]
        threading.settrace(self._call)
        sys.settrace(self._call)
        try:
            return (yield)
        finally:
            sys.settrace(None)
            threading.settrace(None)  # type: ignore[arg-type]

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self._seconds[report.nodeid] = self._seconds.get(report.nodeid, 0.0) + report.duration
        if report.failed:
            self._failed.add(report.nodeid)

    def pytest_sessionfinish(self) -> None:
        tests = {name: sorted(lines) for name, lines in self._tests.items()}
        self._file.write_text(
            json.dumps({"tests": tests, "seconds": self._seconds, "failed": sorted(self._failed)})
        )

    def _call(self, frame: FrameType, event: str, argument: Any) -> Any:
        name = frame.f_code.co_filename
        if name not in self._watched:
            # Without a look at the disk: it may be an event loop that is watched, which nothing may block.
            self._watched[name] = name if name.startswith(self._folder) else None
        path = self._watched[name]
        if path is None:
            return None

        def line(frame: FrameType, event: str, argument: Any) -> Any:
            self._seen.add(f"{path}:{frame.f_lineno}")
            return line

        return line(frame, event, argument)


if MUTANT in os.environ:
    _given = json.loads(os.environ[MUTANT])
    sys.meta_path.insert(0, _Finder(Path(_given.pop("path")).resolve(), Mutant(**_given)))


def pytest_configure(config: pytest.Config) -> None:
    if RECORD in os.environ:
        file, _, folder = os.environ[RECORD].partition("::")
        config.pluginmanager.register(_Recorder(Path(file), Path(folder).resolve()))
