"""What a confirmation of Kafka means, from the settings of its topic."""

import pytest

from logweir.delivery.brokers.kafka_health import durability_of

SAFE = {
    "min.insync.replicas": "2",
    "unclean.leader.election.enable": "false",
    "retention.ms": "-1",
    "retention.bytes": "-1",
    "cleanup.policy": "delete",
}


def test_a_topic_as_it_is_created_has_nothing_to_warn_about() -> None:
    words, warnings = durability_of(3, SAFE)
    assert (
        words
        == "a confirmed event is on at least 2 of 3 brokers (in memory there, and on disk a little later)."
    )
    assert warnings == []


@pytest.mark.parametrize(
    ("replicas", "setting", "warning"),
    [
        (1, {"min.insync.replicas": "1"}, "the topic has one replica"),
        (
            3,
            {"min.insync.replicas": "1"},
            "min.insync.replicas is 1: an event may be confirmed that one broker",
        ),
        (1, {}, "min.insync.replicas is 2 and the topic has 1 replicas: nothing is ever confirmed"),
        (
            3,
            {"unclean.leader.election.enable": "true"},
            "a broker that missed confirmed events may take over",
        ),
        (3, {"retention.ms": "604800000"}, "retention.ms keeps events for 7 days"),
        (3, {"retention.bytes": "1073741824"}, "retention.bytes keeps 1,073,741,824 bytes of each partition"),
        (
            3,
            {"cleanup.policy": "compact"},
            "cleanup.policy is compact: of the events of one trace only the last",
        ),
    ],
)
def test_what_is_weaker_than_audit_asks_for_is_said(
    replicas: int, setting: dict[str, str], warning: str
) -> None:
    _, warnings = durability_of(replicas, SAFE | setting)
    assert len(warnings) == 1
    assert warning in warnings[0]


def test_settings_that_may_not_be_asked_are_a_warning() -> None:
    words, warnings = durability_of(3, {})
    assert words == "a confirmed event is on those of 3 brokers that are in sync."
    assert warnings == ["the topic's settings are not known: give this user the right DescribeConfigs"]
