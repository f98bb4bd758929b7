"""Events as JSON and back; each kind of value by its documented encoding."""

import array
import enum
import types
from collections import ChainMap, Counter, deque, namedtuple
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from pathlib import PurePosixPath
from uuid import UUID

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict, Field, SecretStr

from logweir.encoding.events import decode_event, encode_event, encode_lines, event_to_dict
from logweir.encoding.parts import Entries, Excerpt, Hidden
from logweir.encoding.times import format_time, parse_time
from logweir.encoding.values import clean_text, encode_value
from logweir.event import Event, Kind, new_event_id

_text = st.text(st.characters(exclude_categories=["Cs"]))
_json = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | _text,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_text, inner, max_size=4),
    max_leaves=8,
)
_events = st.builds(
    Event,
    st.builds(new_event_id),
    st.integers(-62_135_596_800 * 10**9, 253_402_300_799 * 10**9),
    st.sampled_from(Kind),
    st.sampled_from(["debug", "info", "error"]),
    _text,
    _text,
    _text,
    st.none() | _text,
    st.none() | _text,
    st.dictionaries(_text, _json, max_size=4),
)


def _event(**changes):
    event = Event(
        "id", 1_795_528_800_123_456_789, Kind.AUDIT, "info", "paid", "shop", "dev", None, None, {"a": 1}
    )
    return msgspec.structs.replace(event, **changes)


@given(_events)
def test_an_event_is_decoded_identically(event):
    data = encode_event(event)

    assert decode_event(data) == msgspec.structs.replace(event, size=len(data))


@given(st.lists(_events, max_size=4))
def test_lines_are_what_each_event_is_alone(events):
    assert encode_lines(events) == b"".join(encode_event(event) + b"\n" for event in events)


def test_the_bytes_of_an_event_are_documented_ones():
    event = _event(time=1_795_528_800_000_000_789, trace_id="t", fields={"ü": [1.5, None, "\x00\u2028"]})

    assert (
        encode_event(event)
        == (
            '{"id":"id","time":"2026-11-24T14:00:00.000000789Z","kind":"audit","level":"info","event":"paid",'
            '"service":"shop","env":"dev","trace_id":"t","fields":{"ü":[1.5,null,"\\u0000\u2028"]}}'
        ).encode()
    )


@given(_events)
def test_the_dictionary_is_what_the_bytes_say(event):
    document = event_to_dict(event)

    assert msgspec.json.decode(encode_event(event)) == document
    assert list(msgspec.json.decode(encode_event(event))) == list(document)


def test_an_event_is_one_line_with_the_canonical_keys_in_order():
    data = encode_event(_event(trace_id="t", span_id="s", fields={"text": "two\nlines"}))

    assert b"\n" not in data
    assert list(msgspec.json.decode(data)) == [
        "id", "time", "kind", "level", "event", "service", "env", "trace_id", "span_id", "fields",
    ]  # fmt: skip


def test_trace_and_span_are_left_out_when_unknown_and_empty_fields_stay():
    document = msgspec.json.decode(encode_event(_event(fields={})))

    assert "trace_id" not in document
    assert "span_id" not in document
    assert document["fields"] == {}


@pytest.mark.parametrize("data", [b"", b"[]", b"{}", b'{"id": 1}', b"\xff", b'{"id":"a","time":"noon"}'])
def test_what_is_not_an_event_is_refused_with_a_value_error(data):
    with pytest.raises(ValueError):
        decode_event(data)


@given(st.integers(-62_135_596_800 * 10**9, 253_402_300_800 * 10**9 - 1))
def test_a_time_is_parsed_to_the_nanosecond_it_was_formatted_from(ns):
    assert parse_time(format_time(ns)) == ns


