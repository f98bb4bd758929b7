"""What a relational server can suffer in the middle of a burst: nothing acknowledged is lost, nothing is twice.

Events go the whole way, from the runtime through its queue and workers; what is stored is read past the sink
and compared by ids.
"""

import asyncio
import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pymysql
import pytest

import logweir
from logweir.event import Kind
from logweir.testing.contract import make_event
from servers import FaultProxy, Server
from support.burst import Watched
from support.sql import TYPES, make_sink, names, opened, run, table_name
from support.waiting import eventually

pytestmark = pytest.mark.busy

PROVEN = 25.0


class TableBurst(Watched):
    """Events into one table, as many as a test asks for, and the ids of all of them."""

    def __init__(self, server: str, url: str, folder: Path, **options: Any) -> None:
        self.url, self.table = url, options.get("table") or table_name()
        sink = {
            "type": TYPES[server],
            "url": url,
            "table": self.table,
            "provision": True,
            "workers": 2,
            "batch": {"max_events": 50, "linger": "5ms"},
            "retry": {"initial": "20ms", "max": "200ms", "timeout": "2s"},
            **options,
        }
        routes = [{"name": "all", "to": ["store"]}]
        config: Any = {"data_dir": str(folder / "data"), "sinks": {"store": sink}, "routes": routes}
        if "${" in url:  # variables are filled in where the configuration is a file
            (folder / "routing.yaml").write_text(json.dumps(config))
            config = folder / "routing.yaml"
        super().__init__(logweir.start(config, handle_signals=False), PROVEN)
        self.ids: list[str] = []

    def emit(self, count: int, padding: str = "") -> None:
        for _ in range(count):
            event = self.runtime.emit(
                "fund.transfer", {"user_id": "ann", "padding": padding}, kind=Kind.AUDIT
            )
            assert event is not None
            self.ids.append(event.id)

    def emit_until_it_fails(self, emitting: int = 100) -> None:
        """Emit until a write fails, which shows that the fault is felt."""
        before = self.metrics.failures

        def failed() -> bool:
            self.emit(emitting if self.metrics.queue_depth < 10 * emitting else 0)
            return self.metrics.failures > before

        eventually(failed, PROVEN, pause=0.02, found=lambda: self.metrics)

    def prove(self, *tables: str, url: str | None = None) -> None:
        """Everything arrived, once."""
        assert self.runtime.flush(PROVEN), self.metrics
        stored: list[str] = []
        for table in tables or (self.table,):
            stored += [id_ for (id_,) in asyncio.run(run(url or self.url, f"SELECT id FROM {table}"))]
        assert len(stored) == len(set(stored)), "stored twice"
        assert set(stored) == set(self.ids)
        assert self.metrics.dead == 0
        assert self.runtime.stop()


@pytest.fixture
def burst(tmp_path: Path) -> Iterator[Callable[..., TableBurst]]:
    with ExitStack() as made:

        def make(server: Server | FaultProxy, name: str = "mysql", **options: Any) -> TableBurst:
            one = TableBurst(name, server.url, tmp_path, **options)
            made.callback(one.runtime.stop, 1.0)
            return one

        yield make


def connect(url: str) -> Any:
    parts = urlsplit(url)
    return pymysql.connect(
        host=parts.hostname, port=parts.port or 0, user="u", password="p", database="t", autocommit=True
    )


def execute(url: str, *statements: str) -> None:
    with closing(connect(url)) as connection, connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)


def end_sessions(url: str, user: str) -> None:
    """Close the connections of a user, who has to log in again."""
    with closing(connect(url)) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT id FROM information_schema.processlist WHERE user = %s", user)
        for (session,) in cursor.fetchall():
            with suppress(pymysql.err.OperationalError):  # it has ended by itself meanwhile
                cursor.execute(f"KILL {session}")


