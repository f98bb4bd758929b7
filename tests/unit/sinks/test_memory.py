"""The memory sink."""

import pytest

from logweir.sinks.contract import SinkContext
from logweir.sinks.memory import MemoryConfig, MemorySink
from logweir.testing.contract import make_event


async def test_the_oldest_events_are_forgotten_beyond_what_is_kept() -> None:
    sink = MemorySink(MemoryConfig(keep=3))
    batch = [make_event(str(number)) for number in range(5)]
    await sink.write(batch[:2])
    await sink.write([*batch[1:], batch[4]])
    assert [event.name for event in sink.events.values()] == ["2", "3", "4"]


def test_a_sink_is_found_by_the_name_it_has_in_routing_yaml() -> None:
    MemorySink(MemoryConfig(), SinkContext(name="kept"))
    latest = MemorySink(MemoryConfig(), SinkContext(name="kept"))
    assert MemorySink.of("kept") is latest
    with pytest.raises(KeyError):
        MemorySink.of("never made")
