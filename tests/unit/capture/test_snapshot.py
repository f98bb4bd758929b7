"""What was logged is what is stored: encoded, redacted, bounded, and never an error."""

import gc
import re
import sys
import threading
import traceback
from collections import OrderedDict, UserDict, deque
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal

import msgspec
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, SecretStr

from logweir.capture.snapshot import CYCLE, MAX_DEPTH, Snapshotter
from logweir.capture.truncation import TRUNCATED_FIELD
from logweir.config.models import LimitsConfig
from logweir.redaction.redactor import Redactor


def _snapshotter(**limits):
    return Snapshotter(Redactor(), LimitsConfig(**limits))


def _fields(snapshotter=None, /, **fields):
    return (snapshotter or _snapshotter())(fields)[0]


class Hostile:
    """Raises whatever it is asked."""

    def _refuse(self, *_args):
        raise RuntimeError("no")

    __repr__ = __str__ = __eq__ = __hash__ = __iter__ = __len__ = __bool__ = __getattr__ = _refuse
    __class__ = property(_refuse)


class HostileDict(dict):
    def __iter__(self):
        self["more"] = 1
        return iter([1, 2, 3])

    def items(self):
        return [1, "two", None]

    __len__ = keys = __getitem__ = Hostile._refuse


class HostileList(list):
    def __iter__(self):
        while True:
            yield self

    __len__ = __getitem__ = Hostile._refuse


class LyingMapping(UserDict):
    def items(self):
        return iter([(Hostile(), 1), "x"])


class LyingText(str):  # noqa: SLOT000 - what users write
    def __str__(self):
        return 5  # noqa: PLE0307 - a lie

    __len__ = __iter__ = isascii = Hostile._refuse


class Raises:
    def __init__(self, error):
        self.error = error

    def __str__(self):
        raise self.error


class Proxy:
    """Stands for another object, as Django's SimpleLazyObject does."""

    def __init__(self, target):
        self.__dict__["_target"] = target

    __class__ = property(lambda self: type(self._target))

    def __getattr__(self, name):
        return getattr(self._target, name)

    def __iter__(self):
        return iter(self._target)

    def __str__(self):
        return str(self._target)


# Hypothesis looks at what it generates, which hostile objects refuse: so it generates their makers.
def _made(makers):
    return {key: make() for key, make in makers.items()}


_hostile = st.sampled_from(
    [
        Hostile,
        lambda: HostileDict(password=1, a=Hostile()),
        lambda: HostileList([1, Hostile()]),
        LyingMapping,
        object,
        lambda: Raises(MemoryError()),
        lambda: Raises(RecursionError()),
    ]
)
_scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.text(st.characters(categories=["Cs", "Cc"]))
    | st.binary()
    | st.decimals()
    | st.datetimes()
    | st.timedeltas()
    | st.uuids()
    | st.complex_numbers()
)
_keys = (
    st.text()
    | st.integers()
    | st.none()
    | st.booleans()
    | st.floats()
    | st.binary()
    | st.tuples(st.integers(), st.text())
)
_makers = st.recursive(
    _scalars.map(lambda value: lambda: value)
    | st.text().map(lambda value: lambda: LyingText(value))
    | st.text().map(lambda value: lambda: Proxy(value))
    | st.sets(_keys, max_size=4).map(lambda value: lambda: value)
    | _hostile,
    lambda inner: (
        st.builds(
            lambda kind, makers: lambda: kind([make() for make in makers]),
            st.sampled_from([list, tuple, deque, HostileList, Proxy]),
            st.lists(inner, max_size=4),
        )
        | st.builds(
            lambda kind, makers: lambda: kind(_made(makers)),
            st.sampled_from([dict, HostileDict, OrderedDict, Proxy]),
            st.dictionaries(_keys, inner, max_size=4),
        )
    ),
    max_leaves=6,
)
_plain_text = st.text(st.characters(exclude_categories=["Cs"]))
_plain = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | _plain_text,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_plain_text, inner, max_size=4),
    max_leaves=6,
)


