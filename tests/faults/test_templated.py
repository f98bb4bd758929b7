"""Sinks whose tables events name: a table that is away, an outage with a fallback, and a kill."""

import asyncio
import itertools
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

import logweir
from logweir.event import Kind
from support.burst import Watched
from support.durable import deliver_the_rest, start
from support.sql import TYPES, run, table_name
from support.waiting import eventually

pytestmark = pytest.mark.busy

TENANTS = ("acme", "globex", "third")
RETRY = {"initial": "10ms", "max": "100ms", "timeout": "2s"}

#: Runs statements; returns the rows of the last one.
Run = Callable[..., list[Any]]


class Given(Watched):
    """A runtime, and the ids that it was given by the table that they belong to."""

    def __init__(self, folder: Path, **sinks: Any) -> None:
        routes = [{"name": "all", "to": ["store"]}]
        config = {"data_dir": str(folder / "data"), "sinks": sinks, "routes": routes}
        super().__init__(logweir.start(config, handle_signals=False), 30.0)
        self.ids: dict[str, list[str]] = {name: [] for name in (*TENANTS, "overflow")}
        self._next = itertools.cycle((*TENANTS, "No/Name"))

    def emit(self, count: int) -> None:
        for tenant in itertools.islice(self._next, count):
            event = self.runtime.emit("fund.transfer", {"tenant": tenant}, kind=Kind.AUDIT)
            assert event is not None
            self.ids[tenant if tenant in self.ids else "overflow"].append(event.id)


def in_file(path: Path) -> Run:
    def of_file(*statements: str) -> list[Any]:
        with closing(sqlite3.connect(path, timeout=30)) as connection, connection:
            return [row for statement in statements for row in connection.execute(statement)]

    return of_file


def ids_in(run_here: Run, prefix: str) -> dict[str, list[str]]:
    """The ids in each table of a template."""
    return {
        name: [row[0] for row in run_here(f"SELECT id FROM {prefix}{name} ORDER BY id")]
        for name in (*TENANTS, "overflow")
    }


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_a_table_that_is_away_keeps_its_own_events_waiting_and_no_others(
    kind: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    prefix = f"{table_name()[:10]}_"
    url = f"sqlite+aiosqlite:///{tmp_path}/audit.db"
    here = in_file(tmp_path / "audit.db")
    if kind != "sqlite":
        url = request.getfixturevalue(kind).url
        here = lambda *statements: asyncio.run(run(url, *statements))  # noqa: E731
    options = {"type": kind, "url": url, "table": f"{prefix}{{fields.tenant}}", "retry": RETRY}
    made = Given(tmp_path, store={**options, "provision": True})
    made.emit(40)
    assert logweir.stop()

    given = Given(tmp_path, store=options)
    here(f"ALTER TABLE {prefix}acme RENAME TO {prefix}away")
    given.emit(400)
    given.until(lambda metrics: metrics.stored == 300 and metrics.set_aside == 100)
    assert (given.metrics.dead, given.metrics.overflowed) == (0, 100)
    assert f"{prefix}acme" in given.metrics.last_error
    here(f"ALTER TABLE {prefix}away RENAME TO {prefix}acme")
    assert given.runtime.flush(30)
    assert given.runtime.stop()
    assert ids_in(here, prefix) == {name: made.ids[name] + given.ids[name] for name in given.ids}
    if kind != "sqlite":
        here(*(f"DROP TABLE {prefix}{name}" for name in given.ids))


def test_an_outage_is_gone_round_by_a_templated_fallback_and_each_event_comes_to_its_own_table(
    mariadb: Any, proxy: Any, tmp_path: Path
) -> None:
    between, prefix = proxy(mariadb), f"{table_name()[:10]}_"
    given = Given(
        tmp_path,
        store={
            "type": TYPES["mariadb"],
            "url": between.url,
            "table": f"{prefix}{{fields.tenant}}",
            "provision": True,
            "retry": RETRY,
            "fallback": {"to": "local", "after": "200ms", "return": True},
        },
        local={
            "type": "sqlite",
            "url": f"sqlite+aiosqlite:///{tmp_path}/local.db",
            "table": "local_{fields.tenant}",
            "provision": True,
        },
    )
    in_store: Run = lambda *statements: asyncio.run(run(mariadb.url, *statements))  # noqa: E731
    given.emit(40)
    assert given.runtime.flush(30)
    between.refuse()
    given.emit(200)
    assert given.runtime.flush(30), given.metrics
    assert (given.metrics.circuit.value, given.metrics.diverted) == ("open", 200)
    assert given.metrics.overflowed == 10 + 50  # of the sink, and of its fallback
    local = in_file(tmp_path / "local.db")
    assert ids_in(local, "local_") == {name: ids[10:] for name, ids in given.ids.items()}
    between.clear()
    given.emit(40)
    given.until(lambda metrics: metrics.circuit.value == "closed" and not metrics.in_fallback)
    assert given.runtime.flush(30)
    assert given.runtime.stop()
    assert ids_in(in_store, prefix) == given.ids
    assert not any(ids_in(local, "local_").values())
    in_store(*(f"DROP TABLE {prefix}{name}" for name in given.ids))


KILLED = """\
data_dir: data
sinks:
  store:
    type: sqlite
    url: "sqlite+aiosqlite:///audit.db"
    table: "audit_{fields.tenant}"
    provision: true
    queue: {type: disk}
    batch: {linger: 5ms, max_events: 20}
routes:
  - {name: all, to: [store]}
drain_timeout: 20s
"""


def test_a_kill_loses_nothing_and_doubles_nothing_in_any_table(tmp_path: Path) -> None:
    (tmp_path / "routing.yaml").write_text(KILLED)
    process = start(
        tmp_path,
        """
        logweir.start()
        def audit(tenant):
            while True:
                acknowledged(tenant + " " + logweir.audit_sync("killed", tenant=tenant).event_id)
        for tenant in ("acme", "globex", "third", "no name"):
            threading.Thread(target=audit, args=(tenant,), daemon=True).start()
        time.sleep(300)
        """,
    )
    assert process.stdout is not None
    lines = [process.stdout.readline() for _ in range(300)]
    here = in_file(tmp_path / "audit.db")
    eventually(lambda: here("SELECT count(*) FROM sqlite_master WHERE name LIKE 'audit_%'")[0][0] >= 4, 30)
    process.kill()
    with process, process.stdout:
        lines += process.stdout.read().splitlines(keepends=True)
    deliver_the_rest(tmp_path)
    found = ids_in(here, "audit_")
    every = [one for ids in found.values() for one in ids]
    assert len(every) == len(set(every))
    for line in lines:
        if line.endswith("\n"):
            tenant, _, event_id = line.strip().rpartition(" ")
            assert event_id in found[tenant if tenant in found else "overflow"]
