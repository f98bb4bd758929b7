"""Routes: who takes an event, who takes it too, and why."""

import threading
from typing import Any

import pytest

from logweir import routing
from logweir.config.models import RouteConfig
from logweir.event import Event, Kind, new_event_id
from logweir.routing import SAMPLED, UNROUTED, Router


def router(*routes: dict[str, Any]) -> Router[str]:
    configs = [
        RouteConfig.model_validate({"name": str(number), **route}) for number, route in enumerate(routes)
    ]
    names = {name for config in configs for name in config.to}
    return Router(configs, {name: name for name in names})


def event(
    kind: Kind = Kind.TRACING,
    level: str = "info",
    name: str = "x",
    trace_id: str | None = None,
    **fields: Any,
) -> Event:
    return Event(new_event_id(), 1, kind, level, name, "s", "test", trace_id, None, fields)


def test_the_first_route_that_matches_wins() -> None:
    routes = router(
        {"match": {"kind": "audit"}, "to": "db"},
        {"match": {"level": ">=error"}, "to": ["search", "logs"]},
        {"to": "logs"},
    )
    assert routes.route(event(Kind.AUDIT, "error")) == ("db",)
    assert routes.route(event(level="error")) == ("search", "logs")
    assert routes.route(event()) == ("logs",)


def test_a_route_that_continues_lets_later_routes_take_the_event_too() -> None:
    routes = router(
        {"match": {"event": "fund.*"}, "to": ["a", "b"], "continue": True},
        {"match": {"field": {"name": "x", "exists": True}}, "to": ["b", "c"], "continue": True},
        {"to": "d"},
    )
    assert routes.route(event(name="fund.x", x=1)) == ("a", "b", "c", "d")
    assert routes.route(event(name="fund.x")) == ("a", "b", "d")


def test_a_sink_named_twice_receives_an_event_once() -> None:
    routes = router({"to": ["a", "a"], "continue": True}, {"to": ["a"]})
    assert routes.route(event()) == ("a",)


def test_an_event_that_no_route_takes_is_told_from_one_that_is_sampled_out() -> None:
    routes = router({"match": {"kind": "tracing"}, "to": "a", "sample": 0.0})
    assert routes.route(event()) is SAMPLED
    assert routes.route(event(Kind.AUDIT)) is UNROUTED
    assert routes.route(event(Kind.AUDIT)) is UNROUTED  # from the kept answer


def test_fields_decide_anew_for_every_event() -> None:
    routes = router({"match": {"field": {"name": "user", "equals": "ann"}}, "to": "a"}, {"to": "b"})
    assert [routes.route(event(user=user)) for user in ("ann", "bob", "ann")] == [("a",), ("b",), ("a",)]


def test_a_sample_keeps_its_share_and_whole_traces() -> None:
    routes = router({"match": {"kind": "tracing"}, "to": "a", "sample": 0.25})
    kept = 0
    for number in range(20_000):
        answers = {bool(routes.route(event(trace_id=f"{number:032x}"))) for _ in range(2)}
        assert len(answers) == 1
        kept += answers.pop()
    assert 0.23 < kept / 20_000 < 0.27


def test_a_route_that_samples_out_still_lets_later_ones_take_the_event_if_it_continues() -> None:
    routes = router({"match": {"kind": "tracing"}, "to": "a", "sample": 0.0, "continue": True}, {"to": "b"})
    assert routes.route(event()) == ("b",)


def test_answers_that_are_kept_stay_bounded() -> None:
    routes = router({"match": {"event": "a.*"}, "to": "a"}, {"to": "b"})
    for number in range(3 * routing._MOST_HEADS):
        assert routes.route(event(name=f"b.{number}")) == ("b",)
    assert len(routes._answers) <= routing._MOST_HEADS


def test_many_threads_route_while_answers_are_forgotten() -> None:
    routes = router(
        {"match": {"event": "a*"}, "to": "a"},
        {"match": {"field": {"name": "f", "equals": 1}}, "to": "b"},
        {"to": "c"},
    )
    wrong: list[object] = []

    def work(seed: int) -> None:
        for number in range(3000):
            name = f"{'a' if (number + seed) % 2 else 'z'}{number}"
            expected = ("a",) if name.startswith("a") else ("b",)
            answer = routes.route(event(name=name, f=1))
            if answer != expected:
                wrong.append((name, answer))

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_an_explanation_names_each_route_and_the_condition_that_decided() -> None:
    routes = router(
        {"match": {"kind": "audit"}, "to": "db"},
        {"match": {"level": ">=error"}, "to": "search"},
        {"match": {"field": {"name": "user_role", "in": ["admin", "root"]}}, "to": "admins"},
        {"match": {"kind": "tracing"}, "to": "logs", "sample": 0.0, "continue": True},
        {"to": "rest"},
        {"to": "never"},
    )
    steps = routes.explain(event(user_role="guest")).steps
    assert [(step.verdict, step.reason) for step in steps[:3]] == [
        ("not matched", "kind tracing is not audit"),
        ("not matched", "level info is not >=error"),
        ("not matched", "field user_role is 'guest', not in ['admin', 'root']"),
    ]
    assert [step.verdict for step in steps[3:]] == ["sampled out", "matched", "not reached"]
    assert routes.explain(event(user_role="guest")).sinks == ("rest",)


@pytest.mark.parametrize("kind", list(Kind))
@pytest.mark.parametrize("level", ["debug", "error"])
def test_an_explanation_agrees_with_the_routing(kind: Kind, level: str) -> None:
    routes = router(
        {"match": {"any": [{"kind": "audit"}, {"level": "error"}]}, "to": "a", "continue": True},
        {"match": {"not": {"kind": "audit"}}, "to": "b"},
    )
    made = event(kind, level)
    assert routes.explain(made).sinks == tuple(routes.route(made))