@pytest.mark.parametrize("name", ["mysql", "mariadb", "postgresql"])
def test_a_server_that_is_killed_and_started_again(name: str, own_server: Any, burst: Any) -> None:
    server = own_server(name)
    given = burst(server, name)
    given.emit(2000)
    given.until(lambda metrics: metrics.stored > 100)
    server.kill()
    given.emit_until_it_fails()
    server.start()
    given.emit(200)
    given.prove()


@pytest.mark.parametrize("name", ["mysql", "mariadb", "postgresql"])
def test_a_server_that_hangs_and_goes_on(name: str, own_server: Any, burst: Any) -> None:
    server = own_server(name)
    given = burst(server, name, retry={"initial": "20ms", "max": "200ms", "timeout": "1s"})
    given.emit(2000)
    given.until(lambda metrics: metrics.stored > 100)
    server.pause()
    given.emit_until_it_fails()
    given.until(lambda metrics: metrics.failures > 3)
    server.resume()
    given.emit(200)
    given.prove()


@pytest.mark.parametrize("name", ["mysql", "mariadb", "postgresql"])
def test_answers_that_get_lost(name: str, request: pytest.FixtureRequest, proxy: Any, burst: Any) -> None:
    server = request.getfixturevalue(name)
    between = proxy(server)
    given = burst(between, name)
    for size in (0, 5, 40):
        given.emit(300)
        between.cut_answers(size)
        given.emit_until_it_fails()
        between.clear()
        given.until(lambda metrics: metrics.stored + metrics.duplicate > len(given.ids) - 100)
        between.reset()
        given.emit_until_it_fails()
        between.clear()
    given.prove(url=server.url)
    asyncio.run(run(server.url, f"DROP TABLE {given.table}"))


def test_a_full_disk(own_server: Any, burst: Any) -> None:
    arguments = ["--skip-log-bin", "--innodb-redo-log-capacity=8M", "--innodb-buffer-pool-size=32M"]
    server = own_server("mysql", size="300m", args=arguments)
    given = burst(server)
    given.emit(200, "x" * 2000)
    given.until(lambda metrics: metrics.stored == 200)
    server.fill_disk()
    given.emit(8000, "x" * 2000)
    given.until(lambda metrics: metrics.failures > 0)
    given.until(lambda metrics: "full" in metrics.last_error or not server.alive)
    server.free_disk()
    server.start()
    given.prove()


def test_no_connection_left(own_server: Any, burst: Any) -> None:
    server = own_server("mysql", args=["--max-connections=4"])
    with ExitStack() as taken:
        with suppress(pymysql.err.OperationalError):  # too many connections
            while True:
                taken.enter_context(closing(connect(server.url)))
        given = burst(server)
        given.emit_until_it_fails(500)
        assert "Too many connections" in given.metrics.last_error
    given.emit(500)
    given.prove()


def test_an_account_that_is_locked_out_and_let_in_again(mysql: Server, burst: Any) -> None:
    user, first = table_name(), burst(mysql)
    logweir.stop()
    may_write = f"GRANT SELECT, INSERT ON t.{first.table} TO '{user}'@'%'"
    execute(mysql.url, f"CREATE USER '{user}'@'%' IDENTIFIED BY 'p'", may_write)
    own = mysql.url.replace("u:p@", f"{user}:p@")
    given = burst(Server("mysql", own), provision=False, table=first.table)
    try:
        given.emit(1000)
        given.until(lambda metrics: metrics.stored > 100)
        execute(mysql.url, f"REVOKE INSERT ON t.{given.table} FROM '{user}'@'%'")
        given.emit_until_it_fails()
        assert "denied" in given.metrics.last_error
        execute(mysql.url, f"ALTER USER '{user}'@'%' IDENTIFIED BY 'another'")
        end_sessions(mysql.url, user)
        given.until(lambda metrics: "Access denied for user" in metrics.last_error)
        execute(mysql.url, f"ALTER USER '{user}'@'%' IDENTIFIED BY 'p'", may_write)
        given.emit(100)
        given.prove(url=mysql.url)
    finally:
        execute(mysql.url, f"DROP USER '{user}'@'%'", f"DROP TABLE {given.table}")


