"""``logweir bench`` against the real servers: a tiny run of each, every answer right, nothing lost."""

from pathlib import Path

import pytest

from logweir.benchmarks.suite import runner
from logweir.benchmarks.suite.natives import Spec
from logweir.benchmarks.suite.profiles import PROFILES
from logweir.benchmarks.suite.truth import CLASSES


@pytest.mark.parametrize("name", ["elasticsearch", "loki", "mariadb", "mongodb", "mysql", "postgresql"])
async def test_a_server_answers_every_question_rightly_and_loses_nothing(
    name: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    server = request.getfixturevalue(name)
    spec = Spec(name, "mysql" if name == "mariadb" else name, server.url, tmp_path)
    results = await runner.begin(tmp_path, [spec], PROFILES["tiny"]).go()
    assert results.not_run == []
    assert results.backends[name].server
    assert {measure.labels["class"] for measure in results.select("query_right")} == set(CLASSES)
    assert [measure for measure in results.select("query_right") if measure.median < 1] == []
    assert all(measure.high == 0 for measure in results.select("lost"))
    assert all(measure.low > 0 for measure in results.select("storage", part="total"))
