"""Every question of the dashboards is put to the real stores, with events of the real order service in them.

Grafana itself does not run here: its macros and variables are filled in as its data sources do, and the
files it reads are compared with each other. LogQL is evaluated where a real Loki is named; without one each
expression is parsed, and the labels and fields that it uses must be among those that are stored.
"""

import asyncio
import json
import re
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest
import yaml
from prometheus_client import CollectorRegistry
from prometheus_client.samples import Sample

from logweir.config.loading import load_config
from logweir.encoding.fields import MISSING, look_up
from logweir.runtime.runtime import Runtime
from logweir.telemetry.prometheus import MetricsCollector
from servers import Server, machine
from support import logql, sql
from support.order_service import ROOT, Driven, expected, order_service
from support.waiting import eventually

FOLDER = ROOT / "examples" / "dashboards"
DASHBOARDS = {
    name: json.loads((FOLDER / f"{name}.json").read_text()) for name in ("audit", "tracing", "delivery")
}
COMPOSE = yaml.safe_load((FOLDER / "compose.yaml").read_text())
SOURCES = yaml.safe_load((FOLDER / "provisioning" / "datasources" / "stores.yaml").read_text())["datasources"]
MINUTE = 60
CALLS = {"order": "fund.charge", "refund": "fund.refund", "permission": "permission.change"}


@dataclass
class Data:
    """What the order service left, and where."""

    mysql: Server
    loki: Server
    name: str
    driven: Driven
    begin: int
    end: int

    def sql(self, title: str) -> list[Sequence[Any]]:
        """The rows that a panel of the audit dashboard shows."""
        text = in_sql(query_of("audit", title)["rawSql"], self)
        assert "$" not in text
        return asyncio.run(sql.run(self.mysql.url, text))

    def logql(self, title: str, trace_id: str = "") -> list[dict[str, Any]]:
        """What Loki answers to a panel of the tracing dashboard."""
        target = query_of("tracing", title)
        text = in_logql(target["expr"], self.name, trace_id)
        assert "$" not in text
        where = "query" if target["queryType"] == "instant" else "query_range"
        times = (
            {"time": self.end} if where == "query" else {"start": self.begin, "end": self.end, "step": MINUTE}
        )
        parameters: dict[str, Any] = {"query": text, "limit": 1000, **times}
        answer = httpx.get(f"{self.loki.url}/loki/api/v1/{where}", params=parameters, timeout=30)
        assert answer.is_success, (title, answer.text)
        found: list[dict[str, Any]] = answer.json()["data"]["result"]
        return found

    def entries(self) -> list[tuple[dict[str, str], str]]:
        """Labels with structured metadata, and the line, of what the service logged."""
        parameters: dict[str, Any] = {"query": f'{{job="{self.name}"}}', "limit": 5000}
        times = {"start": self.begin, "end": self.end, "direction": "forward"}
        answer = httpx.get(f"{self.loki.url}/loki/api/v1/query_range", params=parameters | times, timeout=30)
        assert answer.is_success, answer.text
        found = answer.json()["data"]["result"]
        return [(stream["stream"], line) for stream in found for _, line in stream["values"]]

    def calls(self) -> Counter[str]:
        """Audited calls by action."""
        return Counter(CALLS[one.job] for one in self.driven.answers if one.job in CALLS)

    def failed(self) -> Counter[str]:
        """Failed ones."""
        return Counter(
            CALLS[one.job] for one in self.driven.answers if one.job in CALLS and one.status >= 400
        )


@pytest.fixture(scope="module")
def data(mysql: Server, loki: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Data]:
    name = f"dashboard_{uuid4().hex[:12]}"
    names = {"MYSQL_URL": mysql.url, "LOKI_URL": loki.url, "AUDIT_TABLE": name, "LOKI_JOB": name}
    begin = int(time.time()) - MINUTE
    directory = tmp_path_factory.mktemp("service")
    environment = {**names, "METRICS_PORT": str(machine.free_port())}
    with order_service(directory, ROOT / "examples/separated/loki.yaml", environment) as service:
        driven = service.drive(300)
        service.stop()
    yield Data(mysql, loki, name, driven, begin, int(time.time()) + MINUTE)
    asyncio.run(sql.run(mysql.url, f"DROP TABLE {name}"))