def _has_secrets(redactor, value):
    """Whether a JSON value holds what redaction is meant to change."""
    if isinstance(value, dict):
        return any(
            redactor.secrecy(k) or _has_secrets(redactor, k) or _has_secrets(redactor, v)
            for k, v in value.items()
        )
    if isinstance(value, list):
        return any(_has_secrets(redactor, item) for item in value)
    if isinstance(value, str) or (isinstance(value, int) and abs(value) >= 10**12):
        return redactor.redact_text(str(value)) != str(value)
    return False


_shared = _snapshotter()


@given(st.dictionaries(st.text(), _makers, max_size=4))
@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None, max_examples=60)
def test_whatever_is_logged_becomes_json_that_survives_the_way_there_and_back(makers):
    snapshot, size = _shared(_made(makers))

    assert msgspec.json.decode(msgspec.json.encode(snapshot)) == snapshot
    assert size >= 0


@given(st.dictionaries(_keys, _makers, max_size=4))
@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None, max_examples=40)
def test_even_names_that_are_not_text_become_names(makers):
    snapshot, _ = _shared(_made(makers))

    assume(TRUNCATED_FIELD not in snapshot)
    assert len(snapshot) == len(makers)
    assert all(type(name) is str for name in snapshot)


@given(
    st.dictionaries(st.text(), _makers, max_size=4),
    st.sampled_from([{}, {"max_items": 2}, {"max_event_bytes": 1024}, {"max_depth": 2}, {"max_string": 16}]),
)
@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None, max_examples=60)
def test_the_snapshot_of_a_snapshot_is_equal_to_it(makers, limits):
    snapshotter = _snapshotter(**limits)
    once, _ = snapshotter(_made(makers))

    # What is kept of an event that is too dear depends on what comes first, and marks cost less than values.
    assume(TRUNCATED_FIELD not in once)
    assert snapshotter(once)[0] == once


def test_what_was_too_deep_under_a_secret_name_says_so_the_second_time_too():
    snapshotter = _snapshotter(max_depth=2)
    once, _ = snapshotter({"tokens": [{"left": [1]}]})

    assert once == {"tokens": [{"left": "<max depth>"}]}
    assert snapshotter(once)[0] == once


@given(st.dictionaries(_plain_text, _plain, max_size=4))
@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None, max_examples=80)
def test_plain_json_comes_out_equal(fields):
    if not _has_secrets(_shared.redactor, fields):
        assert _shared(fields)[0] == fields


@dataclass
class Login:
    user: object
    password: object


class Account(BaseModel):
    secret: object
    pin_code: SecretStr


_SECRET = "hunter2-Zk9"
_hiding_places = st.sampled_from(
    [
        lambda v: {"password": v},
        lambda v: {"clientSecret": [v, {"deep": v}]},
        lambda _: Login("bob", _SECRET),
        lambda _: Account(secret=_SECRET, pin_code=_SECRET),
        lambda _: SecretStr(_SECRET),
        lambda _: [("Authorization", _SECRET)],
        lambda _: [(b"cookie", _SECRET.encode())],
        lambda _: f"https://bob:{_SECRET}@host/",
        lambda _: f"Bearer {_SECRET}".encode(),
        lambda _: {b"token": _SECRET},
        lambda _: {"x": Proxy({"token": _SECRET})},
        lambda _: (1, {"X-Api-Key": _SECRET}),
    ]
)
_around = st.sampled_from(
    [
        lambda v: [v],
        lambda v: {"a": v},
        lambda v: (1, v),
        lambda v: deque([v]),
        lambda v: {"n": 1, "b": [v]},
        lambda v: Login(v, 1),
    ]
)


@given(_hiding_places, st.lists(_around, max_size=8))
def test_no_secret_survives_at_any_depth(hide, arounds):
    value = hide(_SECRET)
    for around in arounds:
        value = around(value)

    assert _SECRET.encode() not in msgspec.json.encode(_fields(value=value))


def test_a_secret_container_is_masked_as_a_whole_and_not_even_read():
    assert _fields(passwords={"user": "bob"}, secret=Hostile()) == {"passwords": "***", "secret": "***"}


def test_what_becomes_a_text_counts_among_the_texts_under_a_credential_s_name():
    once = _fields(Token=["", Decimal("Infinity")])

    assert once == {"Token": "***"} == _fields(**once)


