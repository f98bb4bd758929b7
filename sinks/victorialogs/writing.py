"""Storing a batch, whatever VictoriaLogs refuses of it.

It refuses next to nothing: what it would drop silently is held back beforehand (see
:mod:`logweir.sinks.victorialogs.limits`). A request that a proxy finds too large, or that has a line which
cannot be read, is halved until the line is alone.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

from logweir.errors import SinkUnavailable
from logweir.sinks.results import WriteResult
from logweir.sinks.shared.batch_verdicts import BatchVerdicts
from logweir.sinks.shared.portions import portions
from logweir.sinks.victorialogs.encode import Line
from logweir.sinks.victorialogs.verdicts import Answer, Outcome, outcome_of, said_by

__all__ = ["Push", "store"]

#: Sends one request.
Push = Callable[[bytes], Awaitable[Answer]]


async def store(
    lines: Sequence[Line], refused: dict[int, str], push: Push, largest: int, queue_wait: float
) -> WriteResult:
    """Send lines until each has its verdict.

    Args:
        lines: A batch, without the events that were refused.
        refused: Those, by index, each with the reason.
        push: Sends one request.
        largest: The most bytes in one.
        queue_wait: Seconds after which a 200 says nothing.

    Raises:
        SinkUnavailable: Nothing was stored.
    """
    verdicts = BatchVerdicts(rejected=refused)
    waiting = portions(lines, _weight, largest)[::-1]  # a stack: halves go on top of it
    while waiting:
        group = waiting.pop()
        body = b"\n".join([line.text for line in group] + [b""])
        try:
            answer = await push(body)
            outcome = outcome_of(answer, queue_wait)
        except SinkUnavailable as error:
            if not verdicts.answered and not refused:
                raise
            verdicts.retry.update(line.index for part in (group, *waiting) for line in part)
            verdicts.retry_reason, verdicts.retry_after = str(error), error.retry_after
            break
        verdicts.answered = True
        if outcome is Outcome.STORED:
            continue
        if len(group) == 1:
            verdicts.rejected[group[0].index] = said_by(answer)
        else:
            middle = len(group) // 2
            waiting += [group[middle:], group[:middle]]
    return verdicts.result()


def _weight(line: Line) -> int:
    return len(line.text) + 1  # and a line feed
