"""What a fallback in routing.yaml must not be: each with one message that names the key."""

from typing import Any

import pytest

from logweir.config.checks import find_doubts
from logweir.config.loading import load_config
from logweir.errors import ConfigError
from logweir.settings.fallback import FallbackConfig

SQLITE = {"type": "sqlite", "url": "sqlite+aiosqlite:///x.db", "provision": True}


def load(sinks: dict[str, Any], *routes: dict[str, Any], **more: Any) -> Any:
    return load_config({"sinks": sinks, "routes": list(routes) or [{"name": "all", "to": ["a"]}], **more})


def problems(*args: Any, **more: Any) -> list[tuple[str, str]]:
    with pytest.raises(ConfigError) as caught:
        load(*args, **more)
    return [(problem.path, problem.message) for problem in caught.value.problems]


def falls_back(to: str, kind: str = "null", **settings: Any) -> dict[str, Any]:
    return {"type": kind, "fallback": {"to": to, **settings}}


def test_a_fallback_as_people_write_it() -> None:
    config = load({"a": falls_back("b", after="30s", queue="80%", **{"return": True}), "b": SQLITE})
    fallback = config.sinks["a"].fallback
    assert (fallback.to, fallback.after, fallback.queue, fallback.return_) == ("b", 30.0, 0.8, True)
    assert find_doubts(config) == []


def test_how_long_it_takes_where_the_file_does_not_say() -> None:
    assert FallbackConfig(to="b").patience == 60.0
    assert FallbackConfig(to="b", after=0).patience == 0.0
    assert FallbackConfig.model_validate({"to": "b", "queue": "80%"}).patience is None


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"queue": "lots"}, "not a share: 'lots'; write per cent, such as 80%"),
        ({"queue": "0%"}, "queue must be more than 0, not '0%'"),
        ({"queue": "120%"}, "queue must be at most 1, not '120%'"),
        ({"after": "soon"}, "not a duration: 'soon'"),
        ({"retrun": True}, "unknown key 'retrun'; did you mean 'return'?"),
        ({"return": "maybe"}, "return must be"),
    ],
)
def test_a_value_that_is_none_is_refused(settings: dict[str, Any], message: str) -> None:
    ((_, found),) = problems({"a": falls_back("b", **settings), "b": SQLITE})
    assert message in found


def test_a_name_that_is_not_declared_is_refused_once() -> None:
    assert problems({"a": falls_back("lokal"), "local": SQLITE}) == [
        (
            "sinks.a.fallback.to",
            "the fallback of the sink 'a' is 'lokal', which is not declared; did you mean 'local'?",
        )
    ]


def test_a_circle_is_refused_once() -> None:
    ((path, message),) = problems({"a": falls_back("b"), "b": falls_back("c"), "c": falls_back("a")})
    assert path == "sinks.a.fallback.to"
    assert message.startswith("the fallbacks form a circle: 'a' → 'b' → 'c' → 'a'")
    ((path, message),) = problems({"a": falls_back("a")})
    assert (path, message[:44]) == ("sinks.a.fallback.to", "the fallbacks form a circle: 'a' → 'a'; let ")


def test_a_chain_of_fallbacks_and_one_that_leads_into_a_circle_are_refused() -> None:
    ((path, message),) = problems({"a": falls_back("b"), "b": falls_back("c"), "c": SQLITE})
    assert path == "sinks.a.fallback.to"
    assert "the fallback 'b' has a fallback of its own, which would not be used" in message
    found = dict(problems({"a": falls_back("b"), "b": falls_back("c"), "c": falls_back("b")}))
    assert sorted(found) == ["sinks.a.fallback.to", "sinks.b.fallback.to"]


def test_a_fallback_of_a_chained_sink_is_refused() -> None:
    chained = {**SQLITE, "fallback": {"to": "b"}}
    sinks = {"a": chained, "b": {"type": "null"}}
    ((path, message),) = problems(sinks, audit={"chain": True})
    assert path == "sinks.a.fallback"
    assert "audit.chain links the rows of the sink 'a'" in message
    load(sinks)
    tracing = {"name": "tracing", "match": {"kind": "tracing"}, "to": ["a"]}
    load({**sinks, "c": SQLITE}, tracing, {"name": "audit", "to": ["c"]}, audit={"chain": True})


def test_what_is_chained_in_the_fallback_is_not_deleted_there() -> None:
    sinks = {"a": falls_back("b", **{"return": True}), "b": SQLITE, "c": {**SQLITE, "table": "other"}}
    ((path, message),) = problems(sinks, {"name": "all", "to": ["a", "c"]}, audit={"chain": True})
    assert path == "sinks.a.fallback.return"
    assert "shows as tampering" in message


def test_what_cannot_be_deleted_does_not_return() -> None:
    ((path, message),) = problems({"a": falls_back("b", **{"return": True}), "b": {"type": "stdout"}})
    assert path == "sinks.a.fallback.return"
    assert "of sinks of type stdout they cannot be read back (no search method)" in message


def test_what_has_events_of_others_is_no_place_to_delete_from() -> None:
    returning = falls_back("b", **{"return": True})
    routes = {"name": "all", "to": ["a", "b"]}
    ((path, message),) = problems({"a": returning, "b": SQLITE}, routes)
    assert path == "sinks.a.fallback.return"
    assert "and the route 'all' sends there too" in message
    ((_, message),) = problems({"a": returning, "b": SQLITE, "c": falls_back("b")})
    assert "and the sink 'c' sends there too" in message
    load({"a": falls_back("b"), "b": SQLITE, "c": falls_back("b")}, routes)


def test_who_delivers_must_be_able_to_write_to_both() -> None:
    elsewhere = {"queue": {"type": "disk", "deliver": "elsewhere"}}
    ((path, message),) = problems({"a": falls_back("b"), "b": {**SQLITE, **elsewhere}})
    assert path == "sinks.a.fallback.to"
    assert "is delivered by worker processes" in message
    load({"a": {**falls_back("b"), **elsewhere}, "b": SQLITE})
    load({"a": {**falls_back("b"), **elsewhere}, "b": {**SQLITE, **elsewhere}})


def test_a_worker_process_does_not_know_how_full_queues_are() -> None:
    elsewhere = {"queue": {"type": "disk", "deliver": "elsewhere"}}
    ((path, message),) = problems({"a": {**falls_back("b", queue="80%"), **elsewhere}, "b": SQLITE})
    assert path == "sinks.a.fallback.queue"
    assert "use after instead" in message


def test_a_fallback_that_forgets_is_doubted() -> None:
    config = load({"a": falls_back("b"), "b": {"type": "null"}})
    assert "the fallback of the sink 'a' is 'b' of type null, which forgets all it gets" in find_doubts(
        config
    )


def test_attempts_that_end_before_the_fallback_begins_are_doubted() -> None:
    config = load({"a": {**falls_back("b"), "retry": {"max_attempts": 3}}, "b": SQLITE})
    assert any("gives events up after 3 attempts" in doubt for doubt in find_doubts(config))