def test_a_container_under_a_credential_s_name_is_read_and_its_secrets_are_masked():
    auth = {"client_token": "hunter2-Zk9", "policies": ["default"], "token_type": "service"}

    assert _fields(auth=auth) == {"auth": {**auth, "client_token": "***"}}


def test_a_described_object_does_not_reveal_its_secrets():
    class Config:
        def __repr__(self):
            return "Config(user='bob', password='hunter2')"

    assert _fields(config=Config()) == {"config": "Config(user='bob', password='***')"}


def test_a_card_number_logged_as_a_number_is_masked():
    assert _fields(number=4111111111111111, at=1795528800123456789) == {
        "number": "***",
        "at": 1795528800123456789,
    }


def test_a_secret_in_a_name_is_masked():
    assert _fields(cards={"4111111111111111": 1}) == {"cards": {"***": 1}}


def test_later_changes_by_the_caller_are_not_seen():
    inner = {"n": [1]}
    fields = {"inner": inner, "list": [inner]}
    snapshot, _ = _snapshotter()(fields)
    inner["n"].append(2)
    inner["new"] = fields["more"] = 1

    assert snapshot == {"inner": {"n": [1]}, "list": [{"n": [1]}]}


def test_a_cycle_is_marked_and_a_repetition_is_not():
    loop = [1]
    loop.append({"again": loop})
    shared = [1]

    assert _fields(loop=loop, twice=[shared, shared]) == {"loop": [1, {"again": CYCLE}], "twice": [[1], [1]]}


def test_nesting_beyond_the_limit_is_marked():
    assert _fields(_snapshotter(max_depth=2), a=[[[1]]], b=[[1]]) == {"a": [[MAX_DEPTH]], "b": [[1]]}


@pytest.mark.parametrize("left", [25, 50, 200])
def test_little_stack_left_does_not_make_the_log_call_raise(left):
    deep = {}
    for _ in range(150):
        deep = {"a": [deep]}
    snapshotter = _snapshotter(max_depth=200)
    snapshotter({"deep": 1})

    def descend(frames):
        return snapshotter({"deep": deep}) if frames == 0 else descend(frames - 1)

    depth = len(list(_frames()))
    snapshot, _ = descend(sys.getrecursionlimit() - depth - left)

    assert isinstance(snapshot, dict)


def _frames():
    frame = sys._getframe()
    while frame:
        yield frame
        frame = frame.f_back


def test_names_that_become_alike_are_both_kept():
    assert _fields(a={1: "a", "1": "b", b"1": "c"}) == {"a": {"1": "a", "1#2": "b", "1#3": "c"}}
    assert _snapshotter()({"a\ud800": 1, "a\\ud800": 2})[0] == {"a\\ud800": 1, "a\\ud800#2": 2}


def test_names_that_are_not_text_are_the_text_of_their_encoding():
    keys = {None: 1, 1.5: 2, (1, "a"): 3, b"b": 4, datetime(2026, 1, 2, tzinfo=UTC): 5, False: 6}

    assert list(_fields(a=keys)["a"]) == ["null", "1.5", '[1,"a"]', "b", "2026-01-02T00:00:00+00:00", "false"]


def test_a_long_text_is_cut_with_a_mark_and_counted():
    snapshotter = _snapshotter(max_string=20)

    assert _fields(snapshotter, a="x" * 50) == {"a": "x" * 20 + "…[truncated 30 characters]"}
    assert snapshotter.truncated == 1


def test_a_secret_across_the_cut_leaves_no_half():
    text = "x" * 8 + " 4111111111111111 " + "y" * 5000

    assert "4111" not in _fields(_snapshotter(max_string=16), a=text)["a"]


def test_many_items_are_cut_with_a_mark_and_counted():
    snapshotter = _snapshotter(max_items=3)

    assert _fields(snapshotter, a=list(range(10)), b=dict.fromkeys("abcd")) == {
        "a": [0, 1, "…[truncated 8 items]"],
        "b": {"a": None, "b": None, "…": "…[truncated 2 items]"},
    }
    assert _fields(snapshotter, a=1, b=2, c=3, d=4) == {"a": 1, "b": 2, "…": "…[truncated 2 items]"}
    assert snapshotter.truncated == 2


