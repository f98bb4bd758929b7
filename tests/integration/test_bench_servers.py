"""``logweir bench`` against the real servers: a tiny run of each, every answer right, nothing lost."""

from pathlib import Path

import pytest

from logweir.benchmarks.suite import runner
from logweir.benchmarks.suite.natives import Spec
from logweir.benchmarks.suite.profiles import PROFILES
from logweir.benchmarks.suite.results import Results
from logweir.benchmarks.suite.truth import CLASSES
from servers import Server
from support import victorialogs as store

pytestmark = pytest.mark.slow


@pytest.mark.parametrize(
    "name",
    ["elasticsearch", "opensearch", "real_loki", "mariadb", "mongodb", "mysql", "postgresql", "victorialogs"],
)
async def test_a_server_answers_every_question_rightly_and_loses_nothing(
    name: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    server = request.getfixturevalue(name)
    sink_type = {"mariadb": "mysql", "real_loki": "loki"}.get(name, name)
    results = await run_of(Spec(name, sink_type, server.url, tmp_path))
    assert results.not_run == []
    assert {measure.labels["class"] for measure in results.select("query_right")} == set(CLASSES)
    assert [measure for measure in results.select("query_right") if measure.median < 1] == []


async def test_victorialogs_is_measured_by_ingest_freshness_and_bytes_and_its_questions_are_named_unmeasured(
    victorialogs: Server, tmp_path: Path
) -> None:
    results = await run_of(Spec("logs", "loki", store.push_url(victorialogs.url), tmp_path))
    assert results.backends["logs"].server.startswith("VictoriaLogs")
    assert {(entry.what.split()[0], entry.why, entry.failed) for entry in results.not_run} == {
        ("queries", "not measured: no LogQL here", False)
    }
    assert list(results.select("query")) == []
    assert {measure.labels["by"] for measure in results.select("freshness")} == {"id", "tail"}
    assert list(results.select("ingest"))


async def run_of(spec: Spec) -> Results:
    """A tiny run of one backend, and what must hold of each."""
    results = await runner.begin(spec.folder, [spec], PROFILES["tiny"]).go()
    assert spec.name in results.backends, results.not_run
    assert all(measure.high == 0 for measure in results.select("lost"))
    assert all(measure.low > 0 for measure in results.select("storage", part="total"))
    return results
