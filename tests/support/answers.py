"""One model of answers: events and queries by chance, and what a sink must find, which is what `matches` says."""

import random
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from logweir.event import LEVELS, Event, Kind
from logweir.sinks.contract import Query, Readable
from logweir.sinks.query_match import matches
from logweir.testing.contract import make_event

__all__ = ["assert_one_model", "events", "queries"]

NUMBERS = [0, -0.0, 1, 7, 7.0, -3, 0.5, 0.07, 2**53 + 1, 2**63 - 1, 1e16, 1e-5, 1e300]
TEXTS = [
    "", "a", "A", "a ", "b", "Zoë", "zoë", "日本 log", 'say "hi"', "back\\slash", "line\nbreak", "it's",
    "100%_", "shop", "null", "true", "7", "0", "a.b", "x" * 300, "\u202eright", "esc ␛0", "{}", "[a]", "u00e4",
]  # fmt: skip
NAMES = ["user", "tags", "a", "a.b", "0", "status", "resource", "duration_ms", "wei rd", 'qu"ote', "Ärger"]
SERVICES = ["shop", "Shop", "shop 2", "bücher"]


def _value(chance: random.Random, depth: int = 0) -> Any:
    kind = chance.random()
    if depth < 3 and kind < 0.2:
        return [_value(chance, depth + 1) for _ in range(chance.randrange(4))]
    if depth < 3 and kind < 0.4:
        return {name: _value(chance, depth + 1) for name in chance.sample(NAMES, chance.randrange(3))}
    return chance.choice([*NUMBERS, *TEXTS, *TEXTS, True, False, None])


def events(chance: random.Random, count: int) -> list[Event]:
    """Events of the last minutes, none at the microsecond of another."""
    now = int(datetime.now(UTC).timestamp()) * 10**9
    made = []
    for number in range(count):
        fields = {name: _value(chance) for name in chance.sample(NAMES, chance.randrange(6))}
        event = make_event(chance.choice(["order.placed", "Order", "größe", 'a "b"']), fields)
        made.append(
            msgspec.structs.replace(
                event,
                time=now - (count - number) * 10**9 + chance.randrange(1000) * 1000,
                kind=chance.choice(list(Kind)),
                level=chance.choice(list(LEVELS)),
                service=chance.choice(SERVICES),
                size=0,
            )
        )
    return made


def queries(chance: random.Random, stored: Sequence[Event], count: int, *, text: bool) -> Iterator[Query]:
    """Queries that mostly find something."""
    for _ in range(count):
        event = chance.choice(stored)
        query = Query(limit=chance.choice([None, None, 1, 3]), newest_first=chance.random() < 0.3)
        asked = chance.random()
        if asked < 0.5:
            query = replace(query, fields=dict([_condition(chance, event)]))
        elif asked < 0.7 and text:
            query = replace(query, text=_text(chance, event))
        else:
            query = replace(query, service=chance.choice([event.service, "nobody"]))
        if chance.random() < 0.3:
            query = replace(query, levels=frozenset(chance.sample(list(LEVELS), chance.randrange(1, 4))))
        if chance.random() < 0.2:
            query = replace(query, kind=event.kind, name=event.name)
        if chance.random() < 0.2:
            query = replace(query, start=event.datetime - timedelta(seconds=5), end=event.datetime)
        yield query


def _condition(chance: random.Random, event: Event) -> tuple[str, Any]:
    """A place in the event, and what stands there; or something else."""
    path, value = [chance.choice(NAMES)], None
    if event.fields:
        path = [chance.choice(list(event.fields))]
        value = event.fields[path[0]]
    while isinstance(value, dict | list) and value and chance.random() < 0.7:
        if isinstance(value, list) and chance.random() < 0.5:
            value = chance.choice(value)  # an item, by the name of the list
            break
        step = chance.choice(list(value)) if isinstance(value, dict) else chance.randrange(len(value))
        path.append(str(step))
        value = value[step]
    if isinstance(value, dict):
        value = dict(reversed(value.items()))
    return ".".join(path), value if chance.random() < 0.8 else chance.choice([*NUMBERS, *TEXTS, True, None])


def _text(chance: random.Random, event: Event) -> str:
    found: list[str] = [event.name, event.service, "noone", "null", "tru", "1e", "0.0", "00"]

    def collect(value: Any) -> None:
        if isinstance(value, dict):
            found.extend(value)
            value = list(value.values())
        if isinstance(value, list):
            for item in value:
                collect(item)
        elif isinstance(value, str):
            found.append(value)
        else:
            found.append(msgspec.json.encode(value).decode())

    collect(event.fields)
    text = chance.choice(found)
    start = chance.randrange(max(1, len(text) - 1))
    return text[start : start + chance.randrange(1, 9)]


async def assert_one_model(
    sink: Readable, stored: Sequence[Event], asked: Iterator[Query], *, but: Any = lambda _query: False
) -> None:
    """Whatever is asked, the sink finds what the model does, in its order and as far as the limit goes."""
    for query in asked:
        if but(query):
            continue
        wanted = sorted(
            (event for event in stored if matches(event, query)),
            key=lambda event: (event.time, event.id),
            reverse=query.newest_first,
        )
        found = [event.id async for event in sink.search(query)]
        lacking = [event for event in wanted[: query.limit] if event.id not in found]
        assert found == [event.id for event in wanted[: query.limit]], (query, lacking)
