"""The dead letters of a sink in Redis: one stream ``{NAME}:dead``, which no group consumes and nobody trims.

A letter's place in the stream is its identity. Beside the stream a counter has the bytes of all letters, so
that how many there are costs one question.
"""

from __future__ import annotations

from collections.abc import Sequence

from logweir.delivery.brokers.contract import KeptLetter, LetterTotals
from logweir.delivery.brokers.redis_client import Client
from logweir.delivery.brokers.redis_scripts import KEEP, LETTERS, REMOVE
from logweir.errors import SinkRejected, SinkUnavailable

__all__ = ["keep", "page", "remove", "totals"]

#: The most positions in one call of a script, whose stack is bounded.
_MOST = 1000


async def keep(client: Client, name: str, bodies: Sequence[bytes], replicas: int, wait: int) -> None:
    """Append letters, and wait for replicas where they are asked for.

    Raises:
        SinkUnavailable: They are not confirmed.
    """
    calls = [(KEEP, _keys(name), *bodies[start : start + _MOST]) for start in range(0, len(bodies), _MOST)]
    if not calls:
        return
    try:
        answers = client.sound(await client.scripts(calls, [("WAIT", replicas, wait)] if replicas else []))
    except SinkRejected as error:  # the letter is not at fault for that: it is kept elsewhere meanwhile
        raise SinkUnavailable(str(error)) from None
    if replicas and answers[-1] < replicas:
        raise SinkUnavailable(f"Redis: only {answers[-1]} of {replicas} replicas confirmed a dead letter")


async def page(client: Client, name: str, after: str, limit: int) -> list[KeptLetter]:
    """Letters behind a position, oldest first."""
    answer = await client.one("XRANGE", _keys(name)[0], f"({after}" if after else "-", "+", "COUNT", limit)
    return [KeptLetter(position.decode(), fields[1]) for position, fields in answer]


async def remove(client: Client, name: str, positions: Sequence[str]) -> int:
    """Delete letters; returns how many were there."""
    starts = range(0, len(positions), _MOST)
    calls = [(REMOVE, _keys(name), *positions[start : start + _MOST]) for start in starts]
    return sum(client.sound(await client.scripts(calls))) if calls else 0


async def totals(client: Client, name: str) -> LetterTotals:
    """Count them."""
    (seconds, _), (count, size, first) = client.sound(
        [*await client.many([("TIME",)]), *await client.scripts([(LETTERS, _keys(name))])]
    )
    if not count:
        return LetterTotals()
    return LetterTotals(count, size, max(0.0, int(seconds) - int(first.split(b"-")[0]) / 1000))


def _keys(name: str) -> tuple[str, str]:
    return f"{{{name}}}:dead", f"{{{name}}}:dead:bytes"
