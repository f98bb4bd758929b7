"""What a case of the corpora is, and when a secret counts as visible in what was stored."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from corpora.values import Values

__all__ = [
    "AuditCase",
    "Logged",
    "SecretCase",
    "Shape",
    "blocks",
    "leaves",
    "lines",
    "lost_pieces",
    "shown",
    "structures",
]

#: From this length on, half of a secret is as good as all of it to whoever guesses the rest.
_HALF_COUNTS_FROM = 8
#: Up to this length a secret may be part of some other number by chance.
_MAY_OCCUR_BY_CHANCE = 6


@dataclass(frozen=True)
class Logged:
    """What a program gives to its logger.

    Attributes:
        event: The message; mostly a text.
        args: Positional arguments of the message.
        fields: Keyword arguments.
        via: The logger: structlog's, that of the standard library, or the audit decorator.
        error: An exception that is logged with its traceback.
        call: For the audit decorator: takes it, and makes the call that is audited.
        hidden: The secret is inside an object that does not show it by itself.
    """

    event: Any = "work.done"
    args: tuple[Any, ...] = ()
    fields: Mapping[str, Any] = field(default_factory=dict)
    via: Literal["structlog", "stdlib", "audit"] = "structlog"
    error: BaseException | None = None
    call: Callable[[Callable[..., Any]], None] | None = None
    hidden: bool = False


@dataclass(frozen=True)
class SecretCase:
    """One shape with its values filled in: none of ``secrets`` may be seen, all of ``visible`` should be."""

    name: str
    family: str
    source: str
    logged: Logged
    secrets: tuple[str, ...]
    visible: tuple[str, ...] = ()
    hard: bool = False


@dataclass(frozen=True)
class Shape:
    """A way of logging a secret: ``build`` fills in the values of a seed. A hard one is not counted."""

    name: str
    family: str
    source: str
    build: Callable[[Values], Logged]
    hard: bool = False

    def case(self, seed: int) -> SecretCase:
        """Fill in the values of this seed."""
        values = Values(f"{seed}/{self.name}")
        logged = self.build(values)
        secrets, visible = tuple(dict.fromkeys(values.secrets)), tuple(dict.fromkeys(values.visible))
        return SecretCase(self.name, self.family, self.source, logged, secrets, visible, self.hard)


@dataclass(frozen=True)
class AuditCase:
    """A harmless event: every leaf of ``fields`` should be stored as it is."""

    name: str
    source: str
    event: str
    fields: Mapping[str, Any]


def _placed(place: int, text: str) -> Logged:
    """Programs log a text as the message, as a field, as an argument, or deep in an answer."""
    if place == 0:
        return Logged(event=text)
    if place == 1:
        return Logged(event="step.failed", fields={"detail": text, "attempt": 2})
    if place == 2:
        return Logged(event="worker said: %s", args=(text,), via="stdlib")
    return Logged(event="call.finished", fields={"result": {"status": 1, "output": ["started", text]}})


def _of_text(name: str, family: str, source: str, text: str, place: int) -> Shape:
    return Shape(
        name, family, source, lambda values: _placed(place, values.fill(text)), hard=name.startswith("hard-")
    )


def lines(family: str, table: str) -> Iterator[Shape]:
    """Read shapes from lines of ``name | source | text``; a name that begins with ``hard-`` makes a hard one."""
    rows = [line for line in table.splitlines() if line.strip()]
    for number, row in enumerate(rows):
        name, source, text = row.split(" | ", 2)
        yield _of_text(name.strip(), family, source.strip(), text.strip().replace("«n»", "\n"), number % 4)


def blocks(family: str, table: str) -> Iterator[Shape]:
    """Read shapes of several lines, each below its ``## name | source``."""
    for number, block in enumerate(re.split(r"^## ", table, flags=re.MULTILINE)[1:]):
        head, text = block.split("\n", 1)
        name, source = head.split(" | ", 1)
        yield _of_text(name.strip(), family, source.strip(), text.strip("\n"), number % 4)


def structures(family: str, rows: Iterable[tuple[str, str, Mapping[str, Any]]]) -> Iterator[Shape]:
    """Make shapes of rows of name, source and fields."""
    for name, source, fields in rows:
        yield Shape(name, family, source, lambda values, fields=fields: Logged(fields=values.fill(fields)))


def leaves(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[tuple[Any, ...], Any]]:
    """Yield each leaf of nested dicts and lists with its path."""
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from leaves(inner, (*path, key))
    elif isinstance(value, list | tuple):
        for index, inner in enumerate(value):
            yield from leaves(inner, (*path, index))
    else:
        yield path, value


def _searchable(stored: Any) -> str:
    """All texts of what was stored, as JSON writes them and as they are."""
    plain = [str(part) for path, leaf in leaves(stored) for part in (*path, leaf)]
    return "\n".join([json.dumps(stored, ensure_ascii=False, default=str), *plain])


def _is_in(secret: str, text: str) -> bool:
    if len(secret) < _MAY_OCCUR_BY_CHANCE:
        return re.search(rf"(?<!\w){re.escape(secret)}(?!\w)", text) is not None
    if len(secret) < _HALF_COUNTS_FROM:
        return secret in text
    window = (len(secret) + 1) // 2
    return any(secret[start : start + window] in text for start in range(len(secret) - window + 1))


def shown(case: SecretCase, stored: Any) -> list[str]:
    """Return the secrets that are visible, whole or by half, in what was stored."""
    text = _searchable(stored)
    return [secret for secret in case.secrets if _is_in(secret, text)]


def lost_pieces(case: SecretCase, stored: Any) -> list[str]:
    """Return what should have stayed visible and did not."""
    text = _searchable(stored)
    return [piece for piece in case.visible if piece not in text]
