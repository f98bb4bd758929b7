"""The bodies of bulk requests."""

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from logweir.event import Event, Kind, new_event_id
from logweir.process.pacing import paced
from logweir.sinks.shared.search_engine.bulk_body import Body, bodies
from logweir.sinks.shared.search_engine.encode import to_document
from logweir.sinks.shared.search_engine.layout import Layout

DAY = 86_400 * 10**9
DAILY = Layout("app", streaming=False)


def event_at(time_ns: int, **fields: Any) -> Event:
    return Event(new_event_id(), time_ns, Kind.AUDIT, "info", "paid", "shop", "test", "ab" * 16, None, fields)


@given(
    sizes=st.lists(st.integers(0, 400), max_size=12),
    days=st.lists(st.integers(0, 3), min_size=12, max_size=12),
    most=st.integers(1, 1500),
)
async def test_bodies_hold_every_event_once_in_order_below_the_limit(
    sizes: list[int], days: list[int], most: int
) -> None:
    batch = [event_at(day * DAY, body="x" * size) for size, day in zip(sizes, days, strict=False)]
    made = [body async for body in bodies(batch, range(len(batch)), DAILY, to_document, most)]
    assert [number for body in made for number in body.events] == list(range(len(batch)))
    for body in made:
        assert len(body.data) <= most or len(body.events) == 1
        lines = [json.loads(line) for line in body.data.splitlines()]
        for number, action, document in zip(body.events, lines[::2], lines[1::2], strict=True):
            about = action["create"]
            assert about.pop("_index", body.index) == DAILY.index_of(batch[number].time)
            assert about == {"_id": batch[number].id} == {"_id": document["event"]["id"]}


async def test_the_bytes_of_a_body_are_documented_ones() -> None:
    event = Event(
        'a"ü\n',
        DAY,
        Kind.AUDIT,
        "info",
        "paid",
        "shop",
        "test",
        None,
        None,
        {"ok": True, "sum": 1.5, "to": "x"},
    )
    (body,) = [body async for body in bodies([event], [0], DAILY, to_document, 1000)]
    assert body.index == "app-1970.01.02"
    assert body.data.decode() == (
        '{"create":{"_id":"a\\"ü\\n"}}\n'
        '{"@timestamp":"1970-01-02T00:00:00.000000000Z","event":{"id":"a\\"ü\\n","kind":"audit","action":"paid"},'
        '"log":{"level":"info"},"service":{"name":"shop","environment":"test"},"message":"paid ok=true sum=1.5 to=x",'
        '"fields":{"ok":true,"sum":1.5,"to":"x"}}\n'
    )


async def test_a_body_made_with_pauses_is_the_same() -> None:
    batch = [event_at(number * DAY // 100, body="x" * number) for number in range(200)]
    asked: list[bool] = []

    def has_time() -> bool:
        asked.append(True)
        return len(asked) < 4

    async def made() -> list[Body]:
        return [body async for body in bodies(batch, range(len(batch)), DAILY, to_document, 10_000)]

    at_once = await made()
    with paced(has_time):
        assert await made() == at_once
    assert len(asked) == 4
