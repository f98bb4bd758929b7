"""Reading back what the file sink wrote: the file and the rotated ones, each event once.

Nobody is locked out: another process may write, rotate and compress meanwhile. The file is opened before
the rotated ones are listed, so that one put aside in between is read twice rather than never.
"""

from __future__ import annotations

import contextlib
import glob
import gzip
import heapq
import os
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO

import msgspec

from logweir.diagnostics import report
from logweir.encoding.events import decode_event
from logweir.event import Event
from logweir.sinks.contract import Query
from logweir.sinks.file.config import ROTATED
from logweir.sinks.file.rotation import packed_name, rotated_files
from logweir.sinks.query_match import matches
from logweir.sinks.shared.destinations import Template

__all__ = ["files_of", "find", "ids_at_the_end"]


class _IdOnly(msgspec.Struct):
    id: str


_decode_id = msgspec.json.Decoder(_IdOnly).decode


def find(path: Path, query: Query) -> list[Event]:
    """Return the events that match, in order of time.

    Raises:
        OSError: A file cannot be read.
    """
    found = _each_once(event for event in _read_all(path, query.ids) if matches(event, query))
    newest_first = query.newest_first
    if query.limit is None:
        return sorted(found, key=_moment, reverse=newest_first)
    choose = heapq.nlargest if newest_first else heapq.nsmallest
    return choose(query.limit, found, key=_moment)


def files_of(template: Template) -> list[str]:
    """The files of a template that are there, or of which rotated ones are.

    Raises:
        OSError: A folder cannot be read.
    """
    pattern = Path(template.pattern(glob.escape))
    rotated = pattern.with_name(f"{pattern.stem}-*{pattern.suffix}*")
    names = {ROTATED.sub("", name.removesuffix(".gz")) for name in _found(rotated) if ROTATED.search(name)}
    names.update(name for name in _found(pattern) if not ROTATED.search(name))
    return sorted(filter(template.matches, names))


def _found(pattern: Path) -> list[str]:
    # Path.glob needs a folder to begin at, and the first part may be the root or have a placeholder.
    return glob.glob(str(pattern))  # noqa: PTH207


def ids_at_the_end(descriptor: int, length: int) -> Iterator[str]:
    """Yield the ids of the events in the last ``length`` bytes of an open file."""
    size = os.fstat(descriptor).st_size
    for line in os.pread(descriptor, length, max(0, size - length)).split(b"\n"):
        with contextlib.suppress(ValueError):
            yield _decode_id(line).id


def _moment(event: Event) -> tuple[int, str]:
    return event.time, event.id


def _each_once(events: Iterable[Event]) -> Iterator[Event]:
    seen = set[str]()
    for event in events:
        if event.id not in seen:
            seen.add(event.id)
            yield event


def _read_all(path: Path, ids: frozenset[str] | None) -> Iterator[Event]:
    with contextlib.ExitStack() as stack:
        current = _open(path)
        if current is not None:
            stack.enter_context(current)
        for file in rotated_files(path):
            yield from _read(file, ids)
        if current is not None:
            yield from _decoded(current, ids)


def _read(file: Path, ids: frozenset[str] | None = None) -> Iterator[Event]:
    """The events of a rotated file, which another process may compress or delete just now."""
    if file.suffix != ".gz":
        plain = _open(file)
        if plain is not None:
            with plain:
                yield from _decoded(plain, ids)
            return
        file = packed_name(file)
    try:
        with gzip.open(file) as lines:
            yield from _decoded(lines, ids)
    except FileNotFoundError:
        return
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        report(f"{file}.corrupt", "%s is corrupt and was read only in part: %s", file, error)


def _open(file: Path) -> IO[bytes] | None:
    try:
        return file.open("rb")
    except FileNotFoundError:
        return None


def _decoded(lines: Iterable[bytes], ids: frozenset[str] | None) -> Iterator[Event]:
    """The events of these lines; one that is none, such as a line being written, is passed over."""
    for line in lines:
        with contextlib.suppress(ValueError):
            # Who asks by id wants few of many: what an id costs is a tenth of an event.
            if ids is None or _decode_id(line).id in ids:
                yield decode_event(line)
