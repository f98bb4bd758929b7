"""Routes: who takes an event, who takes it too, and why."""

import threading
from typing import Any
from zlib import crc32

from hypothesis import given, settings
from hypothesis import strategies as st

from logweir.config.models import RouteConfig
from logweir.event import LEVELS, Event, Kind, new_event_id
from logweir.routing.conditions import compile_match
from logweir.routing.heads import MOST_HEADS, Head
from logweir.routing.router import SAMPLED, UNROUTED, Router


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


def test_an_event_that_no_route_takes_is_distinct_from_one_that_is_sampled_out() -> None:
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
    for number in range(100_000):
        trace_id = f"{number:032x}"
        first, second = routes.route(event(trace_id=trace_id)), routes.route(event(trace_id=trace_id))
        assert first is second
        kept += first == ("a",)
    assert 0.24 < kept / 100_000 < 0.26


def test_events_without_a_trace_are_sampled_by_their_ids() -> None:
    routes = router({"match": {"kind": "tracing"}, "to": "a", "sample": 0.1})
    events = [event() for _ in range(20_000)]
    kept = [made for made in events if routes.route(made)]
    assert 0.08 < len(kept) / len(events) < 0.12
    assert [made for made in events if routes.route(made)] == kept


def test_what_a_small_sample_keeps_a_larger_one_keeps_too() -> None:
    small, large = (
        router({"match": {"kind": "tracing"}, "to": "a", "sample": share}) for share in (0.1, 0.5)
    )
    for number in range(2000):
        made = event(trace_id=f"{number:032x}")
        assert not small.route(made) or large.route(made)


def test_a_route_that_samples_out_still_lets_later_ones_take_the_event_if_it_continues() -> None:
    routes = router({"match": {"kind": "tracing"}, "to": "a", "sample": 0.0, "continue": True}, {"to": "b"})
    assert routes.route(event()) == ("b",)


def test_answers_that_are_kept_stay_bounded() -> None:
    routes = router({"match": {"event": "a.*"}, "to": "a"}, {"to": "b"})
    for number in range(3 * MOST_HEADS):
        assert routes.route(event(name=f"b.{number}")) == ("b",)
    assert len(routes._answers) <= MOST_HEADS


def test_long_names_are_not_kept() -> None:
    routes = router({"match": {"event": "a*"}, "to": "a"}, {"to": "b"})
    for name in ("a" * 10_000, "b" * 10_000):
        for _ in range(2):
            assert routes.route(event(name=name)) == (name[0],)
    assert not routes._answers
    assert not routes._plans


def test_many_threads_route_while_answers_are_forgotten() -> None:
    routes = router(
        {"match": {"event": "a*"}, "to": "a"},
        {"match": {"field": {"name": "f", "equals": 1}}, "to": "b"},
        {"to": "c"},
    )
    wrong: list[object] = []

    def work(seed: int) -> None:
        for number in range(1500):
            name = f"{'a' if (number + seed) % 2 else 'z'}{seed}.{number}"
            expected = ("a",) if name.startswith("a") else ("b",)
            answer = routes.route(event(name=name, f=1))
            if answer != expected:
                wrong.append((name, answer))

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(16)]
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


# -- against a reading of the routes one by one --------------------------------------------------------

conditions = st.sampled_from(
    [
        {},
        {"kind": "tracing"},
        {"kind": "audit"},
        {"level": ">=error"},
        {"event": "fund.*"},
        {"logger": "shop.*"},
        {"field": {"name": "user", "in": ["ann", 1]}},
        {"kind": "tracing", "field": {"name": "user", "exists": True}},
        {"any": [{"level": "debug"}, {"field": {"name": "user", "equals": "bob"}}]},
        {"not": {"all": [{"kind": "audit"}, {"field": {"name": "user", "glob": "*"}}]}},
    ]
)
route_lists = st.lists(
    st.fixed_dictionaries(
        {
            "match": conditions,
            "to": st.lists(st.sampled_from("abcd"), min_size=1, max_size=3),
            "continue": st.booleans(),
            "sample": st.sampled_from([0.0, 0.5, 1.0]),
        }
    ).map(lambda route: route if route["match"].get("kind") == "tracing" else {**route, "sample": 1.0}),
    min_size=1,
    max_size=5,
)
some_events = st.builds(
    event,
    st.sampled_from(Kind),
    st.sampled_from(list(LEVELS)),
    st.sampled_from(["fund.refund", "order.placed"]),
    st.sampled_from([None, *(f"{number:032x}" for number in range(8))]),
    logger=st.sampled_from(["shop.api", "other", 7]),
    user=st.sampled_from(["ann", "bob", 1, True, None]),
)


def one_by_one(routes: list[dict[str, Any]], made: Event) -> tuple[str, ...]:
    """What the routes say, read in order, with nothing kept."""
    logger = made.fields["logger"]
    head = Head(made.kind, made.level, made.name, logger if isinstance(logger, str) else None)
    sinks: dict[str, None] = {}
    sampled = False
    for number, route in enumerate(routes):
        config = RouteConfig.model_validate({"name": str(number), **route})
        if compile_match(config.match).failure(head, made.fields) is not None:
            continue
        if crc32((made.trace_id or made.id).encode()) / 2**32 < config.sample:
            sinks.update(dict.fromkeys(config.to))
        else:
            sampled = True
        if not config.continue_:
            break
    return tuple(sinks) or (SAMPLED if sampled else UNROUTED)


@given(routes=route_lists, events=st.lists(some_events, min_size=1, max_size=10))
@settings(max_examples=80, deadline=None)
def test_what_is_kept_never_changes_an_answer_and_every_answer_is_explained(
    routes: list[dict[str, Any]], events: list[Event]
) -> None:
    kept = router(*routes)
    for made in events * 2:  # the second time from what was kept
        expected = one_by_one(routes, made)
        answer = kept.route(made)
        assert answer == expected
        if not expected:
            assert answer is expected
        assert kept.explain(made).sinks == tuple(expected)
