"""What a call costs is counted and bounded, whatever it holds; ordinary long events are stored as they are."""

import sys
from itertools import pairwise

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from logweir.benchmarks.hostile_events import PIECES, hostile_events, ordinary_events, repeated
from logweir.capture import snapshot as snapshot_module
from logweir.capture.snapshot import Snapshotter
from logweir.capture.walk import Walk
from logweir.config.redact import RedactConfig
from logweir.redaction.redactor import Redactor
from logweir.redaction.scan import OF_LOOK, WORK, Exhausted, Scan

_MOST_CALLS = 100_000
_HOSTILE = [*hostile_events()]
_EVERY = 7  # of those of repeated texts; counting takes long


def _calls_of(work):
    """Return how many functions, of Python and of C, some work calls: its cost, but for long searches."""
    count = 0

    def counted(_frame, event, _argument):
        nonlocal count
        count += event in {"call", "c_call"}

    sys.setprofile(counted)
    try:
        work()
    finally:
        sys.setprofile(None)
    return count


_SOME = [*_HOSTILE[: 2 * len(PIECES) : _EVERY], *_HOSTILE[2 * len(PIECES) :]]


@pytest.mark.parametrize("make", [make for _, make in _SOME], ids=[name for name, _ in _SOME])
def test_c10_no_event_makes_a_call_do_more_than_so_much(make):
    fields, snapshot = make(), Snapshotter(RedactConfig().redactor())

    assert _calls_of(lambda: snapshot(fields)) < _MOST_CALLS


@pytest.mark.parametrize("name", ordinary_events())
def test_c10_a_long_ordinary_event_is_stored_as_it_is(name):
    fields = ordinary_events()[name]

    assert Snapshotter(RedactConfig().redactor())(fields)[0] == fields


@pytest.mark.parametrize("piece", PIECES[::3])
def test_c10_what_a_search_pays_grows_no_faster_than_the_text(piece):
    redactor = Redactor()
    paid = []
    for length in (4096, 8192, 16_384):
        scan = redactor.scan()
        scan.left = 100 * WORK
        redactor.searched(repeated(piece, length), scan)
        paid.append(100 * WORK - scan.left)

    assert all(after <= 2.2 * before + 10 * OF_LOOK for before, after in pairwise(paid))


def test_c10_a_text_that_costs_more_than_is_left_is_masked_as_a_whole():
    redactor = Redactor()
    scan = redactor.scan()
    scan.left = 1000

    assert redactor.searched(repeated("password=hunter2 "), scan) == "***"
    assert 0 <= scan.left <= 1000


def test_nothing_is_paid_that_is_not_left():
    scan = Scan(lambda _: None, 100)

    with pytest.raises(Exhausted):
        scan.pay(101)
    scan.pay(100)
    with pytest.raises(Exhausted):
        scan.look()


@pytest.mark.parametrize(
    "name", ["500 fields with a sign", "10,000 secret names", "16 × mixed 1", "names that are tuples"]
)
def test_c10_no_call_spends_more_than_its_account(name, monkeypatch):
    walks = []

    class Watched(Walk):
        def __init__(self, *arguments, **named):
            super().__init__(*arguments, **named)
            walks.append(self)

    monkeypatch.setattr(snapshot_module, "Walk", Watched)
    fields = dict(_HOSTILE)[name]()
    Snapshotter(RedactConfig().redactor())(fields)

    assert walks[0]._work < 1.05 * WORK


def test_c10_an_application_log_of_64_kib_is_stored_as_it_is():
    lines = (
        f"2026-11-26 08:00:01,123 INFO [worker-{n % 8}] orders: order {n} placed in {n % 90} ms"
        for n in range(900)
    )
    fields = {"t": "\n".join(lines)[:65_536]}

    assert Snapshotter(RedactConfig().redactor())(fields)[0] == fields


