"""What is looked for in the bytes of a line rules out no event that is meant, whoever wrote the line."""

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from logweir.encoding.events import decode_event, encode_event
from logweir.sinks.contract import Query
from logweir.sinks.file import reading
from logweir.sinks.file.needles import Needles
from logweir.sinks.file.reading import Reader
from logweir.sinks.query_match import matches
from logweir.testing.contract import make_event

texts = st.text('ab1.e+-/ "\\<é\n', max_size=6)
scalars = texts | st.none() | st.booleans() | st.integers(-20, 20) | st.sampled_from([0.5, 1.0, 1e22, 2e-9])
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=2) | st.dictionaries(texts, inner, max_size=2)
)


@st.composite
def asked(draw: st.DrawFn) -> tuple[bytes, Query]:
    """A line, in one of the ways in which JSON can be written, and a query of which some conditions hold."""
    fields: dict[str, Any] = draw(st.dictionaries(st.sampled_from(["a", "b", "c.d"]), values, max_size=3))
    made = make_event(draw(texts.filter(bool)), fields)
    event = msgspec.structs.replace(made, trace_id=draw(st.sampled_from(["ab1", "b.e", "a/b", None])))
    ours = encode_event(event)
    line = draw(st.sampled_from([ours, json.dumps(json.loads(ours)).encode(), ours.replace(b"/", b"\\/")]))
    held = json.dumps(fields, ensure_ascii=False)
    start = draw(st.integers(0, len(held)))
    part = held[start : start + draw(st.integers(0, 6))]
    return line, Query(
        name=draw(st.sampled_from([None, event.name])),
        trace_id=draw(st.sampled_from([None, event.trace_id, "ab1"])),
        service=draw(st.sampled_from([None, event.service])),
        text=draw(st.sampled_from([None, part, event.name])),
        fields={name: value for name, value in fields.items() if draw(st.booleans())},
    )


@given(asked())
def test_no_line_is_ruled_out_whose_event_is_meant(drawn: tuple[bytes, Query]) -> None:
    line, query = drawn
    if matches(decode_event(line), query):
        assert Needles(query).may_be_in(line)


def test_a_line_is_decoded_only_if_it_can_be_meant(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "app.jsonl"
    events = [
        msgspec.structs.replace(make_event(f"event {number}", time_ns=number), trace_id=f"trace{number}")
        for number in range(10, 60)
    ]
    path.write_bytes(b"".join(encode_event(event) + b"\n" for event in events))
    decoded: list[bytes] = []

    def counted(line: bytes) -> Any:
        decoded.append(line)
        return decode_event(line)

    monkeypatch.setattr(reading, "decode_event", counted)
    reader = Reader()
    for query in (Query(trace_id="trace17"), Query(text="event 17"), Query(name="event 17")):
        for _first_time_and_noted in range(2):
            decoded.clear()
            assert [event.name for event in reader.find(path, query)] == ["event 17"]
            assert len(decoded) == 1
    reader.close()


def test_a_number_is_found_however_it_is_written() -> None:
    line = encode_event(make_event(amount=100.5)).replace(b"100.5", b"1.005E2")
    query = Query(text="100.5")
    assert matches(decode_event(line), query)
    assert Needles(query).may_be_in(line)
