"""The workload: events of realistic shapes, the same ones for the same seed, in any order of asking.

One in ten is audit; the others are request logs, application logs and errors with stack traces. Users and
services are skewed as in life (few make most of it), requests share a trace id, some text is Unicode, and one
event in a hundred holds a word that occurs nowhere else, for the full-text queries. Instead of these, a
workload can be the user's own JSON lines, repeated as often as it takes.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice
from pathlib import Path
from typing import Any
from uuid import UUID

import msgspec

from logweir.capture.capture import Capture
from logweir.capture.snapshot import Snapshotter
from logweir.errors import LogweirError
from logweir.event import Event, Kind
from logweir.integrations.log_lines import parse_line
from logweir.redaction.redactor import Redactor
from logweir.routing.classifier import Classifier, take_explicit

__all__ = [
    "BLOCK",
    "SERVICES",
    "TRACE_LENGTH",
    "FileWorkload",
    "SeededWorkload",
    "Workload",
    "describe",
    "workload_of",
]

SERVICES = ("order-api", "payment", "catalogue", "search", "mailer")
_SERVICE_WEIGHTS = (50, 20, 15, 10, 5)
#: Events are made in blocks of so many.
BLOCK = 1000
_USERS = 5000
#: So many events in a row share a trace.
TRACE_LENGTH = 4
_PATHS = ("/orders", "/orders/{id}", "/orders/{id}/refund", "/search", "/cart", "/login", "/healthz")
# fmt: off
_WORDS = (
    "accepted", "cache", "cart", "checkout", "connection", "customer", "declined", "delayed", "delivery",
    "discount", "expired", "gateway", "inventory", "invoice", "limit", "lookup", "order", "payment",
    "price", "queue", "refund", "request", "response", "retry", "session", "shipping", "slow", "stock",
    "timeout", "token", "upstream", "user", "voucher", "warehouse", "Überweisung", "café", "注文", "заказ",
    "🎉",
)
# fmt: on
_ACTIONS = ("fund.charge", "fund.refund", "permission.grant", "permission.revoke", "account.close")
_ERRORS = ("TimeoutError", "ConnectionResetError", "ValueError", "KeyError", "PaymentDeclined")
_FRAME = '  File "/srv/app/{module}.py", line {line}, in {function}\n    {text}\n'


@dataclass(frozen=True, slots=True)
class Workload:
    """Events by number.

    Attributes:
        first_ns: The time of the first event, nanoseconds since 1970-01-01 UTC.
        step_ns: The time between two events.
    """

    first_ns: int
    step_ns: int

    def block(self, number: int) -> list[Event]:
        """The events of one block of a thousand."""
        raise NotImplementedError

    def events(self, start: int, end: int) -> Iterator[Event]:
        """The events from number ``start`` up to ``end``."""
        for number in range(start // BLOCK, (end - 1) // BLOCK + 1):
            low = number * BLOCK
            yield from islice(self.block(number), max(0, start - low), max(0, end - low))

    def batches(self, start: int, end: int, size: int) -> Iterator[list[Event]]:
        """The same in lists of ``size``."""
        events = self.events(start, end)
        while batch := list(islice(events, size)):
            yield batch


@dataclass(frozen=True, slots=True)
class SeededWorkload(Workload):
    """Events from a seed."""

    seed: int = 7

    def block(self, number: int) -> list[Event]:
        """See :meth:`Workload.block`."""
        chance = random.Random(f"{self.seed}:{number}")
        low = number * BLOCK
        return [self._event(chance, low + index) for index in range(BLOCK)]

    def _event(self, chance: random.Random, number: int) -> Event:
        time_ns = self.first_ns + number * self.step_ns
        kind, level, name, fields = _shape(chance, number)
        service = chance.choices(SERVICES, _SERVICE_WEIGHTS)[0]
        trace = f"{self.seed & 0xFFFFFFFF:08x}{number // TRACE_LENGTH:024x}"
        span = f"{number:016x}"
        size = 200 + sum(len(key) + len(str(value)) for key, value in fields.items())
        return Event(
            _uuid7(time_ns, chance), time_ns, kind, level, name, service, "bench", trace, span, fields, size
        )


def _shape(chance: random.Random, number: int) -> tuple[Kind, str, str, dict[str, Any]]:
    draw = chance.random()
    user = _user(chance)
    if draw < 0.10:
        return Kind.AUDIT, "info", chance.choice(_ACTIONS), _audit_fields(chance, user)
    if draw < 0.65:
        return _request(chance, user)
    message = _message(chance, number)
    if draw < 0.93:
        level = "debug" if draw < 0.75 else "info"
        return Kind.TRACING, level, f"app.{chance.choice(_WORDS[:20])}", {"message": message, "user_id": user}
    error = chance.choice(_ERRORS)
    fields = {"message": message, "user_id": user, "error_type": error, "exception": _stack(chance, error)}
    return Kind.TRACING, "error" if draw < 0.99 else "critical", "app.failed", fields


def _audit_fields(chance: random.Random, user: str) -> dict[str, Any]:
    failed = chance.random() < 0.05
    return {
        "user_id": user,
        "status": "failed" if failed else "success",
        "resource": f"account-{chance.randrange(20_000)}",
        "duration_ms": round(chance.lognormvariate(2, 1), 3),
        "amount": round(chance.lognormvariate(3, 1), 2),
        "currency": chance.choice(("EUR", "USD", "JPY")),
        **({"error_type": chance.choice(_ERRORS)} if failed else {}),
    }


def _request(chance: random.Random, user: str) -> tuple[Kind, str, str, dict[str, Any]]:
    status = chance.choices((200, 201, 304, 404, 500, 503), (70, 10, 8, 8, 3, 1))[0]
    fields = {
        "user_id": user,
        "http_method": chance.choice(("GET", "GET", "GET", "POST", "DELETE")),
        "http_path": chance.choice(_PATHS),
        "http_status": status,
        "duration_ms": round(chance.lognormvariate(3, 1), 3),
        "client": {"ip": f"10.{chance.randrange(256)}.{chance.randrange(256)}.9", "agent": "bench/1.0"},
    }
    return Kind.TRACING, "error" if status >= 500 else "info", "http.request", fields


def _message(chance: random.Random, number: int) -> str:
    words = " ".join(chance.choices(_WORDS, k=chance.randrange(5, 16)))
    return f"{words} {needle(number)}" if chance.random() < 0.03 else words


def needle(number: int) -> str:
    """The word that only the event of this number may hold."""
    return f"needle{number:09d}x"


def _stack(chance: random.Random, error: str) -> str:
    frames = [
        _FRAME.format(
            module=f"{chance.choice(SERVICES).replace('-', '_')}/{chance.choice(_WORDS[:20])}",
            line=chance.randrange(1, 900),
            function=f"do_{chance.choice(_WORDS[:20])}",
            text=f"return await self.{chance.choice(_WORDS[:20])}({chance.choice(_WORDS[:20])})",
        )
        for _ in range(chance.randrange(4, 16))
    ]
    return "Traceback (most recent call last):\n" + "".join(frames) + f"{error}: {chance.choice(_WORDS)}"


def _user(chance: random.Random) -> str:
    """Skewed: the first tenth of the users makes about half of the events."""
    return f"user-{int(_USERS * chance.random() ** 3)}"


def _uuid7(time_ns: int, chance: random.Random) -> str:
    """A UUIDv7 (RFC 9562) whose random part comes from the seed."""
    bits = (time_ns // 1_000_000) << 80 | 0x7 << 76 | chance.getrandbits(12) << 64
    return str(UUID(int=bits | 0b10 << 62 | chance.getrandbits(62)))


@dataclass(frozen=True, slots=True)
class FileWorkload(Workload):
    """The user's own events, in their order, again and again; ids and times are those of the workload."""

    path: Path = Path()
    seed: int = 7

    def block(self, number: int) -> list[Event]:
        """See :meth:`Workload.block`."""
        own = _own_events(self.path)
        chance = random.Random(f"{self.seed}:{number}")
        low = number * BLOCK
        return [self._event(chance, own[(low + index) % len(own)], low + index) for index in range(BLOCK)]

    def _event(self, chance: random.Random, own: Event, number: int) -> Event:
        time_ns = self.first_ns + number * self.step_ns
        return msgspec.structs.replace(own, id=_uuid7(time_ns, chance), time=time_ns)


