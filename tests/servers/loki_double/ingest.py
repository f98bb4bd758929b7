"""A push from its body's streams to its answer: judged, stored, and answered as Loki answers."""

import time
from collections.abc import Callable, Sequence

from servers.loki_double import rules
from servers.loki_double.entries import Entry, RawStream, Stream, entry_size, message_size
from servers.loki_double.labels import Labels
from servers.loki_double.options import Options
from servers.loki_double.rates import Bucket
from servers.loki_double.rules import Refusal
from servers.loki_double.store import Store

#: Called with what was stored anew: tenant, labels, entries.
Stored = Callable[[str, Labels, Sequence[Entry]], None]

_MEGABYTE = 1 << 20


class Ingest:
    """Takes pushes.

    Args:
        options: The limits, and what is done wrong on purpose.
        store: Where entries go.
        stored: Called with what is new.
        now: Nanoseconds since 1970.
        clock: Seconds, for the rates.
    """

    def __init__(
        self,
        options: Options,
        store: Store,
        stored: Stored = lambda *_: None,
        now: Callable[[], int] = time.time_ns,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._options = options
        self._limits = options.limits
        self._store = store
        self._stored = stored
        self._now = now
        self._clock = clock
        self._tenant_rates: dict[str, Bucket] = {}
        self._stream_rates: dict[tuple[str, Labels], Bucket] = {}
        self._pushes = 0

    def push(self, tenant: str, raw: Sequence[RawStream]) -> Refusal | None:
        """Store what may be stored; returns what is answered instead of 204."""
        if not raw:
            return Refusal(422, "error at least one valid stream is required for ingestion")
        streams, errors = rules.validated(raw, self._limits, self._now())
        invalid = Refusal(400, rules.grouped(errors)) if errors else None
        if not streams:
            return invalid
        refusal = self._over_rate(tenant, streams) or rules.message_error(message_size(streams), self._limits)
        if refusal is not None:
            return refusal
        self._pushes += 1
        if self._options.fail_every is not None and self._pushes % self._options.fail_every[0] == 0:
            self._ingest(tenant, _half(streams))
            status = self._options.fail_every[1]
            return Refusal(
                status, f"rpc error: code = Code({status}) desc = the ingester failed in mid-batch"
            )
        # An error of the ingester goes before those of the distributor.
        return self._ingest(tenant, streams) or invalid

    def _over_rate(self, tenant: str, streams: Sequence[Stream]) -> Refusal | None:
        limits = self._limits
        bucket = self._tenant_rates.get(tenant)
        if bucket is None:
            rate, burst = limits.ingestion_rate_mb * _MEGABYTE, limits.ingestion_burst_size_mb * _MEGABYTE
            bucket = self._tenant_rates[tenant] = Bucket(rate, burst, self._clock)
        size = sum(entry_size(entry) for stream in streams for entry in stream.entries)
        if bucket.allows(size):
            return None
        return rules.over_tenant_rate(tenant, sum(len(stream.entries) for stream in streams), size, limits)

    def _ingest(self, tenant: str, streams: Sequence[Stream]) -> Refusal | None:
        """Store each stream. What the last one answers is the answer; what others refused is lost (Loki ≤ 3.7)."""
        answer = None
        for stream in streams:
            answer = self._store_stream(tenant, stream)
        return answer

    def _store_stream(self, tenant: str, stream: Stream) -> Refusal | None:
        known = self._store.streams(tenant)
        there = known.get(stream.labels)
        if there is None:
            wrong = rules.stream_error(stream, tenant, len(known), self._limits, self._options.schema_from)
            if wrong is not None:
                return wrong
        newest = there.newest if there else None
        good: list[Entry] = []
        failed: list[tuple[Entry, Refusal]] = []
        for entry, refusal in rules.judged(stream, newest, self._limits, self._rate(tenant, stream.labels)):
            if refusal is None:
                good.append(entry)
            else:
                failed.append((entry, refusal))
        try:
            fresh = self._store.add(tenant, stream.labels, good)
        except OSError as error:
            return Refusal(500, f"rpc error: code = Unknown desc = {error.strerror}")
        if fresh:
            self._stored(tenant, stream.labels, fresh)
        return rules.summed(stream, tenant, failed)

    def _rate(self, tenant: str, labels: Labels) -> Callable[[int], bool]:
        bucket = self._stream_rates.get((tenant, labels))
        if bucket is None:
            limits = self._limits
            bucket = Bucket(limits.per_stream_rate_limit, limits.per_stream_rate_limit_burst, self._clock)
            self._stream_rates[tenant, labels] = bucket
        return bucket.allows


def _half(streams: Sequence[Stream]) -> list[Stream]:
    """The streams with the first half of all entries."""
    left = sum(len(stream.entries) for stream in streams) // 2
    halves = []
    for stream in streams:
        kept = stream.first(left)
        left -= len(kept.entries)
        if kept.entries:
            halves.append(kept)
    return halves