def panels(name: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = DASHBOARDS[name]["panels"]
    return found


def query_of(name: str, title: str) -> dict[str, Any]:
    [panel] = [panel for panel in panels(name) if panel["title"] == title]
    [target] = panel["targets"]
    return dict(target)


def in_sql(text: str, data: Data) -> str:
    """Fill in what Grafana's MySQL data source does."""
    text = re.sub(
        r"\$__unixEpochGroupAlias\((.*?), \$__interval\)", rf'\1 DIV {MINUTE} * {MINUTE} AS "time"', text
    )
    text = text.replace("$__unixEpochFrom()", str(data.begin)).replace("$__unixEpochTo()", str(data.end))
    return text.replace("${table}", data.name)


def in_logql(text: str, job: str, trace_id: str) -> str:
    """Fill in what Grafana's Loki data source does."""
    values = {"__interval": "1m", "__range": "1h", "job": job, "service": ".+", "trace_id": trace_id}
    return re.sub(r"\$(\w+)", lambda match: values[match[1]], text)


def titles(name: str) -> Callable[[Callable[..., None]], Any]:
    return pytest.mark.parametrize("title", [panel["title"] for panel in panels(name)])


# -- audit: MySQL -------------------------------------------------------------------------------------


@titles("audit")
def test_every_statement_of_the_audit_dashboard_answers_with_rows(data: Data, title: str) -> None:
    assert data.sql(title)


def test_the_error_rate_of_each_action_is_the_share_of_failed_answers(data: Data) -> None:
    counts = {(moment, action): count for moment, action, count in data.sql("Calls by action")}
    calls, failed = Counter[str](), Counter[str]()
    for (_, action), count in counts.items():
        calls[action] += count
    for moment, action, share in data.sql("Error rate by action"):
        failed[action] += round(float(share) * counts[moment, action])
    assert calls == data.calls()
    assert failed == data.failed()


def test_single_numbers_are_those_of_the_answers(data: Data) -> None:
    total = data.calls().total()
    assert data.sql("Audited calls") == [(total,)]
    [(share,)] = data.sql("Failed")
    assert float(share) == pytest.approx(data.failed().total() / total, abs=1e-3)


def test_latency_has_a_row_for_each_action_with_percentiles_in_order(data: Data) -> None:
    rows = data.sql("Latency by action")
    assert {row[0]: row[1] for row in rows} == data.calls()
    for _, _, _, median, high, slowest in rows:
        assert 0 <= median <= high <= slowest


def test_top_users_are_those_who_called_most(data: Data) -> None:
    rows = data.sql("Top users")
    assert len(rows) == 10
    assert [row[1] for row in rows] == sorted((row[1] for row in rows), reverse=True)
    assert rows[0][0] == "1"  # the one administrator
    assert rows[0][1] >= data.calls()["permission.change"]
    assert all(0 <= failed <= calls for _, calls, failed in rows)


def test_the_latest_failures_name_a_cause_and_a_trace(data: Data) -> None:
    rows = data.sql("Latest failures")
    assert len(rows) == min(100, data.failed().total())
    assert {row[4] for row in rows} <= {"PaymentDeclined", "UnknownOrder"}
    assert {row[6] for row in rows} <= {one.trace_id for one in data.driven.answers if one.status >= 400}


# -- tracing: Loki ------------------------------------------------------------------------------------


@titles("tracing")
def test_every_expression_of_the_tracing_dashboard_uses_names_that_are_stored(data: Data, title: str) -> None:
    names = logql.names_of(in_logql(query_of("tracing", title)["expr"], data.name, "0" * 32))
    entries = data.entries()
    for name in names.stored:
        assert any(name in labels for labels, _ in entries), name
    for path in names.paths:
        assert any(look_up(json.loads(line), path) is not MISSING for _, line in entries), path


@pytest.mark.parametrize(
    "text",
    [
        "", "{job=}", '{job="a"', '{job="a"} | json name', '{job="a"} | unwrap', 'rate({job="a"})',
        'sum by level (rate({job="a"}[1m]))', 'median({job="a"})', '{job="a"} extra', "{job='a'}",
    ],
)  # fmt: skip
def test_an_expression_that_is_not_well_formed_would_be_seen(text: str) -> None:
    with pytest.raises(logql.Malformed):
        logql.names_of(text)


@titles("tracing")
@pytest.mark.usefixtures("real_loki")
def test_every_expression_of_the_tracing_dashboard_finds_something(data: Data, title: str) -> None:
    assert data.logql(title, data.driven.answers[0].trace_id)


@pytest.mark.usefixtures("real_loki")
def test_live_errors_are_the_failed_refunds(data: Data) -> None:
    lines = [line for stream in data.logql("Live errors") for _, line in stream["values"]]
    refused = [one for one in data.driven.answers if (one.job, one.status) == ("refund", 404)]
    assert len(lines) == len(refused)
    assert all(line.startswith("refund.failed ") for line in lines)


def test_one_trace_shows_the_tracing_of_one_request(data: Data) -> None:
    order = next(one for one in data.driven.answers if (one.job, one.status) == ("order", 201))
    lines = [
        json.loads(line) for stream in data.logql("One trace", order.trace_id) for _, line in stream["values"]
    ]
    assert Counter(line["event"] for line in lines) == expected(order)["tracing"]


@pytest.mark.usefixtures("real_loki")
def test_the_most_frequent_event_is_the_request(data: Data) -> None:
    counts = {item["metric"]["name"]: int(item["value"][1]) for item in data.logql("Most frequent events")}
    assert counts["http.request"] == max(counts.values()) == len(data.driven.answers)


# -- delivery: Prometheus -----------------------------------------------------------------------------

SELECTED = re.compile(r"(logweir_\w+)(?:\{([^}]*)\})?")
MATCHER = re.compile(r'(\w+)(=~|=)"([^"]*)"')


@pytest.fixture(scope="module")
def exposed(tmp_path_factory: pytest.TempPathFactory) -> list[Sample]:
    """The metrics of a runtime one of whose sinks is down, and has a fallback."""
    store = {
        "type": "http",
        "url": f"http://127.0.0.1:{machine.free_port()}/",
        "retry": {"initial": "5ms", "max": "20ms"},
        "fallback": {"to": "local", "after": "50ms"},
    }
    runtime = Runtime(
        load_config(
            {
                "data_dir": str(tmp_path_factory.mktemp("delivery")),
                "sinks": {"store": store, "local": {"type": "memory"}},
                "routes": [{"name": "all", "to": ["store"]}],
            }
        )
    )
    runtime.start()
    try:
        runtime.emit("diverted", {})
        eventually(lambda: runtime.metrics().sinks["store"].diverted == 1, 30)
        registry = CollectorRegistry()
        registry.register(MetricsCollector(runtime.metrics))
        return [sample for family in registry.collect() for sample in family.samples]
    finally:
        runtime.stop(1)


def selected(expression: str, samples: Sequence[Sample]) -> list[list[Sample]]:
    """What each selector of an expression of PromQL selects."""
    found = []
    for name, matchers in SELECTED.findall(expression):
        wanted = [
            (label, value if kind == "=~" else re.escape(value))
            for label, kind, value in MATCHER.findall(matchers)
        ]
        found.append(
            [
                sample
                for sample in samples
                if sample.name == name
                and all(re.fullmatch(value, sample.labels.get(label, "")) for label, value in wanted)
            ]
        )
    return found


@titles("delivery")
def test_every_expression_of_the_delivery_dashboard_selects_what_is_exposed(
    exposed: list[Sample], title: str
) -> None:
    target = query_of("delivery", title)
    answers = selected(target["expr"], exposed)
    assert answers
    by = re.findall(r"\w+", "".join(re.findall(r"by \(([^)]*)\)", target["expr"])))
    shown = re.findall(r"\{\{(\w+)\}\}", target["legendFormat"])
    assert {*shown} == {*by}
    for samples in answers:
        assert samples, target["expr"]
        assert all({*by} <= sample.labels.keys() for sample in samples)


def test_the_delivery_dashboard_shows_the_circuit_that_is_open(exposed: list[Sample]) -> None:
    (circuits,) = selected(query_of("delivery", "Circuits open")["expr"], exposed)
    assert sum(sample.value for sample in circuits) == 1
    (states,) = selected(query_of("delivery", "Circuit by sink")["expr"], exposed)
    assert {sample.labels["state"]: sample.value for sample in states} == {
        "closed": 0,
        "half_open": 0,
        "open": 1,
    }


# -- the files ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", DASHBOARDS)
def test_a_dashboard_is_whole(name: str) -> None:
    dashboard = DASHBOARDS[name]
    known = {(source["type"], source["uid"]) for source in SOURCES}
    ids = [panel["id"] for panel in dashboard["panels"]]
    assert len(ids) == len(set(ids))
    for panel in dashboard["panels"]:
        assert panel["type"] in {"stat", "timeseries", "table", "logs"}
        assert (panel["datasource"]["type"], panel["datasource"]["uid"]) in known
        assert all(target["datasource"] == panel["datasource"] for target in panel["targets"])
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= 24
    variables = {variable["name"] for variable in dashboard["templating"]["list"]}
    text = json.dumps([target for panel in dashboard["panels"] for target in panel["targets"]])
    used = {one or other for one, other in re.findall(r"\$\{(\w+)\}|\$(?!__)(\w+)", text)}
    assert used == variables


def test_the_compose_file_mounts_what_is_there_and_where_grafana_looks() -> None:
    services = COMPOSE["services"]
    named = set(COMPOSE["volumes"])
    for service in services.values():
        for volume in service.get("volumes", []):
            outside = volume.split(":")[0]
            assert outside in named or (FOLDER / outside).exists()
        assert all(port.startswith("127.0.0.1:") for port in service.get("ports", []))
        assert ":" in service["image"]
    provider = yaml.safe_load((FOLDER / "provisioning/dashboards/logweir.yaml").read_text())["providers"][0]
    inside = [volume.split(":")[1] for volume in services["grafana"]["volumes"]]
    shown = {Path(path).name for path in inside if str(Path(path).parent) == provider["options"]["path"]}
    assert shown == {f"{name}.json" for name in DASHBOARDS}
    hosts = {re.sub(r"^\w+://", "", source["url"]).split(":")[0] for source in SOURCES}
    assert hosts <= services.keys()


def test_no_password_stands_in_the_files() -> None:
    for path in FOLDER.rglob("*"):
        if path.is_file() and path.suffix in {".yaml", ".json", ".sh"}:
            for value in re.findall(r"(?i)password\w*['\"]?\s*[:=]\s*(\S+)", path.read_text()):
                assert value.lstrip("'\"").startswith(("$", '"$')) or value.startswith('"yes'), (
                    path.name,
                    value,
                )