@lru_cache(maxsize=1)
def _own_events(path: Path) -> list[Event]:
    """The events of a file of lines, redacted as they would be in production.

    Raises:
        LogweirError: It cannot be read.
    """
    capture = Capture("bench", "bench", take_explicit, Classifier([]).classify, Snapshotter(Redactor()))
    try:
        with path.open("rb") as file:
            return [capture(*parsed[:3]) for parsed in map(parse_line, file) if parsed is not None]
    except (OSError, ValueError) as error:
        raise LogweirError(f"{path} cannot be read: {error}") from None


def describe(workload: Workload) -> dict[str, Any]:
    """The workload as the results keep it."""
    shape = {"file": str(workload.path)} if isinstance(workload, FileWorkload) else {"shape": "seeded"}
    return {
        **shape,
        "seed": getattr(workload, "seed", 0),
        "first_ns": workload.first_ns,
        "step_ns": workload.step_ns,
    }


def workload_of(description: dict[str, Any]) -> Workload:
    """The workload that :func:`describe` described.

    Raises:
        LogweirError: Its file has no events.
    """
    times = {"first_ns": description["first_ns"], "step_ns": description["step_ns"]}
    if "file" not in description:
        return SeededWorkload(**times, seed=description["seed"])
    path = Path(description["file"])
    if not _own_events(path):
        raise LogweirError(f"{path} has no events")
    return FileWorkload(**times, path=path, seed=description["seed"])
