"""The benchmarks of the sinks beside their backends' own clients run, at tiny sizes; how fast is no matter of tests."""

from collections.abc import Callable
from typing import Any

import pytest

from logweir.benchmarks import elasticsearch, loki, mongodb
from logweir.benchmarks.measure import Report
from servers import Server


@pytest.mark.parametrize(
    ("server", "measure", "bars"),
    [("elasticsearch", elasticsearch.measure, 8), ("loki", loki.measure, 4), ("mongodb", mongodb.measure, 4)],
    ids=["elasticsearch", "loki", "mongodb"],
)
def test_the_sink_is_measured_beside_the_client(
    server: str, measure: Callable[..., Report], bars: int, request: pytest.FixtureRequest
) -> None:
    place: Server = request.getfixturevalue(server)
    options: dict[str, Any] = {"events": 1500, "runs": 1, "url": place.url}
    report = measure(**options)
    assert len(report.bars) == bars
    assert all(value > 0 for series in report.series for value in series.values)
    assert report.notes[0].startswith("The server that answered: ")
