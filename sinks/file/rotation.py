"""Rotation: when a file is full, how it is named when it is put aside, and what becomes of it.

A rotated file is named ``NAME-20261124T101530.123456Z.jsonl``: by the moment of its rotation, or, where the
clock was set back, by the one behind its predecessor's, so that names sort by age. Compression works on a
copy that replaces the file when it is complete; a crash in between leaves the file, and the next rotation or
opening takes it up again.
"""

from __future__ import annotations

import contextlib
import fcntl
import gzip
import os
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

from logweir.sinks.file.config import ROTATED, RotateConfig
from logweir.sinks.shared.permissions import hand_on, open_file

__all__ = ["clean_up", "is_due", "packed_name", "put_aside", "rotated_files"]

#: What stands in the name of a rotated file, as ``ROTATED`` finds it.
_STAMP = "-%Y%m%dT%H%M%S.%fZ"
_PERIODS = {"hour": "%Y%m%d%H", "day": "%Y%m%d"}


def is_due(config: RotateConfig, status: os.stat_result, more: int, now: datetime) -> bool:
    """Whether the file with this status must be put aside before ``more`` bytes are written."""
    if not status.st_size:
        return False
    if config.max_bytes is not None and status.st_size + more > config.max_bytes:
        return True
    if config.every is None:
        return False
    period = _PERIODS[config.every]
    return datetime.fromtimestamp(status.st_mtime, UTC).strftime(period) != now.strftime(period)


def put_aside(path: Path, now: datetime) -> None:
    """Rename the file, so that it sorts behind all rotated ones; the caller holds the lock."""
    with contextlib.suppress(PermissionError):  # who may write to a folder may not always list it
        now = max(now, _moment_behind(path, rotated_files(path)))
    while True:
        target = path.with_name(f"{path.stem}{now.strftime(_STAMP)}{path.suffix}")
        if not target.exists() and not packed_name(target).exists():
            break
        now += timedelta(microseconds=1)
    path.rename(target)


def _moment_behind(path: Path, rotated: list[Path]) -> datetime:
    """The first moment whose name sorts behind all rotated files but those that are named after none."""
    for newest in reversed(rotated):
        stamp = _stamp_in(newest.name.removesuffix(".gz"), path)
        with contextlib.suppress(ValueError, OverflowError):
            return datetime.strptime(stamp, _STAMP).replace(tzinfo=UTC) + timedelta(microseconds=1)
    return datetime.min.replace(tzinfo=UTC)


def packed_name(file: Path) -> Path:
    """The name of a rotated file once it is compressed."""
    return file.with_name(f"{file.name}.gz")


def rotated_files(path: Path) -> list[Path]:
    """The rotated files of a path, oldest first; a file and its compressed copy count once."""
    found: dict[str, Path] = {}
    for candidate in _beginning_with(path.stem, path.parent):
        name = candidate.name.removesuffix(".gz")
        if name.endswith(path.suffix) and ROTATED.fullmatch(_stamp_in(name, path)):
            found.setdefault(name, candidate)
    return list(found.values())


def _beginning_with(beginning: str, folder: Path) -> list[Path]:
    """The files whose names begin so, in order; in a folder of thousands, others cost next to nothing."""
    with os.scandir(folder) as there:
        names = [entry.name for entry in there if entry.name.startswith(beginning)]
    return [folder / name for name in sorted(names)]


def _stamp_in(name: str, path: Path) -> str:
    """What the name of a rotated file has between the parts of the path's name."""
    return name.removeprefix(path.stem).removesuffix(path.suffix)


def clean_up(path: Path, config: RotateConfig, mode: int = 0o600) -> None:
    """Compress and delete rotated files as configured; if another process is at it, leave it to that one.

    Args:
        path: The file whose rotated ones are meant.
        config: What is kept and how.
        mode: The permissions of the lock file.

    Raises:
        OSError: The disk does not allow it; the next call tries again.
    """
    # The lock file is made only where there is work: this runs in a thread after opening, and a new name in a
    # folder that somebody removes at that moment would make the removal fail ("Directory not empty").
    if not _has_work(path, config):
        return
    # The name is what earlier versions use: two locks would let two processes write one compressed copy.
    with os.fdopen(open_file(path.parent / f".{path.name}.tidy.lock", mode), "ab") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return
        for unfinished in _unfinished_copies(path):  # under the lock, nobody is working on one
            unfinished.unlink(missing_ok=True)
        surplus, kept = _divided(rotated_files(path), config.keep)
        for old in surplus:
            old.unlink(missing_ok=True)
            packed_name(old).unlink(missing_ok=True)
        for file in kept:
            if _wants_compression(file, config):
                _compress(file)


def _has_work(path: Path, config: RotateConfig) -> bool:
    """Whether there is anything to compress or to delete; in a folder that is gone there is not."""
    try:
        surplus, kept = _divided(rotated_files(path), config.keep)
        return bool(
            surplus or any(_wants_compression(file, config) for file in kept) or _unfinished_copies(path)
        )
    except FileNotFoundError:
        return False


def _divided(files: list[Path], keep: int | None) -> tuple[list[Path], list[Path]]:
    """Those beyond the number that is kept, and those that stay."""
    return ([], files) if keep is None else (files[:-keep], files[-keep:])


def _wants_compression(file: Path, config: RotateConfig) -> bool:
    return config.compress == "gzip" and file.suffix != ".gz"


def _unfinished_name(file: Path) -> Path:
    return file.with_name(f".{file.name}.unfinished")


def _unfinished_copies(path: Path) -> list[Path]:
    """The copies that are being written, or that a crash has left."""
    copies = _beginning_with(f".{path.stem}-", path.parent)
    return [copy for copy in copies if copy.name.endswith(f"{path.suffix}.unfinished")]


def _compress(file: Path) -> None:
    unfinished = _unfinished_name(file)
    try:
        with file.open("rb") as source, os.fdopen(open_file(unfinished, 0o600), "wb") as raw:
            hand_on(raw.fileno(), unfinished, os.fstat(source.fileno()))
            raw.truncate(0)
            with gzip.GzipFile(fileobj=raw, mode="wb", filename=file.name) as packed:
                shutil.copyfileobj(source, packed, 1 << 20)
            raw.flush()
            os.fsync(raw.fileno())
        unfinished.rename(packed_name(file))
    except OSError:
        with contextlib.suppress(OSError):
            unfinished.unlink(missing_ok=True)
        raise
    file.unlink()
