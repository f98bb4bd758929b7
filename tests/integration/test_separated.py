"""Dynamic/static separation, end to end: the order service with audit in MySQL and tracing in three stores.

The truth is what was sent and what was answered: each answer says which events its request must have left,
and carries the trace id under which they are stored.
"""

import asyncio
import os
import re
import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from uuid import uuid4

import pytest

from logweir.cli.metrics_client import Picture, look
from logweir.config.loading import load_config
from logweir.event import Kind
from logweir.sinks.contract import Query
from logweir.sinks.mongodb.config import DEFAULT_DATABASE
from logweir.stores.reading import merged, search_all
from servers import Server, machine
from support import raw_stores, sql, victorialogs
from support.elastic import Elastic
from support.order_service import (
    CARD_PREFIX,
    COMMAND,
    PASSWORD_PREFIX,
    ROOT,
    Answer,
    Driven,
    application,
    expected,
    order_service,
)
from support.raw_stores import Stored

LONG = os.environ.get("LOGWEIR_SOAK") == "long"
REQUESTS = 20_000 if LONG else 700
EXAMPLES = ROOT / "examples" / "separated"
TRACING = ("logs", "search", "documents")
SECRET = re.compile(rf"{CARD_PREFIX}\d{{10}}|{PASSWORD_PREFIX}\w+")


@dataclass
class Stores:
    """The four servers, and names in them that no other test has; the one of Loki may be a VictoriaLogs."""

    mysql: Server
    loki: Server
    elasticsearch: Server
    mongodb: Server
    name: str = field(default_factory=lambda: f"separated_{uuid4().hex[:12]}")
    since: int = field(default_factory=lambda: time.time_ns() - 60 * 10**9)
    metrics_port: int = field(default_factory=machine.free_port)

    @property
    def environment(self) -> dict[str, str]:
        """What the examples take from the environment."""
        return {
            "MYSQL_URL": self.mysql.url,
            "LOKI_URL": self.loki.url if self.loki.name == "loki" else victorialogs.push_url(self.loki.url),
            "ELASTICSEARCH_URL": self.elasticsearch.url,
            "MONGODB_URL": self.mongodb.url,
            "AUDIT_TABLE": self.name,
            "LOKI_JOB": self.name,
            "LOG_INDEX": self.name,
            "LOG_COLLECTION": self.name,
            "METRICS_PORT": str(self.metrics_port),
        }

    def audit(self) -> list[Stored]:
        """What MySQL has."""
        return asyncio.run(raw_stores.in_mysql(self.mysql.url, self.name))

    def tracing(self, sink: str) -> list[Stored]:
        """What a store of tracing has."""
        if sink == "logs" and self.loki.name == "victorialogs":
            return raw_stores.in_victorialogs(self.loki.url, self.name)
        if sink == "logs":
            return raw_stores.in_loki(self.loki.url, self.name, self.since)
        if sink == "search":
            return raw_stores.in_elasticsearch(self.elasticsearch.url, self.name)
        return raw_stores.in_mongodb(self.mongodb.url, DEFAULT_DATABASE, self.name)

    def remove(self) -> None:
        """Clean up."""
        asyncio.run(sql.run(self.mysql.url, f"DROP TABLE IF EXISTS {self.name}"))
        Elastic(self.elasticsearch.url, self.name).remove()
        raw_stores.forget_mongodb(self.mongodb.url, DEFAULT_DATABASE, self.name)


@pytest.fixture
def stores(
    mysql: Server, loki: Server, elasticsearch: Server, mongodb: Server, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Stores]:
    found = Stores(mysql, loki, elasticsearch, mongodb)
    for name, value in found.environment.items():
        monkeypatch.setenv(name, value)
    yield found
    found.remove()


