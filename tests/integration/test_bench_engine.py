"""``make bench-engine``: benchmarks with the servers that they need, and the page of their results."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from logweir.benchmarks import page
from logweir.benchmarks.__main__ import _NAMES
from servers import bench_engine
from servers.kinds import KINDS
from support.public_api import ROOT


@pytest.mark.slow
@pytest.mark.timeout(240)
def test_what_is_measured_with_and_without_a_server_becomes_one_page(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "servers.bench_engine", "router", "broker", "nothing", "--quick"]
    done = subprocess.run(
        [*command, "--folder", str(tmp_path)],
        env={**os.environ, "PYTHONPATH": str(ROOT / "tests")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr.endswith("not measured: nothing\n")
    text = page.render(tmp_path, "here")
    titles = [line for line in text.splitlines() if line.startswith("## ")]
    assert [title.partition(":")[0] for title in titles] == ["## Router", "## Redis"]
    assert "The server that answered: Redis" in text
    assert "| forwarder / XADD in pipelines | **" in text


def test_it_knows_the_benchmarks_and_the_servers() -> None:
    assert {*bench_engine.ALONE, *bench_engine.SERVERS} | {"app", "moving"} == {*_NAMES}
    assert {server for needs in bench_engine.SERVERS.values() for server, *_ in needs} <= {*KINDS}
