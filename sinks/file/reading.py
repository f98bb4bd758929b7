"""Reading back what the file sink wrote: the file and the rotated ones, each event once.

Nobody is locked out: another process may write, rotate and compress meanwhile. The file is opened before the
rotated ones are listed, so that one which is rotated in between is met twice rather than never.

A :class:`Reader` notes which times and ids stand where (:mod:`logweir.sinks.file.blocks`): the first search
reads every file, the next ones only what was added, and the blocks that can hold an answer. The notes belong
to a file, whatever its name: they outlast its rotation, and end with its compression, which makes another.
"""

from __future__ import annotations

import contextlib
import glob
import gzip
import os
import threading
import zlib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import IO, NamedTuple

import msgspec

from logweir.diagnostics import report
from logweir.encoding.events import decode_event
from logweir.encoding.times import parse_time
from logweir.event import Event
from logweir.sinks.contract import Query
from logweir.sinks.file.blocks import SIZE, Block, Wanted
from logweir.sinks.file.config import ROTATED
from logweir.sinks.file.needles import Needles
from logweir.sinks.file.rotation import packed_name, rotated_files
from logweir.sinks.file.sources import Current, Identity, Notes, Packed, Rotated, Source, Unpacking, Vanished
from logweir.sinks.query_match import matches
from logweir.sinks.shared.destinations import Template

__all__ = ["Reader", "files_of", "latest_ids"]

#: How often a search begins anew because a file that it was about to read was compressed or deleted.
_ATTEMPTS = 20
#: Events that are held, however few are asked for, before those beyond them are dropped.
_FEW = 1000
#: A compressed file that is larger takes more than some seconds to unpack; opening does not wait for it.
_MOST_UNPACKED = 2**26
_UNPACKED_AT_ONCE = 2**20
_DAMAGE = (EOFError, zlib.error, gzip.BadGzipFile)


class _IdOnly(msgspec.Struct):
    id: str


class _Head(msgspec.Struct):
    id: str
    time: str


_decode_id = msgspec.json.Decoder(_IdOnly).decode
_decode_head = msgspec.json.Decoder(_Head).decode


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


def latest_ids(descriptor: int, path: Path, length: int) -> Iterator[str]:
    """Yield the ids of the events in the last ``length`` bytes of an open file and of the rotated ones.

    Args:
        descriptor: The file, open.
        path: Its name.
        length: How many bytes are looked at, unpacked; the rotated files are read where the file has fewer.

    Raises:
        OSError: The file cannot be read. What cannot be read of the rotated ones is passed over.
    """
    end = os.pread(descriptor, length, max(0, os.fstat(descriptor).st_size - length))
    yield from _ids_in(end)
    left = length - len(end)
    rotated = list[Path]()
    with contextlib.suppress(OSError):  # a folder may be written to by somebody who may not list it
        rotated = rotated_files(path) if left else []
    while rotated and left > 0:
        end = _end_of(rotated.pop(), left)
        yield from _ids_in(end)
        left -= len(end)


def _ids_in(content: bytes) -> Iterator[str]:
    for line in content.split(b"\n"):
        with contextlib.suppress(ValueError):
            yield _decode_id(line).id


def _end_of(file: Path, length: int) -> bytes:
    """The last bytes of a rotated file, as far as it can be read; of one that takes long to unpack, none."""
    try:
        if file.suffix != ".gz":
            with file.open("rb") as plain:
                plain.seek(max(0, os.fstat(plain.fileno()).st_size - length))
                return plain.read(length)
        return b"" if file.stat().st_size > _MOST_UNPACKED else _unpacked_end(file, length)
    except FileNotFoundError:  # compressed, or deleted, after it was listed
        return b"" if file.suffix == ".gz" else _end_of(packed_name(file), length)
    except OSError:
        return b""


def _unpacked_end(file: Path, length: int) -> bytes:
    end = b""
    with contextlib.suppress(*_DAMAGE), gzip.open(file) as packed:
        while part := packed.read(_UNPACKED_AT_ONCE):
            end = (end + part)[-length:]
    return end


