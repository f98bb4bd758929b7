"""What the walk over an event remembers and counts: names, depth, sizes, cuts."""

import re

import pytest

from logweir.capture.capture import Capture
from logweir.capture.snapshot import MAX_DEPTH, Snapshotter
from logweir.capture.truncation import ENTRY_COST, ITEM_COST, TRUNCATED_FIELD, fit, text_cost
from logweir.config.models import LimitsConfig
from logweir.event import Kind
from logweir.redaction.redactor import Redactor
from logweir.redaction.scan import MASK


def _snapshotter(**limits):
    return Snapshotter(Redactor(), LimitsConfig(**limits))


def _capture():
    return Capture("shop", "test", lambda _fields: None, lambda *_head: Kind.TRACING, _snapshotter())


@pytest.mark.parametrize(
    "fields",
    [
        {"password": "hunter2"},
        {"user": {"password": "hunter2"}},
        {"card 4111111111111111": "x"},
        {"name\ud800": "x"},
        {"n" * 100_000: "x"},
    ],
)
def test_a_name_that_was_met_before_is_treated_as_it_was(fields):
    snapshotter = _snapshotter()
    first = snapshotter(fields)[0]

    assert "hunter2" not in str(first)
    assert [snapshotter(fields)[0] for _ in range(2)] == [first, first]


def test_objects_nested_beyond_the_limit_are_marked_and_the_event_counts_as_cut():
    snapshotter = _snapshotter(max_depth=2)

    assert snapshotter({"a": {"b": {"c": {}}}})[0] == {"a": {"b": {"c": MAX_DEPTH}}}
    assert snapshotter.truncated == 1


def test_an_event_that_is_stored_whole_does_not_count_as_cut():
    snapshotter = _snapshotter(max_items=3)

    assert snapshotter({"a": [1, 2, 3], "b": {"x": 1, "y": 2, "z": 3}, 5: "c"})[0]["a"] == [1, 2, 3]
    assert snapshotter.text({"a": [1, 2, 3]}) == '{"a":[1,2,3]}'
    assert snapshotter.truncated == 0


def test_the_walk_and_the_last_cut_mean_the_same_by_a_size():
    snapshot, size = _snapshotter()(
        {"rows": [{"number": 1, "name": "é"}, ["x", ("a", 2)]], "more": {"a": b"b"}}
    )

    assert size == sum(_cost(name, value) for name, value in snapshot.items())


@pytest.mark.parametrize("kind", [list, dict])
def test_as_much_of_a_container_is_kept_as_fits(kind):
    items = {f"item{number:03}": "v" * 20 for number in range(100)}
    value = items if kind is dict else list(items.values())
    limit = 2_000

    cut, size, was_cut = fit({"value": value, "small": "whole"}, limit)

    assert was_cut
    assert cut["small"] == "whole"
    kept = len(cut["value"]) - 1
    mark = cut["value"]["…"] if kind is dict else cut["value"][-1]
    assert mark == f"…[truncated {100 - kept} items]"
    assert cut["value"] == (
        dict(list(items.items())[:kept]) | {"…": mark} if kind is dict else [*value[:kept], mark]
    )
    # One more would not have fitted, and what is there does.
    assert limit - 150 < size <= limit
    assert size == sum(_cost(name, kept) for name, kept in cut.items())


def _cost(name, value):
    """By the rule: a fixed sum for each member, and the length of all texts."""
    match value:
        case str():
            inside = text_cost(value)
        case list():
            inside = sum(_cost("", item) - ENTRY_COST + ITEM_COST for item in value)
        case dict():
            inside = sum(_cost(*entry) for entry in value.items())
        case _:
            inside = 0
    return ENTRY_COST + len(name) + inside


def test_a_field_that_has_the_name_of_the_mark_gives_way_to_it():
    cut, _, _ = fit({TRUNCATED_FIELD: "mine", "big": "x" * 5_000}, 1_000)

    assert cut[TRUNCATED_FIELD] is True


@pytest.mark.parametrize("switch", [False, None, 0])
def test_an_exception_that_is_not_asked_for_is_not_described(switch):
    capture = _capture()
    try:
        raise ValueError("no")
    except ValueError:
        assert capture("x", {"exc_info": switch}, "info").fields == {}
        assert capture("x", {"exc_info": True}, "info").fields["error_type"] == "ValueError"


def test_long_names_of_events_are_not_kept():
    capture = _capture()
    for number in range(10):
        assert capture(f"{number}" * 10_000, {}, "info").name.startswith(f"{number}")

    assert capture("short", {}, "info").name == "short"
    assert [site[0] for site in capture._sites] == ["short"]


@pytest.mark.parametrize("text", ["é" * 5_000, "first line\n" + "é" * 5_000 + "\nthe reason"])
def test_the_mark_of_a_text_says_how_many_of_its_characters_are_gone(text):
    cut = fit({"text": text}, 1_000)[0]["text"]

    start, lost, end = re.fullmatch(r"(?s)(.*)…\[truncated (\d+) characters\]…?(.*)", cut).groups()
    assert text.startswith(start)
    assert text.endswith(end)
    assert int(lost) == len(text) - len(start) - len(end) < len(text)


@pytest.mark.parametrize("pair", [("Authorization", "Basic aGk6aG8="), [b"authorization", b"Basic aGk6aG8="]])
def test_of_a_secret_pair_the_name_is_kept_and_the_value_is_masked(pair):
    name = pair[0] if isinstance(pair[0], str) else pair[0].decode()

    assert _snapshotter()({"headers": [pair]})[0] == {"headers": [[name, MASK]]}
