"""Dead letters behind Redis, while workers are killed: each refused event is a letter, once by its id."""

import json
import os
import time
from pathlib import Path

import pytest

import logweir
from logweir.config.loading import load_config
from logweir.stores.all_dead_letters import all_dead_letters
from servers import Server
from support.elsewhere import kill, said, start_worker
from support.waiting import eventually

pytestmark = pytest.mark.busy

LONG = os.environ.get("LOGWEIR_SOAK") == "long"


@pytest.mark.soak
def test_no_letter_is_lost_or_doubled_when_workers_are_killed(tmp_path: Path, redis: Server) -> None:
    queue = {"type": "redis", "url": redis.url, "partitions": 2, "claim_after": "500ms"}
    config = {
        "service": f"shop-{time.time_ns()}",
        "data_dir": str(tmp_path / "data"),
        "sinks": {
            "store": {
                "type": "support.sinks:RefusesBad",
                "queue": queue,
                "batch": {"linger": 0, "max_events": 5},
                "retry": {"initial": "5ms", "max": "50ms", "timeout": "5s"},
            }
        },
        "routes": [{"name": "all", "to": ["store"]}],
    }
    (tmp_path / "routing.yaml").write_text(json.dumps(config))
    with logweir.running(config):
        for number in range(400):
            logweir.audit_sync("bad" if number % 2 else f"good.{number}", user_id=7)
        assert logweir.flush(30)

    def letters() -> list[str]:
        with all_dead_letters(load_config(config)) as found:
            return [letter.id for letter in found.read()]

    worker = start_worker(tmp_path)
    for _ in range(10 if LONG else 1):
        before = len(letters())
        eventually(lambda: len(letters()) > before or len(letters()) == 200, 60)  # noqa: B023 - asked at once
        kill(worker)
        worker = start_worker(tmp_path)
    eventually(lambda: len(letters()) == 200, 60, found=lambda: (len(letters()), said(tmp_path)))
    expected = {f"good.{number}" for number in range(0, 400, 2)}
    eventually(lambda: set((tmp_path / "stored.txt").read_text().split()) == expected, 60)
    found = letters()
    assert len(set(found)) == len(found) == 200
    worker.terminate()
    assert worker.wait(60) == 0, said(tmp_path)
