"""Which events may stand in an older index too."""

from typing import Any

from logweir.event import Event, Kind, new_event_id
from logweir.sinks.shared.search_engine.rollover import MARGIN_NS, suspects


def event_at(time_ns: int, **fields: Any) -> Event:
    return Event(new_event_id(), time_ns, Kind.AUDIT, "info", "paid", "shop", "test", "ab" * 16, None, fields)


def test_only_events_from_before_the_index_that_took_them_are_looked_for_elsewhere() -> None:
    began = {"one": 0, "two": 10 * MARGIN_NS}
    batch = [event_at(10 * MARGIN_NS + offset) for offset in (-1, MARGIN_NS - 1, MARGIN_NS)]
    assert suspects(batch, dict.fromkeys(range(3), "two"), began) == [0, 1]
    assert suspects(batch, dict.fromkeys(range(3), "one"), began) == []
    assert suspects(batch, dict.fromkeys(range(3), "two"), {"two": 10 * MARGIN_NS}) == []
