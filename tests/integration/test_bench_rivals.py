"""``logweir bench rivals`` end to end: the embedded rivals, one on a server, and what goes wrong."""

import re
import subprocess
import sys
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pymysql
import pytest
from typer.testing import CliRunner

from logweir.benchmarks.suite.natives import Spec
from logweir.benchmarks.suite.profiles import PROFILES
from logweir.benchmarks.suite.results import Results
from logweir.benchmarks.suite.rivals import _RIVALS, contenders
from logweir.benchmarks.suite.rivals.counts import mysql_arguments
from logweir.benchmarks.suite.rivals.drop_in import LogxideFile, PicologgingFile
from logweir.benchmarks.suite.rivals.loguru_file import LoguruFile
from logweir.benchmarks.suite.rivals.match import play_all
from logweir.benchmarks.suite.rivals.opentelemetry_file import OpentelemetryFile
from logweir.benchmarks.suite.rivals.own import Own
from logweir.cli.app import app
from servers import Server
from support.victorialogs import push_url

ONE_TURN = replace(PROFILES["tiny"], repeats=0)
#: The command, with one turn of each contender: each is a process, and that there are further ones is tested by few.
IN_ONE_TURN = """
from dataclasses import replace
from logweir.__main__ import main
from logweir.benchmarks.suite.profiles import PROFILES
PROFILES["tiny"] = replace(PROFILES["tiny"], repeats=0)
main()
"""


def names_with(results: Results, of: str) -> list[tuple[str, str]]:
    return [(item.backend, str(item.labels["rival"])) for item in results.select("rival", of=of)]


def tables(url: str, like: str) -> list[str]:
    with closing(pymysql.connect(**mysql_arguments(url))) as connection, connection.cursor() as cursor:
        cursor.execute("SHOW TABLES LIKE %s", (like.replace("_", r"\_"),))
        return [row[0] for row in cursor.fetchall()]


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_the_embedded_rivals_play_and_everything_they_logged_is_counted(tmp_path: Path) -> None:
    command = [sys.executable, "-c", IN_ONE_TURN, "bench", "rivals", "--profile", "tiny", "--events", "60"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=250, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "file, turn 0: loguru" in done.stderr  # it says where it is
    results = Results.load(tmp_path / "bench-rivals" / "results.json")
    playing = [(kind, rival) for kind in ("sqlite", "file", "loopback") for rival in contenders(kind)]
    wanted = [(kind, rival.name) for kind, rival in playing if rival.missing() is None]
    absent = {rival.name for _, rival in playing if rival.missing()}
    assert absent <= {"picologging", "logxide"}  # these are in no requirement of ours
    assert {entry.what for entry in results.not_run} == absent
    assert all("pip install" in entry.why and not entry.failed for entry in results.not_run)
    for of in ("rate", "cpu", "lost"):
        assert names_with(results, of) == wanted
    assert all(measure.values == [0] for measure in results.select("rival", of="lost"))
    assert all(measure.low > 0 for measure in results.select("rival") if measure.labels["of"] != "lost")
    assert "by 100, indexed" in done.stdout
    page = (tmp_path / "bench-rivals" / "report.html").read_text()
    assert "Beside the rivals" in page
    assert "Decision matrix" not in page
    assert not re.search(r"<script|<link|src=|url\(|https?://", page)
    left = [path.name for path in (tmp_path / "bench-rivals" / "stores").iterdir()]
    assert [name for name in left if not name.endswith(".lock")] == []


@pytest.mark.slow
async def test_rivals_on_a_server_lose_nothing_and_leave_nothing(mysql: Server, tmp_path: Path) -> None:
    results = await play_all(tmp_path, [Spec("mysql", "mysql", mysql.url, tmp_path)], ONE_TURN, events=60)
    assert all("apt-get install" in entry.why and not entry.failed for entry in results.not_run)
    left_out = {entry.what for entry in results.not_run}
    wanted = [("mysql", rival.name) for rival in contenders("mysql") if rival.name not in left_out]
    assert names_with(results, "lost") == wanted
    assert all(measure.high == 0 for measure in results.select("rival", of="lost"))
    assert "MySQL" in results.backends["mysql"].server
    run = f"{results.workload['first_ns'] // 10**9:x}"
    assert tables(mysql.url, f"bench_{run}_%") == []


@pytest.mark.slow
async def test_rivals_on_a_victorialogs_are_counted_by_logsql(victorialogs: Server, tmp_path: Path) -> None:
    spec = Spec("logs", "loki", push_url(victorialogs.url), tmp_path)
    results = await play_all(tmp_path, [spec], ONE_TURN, events=60)
    assert results.not_run == []
    assert names_with(results, "lost") == [("logs", rival.name) for rival in contenders("loki")]
    assert all(measure.high == 0 for measure in results.select("rival", of="lost"))
    assert results.backends["logs"].server.startswith("VictoriaLogs")


@pytest.mark.slow
async def test_a_rival_that_is_not_installed_and_a_server_that_is_not_there_are_said_and_the_rest_plays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(LoguruFile, "missing", classmethod(lambda _cls: "it is not installed"))
    monkeypatch.setitem(_RIVALS, "file", [Own, LoguruFile, PicologgingFile, LogxideFile, OpentelemetryFile])
    nobody = "mysql+aiomysql://u:p@127.0.0.1:1/t"
    specs = [Spec("mysql", "mysql", nobody, tmp_path), Spec("file", "file", "", tmp_path)]
    turns: list[str] = []
    results = await play_all(tmp_path, specs, PROFILES["tiny"], events=20, progress=turns.append)
    assert [(entry.backend, entry.what, entry.failed) for entry in results.not_run] == [
        ("mysql", "rivals", True),
        *(("file", rival.name, False) for rival in contenders("file") if rival.missing()),
    ]
    assert LoguruFile.missing()
    assert names_with(results, "rate") == [
        ("file", rival.name) for rival in contenders("file") if not rival.missing()
    ]
    playing = [rival.name for rival in contenders("file") if not rival.missing()]
    assert turns == [f"file, turn {turn}: {name}" for turn in (0, 1) for name in playing]
    assert {len(measure.values) for measure in results.select("rival")} == {1}  # the first does not count


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--profile", "huge"], "there is no profile 'huge'"),
        (["--backend", "postgresql=x"], "cannot be measured"),
        (["--no-embedded"], "nothing to measure"),
    ],
)
def test_wrong_input_gets_a_message_and_never_a_traceback(arguments: list[str], message: str) -> None:
    done = CliRunner().invoke(app, ["bench", "rivals", *arguments])
    assert done.exit_code == 2
    assert message in " ".join(done.stderr.replace("│", "").split())
    assert "Traceback" not in done.stderr