class Reader:
    """Searches a file and its rotated ones; one search at a time, in any thread."""

    def __init__(self) -> None:
        self._turn = threading.Lock()
        self._known: dict[Path, dict[Identity, Notes]] = {}
        self._unpacking = Unpacking()

    def find(self, path: Path, query: Query) -> list[Event]:
        """Return the events that match, in order of time.

        Raises:
            OSError: A file cannot be read.
        """
        with self._turn:
            for _ in range(_ATTEMPTS):
                with contextlib.suppress(Vanished):
                    return self._find(path, query)
        raise OSError("rotated files are compressed or deleted faster than they can be read")

    def close(self) -> None:
        """Close the file that is kept open, unless a search is under way."""
        if self._turn.acquire(blocking=False):
            try:
                self._unpacking.close()
            finally:
                self._turn.release()

    def _find(self, path: Path, query: Query) -> list[Event]:
        best, wanted, newest_first = _Best(query), Wanted(query), query.newest_first
        asked = _Asked(query.ids, Needles(query))
        with contextlib.ExitStack() as stack:
            sources = self._sources(path, stack)
            noted = [
                (source, block)
                for source in sources
                for block in source.blocks(newest_first=newest_first)
                if wanted.may_be_in(block)
            ]
            for source in sources:
                if not source.is_read:
                    best.take(_unread(source, asked))
            noted.sort(key=_latest if newest_first else _earliest, reverse=newest_first)
            for source, block in noted:
                if best.is_complete_before(block):
                    break
                best.take(_in_block(source, block, asked))
        return best.events()

    def _sources(self, path: Path, stack: contextlib.ExitStack) -> list[Source]:
        """The rotated files, oldest first, and the current one; what is known of others is forgotten."""
        known = self._known.get(path, {})
        sources = dict[Identity, Source]()
        current = _open(path, stack)
        for file in rotated_files(path):
            source = self._rotated(file, known)
            sources[source.identity] = source
        if current is not None:
            now = Current(path, current, known)
            sources[now.identity] = now  # which may have been rotated by now, and be listed
        for source in sources.values():
            source.check()
        self._known[path] = {identity: source.notes for identity, source in sources.items()}
        return list(sources.values())

    def _rotated(self, file: Path, known: Mapping[Identity, Notes]) -> Source:
        try:
            status = file.stat()
        except FileNotFoundError:
            raise Vanished from None
        if file.suffix == ".gz":
            return Packed(file, status, known, self._unpacking)
        return Rotated(file, status, known)


class _Asked(NamedTuple):
    """What rules a line out before it is decoded."""

    ids: frozenset[str] | None
    needles: Needles


class _Best:
    """The first events of what matches, in the order of a query and as many as it asks for, each id once."""

    def __init__(self, query: Query) -> None:
        self._query = query
        self._limit = query.limit
        self._found: dict[str, Event] = {}

    def take(self, events: Iterable[Event]) -> None:
        """Look at some more events."""
        for event in events:
            if event.id not in self._found and matches(event, self._query):
                self._found[event.id] = event
                if self._limit is not None and len(self._found) >= 2 * max(self._limit, _FEW):
                    self._drop_surplus()

    def is_complete_before(self, block: Block) -> bool:
        """Whether no event of a block can be among the first."""
        if self._limit is None or len(self._found) < self._limit:
            return False
        self._drop_surplus()
        last = self._found[next(reversed(self._found))].time if self._found else 0
        return block.latest < last if self._query.newest_first else block.earliest > last

    def events(self) -> list[Event]:
        """The first events, in order."""
        return sorted(self._found.values(), key=_moment, reverse=self._query.newest_first)[: self._limit]

    def _drop_surplus(self) -> None:
        self._found = {event.id: event for event in self.events()}


def _moment(event: Event) -> tuple[int, str]:
    return event.time, event.id


def _earliest(noted: tuple[Source, Block]) -> int:
    return noted[1].earliest


def _latest(noted: tuple[Source, Block]) -> int:
    return noted[1].latest


def _open(path: Path, stack: contextlib.ExitStack) -> IO[bytes] | None:
    try:
        return stack.enter_context(path.open("rb"))
    except FileNotFoundError:
        return None


def _unread(source: Source, asked: _Asked) -> Iterator[Event]:
    """The events behind the noted blocks, which are noted block by block."""
    notes = source.notes
    with _reporting_damage(source):
        with source.opened(notes.blocks.end) as file:
            while lines := file.readlines(SIZE):
                heads, events = _decoded(lines, asked)
                yield from events
                # The last block of a file that grows is not whole yet, and its last line may not be either.
                size = sum(map(len, lines))
                if not source.grows or (size >= SIZE and lines[-1].endswith(b"\n")):
                    notes.blocks.add(size, [time for time, _ in heads], [event_id for _, event_id in heads])
        source.note_end()


def _in_block(source: Source, block: Block, asked: _Asked) -> Iterator[Event]:
    with _reporting_damage(source):
        ids, needles = asked
        for line in needles.sift(source.lines_of(block)):
            with contextlib.suppress(ValueError):
                if ids is None or _decode_id(line).id in ids:
                    yield decode_event(line)


@contextlib.contextmanager
def _reporting_damage(source: Source) -> Iterator[None]:
    """Report a file that can be read only in part, of which nothing is noted: each search tries it again."""
    try:
        yield
    except _DAMAGE as error:
        source.notes.clear()
        report(f"{source.path}.corrupt", "%s is corrupt and was read only in part: %s", source.path, error)


def _decoded(lines: Iterable[bytes], asked: _Asked) -> tuple[list[tuple[int, str]], list[Event]]:
    """The times and ids of lines, and the events of those that are not ruled out.

    A line that is no event, such as one that is being written, is passed over.
    """
    heads, events = list[tuple[int, str]](), list[Event]()
    ids, needles = asked
    for line in lines:
        try:
            if ids is None and not needles:
                event = decode_event(line)
                heads.append((event.time, event.id))
                events.append(event)
                continue
            # Few of many are wanted: a time and an id cost a third of an event.
            head = _decode_head(line)
            heads.append((parse_time(head.time), head.id))
            if (ids is None or head.id in ids) and needles.may_be_in(line):
                events.append(decode_event(line))
        except ValueError:
            continue
    return heads, events