@pytest.mark.parametrize("ns", [-(10**30), 10**30])
def test_a_time_beyond_the_calendar_becomes_its_nearest_end(ns):
    assert format_time(ns) in {"0001-01-01T00:00:00.000000000Z", "9999-12-31T23:59:59.999999999Z"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1970-01-01T00:00:01Z", 1_000_000_000),
        ("1970-01-01 00:00:01", 1_000_000_000),
        ("1970-01-01T01:00:00.5+01:00", 500_000_000),
        ("1970-01-01T00:00:00.1234567899z", 123_456_789),
        ("1970-01-01T00:00:01.000000007Z", 1_000_000_007),
        ("1970-01-01 00:00:01.000000007Z", 1_000_000_007),
        ("1970-01-01t00:00:01.000000007Z", 1_000_000_007),
        ("1970-01-01T00:00:01,000000007Z", 1_000_000_007),
    ],
)
def test_a_time_is_parsed_with_any_offset_and_fraction(text, expected):
    assert parse_time(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "noon",
        "2026-13-01T00:00:00Z",
        "2026-01-01",
        "x" * 1000,
        "2026-13-01T00:00:00.000000000Z",
        "2026-W01-1T00:00:00.000000000Z",
        "2026-01-01T00:00:00.00000000\u0663Z",
        "2026-01-01T00:00:00.+00000000Z",
        "2026-01-01T00:00:0\u0663.000000000Z",
    ],
)
def test_what_is_not_a_time_is_refused_with_a_value_error(text):
    with pytest.raises(ValueError):
        parse_time(text)


class Colour(enum.Enum):
    RED = Decimal("1.5")


class Name(str):  # noqa: SLOT000 - what users write
    def __str__(self):
        return "a lie"


class Count(int):
    def __index__(self):
        raise RuntimeError


Point = namedtuple("Point", "x y")  # noqa: PYI024 - namedtuples of both makes are met


@dataclass
class Plain:
    user: str
    tags: list = field(default_factory=list)


@dataclass(slots=True)
class Slotted:
    user: str


class Model(BaseModel):
    model_config = ConfigDict(extra="allow")
    user: str
    hidden: int = Field(default=1, exclude=True)


class Struct(msgspec.Struct):
    user: str


class Attrs:
    __attrs_attrs__ = (types.SimpleNamespace(name="user"),)

    def __init__(self):
        self.user = "bob"


class FakeArray:
    """Quacks as a numpy array."""

    dtype = "int64"
    shape = (2, 3)
    size = 6

    def reshape(self, _shape):
        return array.array("q", range(self.size))

    def tolist(self):
        return [[0, 1, 2], [3, 4, 5]]


class FakeScalar:
    """Quacks as a numpy scalar."""

    dtype = "int64"
    shape = ()
    size = 1

    def tolist(self):
        return 5


class OwnMapping(ChainMap):
    pass


