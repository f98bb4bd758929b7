"""What the ingester keeps, and what it refuses of a stream: entries far behind, too fast, one stream too many.

An entry equal in stream, time, line and metadata to one that is there is dropped (Loki docs, Architecture >
Ingester). What an answer of success speaks of was written to a file by one write(2) before: it survives
SIGKILL. A record that a kill cut short is cut off when the file is read.
"""

from __future__ import annotations

import os
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from operator import attrgetter
from pathlib import Path

import msgspec

from servers.loki_double.decoding import Entry, Stream
from servers.loki_double.labels import Labels, labels_text
from servers.loki_double.limits import Limits
from servers.loki_double.rates import Bucket
from servers.loki_double.rules import second

_NANOS = 10**9
_MOST_NAMED = 10
_stamp = attrgetter("stamp")

_Record = tuple[str, Labels, list[tuple[int, str, Labels]]]
_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(_Record).decode


@dataclass(frozen=True)
class Refused:
    """What the ingester answers to a stream that it did not take whole."""

    status: int
    text: str


@dataclass
class _Kept:
    """A stream of a tenant."""

    bucket: Bucket
    entries: list[Entry] = field(default_factory=list)
    known: set[Entry] = field(default_factory=set)
    newest: int = 0
    sorted: bool = True

    def add(self, entries: Iterable[Entry]) -> None:
        for entry in entries:
            self.sorted = self.sorted and (not self.entries or entry.stamp >= self.entries[-1].stamp)
            self.entries.append(entry)
            self.known.add(entry)
            self.newest = max(self.newest, entry.stamp)

    def between(self, start: int, end: int) -> list[Entry]:
        """Entries from ``start`` up to ``end``, in order of time."""
        if not self.sorted:
            self.entries.sort(key=_stamp)
            self.sorted = True
        first = bisect_left(self.entries, start, key=_stamp)
        return self.entries[first : bisect_left(self.entries, end, key=_stamp)]


class Store:
    """The streams of every tenant, in memory and in a file.

    Args:
        path: The file.
        limits: What it refuses.
    """

    def __init__(self, path: Path, limits: Limits) -> None:
        self._limits = limits
        self._tenants: dict[str, dict[Labels, _Kept]] = {}
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
        self._read_back(path)

    def _read_back(self, path: Path) -> None:
        content = path.read_bytes()
        whole = 0
        for line in content.splitlines(keepends=True):
            try:
                tenant, labels, rows = _decode(line)
            except msgspec.DecodeError:
                break
            if not line.endswith(b"\n"):
                break
            whole += len(line)
            self._stream(tenant, labels).add(Entry(*row) for row in rows)
        os.ftruncate(self._file, whole)

    def streams(self, tenant: str) -> Iterator[tuple[Labels, _Kept]]:
        """The labels of a tenant's streams, and what they hold."""
        yield from self._tenants.get(tenant, {}).items()

    def push(self, tenant: str, stream: Stream) -> tuple[list[Entry], Refused | None]:
        """Keep what may be kept of a stream; returns what is new, and what is said of the rest."""
        refused = self._may_begin(tenant, stream)
        if refused is not None:
            return [], refused
        kept = self._stream(tenant, stream.labels)
        accepted, errors = self._sift(kept, stream)
        if accepted:
            rows = [(entry.stamp, entry.line, entry.metadata) for entry in accepted]
            os.write(self._file, _encode((tenant, stream.labels, rows)) + b"\n")
            kept.add(accepted)
        return accepted, _refusal(tenant, stream, errors)

    def _may_begin(self, tenant: str, stream: Stream) -> Refused | None:
        streams = self._tenants.get(tenant, {})
        if stream.labels in streams:
            return None
        if self._limits.max_streams and len(streams) >= self._limits.max_streams:
            # Loki docs, Troubleshoot ingest > Stream limit exceeded; limits_config: max_global_streams_per_user.
            return Refused(
                429,
                f"maximum active stream limit exceeded when trying to create stream "
                f"{labels_text(stream.labels)}, reduce the number of active streams (reduce labels or reduce "
                f"label values), or contact your Loki administrator to see if the limit can be increased, "
                f"user: '{tenant}'",
            )
        first = stream.entries[0].stamp
        if first < self._limits.schema_from * _NANOS:
            # Loki docs, Configuration > period_config: no schema serves a time before the first "from".
            return Refused(
                500,
                "rpc error: code = Unknown desc = failed to create stream: "
                f"no schema config found for time {first // _NANOS}",
            )
        return None

    def _stream(self, tenant: str, labels: Labels) -> _Kept:
        streams = self._tenants.setdefault(tenant, {})
        if labels not in streams:
            limits = self._limits
            streams[labels] = _Kept(Bucket(limits.per_stream_rate_limit, limits.per_stream_rate_limit_burst))
        return streams[labels]

    def _sift(self, kept: _Kept, stream: Stream) -> tuple[list[Entry], list[tuple[Entry, int, str]]]:
        """The entries to keep, and the others with status and reason."""
        window = int(self._limits.max_chunk_age / 2 * _NANOS)
        newest = kept.newest
        accepted: dict[Entry, None] = {}
        errors: list[tuple[Entry, int, str]] = []
        for entry in stream.entries:
            oldest = newest - window
            if not kept.bucket.take(entry.line_size):
                # Loki docs, Troubleshoot ingest > Per-stream rate limit; what came before is stored.
                errors.append((entry, 429, _too_fast(stream, entry, self._limits)))
            elif newest and entry.stamp < oldest:
                # Loki docs, Troubleshoot ingest > Entry too far behind; the window is half of max_chunk_age.
                errors.append(
                    (
                        entry,
                        400,
                        f"entry too far behind, entry timestamp is: {second(entry.stamp)}, "
                        f"oldest acceptable timestamp is: {second(oldest)}",
                    )
                )
            else:
                newest = max(newest, entry.stamp)
                if entry not in kept.known:
                    accepted[entry] = None
        return list(accepted), errors


def _too_fast(stream: Stream, entry: Entry, limits: Limits) -> str:
    return (
        f"Per stream rate limit exceeded (limit: {limits.per_stream_rate_limit // 1024}KB/sec) while "
        f"attempting to ingest for stream '{labels_text(stream.labels)}' totaling {entry.line_size}B, consider "
        "splitting a stream via additional labels or contact your Loki administrator to see if the limit can "
        "be increased"
    )


def _refusal(tenant: str, stream: Stream, errors: Sequence[tuple[Entry, int, str]]) -> Refused | None:
    """The first few entries by their times, and how many there are; the last one's status."""
    if not errors:
        return None
    named = "".join(
        f"entry with timestamp {_moment(entry.stamp)} ignored, reason: '{reason}',\n"
        for entry, _, reason in errors[:_MOST_NAMED]
    )
    return Refused(
        errors[-1][1],
        f"{named}user '{tenant}', total ignored: {len(errors)} out of {len(stream.entries)} "
        f"for stream: {labels_text(stream.labels)}",
    )


def _moment(stamp: int) -> str:
    whole, rest = divmod(stamp, _NANOS)
    fraction = f".{rest:09d}".rstrip("0") if rest else ""
    return f"{datetime.fromtimestamp(whole, UTC):%Y-%m-%d %H:%M:%S}{fraction} +0000 UTC"