def test_b4_a_password_that_is_changed_on_the_server_and_in_its_file(
    mysql: Server, burst: Any, tmp_path: Path
) -> None:
    user, first, file = table_name(), burst(mysql), tmp_path / "password"
    logweir.stop()
    execute(
        mysql.url,
        f"CREATE USER '{user}'@'%' IDENTIFIED BY 'old/p@ss'",
        f"GRANT SELECT, INSERT ON t.{first.table} TO '{user}'@'%'",
    )
    file.write_text("old/p@ss\n")
    own = mysql.url.replace("u:p@", user + ":${file:password}@")
    given = burst(Server("mysql", own), provision=False, table=first.table)
    try:
        given.emit(500)
        given.until(lambda metrics: metrics.stored > 100)
        execute(mysql.url, f"ALTER USER '{user}'@'%' IDENTIFIED BY 'new%41@'")
        end_sessions(mysql.url, user)
        given.emit(100)
        given.until(lambda metrics: "Access denied for user" in metrics.last_error)
        file.write_text("new%41@\n")
        given.emit(100)
        given.until(lambda metrics: metrics.stored + metrics.duplicate == 700)
        assert "old/p@ss" not in given.metrics.last_error
        given.prove(url=mysql.url)
    finally:
        execute(mysql.url, f"DROP USER '{user}'@'%'", f"DROP TABLE {given.table}")


@pytest.mark.parametrize("provision", [True, False])
def test_a_table_that_goes_and_comes_again(mysql: Server, burst: Any, provision: bool) -> None:
    if provision:
        given = burst(mysql)
    else:
        first = burst(mysql)
        logweir.stop()
        given = burst(mysql, table=first.table, provision=False)
    given.emit(2000)
    given.until(lambda metrics: metrics.stored > 100)
    execute(mysql.url, f"RENAME TABLE {given.table} TO {given.table}_gone")
    if provision:
        given.emit(1000)
    else:
        given.emit_until_it_fails()
        assert "doesn't exist" in given.metrics.last_error
        execute(mysql.url, f"CREATE TABLE {given.table} LIKE {given.table}_gone")
    given.prove(given.table, f"{given.table}_gone")
    execute(mysql.url, f"DROP TABLE {given.table}, {given.table}_gone")


def test_deadlocks_and_lock_waits(mysql: Server, burst: Any) -> None:
    given = burst(mysql, retry={"initial": "20ms", "max": "200ms", "timeout": "1s"})
    given.emit(500)
    given.until(lambda metrics: metrics.stored == 500)
    with closing(connect(mysql.url)) as connection, connection.cursor() as cursor:
        connection.begin()
        cursor.execute(f"SELECT * FROM {given.table} FOR UPDATE")  # and with it the place of the next rows
        given.emit_until_it_fails()
        connection.rollback()
    given.prove()
    execute(mysql.url, f"DROP TABLE {given.table}")


@pytest.mark.parametrize("name", ["mysql", "mariadb"])
async def test_a_packet_that_is_too_large_is_split_until_the_row_at_fault_is_alone(
    name: str, own_server: Any
) -> None:
    server = own_server(name, args=["--max-allowed-packet=65536"])
    batch = [make_event(str(number), padding="x" * 1000) for number in range(200)]
    batch[77] = make_event("too large", padding="x" * 100_000)
    async with opened(make_sink(name, server.url, table_name())) as sink:
        result = await sink.write(batch)
        assert not result.retry
        assert set(result.rejected) == {77}
        assert "max_allowed_packet" in result.rejected[77]
        assert not (await sink.write(batch[:77])).rejected
        stored = await names(sink)
        assert stored == [event.name for index, event in enumerate(batch) if index != 77]
