"""Smoke tests of the servers that other tests rely on: they answer, and they suffer what is done to them."""

import time
from collections.abc import Callable
from typing import Any

import httpx
import psutil
import psycopg
import pymysql
import pytest
from pymongo import MongoClient

from servers import Server

ALL = ["mysql", "mariadb", "postgresql", "mongodb", "elasticsearch", "loki"]


def sql(server: Server, *statements: str) -> Any:
    """Run statements; returns the rows of the last one."""
    if server.name == "postgresql":
        with psycopg.connect(
            host=server.host,
            port=server.port,
            user="postgres",
            dbname="t",
            connect_timeout=5,
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
        connect_timeout=5,
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
    elif server.name == "elasticsearch":
        httpx.put(f"{server.url}/smoke/_doc/1", json={"n": 1}, timeout=30).raise_for_status()
    elif server.name == "loki":
        line = [str(time.time_ns()), "smoke"]
        body = {"streams": [{"stream": {"job": "smoke"}, "values": [line]}]}
        httpx.post(f"{server.url}/loki/api/v1/push", json=body).raise_for_status()
    else:
        sql(server, "create table smoke (n int primary key)", "insert into smoke values (1)")


def count(server: Server, timeout: float = 10) -> int:
    if server.name == "mongodb":
        with MongoClient[dict[str, Any]](
            server.url, socketTimeoutMS=int(timeout * 1000), serverSelectionTimeoutMS=int(timeout * 1000)
        ) as client:
            return client.t.smoke.count_documents({})
    if server.name == "elasticsearch":
        httpx.post(f"{server.url}/smoke/_refresh", timeout=timeout).raise_for_status()
        return int(httpx.get(f"{server.url}/smoke/_count", timeout=timeout).json()["count"])
    if server.name == "loki":
        found = httpx.get(
            f"{server.url}/loki/api/v1/query_range", params={"query": '{job="smoke"}'}, timeout=timeout
        )
        return sum(len(stream["values"]) for stream in found.json()["data"]["result"])
    return int(sql(server, "select count(*) from smoke")[0][0])


@pytest.mark.parametrize("name", ALL)
def test_a_server_keeps_its_data_when_it_is_killed_paused_and_stopped(
    name: str, own_server: Callable[..., Any]
) -> None:
    server = own_server(name)
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
    server.start()
    assert count(server) == 1