@pytest.mark.soak
@pytest.mark.timeout(1800 if LONG else 240)
def test_audit_is_in_mysql_alone_and_tracing_in_each_of_three_stores_exactly_once(
    stores: Stores, tmp_path: Path
) -> None:
    with order_service(tmp_path, EXAMPLES / "routing.yaml") as service:
        driven = service.drive(REQUESTS)
        picture = settled(stores.metrics_port, wanted(driven))
        service.stop()
    audit = stores.audit()
    tracing = {sink: stores.tracing(sink) for sink in TRACING}

    assert_exactly("audit", audit, driven)
    for sink in TRACING:
        assert_exactly("tracing", tracing[sink], driven)
    ids = {sink: {item.id for item in items} for sink, items in tracing.items()}
    assert ids["logs"] == ids["search"] == ids["documents"]
    assert not ids["logs"] & {item.id for item in audit}

    assert_counted(picture, {"audit_db": len(audit), **{sink: len(tracing[sink]) for sink in TRACING}})
    assert_no_secret(driven, [audit, *tracing.values()], tmp_path)
    assert_one_timeline(driven)


@pytest.mark.parametrize("speaks_loki", ["loki", "victorialogs"])
@pytest.mark.timeout(240)
def test_moving_tracing_from_loki_to_elasticsearch_changes_routing_yaml_alone(
    stores: Stores, tmp_path: Path, speaks_loki: str, request: pytest.FixtureRequest
) -> None:
    stores.loki = request.getfixturevalue(speaks_loki)
    before = application()
    driven = {}
    for routing in ("loki.yaml", "elasticsearch.yaml"):
        with order_service(tmp_path, EXAMPLES / routing, stores.environment) as service:
            assert service.process.args == COMMAND
            driven[routing] = service.drive(200)
            service.stop()  # at once: what is on its way is drained
    assert application() == before
    assert_exactly("tracing", stores.tracing("logs"), driven["loki.yaml"])
    assert_exactly("tracing", stores.tracing("search"), driven["elasticsearch.yaml"])
    together = Driven([*driven["loki.yaml"].answers, *driven["elasticsearch.yaml"].answers])
    assert {len(expected(answer)["audit"]) for answer in together.answers} > {0}
    assert_all_there("audit", stores.audit(), together.answers)


