"""A sink that stays dead under load costs its queue's bound, and nobody else anything."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

LONG = os.environ.get("LOGWEIR_SOAK") == "long"

PROGRAM = """
import json, sys
from logweir.benchmarks import dead_sink
report = dead_sink.measure(seconds=float(sys.argv[1]), rate=20_000)
print(json.dumps([[bar.series.name, bar.series.values, bar.holds] for bar in report.bars]))
"""


@pytest.mark.soak
@pytest.mark.timeout(400)
def test_memory_stays_at_the_queues_bound_and_the_other_sinks_store_everything(tmp_path: Path) -> None:
    seconds = "240" if LONG else "6"
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, seconds], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    bars = json.loads(done.stdout)
    assert len(bars) == 3
    assert all(holds for _name, _values, holds in bars), bars
