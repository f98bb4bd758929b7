"""The command line: Loki's flags by their names, and a few of the double's own."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from servers.loki_double.limits import FLAGS, Limits
from servers.loki_double.units import SECOND, parse_flag

#: Flags of Loki that change nothing here.
_IGNORED = {"shard-streams.enabled", "log.level", "server.http-listen-address"}
#: What Loki 2.9 did not do unless asked (Loki docs, Release notes v2.9 and v3.0; Structured metadata).
_UNKNOWN_TO_2 = ("allow_structured_metadata", "discover_service_name", "discover_log_levels")


@dataclass(frozen=True)
class Options:
    """How one double runs.

    Attributes:
        port: Where it listens, on loopback.
        data: The directory of its file.
        limits: What tenants may send and ask for.
        version: What it says it is; 2.9 takes no structured metadata unless it is allowed.
        auth_enabled: A request without X-Scope-OrgID is refused, and each tenant sees its own.
        not_ready_for: Seconds after the start in which ``/ready`` says no.
        retry_after: Seconds to send in Retry-After with a 429.
        fail_every: Each so many pushes, half is stored and this status is answered.
        tail_buffer: Entries that wait for a client that tails.
        schema_from: Where the schema begins, in nanoseconds.
    """

    port: int
    data: Path
    limits: Limits = field(default_factory=Limits)
    version: str = "3.7"
    auth_enabled: bool = True
    not_ready_for: float = 0.0
    retry_after: int | None = None
    fail_every: tuple[int, int] | None = None
    tail_buffer: int = 1000
    schema_from: int = int(datetime(2020, 1, 1, tzinfo=UTC).timestamp()) * SECOND


def _every(text: str) -> tuple[int, int]:
    number, status = text.split(":")
    return int(number), int(status)


def _day(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) * SECOND


_OWN: dict[str, tuple[str, Callable[[str], Any]]] = {
    "port": ("port", int),
    "data": ("data", Path),
    "version": ("version", str),
    "auth.enabled": ("auth_enabled", parse_flag),
    "not-ready-for": ("not_ready_for", float),
    "retry-after": ("retry_after", int),
    "fail-every": ("fail_every", _every),
    "tail-buffer": ("tail_buffer", int),
    "schema-from": ("schema_from", _day),
}


def parse_arguments(arguments: Sequence[str]) -> Options:
    """Read ``-flag=value`` arguments; the last one of a name counts.

    Raises:
        ValueError: A flag is unknown, or its value cannot be read.
    """
    own: dict[str, Any] = {}
    limits: dict[str, Any] = {}
    for argument in arguments:
        name, equals, text = argument.lstrip("-").partition("=")
        if not argument.startswith("-") or not equals:
            raise ValueError(f"{argument!r} is not of the form -flag=value")
        if name in _OWN:
            key, read = _OWN[name]
            own[key] = read(text)
        elif name in FLAGS:
            key, read = FLAGS[name]
            limits[key] = read(text)
        elif name not in _IGNORED:
            raise ValueError(f"flag provided but not defined: -{name}")
    missing = {"port", "data"} - own.keys()
    if missing:
        raise ValueError(f"missing: {', '.join(f'-{name}' for name in sorted(missing))}")
    if own.get("version", "").startswith("2."):
        limits = {**dict.fromkeys(_UNKNOWN_TO_2, False), **limits}
    return Options(**own, limits=Limits(**limits))
