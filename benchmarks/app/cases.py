"""What is measured: which contender, in front of which store, in which state, on which core."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import urlsplit

from logweir.benchmarks.app import brokers, contenders

__all__ = ["BASELINE", "REFERENCE", "SINKS", "Case", "cases"]

#: What all are compared with.
BASELINE = "none"
#: Whose processor time is the measure.
REFERENCE = "structlog"
#: The sinks that logweir is measured with.
SINKS = ("null", "file", "sqlite", "mysql", "loki")
_PORTS = {"mysql": 3306, "loki": 80}
#: In front of what is dead or slow, the queue is soon full and forgets the oldest, or spills before a broker.
_SMALL = {"max_events": 5000}
_ELSEWHERE = {"queue": {"type": "disk", "deliver": "elsewhere"}}


@dataclass(frozen=True, slots=True)
class Case:
    """One service.

    Attributes:
        name: In the report.
        contender: How it logs.
        options: Of logweir's sink; ``{folder}`` stands for the folder of the service, ``{run}`` for a name
            that no other run has.
        state: Of the store, or of the broker before it: alive, dead or slow.
        pinned: Whether the service has a core of its own.
    """

    name: str
    contender: str
    options: Mapping[str, Any] = field(default_factory=dict)
    state: str = "alive"
    pinned: bool = True

    @property
    def is_elsewhere(self) -> bool:
        """Whether the service only puts on its disk what a process of its own delivers, or forwards."""
        return bool(self.options.get("queue", {}).get("deliver") == "elsewhere")

    @property
    def broker(self) -> str | None:
        """The broker that the events go over, if any."""
        kind = self.options.get("queue", {}).get("type")
        return kind if kind in brokers.BROKERS else None

    @property
    def relay_port(self) -> int:
        """The port where a relay has to be; 0 for any."""
        return brokers.relay_port(self.options["queue"]) if self.broker else 0

    def address(self) -> tuple[str, int]:
        """Host and port of the store, or of the broker before it."""
        if self.broker:
            return brokers.address(self.options["queue"])
        parts = urlsplit(str(self.options["url"]))
        return parts.hostname or "127.0.0.1", parts.port or _PORTS[self.options["type"]]

    def at(self, port: int) -> Case:
        """The same with a relay on this port instead of the store, or of the broker before it."""
        if self.broker:
            return replace(self, options={**self.options, "queue": brokers.at(self.options["queue"], port)})
        parts = urlsplit(str(self.options["url"]))
        login = parts.netloc.rpartition("@")[0]
        place = f"{login}@127.0.0.1:{port}" if login else f"127.0.0.1:{port}"
        return replace(self, options={**self.options, "url": parts._replace(netloc=place).geturl()})


def cases(
    wanted: Collection[str],
    others: Collection[str],
    urls: Mapping[str, str],
    table: str,
    *,
    unpinned: bool,
    over: Collection[str] = brokers.BROKERS,
) -> Iterator[Case]:
    """The cases, in the order of their turns.

    Args:
        wanted: Which of logweir's sinks.
        others: Which of the other contenders.
        urls: Of the stores and brokers that are there, by the type of the sink or queue.
        table: Where relational sinks write.
        unpinned: Whether the service is measured once more without a core of its own.
        over: Which brokers.
    """
    rivals = [
        Case(name, name)
        for name in contenders.NAMES
        if name in (BASELINE, REFERENCE, *others) and contenders.missing(name) is None
    ]
    own = list(_own(wanted, urls, table))
    beside = [case for case in own if case.options["type"] in ("file", *_PORTS)]
    yield from rivals
    yield from own
    for case in own:
        yield from _faulty(case)
    for case in beside:
        elsewhere = replace(case, name=f"{case.name}, elsewhere", options={**case.options, **_ELSEWHERE})
        yield elsewhere
        yield from _faulty(elsewhere)
    behind = [case for case in own if case.options["type"] in ("file", "mysql")][-1:]
    for broker in over:
        for case in behind if broker in urls else ():
            yield from _over(broker, urls[broker], case)
    if unpinned:
        for case in (*(case for case in rivals if case.name in (BASELINE, REFERENCE)), *beside):
            yield replace(case, name=f"{case.name}, unpinned", pinned=False)


def _own(wanted: Collection[str], urls: Mapping[str, str], table: str) -> Iterator[Case]:
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
    for sink in SINKS:
        if sink in wanted and (sink in urls or sink not in _PORTS):
            yield Case(f"logweir to {sink}", "logweir", options[sink])


def _over(broker: str, url: str, case: Case) -> Iterator[Case]:
    """A store behind a broker: forwarded by the service itself, and by a process of its own."""
    queue = brokers.queue(broker, url, "{run}")
    inside = replace(case, name=f"{case.name} over {broker}", options={**case.options, "queue": queue})
    forwarded = {**case.options, "queue": {**queue, "deliver": "elsewhere"}}
    elsewhere = replace(inside, name=f"{inside.name}, forwarded elsewhere", options=forwarded)
    for each in (inside, elsewhere):
        yield each
        yield from _faulty(each)


def _faulty(case: Case) -> Iterator[Case]:
    """The same with its store, or the broker before it, dead and slow; nothing where no relay can be."""
    if not (brokers.is_relayed(case.broker) if case.broker else case.options["type"] in _PORTS):
        return
    queue = {**case.options.get("queue", {}), **_SMALL}
    for state in ("dead", "slow"):
        yield replace(
            case, name=f"{case.name}, {state}", state=state, options={**case.options, "queue": queue}
        )