class OwnDict(dict):
    def items(self):
        raise RuntimeError

    def __iter__(self):
        raise RuntimeError


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, None),
        (True, True),
        (
            datetime(2026, 1, 2, 3, 4, 5, 6, tzinfo=timezone(timedelta(hours=2))),
            "2026-01-02T03:04:05.000006+02:00",
        ),
        (datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC), "2026-01-02T03:04:05+00:00"),
        (datetime(2026, 1, 2, 3, 4, 5), "2026-01-02T03:04:05"),  # noqa: DTZ001 - naive on purpose
        (date(2026, 1, 2), "2026-01-02"),
        (time(3, 4), "03:04:00"),
        (timedelta(minutes=1, microseconds=5), 60.000005),
        (Decimal("1.10"), "1.10"),
        (UUID(int=1), "00000000-0000-0000-0000-000000000001"),
        (Colour.RED, Decimal("1.5")),
        (b"text", "text"),
        (bytearray(b"\xff\x00"), "base64:/wA="),
        (memoryview(b"a\x00"), "base64:YQA="),
        ({3, 1, 2}, [1, 2, 3]),
        (frozenset({"b", "a"}), ["a", "b"]),
        ((1, 2), (1, 2)),
        (Point(1, 2), Entries([("x", 1), ("y", 2)])),
        (deque([1, 2]), [1, 2]),
        (array.array("i", [1, 2]), [1, 2]),
        ({"a": 1}.items(), [("a", 1)]),
        (Plain("bob"), Entries([("user", "bob"), ("tags", [])])),
        (Slotted("bob"), Entries([("user", "bob")])),
        (Model(user="bob", extra=2), Entries([("user", "bob"), ("extra", 2)])),
        (SecretStr("x"), Hidden("SecretStr")),
        (Struct("bob"), Entries([("user", "bob")])),
        (Attrs(), Entries([("user", "bob")])),
        (types.SimpleNamespace(a=1), Entries([("a", 1)])),
        (types.MappingProxyType({"a": 1}), Entries([("a", 1)])),
        (OwnMapping({"a": 1}), Entries([("a", 1)])),
        (OwnDict(a=1), Entries([("a", 1)])),
        (Counter("aa"), Entries([("a", 2)])),
        (PurePosixPath("/a/b"), "/a/b"),
        (KeyError("k"), Entries([("type", "KeyError"), ("message", "'k'")])),
        (float("nan"), "NaN"),
        (float("inf"), "Infinity"),
        (float("-inf"), "-Infinity"),
        (2**63, "9223372036854775808"),
        (-(2**63), -(2**63)),
        (Name("truth"), "truth"),
        (Count(3), 3),
        (range(3), "range(0, 3)"),
        (len, "len"),
        (Decimal, "decimal.Decimal"),
        (complex(1, 2), Excerpt("(1+2j)")),
        (FakeArray(), [[0, 1, 2], [3, 4, 5]]),
        (FakeScalar(), 5),
    ],
    ids=lambda value: type(value).__name__,
)
def test_each_value_has_its_documented_encoding(value, expected):
    encoded = encode_value(value)

    assert encoded == expected
    assert type(encoded) is type(expected)


def test_an_int_of_more_digits_than_python_writes_becomes_hexadecimal():
    assert encode_value(16**5000) == "0x1" + "0" * 5000


def test_no_more_members_than_asked_for_are_taken():
    assert len(encode_value(deque(range(100)), 10)) == 11
    assert len(encode_value(types.MappingProxyType(dict.fromkeys(range(100))), 10)) == 11
    assert len(encode_value(FakeArray(), 4)) == 5


def test_members_that_cannot_be_compared_keep_the_order_of_the_set():
    assert sorted(map(str, encode_value({1, "a"}))) == ["1", "a"]


def test_a_generator_is_never_consumed():
    generator = (n for n in range(3))

    assert encode_value(generator).startswith("<generator object")
    assert list(generator) == [0, 1, 2]


def test_a_property_or_lazy_attribute_of_a_dataclass_is_not_read():
    instance = Plain("bob")
    del instance.tags

    assert encode_value(instance) == [("user", "bob")]


def test_a_lone_surrogate_is_written_as_its_escape():
    assert clean_text("a\udcffb\0é") == "a\\udcffb\0é"


class Meta(type):
    def __hash__(cls):
        raise RuntimeError

    @property
    def __name__(cls):
        raise RuntimeError


class Unhashable(metaclass=Meta):
    pass


class LiesAboutItsClass:
    __class__ = property(lambda self: dict)

    def __str__(self):
        return "I said dict"


class RaisesEverywhere:
    def __getattribute__(self, name):
        raise MemoryError

    def __str__(self):
        raise RecursionError


class StrGivesNumber:
    def __str__(self):
        return 5  # noqa: PLE0307 - a lie


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (Unhashable(), "<unprintable Unhashable>"),
        (LiesAboutItsClass(), "I said dict"),
        (RaisesEverywhere(), "<unprintable RaisesEverywhere>"),
        (StrGivesNumber(), "<unprintable StrGivesNumber>"),
    ],
    ids=lambda value: str(type.__dict__["__name__"].__get__(type(value))),
)
def test_a_hostile_object_is_encoded_by_what_can_be_said_of_it(value, expected):
    assert encode_value(value) == expected


def test_an_interrupt_of_the_user_is_let_through():
    class Interrupts:
        def __str__(self):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        encode_value(Interrupts())
