"""``logweir tail`` in a process of its own: it shows what arrives and ends by Ctrl-C."""

import asyncio
import json
import signal
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

import pytest

from logweir.config.loading import load_config
from logweir.testing.contract import make_event
from support.archives import fill

pytestmark = pytest.mark.busy

ROUTING = {
    "sinks": {"local": {"type": "file", "path": "tracing.jsonl"}},
    "routes": [{"name": "all", "to": ["local"]}],
}


def test_it_shows_what_arrives_and_ends_cleanly_by_ctrl_c(tmp_path: Path) -> None:
    (tmp_path / "routing.yaml").write_text(json.dumps(ROUTING))
    config = load_config("routing.yaml")
    before, after = make_event("before", user_id=7), make_event("after", user_id=7)
    asyncio.run(fill(config, [before], "local"))
    command = [
        str(Path(sys.executable).parent / "logweir"),
        "tail",
        "--since",
        "1h",
        "--json",
        "--interval",
        "0.1",
    ]
    with ExitStack() as cleanup:
        process = cleanup.enter_context(
            subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        )
        cleanup.callback(process.kill)
        assert process.stdout is not None
        assert process.stderr is not None
        assert json.loads(process.stdout.readline())["event"] == "before"
        asyncio.run(fill(config, [after, make_event("more")], "local"))
        assert json.loads(process.stdout.readline())["event"] == "after"
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 0
        assert process.stderr.read() == ""
