"""Writing into a sink outside of the engine: for restoring an archive and for moving to another store.

The engine's workers retry without end and put what is refused into the dead letters; a command tries for
a while, and reports what was refused.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

from logweir.delivery.call_sink import call_sink
from logweir.delivery.retry import pause_before_retry
from logweir.errors import SinkRejected, SinkUnavailable
from logweir.event import Event
from logweir.sinks.contract import Sink, SinkConfig

__all__ = ["Written", "store"]

#: Attempts in a row that may fail before a command gives up.
_PATIENCE = 6


@dataclass(slots=True)
class Written:
    """How events fared.

    Attributes:
        stored: How many are new in the sink.
        duplicate: How many it had already.
        rejected: The ids that it refuses, each with the reason.
    """

    stored: int = 0
    duplicate: int = 0
    rejected: dict[str, str] = field(default_factory=dict)

    def add(self, other: Written) -> None:
        """Count what another write did."""
        self.stored += other.stored
        self.duplicate += other.duplicate
        self.rejected.update(other.rejected)


async def store(
    sink: Sink[SinkConfig],
    events: Sequence[Event],
    sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
) -> Written:
    """Write events; what fails for now is tried again, what is refused is reported alone.

    Raises:
        SinkUnavailable: The sink could not be written for a while; what it stored meanwhile is stored.
    """
    written, failures = Written(), 0
    size = sink.config.batch.max_events
    groups = [list(events[start : start + size]) for start in range(0, len(events), size)][::-1]
    while groups:
        group = groups.pop()
        retry_after = None
        try:
            again, retry_after = await _write(sink, group, written)
        except SinkRejected as error:
            middle = len(group) // 2
            if middle:
                groups += [group[middle:], group[:middle]]
            else:
                written.rejected[group[0].id] = str(error)
            continue
        except (SinkUnavailable, TimeoutError) as error:
            again, retry_after = group, getattr(error, "retry_after", None)
            if failures + 1 == _PATIENCE:
                raise SinkUnavailable(str(error) or "no answer in time") from None
        failures = failures + 1 if len(again) == len(group) else 0
        if again:
            if failures == _PATIENCE:
                raise SinkUnavailable("the sink asks again and again to be tried later")
            groups.append(again)
            await sleep(pause_before_retry(failures + 1, sink.config.retry, retry_after=retry_after))
    return written


async def _write(
    sink: Sink[SinkConfig], group: list[Event], written: Written
) -> tuple[list[Event], float | None]:
    """Write a group and count it; return what the sink wants to have again, and when."""
    result = await call_sink(lambda: sink.write(group), sink.config.retry.timeout)
    again = [group[index] for index in sorted(result.retry)]
    rejected = {group[index].id: reason for index, reason in result.rejected.items()}
    written.add(
        Written(
            len(group) - len(again) - len(rejected) - len(result.duplicate), len(result.duplicate), rejected
        )
    )
    return again, result.retry_after
