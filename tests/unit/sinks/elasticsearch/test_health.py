"""What ``check`` says."""

from typing import Any

from logweir.sinks.elasticsearch.config import ElasticsearchConfig
from logweir.sinks.elasticsearch.health import describe
from logweir.sinks.elasticsearch.layout import Layout
from logweir.sinks.elasticsearch.provisioning import Plan
from logweir.sinks.elasticsearch.server import Server
from logweir.sinks.results import HealthStatus

STREAM = Layout("app", streaming=True)
LIFE: dict[str, Any] = {"delete_after": "90d"}


def test_check_reports_what_is_amiss() -> None:
    config = ElasticsearchConfig(index="app", lifecycle=LIFE)  # type: ignore[arg-type]
    whole_server = Server("8.19.0", data_streams=True, ilm=True)
    fine = describe(config, Plan(whole_server, STREAM, ilm=True), "yellow", [])
    assert (fine.status, fine.server) == (HealthStatus.OK, "Elasticsearch 8.19.0")
    assert fine.detail == "cluster yellow; data stream app; ILM policy app"
    lacking = describe(config, Plan(whole_server, STREAM, ilm=True), None, ["read"])
    assert lacking.status is HealthStatus.DEGRADED
    assert "lack read on app" in lacking.detail
    assert describe(config, Plan(whole_server, STREAM, ilm=True), "red", []).status is HealthStatus.DEGRADED
