"""The index template and the ILM policy."""

from typing import Any

from logweir.sinks.elasticsearch.config import ElasticsearchConfig
from logweir.sinks.elasticsearch.product import Elasticsearch, lifecycle_policy
from logweir.sinks.shared.search_engine.layout import Layout
from logweir.sinks.shared.search_engine.schema import index_template

DAILY = Layout("app", streaming=False)
STREAM = Layout("app", streaming=True)
LIFE: dict[str, Any] = {"delete_after": "90d"}


def test_the_policy_moves_indexes_from_hot_to_warm_to_cold_and_deletes_them() -> None:
    life: Any = {"rollover_after": "1d", "warm_after": "36h", "cold_after": "30d", "delete_after": "90d"}
    policy = lifecycle_policy(ElasticsearchConfig(lifecycle=life))["policy"]
    assert list(policy["phases"]) == ["hot", "warm", "cold", "delete"]
    assert policy["phases"]["hot"]["actions"]["rollover"] == {
        "max_age": "1d",
        "max_primary_shard_size": "53687091200b",
    }
    assert [policy["phases"][name]["min_age"] for name in ("warm", "cold", "delete")] == ["36h", "30d", "90d"]


def test_a_stream_without_a_lifecycle_rolls_over_and_deletes_nothing() -> None:
    assert list(lifecycle_policy(ElasticsearchConfig())["policy"]["phases"]) == ["hot"]


def test_the_names_of_ecs_are_mapped_where_they_are_asked_for() -> None:
    plain = index_template(Elasticsearch(), ElasticsearchConfig(), DAILY, managed=False)
    named = index_template(Elasticsearch(), ElasticsearchConfig(fields="ecs"), DAILY, managed=False)
    assert "http" not in plain["template"]["mappings"]["properties"]
    properties = named["template"]["mappings"]["properties"]
    assert properties["http"]["properties"]["response"]["properties"]["status_code"]["type"] == "long"
    assert set(properties["service"]["properties"]) == {"name", "environment", "version"}
    assert set(properties["event"]["properties"]) >= {"id", "kind", "action", "dataset", "duration"}


def test_the_template_makes_a_stream_or_daily_indexes() -> None:
    config = ElasticsearchConfig(index="app", replicas=2, lifecycle=LIFE)  # type: ignore[arg-type]
    stream = index_template(Elasticsearch(), config, STREAM, managed=True)
    assert stream["index_patterns"] == ["app"]
    assert stream["data_stream"] == {}
    assert stream["template"]["settings"]["index"]["lifecycle"] == {"name": "app"}
    daily = index_template(Elasticsearch(), config, DAILY, managed=False)
    assert "data_stream" not in daily
    assert daily["template"]["aliases"] == {"app": {}}
    assert "lifecycle" not in daily["template"]["settings"]["index"]
    for template in (stream, daily):
        assert template["template"]["mappings"]["properties"]["fields"]["type"] == "flattened"
        assert template["template"]["mappings"]["dynamic"] is False
        assert template["template"]["settings"]["index"]["number_of_replicas"] == 2