def test_an_event_that_is_too_large_keeps_its_small_fields_and_is_marked():
    snapshotter = _snapshotter(max_event_bytes=2048)
    snapshot, size = snapshotter({"big": "x" * 9000, "items": list(range(900)), "user": "bob", "amount": 5})

    assert snapshot["user"] == "bob"
    assert snapshot["amount"] == 5
    assert snapshot[TRUNCATED_FIELD] is True
    assert snapshot["big"].endswith("characters]")
    assert snapshot["items"][:2] == [0, 1]
    assert snapshot["items"][-1].endswith("items]")
    assert size <= 2048
    assert len(msgspec.json.encode(snapshot)) <= 2048
    assert snapshotter.truncated == 1


@pytest.mark.busy
@pytest.mark.timeout(10)
def test_what_grows_without_bound_when_it_is_walked_is_cut_early():
    value = []
    for _ in range(30):
        value = [value] * 10

    snapshot, size = _snapshotter()({"bomb": value})

    assert size <= 262_144
    assert snapshot[TRUNCATED_FIELD] is True


def test_hostile_objects_are_reported_by_their_type():
    class Boom(dict):
        __class__ = property(lambda self: 1 / 0)

    assert _fields(a=Hostile(), b=Raises(MemoryError()), c=Boom(x=1)) == {
        "a": "<unprintable Hostile>",
        "b": "<unprintable Raises>",
        "c": {"x": 1},
    }


def test_fields_that_lie_about_themselves_are_read_as_they_are():
    assert _snapshotter()(HostileDict(user="bob", password="x"))[0] == {"user": "bob", "password": "***"}


def test_an_interrupt_of_the_user_is_let_through():
    with pytest.raises(KeyboardInterrupt):
        _fields(a=[Raises(KeyboardInterrupt())])


def test_a_dictionary_that_another_thread_fills_is_walked_without_an_error():
    snapshotter, growing, stop = _snapshotter(), {}, threading.Event()

    def fill():
        number = 0
        while not stop.is_set():
            growing[number % 997] = growing.pop((number + 500) % 997, number)
            number += 1

    thread = threading.Thread(target=fill)
    thread.start()
    try:
        for _ in range(200):
            assert isinstance(_fields(snapshotter, a=growing)["a"], dict)
    finally:
        stop.set()
        thread.join()


def test_a_dictionary_that_a_finalizer_fills_while_it_is_read_is_read_again():
    growing = dict.fromkeys(map(str, range(5000)), 1)

    class Finalized:
        def __init__(self):
            self.itself = self

        def __del__(self):
            growing["from a finalizer"] = True

    snapshotter = _snapshotter()
    Finalized()
    usual = gc.get_threshold()
    gc.set_threshold(1000)
    try:
        assert _fields(snapshotter, a=[growing])["a"][0]["0"] == 1
    finally:
        gc.set_threshold(*usual)


@pytest.mark.parametrize("base", [UserDict, deque, set])
def test_a_container_that_changes_while_it_is_read_is_read_again(base):
    class Moving(base):
        moved = 0

        def __iter__(self):
            for member in super().__iter__():
                if not Moving.moved:
                    Moving.moved += 1
                    raise RuntimeError("changed size during iteration")
                yield member

    container = Moving({"a": 1, "b": 2}.items()) if base is UserDict else Moving("ab")
    read = _fields(a=container)["a"]
    assert Moving.moved == 1
    assert sorted(read) == ["a", "b"]


def test_a_container_that_changes_each_time_is_reported_by_its_type():
    class Restless(deque):
        def __iter__(self):
            raise RuntimeError("deque mutated during iteration")

    assert _fields(a=Restless("ab")) == {"a": "<unprintable Restless>"}


def test_the_size_is_about_that_of_the_json():
    fields = {"user": "bob", "n": 5, "text": "é" * 100, "list": ["a" * 50] * 20, "when": Decimal("1.5")}
    snapshot, size = _snapshotter()(fields)

    assert size == pytest.approx(len(msgspec.json.encode(snapshot)), rel=0.3)


