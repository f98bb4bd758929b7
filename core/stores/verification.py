"""Verifying a sink in parts, wherever each is done, and putting together what they found.

Why parts prove what the whole proves is said in :mod:`logweir.sinks.sql.chain.dividing`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass, field, fields
from datetime import datetime
from itertools import pairwise
from typing import Any

import msgspec

from logweir.sinks.tamper_evidence import Chained, Finding, Part, PartKind, Seams, Tally, Trouble

__all__ = ["MOST_LISTED", "PartResult", "across", "seams_that_differ", "verify_one"]

#: Findings that are listed one by one; further ones are counted.
MOST_LISTED = 1000


@dataclass(slots=True)
class PartResult:
    """What was found in one part.

    Attributes:
        listed: The first findings.
        found: How many there were.
        tally: What was looked at.
        seams: What is to be judged together with other parts.
    """

    listed: list[Finding] = field(default_factory=list)
    found: int = 0
    tally: Tally = field(default_factory=Tally)
    seams: Seams = field(default_factory=Seams)

    def to_message(self) -> dict[str, Any]:
        """Return it as JSON has it, for the process that puts the parts together."""
        message: dict[str, Any] = msgspec.to_builtins(self)
        message["listed"] = [_plain(found) for found in self.listed]
        message["seams"]["suspects"] = [_plain(found) for found in self.seams.suspects]
        return message

    @classmethod
    def of_message(cls, message: dict[str, Any]) -> PartResult:
        """Return what :meth:`to_message` has made."""
        seams = message["seams"]
        listed = [_finding(found) for found in message.pop("listed")]
        suspects = [_finding(found) for found in seams.pop("suspects")]
        result = msgspec.convert(message, cls)
        result.listed, result.seams.suspects = listed, suspects
        return result


async def verify_one(sink: Chained, part: Part, result: PartResult) -> None:
    """Verify one part of a sink; the result is filled as it goes.

    Raises:
        SinkUnavailable: The rows cannot be read.
    """
    async for finding in sink.verify_part(part, result.tally, result.seams):
        result.found += 1
        if len(result.listed) < MOST_LISTED:
            result.listed.append(finding)


async def across(
    sink: Chained, parts: Sequence[Part], results: Sequence[PartResult]
) -> AsyncIterator[Finding]:
    """Yield what shows only where parts are looked at together: at the seams, and rows that were exchanged.

    Args:
        sink: The sink, open.
        parts: All its parts, in their order.
        results: The result of each.

    Raises:
        SinkUnavailable: The rows cannot be read.
    """
    for finding in seams_that_differ(parts, results):
        yield finding
    suspects = dict[str | None, list[Finding]]()
    for result in results:
        for suspect in result.seams.suspects:
            suspects.setdefault(suspect.writer, []).append(suspect)
    for of_writer in suspects.values():
        for finding in await sink.settle(of_writer):
            yield finding


def seams_that_differ(parts: Sequence[Part], results: Sequence[PartResult]) -> Iterator[Finding]:
    """Yield the rows between two parts of which these have not seen the same."""
    chains = [pair for pair in zip(parts, results, strict=True) if pair[0].kind is PartKind.CHAINS]
    for (part, before), (_, behind) in pairwise(chains):
        if part.until is None or part.until.seq is None:
            continue
        ended, began = before.seams.ended, behind.seams.began
        if ended is None or began is None or not ended.fits(began):
            detail = "it was changed while it was verified"
            yield Finding(Trouble.CHANGED, detail, part.until.writer, part.until.seq)


def _plain(found: Finding) -> dict[str, Any]:
    """A finding in JSON: whoever forged a row of SQLite may have put a value of any type there."""
    values = {each.name: getattr(found, each.name) for each in fields(found)}
    plain = {name: str(value) if isinstance(value, bytes) else value for name, value in values.items()}
    return msgspec.to_builtins(plain)  # type: ignore[no-any-return]


def _finding(plain: dict[str, Any]) -> Finding:
    time = None if plain["time"] is None else msgspec.convert(plain["time"], datetime)
    return Finding(**{**plain, "trouble": Trouble(plain["trouble"]), "time": time})
