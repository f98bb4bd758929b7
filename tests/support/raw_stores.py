"""What the servers hold, row for row, asked by bare clients past the sinks."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import httpx
import msgspec
import pymongo

from support import sql, victorialogs
from support.elastic import Elastic

_PAGE = 5000
_HOUR = 3600 * 10**9
_decode = msgspec.json.Decoder().decode


@dataclass(frozen=True)
class Stored:
    """One row, document or line."""

    id: str
    kind: str
    name: str
    trace_id: str
    text: str


async def in_mysql(url: str, table: str) -> list[Stored]:
    """Every row of an audit table."""
    rows = await sql.run(url, f"SELECT id, kind, action, trace_id, t.* FROM {table} AS t")
    return [Stored(*row[:4], repr(row[4:])) for row in rows]


def in_loki(url: str, job: str, since: int) -> list[Stored]:
    """Every line of a job since a time in nanoseconds, as often as Loki holds it."""
    with httpx.Client(base_url=url, timeout=60, verify=False) as client:
        return [_line(labels, line) for labels, line in _lines(client, job, since)]


def _lines(client: httpx.Client, job: str, since: int) -> Iterator[tuple[dict[str, str], str]]:
    start, boundary = since, set[tuple[int, str]]()  # the lines of the last nanosecond of the page before
    while True:
        parameters: dict[str, Any] = {
            "query": f'{{job="{job}"}}', "direction": "forward", "limit": _PAGE,
            "start": start, "end": since + _HOUR,
        }  # fmt: skip
        answer = client.get("/loki/api/v1/query_range", params=parameters)
        answer.raise_for_status()
        found = sorted(
            (int(stamp), line, stream["stream"])
            for stream in answer.json()["data"]["result"]
            for stamp, line in stream["values"]
        )
        yield from ((labels, line) for stamp, line, labels in found if (stamp, line) not in boundary)
        if len(found) < _PAGE:
            return
        last = found[-1][0]
        start, boundary = last, {(stamp, line) for stamp, line, _ in found if stamp == last}


def _line(labels: dict[str, str], line: str) -> Stored:
    known = {**labels, **_decode(line)}
    return Stored(known["id"], known["kind"], known["event"], known["trace_id"], f"{labels} {line}")


def in_victorialogs(url: str, job: str) -> list[Stored]:
    """Every entry of a job, once for each id: what is sent again is kept again there."""
    rows = {row["id"]: row for row in victorialogs.in_job(job, url)}
    return [
        Stored(row["id"], row["kind"], row["_msg"], row.get("trace_id", ""), str(row))
        for row in rows.values()
    ]


def in_elasticsearch(url: str, index: str) -> list[Stored]:
    """Every document of an index or alias."""
    elastic = Elastic(url, index)
    elastic.ask("POST", f"/{index}/_refresh")
    found: list[Stored] = []
    body: dict[str, Any] = {"size": _PAGE, "sort": ["event.id", "_index"]}
    while True:
        hits = elastic.ask("POST", f"/{index}/_search", body)["hits"]["hits"]
        found += [_document(hit) for hit in hits]
        if len(hits) < _PAGE:
            elastic.close()
            return found
        body["search_after"] = hits[-1]["sort"]


def _document(hit: dict[str, Any]) -> Stored:
    source = hit["_source"]
    about = source["event"]
    assert hit["_id"] == about["id"]
    return Stored(hit["_id"], about["kind"], about["action"], source["trace"]["id"], str(source))


def in_mongodb(url: str, database: str, collection: str) -> list[Stored]:
    """Every document of a collection."""
    with pymongo.MongoClient[dict[str, Any]](url) as client:
        return [
            Stored(one["_id"], one["kind"], one["name"], one.get("trace_id") or "", str(one))
            for one in client[database][collection].find()
        ]


def forget_mongodb(url: str, database: str, collection: str) -> None:
    """Drop a collection."""
    with pymongo.MongoClient[dict[str, Any]](url) as client:
        client[database].drop_collection(collection)
