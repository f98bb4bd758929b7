"""Which index an event belongs to."""

import pytest

from logweir.sinks.shared.search_engine.layout import Layout

DAY = 86_400 * 10**9
DAILY = Layout("app", streaming=False)
STREAM = Layout("app", streaming=True)


@pytest.mark.parametrize(
    ("time_ns", "index"),
    [
        (0, "app-1970.01.01"),
        (DAY - 1, "app-1970.01.01"),
        (DAY, "app-1970.01.02"),
        (-1, "app-1970.01.01"),
        (2**63 - 1, "app-2262.01.01"),
        (1_767_225_600 * 10**9, "app-2026.01.01"),
    ],
)
def test_a_day_has_an_index_of_its_own(time_ns: int, index: str) -> None:
    assert DAILY.index_of(time_ns) == index
    assert STREAM.index_of(time_ns) == "app"
    assert any(index.startswith(pattern.removesuffix("*")) for pattern in DAILY.patterns)
    assert not any("app-errors-2026.01.01".startswith(pattern[:-1]) for pattern in DAILY.patterns)
