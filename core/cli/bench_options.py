"""The options of ``logweir bench`` that say what a backend is: its URL, its data, how it is started again."""

from __future__ import annotations

import re
import shlex
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import typer

from logweir.benchmarks.suite.natives import Spec
from logweir.redaction.reasons import masked
from logweir.settings.suggestions import instead_of, no_such

__all__ = ["command_line", "spec_of", "with_details"]

#: The type that can be divided.
_DIVIDED = "mysql"
#: What is in a URL, and in no name of a backend.
_OF_A_URL = re.compile(r"[/@]")


def spec_of(text: str, folder: Path, known: Sequence[str]) -> Spec:
    """Read ``[NAME:]TYPE=URL``.

    Raises:
        typer.BadParameter: It is not so, or of a type that is not among ``known``.
    """
    name_and_type, separator, url = text.partition("=")
    name, _, kind = name_and_type.rpartition(":")
    if not separator or not url or _OF_A_URL.search(name_and_type):
        raise typer.BadParameter(f"{masked(text)!r} is no backend; write [NAME:]TYPE=URL")
    if kind not in known:
        raise typer.BadParameter(f"{kind!r} cannot be measured; {instead_of(kind, known)}")
    return Spec(name or kind, kind, url, folder)


def with_details(
    specs: Sequence[Spec], data: Sequence[str], restart: Sequence[str], partitions: int
) -> list[Spec]:
    """Add to each backend what ``--data``, ``--restart`` and ``--partitions`` say of it.

    Raises:
        typer.BadParameter: They speak of a backend that is not measured, or cannot be so.
    """
    folders = _by_name("--data", data, specs)
    commands = _by_name("--restart", restart, specs)
    for name, folder in folders.items():
        if not Path(folder).is_dir():
            raise typer.BadParameter(f"--data {name}={folder}: there is no such folder")
    found = [
        replace(spec, data=folders.get(spec.name, ""), restart=commands.get(spec.name, "")) for spec in specs
    ]
    if not partitions:
        return found
    divided = [spec for spec in found if spec.type == _DIVIDED]
    if not divided:
        raise typer.BadParameter(f"--partitions divides tables of {_DIVIDED}, and none is measured")
    return found + [replace(spec, name=f"{spec.name}-partitioned", partitions=partitions) for spec in divided]


def _by_name(option: str, given: Sequence[str], specs: Sequence[Spec]) -> dict[str, str]:
    servers = [spec.name for spec in specs if spec.url]
    found: dict[str, str] = {}
    for text in given:
        name, separator, value = text.partition("=")
        if not separator or not value or _OF_A_URL.search(name):
            raise typer.BadParameter(f"{option} {masked(text)!r} is not NAME=VALUE")
        if name not in servers:
            raise typer.BadParameter(f"{option}: {no_such('server of this run', name, servers)}")
        found[name] = value
    return found


def command_line() -> str:
    """The command as it was typed, without secrets."""
    return shlex.join(["logweir", *map(masked, sys.argv[1:])])
