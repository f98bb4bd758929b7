"""Page by page through what a query finds: every row once, in order, whatever lies at one time."""

import re
from collections.abc import AsyncIterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from logweir.encoding.times import format_time, parse_time
from logweir.sinks.victorialogs import paging
from logweir.sinks.victorialogs.paging import rows_of
from logweir.sinks.victorialogs.query import Span

NOW = 1_800_000_000 * 10**9
HOUR = 3600 * 10**9


class Store:
    """Answers the queries that paging asks, as LogsQL's page describes them, from a list of times."""

    def __init__(self, times: list[int]) -> None:
        self.rows = [(time, f"{number:05}") for number, time in enumerate(times)]
        self.scanned = 0

    async def ask(self, query: str) -> AsyncIterator[dict[str, str]]:
        start, end = (re.search(rf'_time:{sign}"(.*?)"', query) for sign in (">=", "<"))
        found = [
            row
            for row in self.rows
            if (not start or row[0] >= parse_time(start[1])) and (not end or row[0] < parse_time(end[1]))
        ]
        if stats := re.search(r"stats (min|max)\(_time\)", query):
            yield {"_time": format_time({"min": min, "max": max}[stats[1]](found)[0])}
            return
        self.scanned += len(found)
        page = re.search(r"offset (\d+) limit (\d+)", query)
        assert page is not None
        found.sort(reverse=" desc" in query)
        for time, name in found[int(page[1]) : int(page[1]) + int(page[2])]:
            yield {"_time": format_time(time), "id": name}


async def all_of(
    store: Store, span: Span = (None, None), limit: int | None = None, *, newest_first: bool = False
) -> list[str]:
    rows = rows_of(store.ask, "{}", span, limit, newest_first=newest_first)
    return [row["id"] async for _, row in rows]


TIMES = st.lists(
    st.integers(0, 3) | st.integers(0, 10**6) | st.integers(0, HOUR), min_size=0, max_size=60
).map(lambda offsets: [NOW + offset for offset in offsets])


@settings(deadline=None)
@given(TIMES, st.booleans(), st.booleans(), st.booleans())
async def test_every_row_comes_once_and_in_order(
    times: list[int], newest_first: bool, has_start: bool, has_end: bool
) -> None:
    store = Store(times)
    span = (NOW - 5 if has_start else None, NOW + HOUR + 5 if has_end else None)
    expected = [name for _, name in sorted(store.rows, reverse=newest_first)]
    assert await all_of(store, span, 3, newest_first=newest_first) == expected


@settings(deadline=None)
@given(TIMES, st.integers(0, HOUR), st.integers(0, HOUR))
async def test_the_ends_of_a_span_hold(times: list[int], start: int, end: int) -> None:
    store = Store(times)
    found = await all_of(store, (NOW + start, NOW + end), 3)
    assert found == [name for time, name in sorted(store.rows) if NOW + start <= time < NOW + end]


@pytest.mark.parametrize("newest_first", [False, True])
@pytest.mark.parametrize("gap", [0, 50 * HOUR])
async def test_a_long_search_looks_at_each_row_a_few_times_only(
    newest_first: bool, gap: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(paging, "_LARGEST_PAGE", 100)
    store = Store([NOW + number * 10**6 + (gap if number > 2_000 else 0) for number in range(4_000)])
    assert len(await all_of(store, newest_first=newest_first)) == 4_000
    assert store.scanned < 4_000 * 5  # without stretches of time it is 20 times
