"""Options of the Loki sink: what is refused, and in which words."""

import re
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from logweir.config.loading import load_config
from logweir.sinks.contract import Provisionable, Prunable, Readable
from logweir.sinks.loki import LokiConfig, LokiSink
from logweir.sinks.loki.labels import LabelGuard, is_unbounded

PAGE = Path(__file__).parents[4] / "docs" / "how-to" / "loki.md"


def config(**options: Any) -> LokiConfig:
    return LokiConfig.model_validate({"url": "http://loki:3100", **options})


def test_the_defaults_are_few_labels_and_protobuf() -> None:
    made = config()
    assert [(label.name, label.most) for label in made.labels] == [
        ("env", 100),
        ("service", 100),
        ("level", 100),
    ]
    assert made.encoding == "protobuf"
    assert made.static_labels == {"job": "logweir"}


@pytest.mark.parametrize(
    "name",
    [
        "user_id",
        "request_id",
        "trace_id",
        "span_id",
        "id",
        "session_id",
        "order_id",
        "email",
        "client_ip",
        "url",
        "path",
        "duration_ms",
        "created_at",
        "User_ID",
        "message",
        "timestamp",
    ],
)
def test_a_label_that_is_known_to_be_unbounded_needs_a_limit(name: str) -> None:
    with pytest.raises(ValidationError, match="has too many values for a label"):
        config(labels=["env", name], metadata=[])
    made = config(labels=["env", {"name": name, "limit": 50}], metadata=[])
    assert made.labels[1].most == 50


@pytest.mark.parametrize(
    "name", ["env", "service", "level", "kind", "event", "region", "logger", "status", "method"]
)
def test_bounded_labels_are_taken(name: str) -> None:
    assert not is_unbounded(name)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"url": "loki:3100"}, "write one such as http://loki:3100"),
        ({"url": "http://u:hunter2@loki:3100"}, "write them as username and password"),
        ({"labels": ["a-b"]}, "use letters, digits and underscores"),
        ({"labels": ["__name__"]}, "use letters, digits and underscores"),
        ({"labels": ["env", "env"]}, "env stands twice"),
        ({"labels": ["kind"]}, "kind stands twice"),
        ({"static_labels": {}}, "at least 1 item"),
        ({"static_labels": {"job": ""}}, "Loki would drop it"),
        ({"username": "ann"}, "username and password belong together"),
        (
            {"username": "ann", "password": "hunter2", "bearer_token": "hunter2"},
            "several ways to authenticate",
        ),
        ({"headers": {"X-Scope-OrgID": "a"}}, "the sink's own"),
        (
            {"headers": {"Authorization": "hunter2"}, "bearer_token": "hunter2"},
            "several ways to authenticate",
        ),
        ({"encoding": "xml"}, "'protobuf' or 'json'"),
    ],
)
def test_each_mistake_is_reported_with_the_next_step(options: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError) as raised:
        config(**options)
    assert words in str(raised.value)


def test_the_address_of_the_push_api_is_an_address_of_loki() -> None:
    assert config(url="https://loki/prefix/loki/api/v1/push").url == "https://loki/prefix"
    assert config(url="http://loki:3100/").url == "http://loki:3100"


def test_secrets_are_not_shown() -> None:
    assert "hunter2" not in repr(config(username="ann", password="hunter2"))
    assert "hunter2" not in repr(config(bearer_token="hunter2"))


def test_the_guard_demotes_at_the_limit_and_stays_with_it() -> None:
    guard = LabelGuard({"a": 2, "b": 2})
    assert [guard.admits("a", value) for value in ("x", "y", "x", "z", "x")] == [
        True,
        True,
        True,
        False,
        False,
    ]
    assert guard.admits("b", "x")
    guard.count(["a"])
    assert guard.demoted == {"a": 1}


def test_the_sink_can_be_read_and_provisioned_but_not_pruned() -> None:
    sink = LokiSink(config(retention_period="90d"))
    assert isinstance(sink, Readable)
    assert isinstance(sink, Provisionable)
    assert not isinstance(sink, Prunable)
    assert "retention_period: 2160h" in sink.provision_script()
    assert "env (at most 100 values)" in sink.provision_script()


def test_what_is_recommended_is_yaml() -> None:
    import yaml

    read = yaml.safe_load(LokiSink(config(retention_period="90d")).provision_script())
    assert read["limits_config"]["allow_structured_metadata"] is True
    assert read["compactor"]["retention_enabled"] is True


def test_the_configurations_of_the_page_are_valid(tmp_path: Path) -> None:
    blocks = re.findall(r"^```yaml\n(.*?)^```", PAGE.read_text(), re.DOTALL | re.MULTILINE)
    assert blocks
    for block in blocks:
        (tmp_path / "routing.yaml").write_text(block)
        assert load_config(tmp_path / "routing.yaml").sinks["logs"].type == "loki"