def test_the_memory_of_harmless_names_is_bounded():
    snapshotter = _snapshotter()
    for number in range(10_000):
        snapshotter({f"name{number}": 1, "x" * 100: 2})

    assert len(snapshotter._known.harmless) <= 4096


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("order.paid", "order.paid"),
        ("card 4111111111111111", "card ***"),
        ("a\ud800", "a\\ud800"),
        (5, "5"),
        (None, "null"),
        (Raises(ValueError()), "<unprintable Raises>"),
        ({"password": 1}, '{"password":"***"}'),
        ("x" * 40, "x" * 32 + "…[truncated 8 characters]"),
    ],
)
def test_a_single_text_is_cleaned_redacted_and_cut(value, expected):
    assert _snapshotter(max_string=32).text(value) == expected


def test_a_large_field_does_not_cost_the_ones_after_it():
    snapshotter = _snapshotter(max_event_bytes=1024)
    fields = {(1, 2): list(range(500)), 3: "three", (4, 5): [6], "3": [7]}

    assert snapshotter(fields)[0].keys() == {"[1,2]", "3", "[4,5]", "3#2", TRUNCATED_FIELD}
    assert snapshotter(fields)[0]["3#2"] == [7]


def _recursion(depth):
    """The traceback of a mutual recursion, which Python does not fold."""

    def here(left):
        return there(left - 1)

    def there(left):
        if left <= 0:
            raise ValueError("the reason")
        return here(left - 1)

    try:
        here(depth)
    except ValueError:
        return traceback.format_exc()


def _with_a_long_cause():
    try:
        try:
            raise ValueError("c" * 70_000)
        except ValueError as cause:
            raise KeyError("the reason") from cause
    except KeyError:
        return traceback.format_exc()


@pytest.mark.parametrize("text", [_recursion(900), _with_a_long_cause()], ids=["recursion", "cause"])
@pytest.mark.parametrize("limits", [{"max_string": 10_000}, {"max_event_bytes": 10_000}], ids=str)
def test_c5_a_traceback_is_cut_in_the_middle(text, limits):
    snapshotter = _snapshotter(**limits)
    stored = _fields(snapshotter, exception=text, a=1)

    cut = stored["exception"]
    assert cut.startswith("Traceback (most recent call last):\n")
    assert cut.endswith(text[-2000:])
    assert "the reason" in text[-2000:]
    assert re.search(r"…\[truncated \d+ characters\]…", cut)
    assert len(cut) <= 10_048
    assert stored["a"] == 1
    assert snapshotter.truncated == 1


def test_c5_the_mark_says_how_much_is_gone_and_a_single_line_keeps_its_beginning():
    snapshotter = _snapshotter(max_string=20)

    assert _fields(snapshotter, a="a\n" + "x" * 46 + "\nz") == {
        "a": "a\nxxxxxxxx…[truncated 30 characters]…xxxxxxxx\nz"
    }
    assert _fields(snapshotter, a="x" * 49 + "\n")["a"] == "x" * 20 + "…[truncated 30 characters]"


def test_c5_a_secret_across_either_side_of_the_cut_leaves_no_half():
    for before in range(40):
        text = "a\n" + "x" * before + " 4111111111111111 " + "y" * (40 - before)

        assert "4111" not in _fields(_snapshotter(max_string=32), a=text)["a"]
        assert "1111" not in _fields(_snapshotter(max_string=32), a=text + "\n" + "z" * 9000 + text)["a"]


def test_c5_what_was_cut_behind_a_mark_is_not_cut_again():
    snapshotter = _snapshotter(max_string=34)
    stored = _fields(
        snapshotter, a="0" * 9 + "…[truncated 1 characters]" + "4111" * 13 + "…[truncated 1 characters]" * 2
    )

    assert _fields(snapshotter, **stored) == stored


@given(
    text=st.text("ab\n1… é", max_size=80) | st.from_regex(r"(4111|\n|…\[truncated 1 characters\]…?|x){0,30}"),
    longest=st.integers(16, 40),
)
def test_c5_what_was_cut_is_not_cut_again(text, longest):
    snapshotter = _snapshotter(max_string=longest)
    stored = _fields(snapshotter, a=text)

    assert _fields(snapshotter, **stored) == stored
