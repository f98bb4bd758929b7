"""Files of JSON lines, read as anybody would: from the first line to the last."""

from __future__ import annotations

import asyncio
import os
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from logweir.benchmarks.suite.natives.base import Native
from logweir.benchmarks.suite.truth import Aggregation, LabelQuestion
from logweir.encoding.events import decode_event, encode_event
from logweir.event import Event
from logweir.sinks.query_match import nanoseconds

__all__ = ["FileNative"]


class FileNative(Native):
    """A file for each store."""

    def _path(self, store: str) -> Path:
        return self.spec.folder / f"{store}.jsonl"

    def sink_settings(self, store: str) -> dict[str, Any]:
        """See :meth:`Native.sink_settings`."""
        return {"type": "file", "path": str(self._path(store)), "fsync": True}

    def production_settings(self) -> dict[str, Any]:
        """See :meth:`Native.production_settings`."""
        return {"type": "file", "path": "logs/events.jsonl", "rotate": {"max_bytes": "100MiB", "keep": 30}}

    async def server(self) -> str:
        """See :meth:`Native.server`."""
        return "JSON lines in a file"

    async def wipe(self, store: str) -> None:
        """See :meth:`Native.wipe`."""
        for path in self._path(store).parent.glob(f"{store}.jsonl*"):
            path.unlink()

    def files(self, store: str) -> list[Path]:
        """See :meth:`Native.files`."""
        return [path for path in [self._path(store)] if path.exists()]

    async def compact(self, store: str) -> None:
        """See :meth:`Native.compact`: a file is what it is."""

    async def storage(self, store: str) -> dict[str, float]:
        """See :meth:`Native.storage`."""
        return {"total": float(self._path(store).stat().st_size)}

    async def aggregate(self, store: str, ask: Aggregation) -> Counter[tuple[int, str]]:
        """See :meth:`Native.aggregate`."""
        low, high = nanoseconds(ask.start), nanoseconds(ask.end)

        def count() -> Counter[tuple[int, str]]:
            return Counter(
                (event.time // 10**9 // 3600 * 3600, event.level)
                for event in self._events(store)
                if low <= event.time < high
            )

        return await asyncio.to_thread(count)

    async def labelled(self, store: str, ask: LabelQuestion, limit: int) -> list[str]:
        """See :meth:`Native.labelled`."""
        low, high = nanoseconds(ask.start), nanoseconds(ask.end)

        def find() -> list[str]:
            found = [
                (event.time, event.id)
                for event in self._events(store)
                if event.service == ask.service and event.level == ask.level and low <= event.time < high
            ]
            return [event_id for _, event_id in sorted(found)[:limit]]

        return await asyncio.to_thread(find)

    async def bare_write(self, store: str, batch: Sequence[Event]) -> None:
        """See :meth:`Native.bare_write`."""

        def write() -> None:
            with self._path(store).open("ab") as file:
                file.write(b"".join(encode_event(event) + b"\n" for event in batch))
                file.flush()
                os.fsync(file.fileno())

        await asyncio.to_thread(write)

    def _events(self, store: str) -> Iterator[Event]:
        with self._path(store).open("rb") as file:
            for line in file:
                yield decode_event(line)
