"""What ``check`` says."""

from typing import Any

from logweir.sinks.elasticsearch.config import ElasticsearchConfig
from logweir.sinks.elasticsearch.product import Elasticsearch
from logweir.sinks.results import HealthStatus
from logweir.sinks.shared.search_engine.health import describe
from logweir.sinks.shared.search_engine.layout import Layout
from logweir.sinks.shared.search_engine.provisioning import Plan
from logweir.sinks.shared.search_engine.server import Server

STREAM = Layout("app", streaming=True)
LIFE: dict[str, Any] = {"delete_after": "90d"}


def test_check_reports_what_is_amiss() -> None:
    config = ElasticsearchConfig(index="app", lifecycle=LIFE)  # type: ignore[arg-type]
    whole_server = Server("Elasticsearch", "8.19.0", data_streams=True, lifecycle=True)
    fine = describe(Elasticsearch(), config, Plan(whole_server, STREAM, managed=True), "yellow", [])
    assert (fine.status, fine.server) == (HealthStatus.OK, "Elasticsearch 8.19.0")
    assert fine.detail == "cluster yellow; data stream app; ILM policy app"
    lacking = describe(Elasticsearch(), config, Plan(whole_server, STREAM, managed=True), None, ["read"])
    assert lacking.status is HealthStatus.DEGRADED
    assert "lack read on app" in lacking.detail
    assert (
        describe(Elasticsearch(), config, Plan(whole_server, STREAM, managed=True), "red", []).status
        is HealthStatus.DEGRADED
    )