_GARBAGE = st.lists(
    st.sampled_from(
        [
            *(piece for piece in PIECES if "aaaaaaaa" not in piece),
            " for key ",
            "name",
            "42",
            "user%",
            "http://",
            "\x1b[31m",
            "***",
            ", ",
            "}",
        ]
    ),
    min_size=1,
    max_size=9,
).map("".join)


@settings(max_examples=80, deadline=None)
@given(_GARBAGE)
def test_masking_any_text_twice_changes_nothing(text):
    redactor = Redactor()
    once = redactor.redact_text(text)

    assert redactor.redact_text(once) == once


@settings(max_examples=80, deadline=None)
@given(_GARBAGE)
def test_a_text_is_searched_for_nothing_that_its_signs_and_syllables_rule_out(text):
    redactor = Redactor()
    scan = redactor.scan()
    scan.may_name = bool
    assume(redactor.suspicious(text))

    assert redactor.redact_text(text) == redactor.searched(text, scan)


@pytest.mark.parametrize("sign", "-/:$")
def test_c10_a_text_that_is_too_dear_to_be_looked_at_is_cut_before_that(sign):
    snapshot = Snapshotter(RedactConfig().redactor())
    once = snapshot({"t": sign * 65_536})[0]

    assert len(once["t"]) < 32_768
    assert once["logweir_truncated"] is True
    assert snapshot(once)[0] == once


_DENSE = {
    "settings": " ".join(f"token{number}=value{number}" for number in range(3000)),
    "lines": "\n".join(f"api_key_{number}: value{number}" for number in range(2500)),
    "passwords": "password=hunter2 " * 3500,
}


@pytest.mark.parametrize("text", _DENSE.values(), ids=_DENSE)
def test_c10_a_text_that_is_too_dear_to_be_searched_is_cut_to_what_can_be_paid(text):
    stored = Snapshotter(RedactConfig().redactor())({"t": text})[0]

    assert stored["logweir_truncated"] is True
    assert len(stored["t"]) > 400
    assert "truncated" in stored["t"]
    assert "value" not in stored["t"]
    assert "hunter2" not in stored["t"]


@pytest.mark.parametrize("count", [200, 400])
def test_c10_a_text_of_hundreds_of_secrets_is_cut_to_what_can_be_paid_and_not_masked_as_a_whole(count):
    text = " ".join(f"token{number}=value{number}" for number in range(count))
    stored = Snapshotter(RedactConfig().redactor())({"t": text})[0]

    assert stored["t"].startswith("token0=*** token1=***")
    assert "value" not in stored["t"]
    assert stored["logweir_truncated"] is True


_DENSE_IN = {
    "settings": lambda number: f"token{number}=value{number} ",
    "lines": lambda number: f"api_key_{number}: value{number}\n",
    "passwords": lambda number: f"password{number}=hunter2-value ",
    "json": lambda number: f'{{"token_{number}": "value{number}"}}, ',
    "headers": lambda number: f"Authorization: Bearer value{number}abcdef\n",
    "urls": lambda number: f"https://u:value{number}@h/{number} ",
}


@pytest.mark.parametrize("shape", _DENSE_IN.values(), ids=_DENSE_IN)
def test_c10_a_hundred_and_twenty_secrets_of_one_text_are_masked_one_by_one(shape):
    stored = Snapshotter(RedactConfig().redactor())({"t": "".join(map(shape, range(120)))})[0]

    assert stored["t"].count("***") == 120
    assert "value" not in stored["t"]


def test_c10_short_texts_with_a_sign_are_stored_as_they_are_by_the_thousand():
    fields = {"l": [f"order {number}: paid by bob" for number in range(1300)]}

    assert Snapshotter(RedactConfig().redactor())(fields)[0] == fields


def test_c10_a_long_list_of_harmless_settings_is_stored_as_it_is():
    fields = {"t": " ".join(f"key{number}=value{number}" for number in range(2300))}

    assert Snapshotter(RedactConfig().redactor())(fields)[0] == fields
