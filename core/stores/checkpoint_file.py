"""The file of one checkpoint: written as a whole, twice with a checksum each."""

from __future__ import annotations

import os
import tempfile
from hashlib import blake2b
from pathlib import Path

import msgspec

__all__ = ["VERSION", "Saved", "digest", "load", "save"]

#: Of the form in which checkpoints are written.
VERSION = 1


class Saved(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True):
    """What stands in the file of a checkpoint.

    Attributes:
        start: Of a range, where it begins; ``lines`` are counted from there.
        before: Of a range, how many lines are before it; -1 if nobody has counted them.
    """

    version: int
    name: str
    first_seen: int
    generation: int
    token: str
    head_length: int
    head: str
    offset: int
    lines: int
    last_start: int
    tail_length: int
    tail: str
    start: int = 0
    before: int = -1


def load(path: Path) -> tuple[Saved | None, str]:
    """What is saved, and what was wrong with it: of two copies the first that is whole.

    Raises:
        OSError: It cannot be read.
    """
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return None, ""
    if content.startswith(b"{") and content.endswith(b"}"):  # of before there were copies
        return _decoded(content), ""
    half = len(content) // 2  # not at the end of a line, which may be what is damaged
    for copy in (content[:half], content[half:]):
        text, _, proof = copy[:-1].rpartition(b" ")
        if digest(text).encode() == proof and (saved := _decoded(text)) is not None:
            is_whole = content == b"".join(_copies(text))
            return saved, "" if is_whole else f"its checkpoint {path} was damaged; one of its copies is whole"
    return None, ""


def _decoded(text: bytes) -> Saved | None:
    try:
        saved = msgspec.json.decode(text, type=Saved)
        int(saved.token, 16)
    except (msgspec.MsgspecError, UnicodeDecodeError, ValueError):
        return None
    return saved if saved.version == VERSION else None


def _copies(text: bytes) -> list[bytes]:
    """Two lines with a checksum each: where one byte changes, one of them stays whole."""
    return [text + b" " + digest(text).encode() + b"\n"] * 2


def save(path: Path, saved: Saved) -> None:
    """Write it beside, and put it in the place of the old one: a kill leaves the one or the other.

    Raises:
        OSError: It cannot be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.writelines(_copies(msgspec.json.encode(saved)))
            file.flush()
            os.fsync(file.fileno())
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def digest(data: bytes) -> str:
    """What stands for bytes; nothing for none."""
    return blake2b(data, digest_size=16).hexdigest() if data else ""
