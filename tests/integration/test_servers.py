"""Smoke tests of the servers that other tests rely on: they answer, and they suffer what is done to them."""

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import psutil
import psycopg
import pymysql
import pytest
import redis
from pymongo import MongoClient
from pymongo.errors import OperationFailure

from servers import FaultProxy, Server, machine
from servers.pool import Pool
from servers.server import OwnServer
from support import kafka, victorialogs
from support.waiting import eventually

pytestmark = pytest.mark.slow

ALL = [
    "mysql", "mariadb", "postgresql", "mongodb", "elasticsearch", "opensearch", "loki", "victorialogs", "redis", "kafka",
]  # fmt: skip


def sql(server: Server, *statements: str) -> Any:
    """Run statements; returns the rows of the last one."""
    if server.name == "postgresql":
        with psycopg.connect(
            host=server.host,
            port=server.port,
            user="postgres",
            dbname="t",
            connect_timeout=2,
            autocommit=True,
        ) as connection:
            for statement in statements:
                cursor = connection.execute(statement)
            return cursor.fetchall() if cursor.description else None
    connection = pymysql.connect(
        host=server.host,
        port=server.port,
        user="u",
        password="p",
        database="t",
        connect_timeout=2,
        read_timeout=1,
        autocommit=True,
    )
    with connection, connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)
        return cursor.fetchall()


def put_one(server: Server) -> None:
    if server.name == "mongodb":
        with MongoClient[dict[str, Any]](server.url) as client:
            client.t.smoke.insert_one({"_id": 1})
    elif server.name in {"elasticsearch", "opensearch"}:
        httpx.put(f"{server.url}/smoke/_doc/1", json={"n": 1}, timeout=30, verify=False).raise_for_status()
    elif server.name in {"loki", "victorialogs"}:
        line = [str(time.time_ns()), "smoke"]
        body = {"streams": [{"stream": {"job": "smoke"}, "values": [line]}]}
        path = "/insert" if server.name == "victorialogs" else ""
        httpx.post(f"{server.url}{path}/loki/api/v1/push", json=body, verify=False).raise_for_status()
        if path:
            eventually(
                lambda: victorialogs.saved(server.url), pause=0.1
            )  # it answers seconds before it saves
    elif server.name == "redis":
        with redis.Redis.from_url(server.url) as client:
            client.xadd("smoke", {"n": 1})
    elif server.name == "kafka":
        kafka.run(kafka.create_topic(server.url, "smoke"))
        kafka.run(kafka.send(server.url, "smoke", b"1"))
    else:
        sql(server, "create table smoke (n int primary key)", "insert into smoke values (1)")


def count(server: Server, timeout: float = 10) -> int:
    if server.name == "mongodb":
        with MongoClient[dict[str, Any]](
            server.url, socketTimeoutMS=int(timeout * 1000), serverSelectionTimeoutMS=int(timeout * 1000)
        ) as client:
            return client.t.smoke.count_documents({})
    if server.name in {"elasticsearch", "opensearch"}:
        # It answers before it has opened its indexes again.
        httpx.get(
            f"{server.url}/_cluster/health/smoke?wait_for_status=yellow", timeout=timeout, verify=False
        ).raise_for_status()
        httpx.post(f"{server.url}/smoke/_refresh", timeout=timeout, verify=False).raise_for_status()
        return int(httpx.get(f"{server.url}/smoke/_count", timeout=timeout, verify=False).json()["count"])
    if server.name == "loki":
        found = httpx.get(
            f"{server.url}/loki/api/v1/query_range",
            params={"query": '{job="smoke"}'},
            timeout=timeout,
            verify=False,
        )
        return sum(len(stream["values"]) for stream in found.json()["data"]["result"])
    if server.name == "victorialogs":
        return len(victorialogs.rows(server.url, '{job="smoke"}', timeout))
    if server.name == "redis":
        with redis.Redis.from_url(server.url, socket_timeout=timeout) as client:
            return int(client.xlen("smoke"))
    if server.name == "kafka":
        return len(kafka.run(kafka.records(server.url, "smoke"), timeout))
    return int(sql(server, "select count(*) from smoke")[0][0])


def test_the_opensearch_of_the_tests_has_scripts_and_delete_by_query_and_no_ism(opensearch: Server) -> None:
    with httpx.Client(base_url=opensearch.url, timeout=30, verify=False) as client:
        client.put("/abilities/_doc/1?refresh=true", json={"n": 1}).raise_for_status()
        script = {"script": {"source": "ctx._source.n += params.more", "params": {"more": 2}}}
        client.post("/abilities/_update/1?refresh=true", json=script).raise_for_status()
        query = {"query": {"term": {"n": 3}}}
        assert client.post("/abilities/_delete_by_query", json=query).json()["deleted"] == 1
        assert client.get("/_plugins/_ism/policies").json()["error"].startswith("no handler found")
        client.delete("/abilities").raise_for_status()