@pytest.mark.timeout(240)
def test_victorialogs_stands_in_for_loki_and_is_read_back(
    stores: Stores, victorialogs: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stores.loki = victorialogs
    monkeypatch.setenv("VICTORIALOGS_URL", victorialogs.url)
    monkeypatch.setenv("LOG_JOB", stores.name)
    with order_service(tmp_path, EXAMPLES / "victorialogs.yaml", stores.environment) as service:
        driven = service.drive(200)
        service.stop()
    assert_exactly("tracing", stores.tracing("logs"), driven)
    assert_all_there("audit", stores.audit(), driven.answers)
    trace_id = next(one.trace_id for one in driven.answers if (one.job, one.status) == ("order", 201))
    query = Query(trace_id=trace_id, limit=None)
    timeline = merged(asyncio.run(search_all(load_config(EXAMPLES / "victorialogs.yaml"), query)))
    assert [(item.event.name, item.sinks) for item in timeline] == [
        ("order.received", ("logs",)),
        ("payment.requested", ("audit_db",)),
        ("order.placed", ("logs",)),
        ("fund.charge", ("audit_db",)),
        ("http.request", ("logs",)),
    ]


@pytest.mark.parametrize("after", ["elasticsearch.yaml", "victorialogs.yaml"])
def test_the_files_before_and_after_a_move_differ_in_one_sink_alone(
    stores: Stores, after: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VICTORIALOGS_URL", "http://victorialogs:9428")
    one, other = (load_config(EXAMPLES / name) for name in ("loki.yaml", after))
    assert one.model_copy(update={"sinks": {}}) == other.model_copy(update={"sinks": {}})
    assert one.sinks.keys() == other.sinks.keys()
    assert [name for name in one.sinks if one.sinks[name] != other.sinks[name]] == ["logs"]


# -- the truth ----------------------------------------------------------------------------------------


def wanted(driven: Driven) -> dict[str, int]:
    """How many events of each kind there must be."""
    counts = {
        kind: sum(expected(answer)[kind].total() for answer in driven.answers)
        for kind in ("audit", "tracing")
    }
    counts["tracing"] += driven.repeated_refunds
    return counts


def assert_exactly(kind: str, stored: list[Stored], driven: Driven) -> None:
    """What must be there is, once, and nothing else."""
    assert_all_there(kind, stored, driven.answers)
    repeated = sum(item.name == "refund.repeated" for item in stored)
    assert repeated == (driven.repeated_refunds if kind == "tracing" else 0)


def assert_all_there(kind: str, stored: list[Stored], answers: Iterable[Answer]) -> None:
    """Under each trace there is what its answer says, once by id, and under no other trace anything."""
    assert {item.kind for item in stored} == {kind}
    twice = [event_id for event_id, count in Counter(item.id for item in stored).items() if count > 1]
    assert not twice
    found: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for item in stored:
        if item.name != "refund.repeated":
            found[item.trace_id][item.name] += 1
    truth = {answer.trace_id: expected(answer)[kind] for answer in answers}
    assert found == {trace_id: names for trace_id, names in truth.items() if names}


def settled(port: int, counts: dict[str, int], timeout: float = 60) -> Picture:
    """The service's own counts, once each sink has stored what it must."""
    needed = {"audit_db": counts["audit"], **dict.fromkeys(TRACING, counts["tracing"])}
    deadline = time.monotonic() + timeout
    while True:
        picture = look(f"http://127.0.0.1:{port}/metrics")
        done = {sink: int(picture.values["events_stored_total", sink, ""]) for sink in needed}
        if done == needed or time.monotonic() > deadline:
            assert done == needed
            return picture
        time.sleep(0.1)  # counts elsewhere are no event that we could await


def assert_counted(picture: Picture, stored: dict[str, int]) -> None:
    """The service counted what the servers hold, and lost nothing."""
    for sink, count in stored.items():
        assert picture.values["events_accepted_total", sink, ""] == count
        assert picture.values["events_stored_total", sink, ""] == count
        assert picture.values["events_dead_total", sink, ""] == 0
        assert picture.values["events_dropped_total", sink, "queue_full_oldest"] == 0
        assert picture.sum("events_dropped_total", sink) == 0
    assert picture.values["events_unrouted_total", "", ""] == 0


def assert_no_secret(driven: Driven, stored: list[list[Stored]], directory: Path) -> None:
    """No card number and no password that was sent is in a server, a queue or on stderr."""
    assert len(driven.secrets) > REQUESTS // 2
    assert all(SECRET.fullmatch(secret) for secret in driven.secrets)
    texts = [item.text for items in stored for item in items]
    files = [path.read_text("latin-1") for path in directory.rglob("*") if path.is_file()]
    assert any(driven.answers[0].trace_id in text for text in texts)  # the search would find what is there
    assert [found for text in [*texts, *files] for found in SECRET.findall(text)] == []


def assert_one_timeline(driven: Driven) -> None:
    """One order, read back out of the four stores, is one story in order."""
    trace_id = next(one.trace_id for one in driven.answers if (one.job, one.status) == ("order", 201))
    query = Query(trace_id=trace_id, limit=None)
    timeline = merged(asyncio.run(search_all(load_config(EXAMPLES / "routing.yaml"), query)))
    assert [(item.event.name, item.sinks) for item in timeline] == [
        ("order.received", sinks_of(Kind.TRACING)),
        ("payment.requested", sinks_of(Kind.AUDIT)),
        ("order.placed", sinks_of(Kind.TRACING)),
        ("fund.charge", sinks_of(Kind.AUDIT)),
        ("http.request", sinks_of(Kind.TRACING)),
    ]
    times = [item.event.time for item in timeline]
    assert times == sorted(times)


def sinks_of(kind: Kind) -> tuple[str, ...]:
    return ("audit_db",) if kind is Kind.AUDIT else TRACING
