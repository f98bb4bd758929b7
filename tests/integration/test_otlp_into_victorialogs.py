"""What the OTLP sink leaves in a real receiver, VictoriaLogs."""

from typing import Any

import msgspec

import logweir
from logweir.event import Kind, new_event_id
from logweir.sinks.contract import SinkContext
from logweir.sinks.otlp.config import OtlpConfig
from logweir.sinks.otlp.sink import OtlpSink
from logweir.sinks.results import WriteResult
from logweir.testing.contract import make_event
from servers import Server
from support import victorialogs as store


def url_of(server: Server) -> str:
    return f"{server.url}/insert/opentelemetry"


def rows_of(server: Server, run: str) -> list[dict[str, Any]]:
    return store.rows(server.url, f'"run":="{run}" | sort by (_time)')


async def test_a_thousand_events_arrive_whole(victorialogs: Server) -> None:
    run = new_event_id()
    events = [
        msgspec.structs.replace(
            make_event("order.placed", order_id=number, nested={"a": "ß"}, kind=Kind.AUDIT),
            level=("info", "critical")[number % 2],
        )
        for number in range(1000)
    ]
    sink = OtlpSink(OtlpConfig(url=url_of(victorialogs), resource={"run": run}), SinkContext(workers=2))
    await sink.open()
    try:
        health = await sink.check()
        assert health.status == "ok", health.detail
        assert await sink.write(events) == WriteResult()
    finally:
        await sink.close()
    rows = rows_of(victorialogs, run)
    assert len(rows) == 1000
    by_id = {row["logweir.id"]: row for row in rows}
    for event in events:
        row = by_id[event.id]
        assert (row["_msg"], store.time_of(row)) == ("order.placed", event.time)
        assert (row["trace_id"], row["span_id"]) == (event.trace_id, event.span_id)
        assert (row["service.name"], row["deployment.environment.name"]) == ("contract-service", "test")
        assert (row["order_id"], row["nested.a"]) == (str(event.fields["order_id"]), "ß")
        number = {"info": "9", "critical": "21"}[event.level]
        assert (row["logweir.kind"], row["severity_text"]) == ("audit", event.level)
        assert (row["severity_number"], row["scope.name"]) == (number, "logweir")


def test_a_runtime_stores_audits_and_lines_there(victorialogs: Server, tmp_path: Any) -> None:
    run = new_event_id()
    config = {
        "data_dir": str(tmp_path),
        "sinks": {"otel": {"type": "otlp", "url": url_of(victorialogs), "resource": {"run": run}}},
        "routes": [{"name": "all", "to": ["otel"]}],
    }
    with logweir.running(config):
        logweir.configure_structlog()
        logweir.audit_sync("fund.transfer", user_id=7, acknowledge="stored")
        logweir.get_logger("shop").error("failed", exc_info=ValueError("x"))
        assert logweir.flush()
    audit, line = rows_of(victorialogs, run)
    assert (audit["_msg"], audit["logweir.kind"], audit["user_id"]) == ("fund.transfer", "audit", "7")
    assert (line["_msg"], line["error_type"], line["logger"]) == ("failed", "ValueError", "shop")