@pytest.mark.parametrize("name", ALL)
def test_a_server_keeps_its_data_when_it_is_killed_paused_and_stopped(
    name: str, own_server: Callable[..., Any]
) -> None:
    # VictoriaLogs saves what it has every five seconds, if it is not to do so sooner.
    args = ["-inmemoryDataFlushInterval=1s"] if name == "victorialogs" else []
    server = own_server(name, args=args)
    put_one(server)
    assert count(server) == 1
    killed = server.pids
    server.kill()
    assert not any(psutil.pid_exists(pid) for pid in killed)
    with pytest.raises(ConnectionRefusedError):
        server.connect()
    server.start()
    assert count(server) == 1
    server.pause()
    server.connect().close()  # the kernel accepts
    with pytest.raises(Exception, match=r"(?i)time.?out|timed out|lost connection"):
        count(server, timeout=0.5)
    server.resume()
    assert count(server) == 1
    server.stop()
    with pytest.raises(ConnectionRefusedError):
        server.connect()


def test_a_shared_server_answers_and_its_proxy_does_too(
    mariadb: Server, proxy: Callable[[Server], FaultProxy]
) -> None:
    assert sql(mariadb, "select 1") == ((1,),)
    between = proxy(mariadb)
    assert sql(Server("mariadb", between.url), "select 1") == ((1,),)
    assert between.connections == 1
    between.refuse()
    with pytest.raises(pymysql.err.OperationalError, match="refused"):
        sql(Server("mariadb", between.url), "select 1")


def test_a_shared_server_that_a_test_left_dead_or_paused_is_brought_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv(
        "LOGWEIR_TEST_POSTGRESQL_URL", raising=False
    )  # only what we started can be brought back
    pool = Pool()
    try:
        server = pool.shared("postgresql")
        assert isinstance(server, OwnServer)
        server.kill()
        pool.revive(["postgresql"])
        assert sql(server, "select 1") == [(1,)]
        server.pause()
        pool.revive(["postgresql"])
        assert sql(server, "select 1") == [(1,)]
    finally:
        pool.close()


def test_a_server_with_a_small_disk_can_be_filled_and_freed(own_server: Callable[..., Any]) -> None:
    server = own_server("mysql", size="400m", args=["--max-connections=17", "--skip-log-bin"])
    assert sql(server, "select @@max_connections")[0][0] == 17
    sql(server, "create table large (body longblob)")
    server.fill_disk()
    insert = "insert into large values (repeat('x', 4000000))"
    with pytest.raises(pymysql.err.OperationalError, match="full"):
        sql(server, *[insert] * 20)
    server.free_disk()
    assert sql(server, insert, "select count(*) > 0 from large") == ((1,),)


def test_mysql_with_tls_refuses_connections_without(own_server: Callable[..., Any]) -> None:
    server = own_server("mysql", tls=True)
    with pytest.raises(pymysql.err.OperationalError, match="insecure transport"):
        sql(server, "select 1")
    with pymysql.connect(
        host=server.host, port=server.port, user="u", password="p", ssl_ca=str(server.data / "ca.pem")
    ) as connection:
        connection.ping()


def test_mongodb_with_authentication_refuses_clients_without_a_login(own_server: Callable[..., Any]) -> None:
    server = own_server("mongodb", auth=True)
    stranger = MongoClient[dict[str, Any]](f"mongodb://{server.host}:{server.port}/")
    with stranger, pytest.raises(OperationFailure):
        stranger.t.smoke.insert_one({"_id": 1})
    put_one(server)
    assert count(server) == 1


def test_an_unknown_option_is_refused(own_server: Callable[..., Any]) -> None:
    with pytest.raises(ValueError, match="no option tls"):
        own_server("loki", tls=True)


PROGRAM = """\
import sys, time
from servers.kinds import Options
from servers.pool import Pool
server = Pool().own("mongodb", Options())
print(*server.pids, server.data.parent.parent, flush=True)
time.sleep(600)
"""


def test_a_session_that_is_killed_leaves_no_server_and_no_data_behind() -> None:
    session = subprocess.Popen(
        [sys.executable, "-c", PROGRAM],
        env={**os.environ, "PYTHONPATH": str(Path(machine.__file__).parents[1])},
        stdout=subprocess.PIPE,
        text=True,
    )
    with session:
        assert session.stdout is not None
        *pids, directory = session.stdout.readline().split()
        processes = [psutil.Process(int(pid)) for pid in pids]
        family = [member for process in processes for member in [process, *process.children(recursive=True)]]
        assert len(family) > 5  # FerretDB, PostgreSQL and its processes
        session.kill()
    _, alive = psutil.wait_procs(family, timeout=20)
    assert not alive
    deadline = time.monotonic() + 10
    while Path(directory).exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not Path(directory).exists()
