"""What is measured: which contender, in front of which store, in which state, on which core."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import urlsplit

from logweir.benchmarks.app import contenders

__all__ = ["BASELINE", "REFERENCE", "SINKS", "Case", "cases"]

#: What all are compared with.
BASELINE = "none"
#: Whose processor time is the measure.
REFERENCE = "structlog"
#: The sinks that logweir is measured with.
SINKS = ("null", "file", "sqlite", "mysql", "loki")
_PORTS = {"mysql": 3306, "loki": 80}
#: In front of a store that is dead or slow, the queue is soon full and forgets the oldest.
_SMALL_QUEUE = {"queue": {"max_events": 5000}}
_ELSEWHERE = {"queue": {"type": "disk", "deliver": "elsewhere"}}


@dataclass(frozen=True, slots=True)
class Case:
    """One service.

    Attributes:
        name: In the report.
        contender: How it logs.
        options: Of logweir's sink; ``{folder}`` stands for the folder of the service.
        state: Of the store: alive, dead or slow.
        pinned: Whether the service has a core of its own.
    """

    name: str
    contender: str
    options: Mapping[str, Any] = field(default_factory=dict)
    state: str = "alive"
    pinned: bool = True

    @property
    def is_elsewhere(self) -> bool:
        """Whether a process of its own delivers."""
        return bool(self.options.get("queue", {}).get("deliver") == "elsewhere")

    def address(self) -> tuple[str, int]:
        """Host and port of the store."""
        parts = urlsplit(str(self.options["url"]))
        return parts.hostname or "127.0.0.1", parts.port or _PORTS[self.options["type"]]

    def at(self, port: int) -> Case:
        """The same with a relay on this port instead of the store."""
        parts = urlsplit(str(self.options["url"]))
        login = parts.netloc.rpartition("@")[0]
        place = f"{login}@127.0.0.1:{port}" if login else f"127.0.0.1:{port}"
        return replace(self, options={**self.options, "url": parts._replace(netloc=place).geturl()})


def cases(
    wanted: Collection[str], others: Collection[str], urls: Mapping[str, str], table: str, *, unpinned: bool
) -> Iterator[Case]:
    """The cases, in the order of their turns.

    Args:
        wanted: Which of logweir's sinks.
        others: Which of the other contenders.
        urls: Of the stores that are there, by the type of the sink.
        table: Where relational sinks write.
        unpinned: Whether the service is measured once more without a core of its own.
    """
    rivals = [
        Case(name, name)
        for name in contenders.NAMES
        if name in (BASELINE, REFERENCE, *others) and contenders.missing(name) is None
    ]
    options: dict[str, dict[str, Any]] = {
        "null": {"type": "null"},
        "file": {"type": "file", "path": "{folder}/log.jsonl"},
        "sqlite": {
            "type": "sqlite",
            "url": "sqlite+aiosqlite:///{folder}/audit.db",
            "table": table,
            "provision": True,
        },
        "mysql": {"type": "mysql", "url": urls.get("mysql"), "table": table, "provision": True},
        "loki": {"type": "loki", "url": urls.get("loki"), "static_labels": {"job": table}},
    }
    own = [
        Case(f"logweir to {sink}", "logweir", options[sink])
        for sink in SINKS
        if sink in wanted and (sink in urls or sink not in _PORTS)
    ]
    yield from rivals
    yield from own
    for case in own:
        if case.options["type"] in _PORTS:
            for state in ("dead", "slow"):
                small = {**case.options, **_SMALL_QUEUE}
                yield replace(case, name=f"{case.name}, {state}", state=state, options=small)
    for case in own:
        if case.options["type"] in ("file", *_PORTS):
            yield replace(case, name=f"{case.name}, elsewhere", options={**case.options, **_ELSEWHERE})
    if unpinned:
        for case in (*rivals, *own):
            if case.name in (BASELINE, REFERENCE) or case.options.get("type") in ("file", *_PORTS):
                yield replace(case, name=f"{case.name}, unpinned", pinned=False)
