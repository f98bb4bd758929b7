"""A server that is down, a fallback that stores its events meanwhile, and kills at every step of the way."""

import asyncio
import os
from pathlib import Path
from typing import Any

import pytest

import logweir
from logweir.event import Kind
from support.burst import Watched
from support.durable import run as run_program
from support.fallback import CONFIG, FINISHING, in_local, in_store, kill_when, program
from support.sql import run, table_name

pytestmark = pytest.mark.busy

ROUNDS = 20 if os.environ.get("LOGWEIR_SOAK") == "long" else 1


class Outage(Watched):
    """A runtime that writes into a server behind a proxy, and the ids of all that it was given."""

    def __init__(self, url: str, table: str, folder: Path, **fallback: Any) -> None:
        config = {
            "data_dir": str(folder / "data"),
            "sinks": {
                "store": {
                    "type": "mysql",
                    "url": url,
                    "table": table,
                    "provision": True,
                    "batch": {"max_events": 50, "linger": "5ms"},
                    "retry": {"initial": "10ms", "max": "100ms", "timeout": "2s"},
                    "fallback": {"to": "local", "after": "200ms", **fallback},
                },
                "local": {
                    "type": "sqlite",
                    "url": f"sqlite+aiosqlite:///{folder}/local.db",
                    "table": "audit_log",
                    "provision": True,
                },
            },
            "routes": [{"name": "all", "to": ["store"]}],
        }
        super().__init__(logweir.start(config, handle_signals=False), 30.0)
        self.ids: list[str] = []

    def emit(self, count: int) -> list[str]:
        ids = []
        for _ in range(count):
            event = self.runtime.emit("fund.transfer", {"user_id": "ann"}, kind=Kind.AUDIT)
            assert event is not None
            ids.append(event.id)
        self.ids += ids
        return ids


@pytest.mark.parametrize("returns", [True, False])
@pytest.mark.parametrize("fault", ["refuse", "hang"])
def test_an_outage_is_gone_round_and_comes_to_its_end(
    fault: str, returns: bool, mariadb: Any, proxy: Any, tmp_path: Path
) -> None:
    between, table = proxy(mariadb), table_name()
    given = Outage(between.url, table, tmp_path, **{"return": returns})
    before = given.emit(100)
    assert given.runtime.flush(30)
    assert given.metrics.circuit.value == "closed"
    getattr(between, fault)()
    during = given.emit(300)
    assert given.runtime.flush(30), given.metrics
    assert (given.metrics.circuit.value, given.metrics.state.value) == ("open", "degraded")
    assert "its events go to 'local'" in given.metrics.last_error
    assert given.metrics.diverted == 300
    assert set(in_local(tmp_path)) == set(during)
    assert set(in_store(mariadb.url, table)) == set(before)
    between.clear()
    given.until(lambda metrics: metrics.circuit.value != "open")
    after = given.emit(100)
    assert given.runtime.flush(30)
    given.until(lambda metrics: metrics.circuit.value == "closed")
    if returns:
        given.until(lambda metrics: metrics.in_fallback == 0 and metrics.returned == 300)
    assert given.runtime.stop()
    stored, elsewhere = in_store(mariadb.url, table), in_local(tmp_path)
    assert sorted(stored + elsewhere) == sorted(given.ids)
    if returns:
        assert elsewhere == []
    else:
        # While it was half open, some of what was new went to the fallback still.
        assert {*during} <= {*elsewhere} <= {*during, *after}


def test_an_acknowledgement_of_stored_is_given_by_the_fallback(
    mariadb: Any, proxy: Any, tmp_path: Path
) -> None:
    between = proxy(mariadb)
    given = Outage(between.url, table_name(), tmp_path)
    between.refuse()
    ack = logweir.audit_sync("fund.transfer", acknowledge="stored")
    assert in_local(tmp_path) == [ack.event_id]
    assert given.runtime.stop()


@pytest.mark.soak
@pytest.mark.parametrize("number", range(ROUNDS))
def test_kills_at_every_step_end_with_everything_in_the_sink_once(
    number: int, mariadb: Any, proxy: Any, tmp_path: Path
) -> None:
    between, table = proxy(mariadb), table_name()
    (tmp_path / "routing.yaml").write_text(CONFIG.format(url=between.url, table=table, returns="true"))
    process = program(tmp_path)
    asyncio.run(_until_there_is(mariadb.url, table))
    between.refuse()
    acknowledged = kill_when(tmp_path, process, lambda said: said.failures > 1 and said.circuit == "closed")
    acknowledged += kill_when(tmp_path, program(tmp_path), lambda said: said.diverted > 50 + 20 * number)
    process = program(tmp_path)

    def comes_back(said: Any) -> bool:
        if said.diverted > 50:
            between.clear()
        return said.returned > 20 * number or (said.diverted > 50 and said.circuit == "half_open")

    acknowledged += kill_when(tmp_path, process, comes_back)
    between.clear()
    run_program(tmp_path, f"RETURNS = True\n{FINISHING}")
    stored = in_store(mariadb.url, table)
    assert len(acknowledged) > 100
    assert set(acknowledged) <= set(stored), f"{len(set(acknowledged) - set(stored))} are lost"
    assert len(stored) == len(set(stored))
    assert in_local(tmp_path) == []


@pytest.mark.soak
@pytest.mark.parametrize("number", range(ROUNDS))
def test_without_return_a_kill_while_events_go_to_the_fallback_puts_none_in_both(
    number: int, mariadb: Any, proxy: Any, tmp_path: Path
) -> None:
    between, table = proxy(mariadb), table_name()
    (tmp_path / "routing.yaml").write_text(CONFIG.format(url=between.url, table=table, returns="false"))
    between.refuse()
    acknowledged = kill_when(tmp_path, program(tmp_path), lambda said: said.diverted > 100 + 37 * number)
    between.clear()  # the sink is up, and what the killed process was doing must not be done there again
    run_program(tmp_path, f"RETURNS = False\n{FINISHING}")
    stored, elsewhere = in_store(mariadb.url, table), in_local(tmp_path)
    assert set(acknowledged) <= {*stored, *elsewhere}
    assert len({*stored, *elsewhere}) == len(stored) + len(elsewhere)
    assert len(elsewhere) > 100


async def _until_there_is(url: str, table: str) -> None:
    async with asyncio.timeout(60):
        while True:
            try:
                if (await run(url, f"SELECT count(*) FROM {table}"))[0][0] > 20:
                    return
            except Exception:  # noqa: BLE001 - the table is not there yet
                await asyncio.sleep(0.05)
