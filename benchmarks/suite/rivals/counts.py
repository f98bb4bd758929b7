"""How many events a store has, by the store's own count, whoever wrote them."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

from sqlalchemy.engine import make_url

from logweir.benchmarks.suite.rivals.base import Ground

__all__ = ["count", "mysql_arguments", "sqlite_path"]


def count(ground: Ground) -> int:
    """Ask the store; a store that is not there yet has none."""
    return _COUNTS[ground.type](ground)


def sqlite_path(ground: Ground) -> Path:
    """The database's file."""
    return Path(str(make_url(ground.settings["url"]).database))


def mysql_arguments(url: str) -> dict[str, Any]:
    """A URL as PyMySQL takes it."""
    parsed = make_url(url)
    return {
        "host": parsed.host or "localhost",
        "port": parsed.port or 3306,
        "user": parsed.username,
        "password": parsed.password or "",
        "database": parsed.database,
        "charset": "utf8mb4",
    }


def _sqlite(ground: Ground) -> int:
    with closing(sqlite3.connect(sqlite_path(ground))) as connection:
        found = connection.execute(f"SELECT COUNT(*) FROM {ground.settings['table']}")  # noqa: S608 - our own name
        return int(found.fetchone()[0])


def _mysql(ground: Ground) -> int:
    import pymysql  # noqa: PLC0415 - an extra

    with closing(pymysql.connect(**mysql_arguments(ground.url))) as connection, connection.cursor() as cursor:
        cursor.execute(f"SELECT COUNT(*) FROM {ground.settings['table']}")  # noqa: S608 - our own name
        row = cursor.fetchone()
        return int(row[0]) if row else 0


def _file(ground: Ground) -> int:
    path = Path(ground.settings["path"])
    return path.read_bytes().count(b"\n") if path.exists() else 0


def _loki(ground: Ground) -> int:
    import httpx  # noqa: PLC0415 - an extra

    from logweir.benchmarks.suite.natives import victorialogs  # noqa: PLC0415 - needs httpx

    job = ground.settings["static_labels"]["job"]
    if victorialogs.is_victorialogs(ground.url):
        return victorialogs.count_lines(ground.url, job)
    query = f'sum(count_over_time({{job="{job}"}}[1h]))'
    answer = httpx.get(f"{ground.url}/loki/api/v1/query", params={"query": query}, timeout=60)
    answer.raise_for_status()
    return sum(int(float(line["value"][1])) for line in answer.json()["data"]["result"])


def _elasticsearch(ground: Ground) -> int:
    import httpx  # noqa: PLC0415 - an extra

    store = f"{ground.url}/{ground.settings['index']}-*"
    httpx.post(f"{store}/_refresh", timeout=60).raise_for_status()
    answer = httpx.get(f"{store}/_count", timeout=60)
    if answer.status_code == httpx.codes.SERVICE_UNAVAILABLE:
        return 0  # the index was made a moment ago, and no shard of it serves yet
    answer.raise_for_status()
    return int(answer.json()["count"])


def _mongodb(ground: Ground) -> int:
    from pymongo import MongoClient  # noqa: PLC0415 - an extra

    client: MongoClient[dict[str, Any]] = MongoClient(ground.url)
    with client:
        collection = client[ground.settings["database"]][ground.settings["collection"]]
        return collection.count_documents({})


_COUNTS = {
    "elasticsearch": _elasticsearch,
    "file": _file,
    "loki": _loki,
    "mongodb": _mongodb,
    "mysql": _mysql,
    "sqlite": _sqlite,
}
