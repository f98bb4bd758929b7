"""What two sinks answered as the answer of one. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from logweir.sinks.results import WriteResult

__all__ = ["joined", "not_dead"]


def joined(*parts: tuple[Sequence[int], WriteResult]) -> WriteResult:
    """The answer to a batch, from the answers to its parts, each with the places of its events."""
    duplicate: set[int] = set()
    retry: set[int] = set()
    rejected: dict[int, str] = {}
    for places, answer in parts:
        duplicate |= {places[index] for index in answer.duplicate}
        retry |= {places[index] for index in answer.retry}
        rejected |= {places[index]: reason for index, reason in answer.rejected.items()}
    waits = [answer.retry_after for _, answer in parts if answer.retry_after is not None]
    reason = next((answer.retry_reason for _, answer in parts if answer.retry_reason), "")
    return WriteResult(frozenset(duplicate), frozenset(retry), rejected, max(waits, default=None), reason)


def not_dead(answer: WriteResult) -> WriteResult:
    """The answer of a fallback, with what it refuses for good as what is to be sent again."""
    if not answer.rejected:
        return answer
    return WriteResult(
        answer.duplicate,
        answer.retry | answer.rejected.keys(),
        retry_after=answer.retry_after,
        retry_reason=f"the fallback refuses it: {_first(answer.rejected)}",
    )


def _first(reasons: Mapping[int, str]) -> str:
    return reasons[min(reasons)]
