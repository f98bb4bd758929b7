"""Every sink that can be read answers a query as the model does: `logweir.sinks.query_match.matches`."""

import asyncio
import random
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from logweir.sinks import registry
from logweir.sinks.contract import Query, SinkContext
from logweir.sinks.threaded import as_async
from logweir.testing.contract import make_event
from servers import Server
from support import answers, victorialogs
from support.sql import run


async def hold(sink: Any, seed: int, *, count: int, text: bool = True, show: Any = None) -> None:
    """Store events by chance and ask as often as that."""
    chance = random.Random(seed)
    stored = answers.events(chance, 60)
    writer = as_async(sink)
    await writer.open()
    try:
        await writer.write(stored)
        if show is not None:
            await asyncio.to_thread(show)
        await answers.assert_one_model(sink, stored, answers.queries(chance, stored, count, text=text))
    finally:
        await writer.close()


def make(type_: str, folder: Path = Path(), **options: Any) -> Any:
    """A sink by its name in routing.yaml."""
    sink_class: Any = registry.resolve(type_)
    return sink_class(
        sink_class.Config.model_validate({"type": type_, **options}), SinkContext(data_dir=folder)
    )


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("type_", ["memory", "file", "sqlite"])
async def test_f8_a_sink_without_a_server_answers_as_the_model_does(
    type_: str, seed: int, tmp_path: Path
) -> None:
    options: dict[str, dict[str, Any]] = {
        "memory": {},
        "file": {"path": str(tmp_path / "log.jsonl")},
        "sqlite": {"url": f"sqlite+aiosqlite:///{tmp_path}/audit.db", "provision": True},
    }
    await hold(make(type_, tmp_path, **options[type_]), seed, count=120)


@pytest.mark.parametrize("server", ["mysql", "mariadb", "postgresql"])
async def test_f8_a_relational_server_answers_as_the_model_does(
    server: str, request: pytest.FixtureRequest
) -> None:
    url, table = request.getfixturevalue(server).url, f"answers_{uuid4().hex[:12]}"
    type_ = "postgresql" if server == "postgresql" else "mysql"
    try:
        await hold(make(type_, url=url, table=table, provision=True), 7, count=80)
    finally:
        await run(url, f"DROP TABLE IF EXISTS {table}")


async def test_f8_a_field_is_found_beside_one_that_is_nested_deeper_than_a_database_reads(
    mariadb: Server,
) -> None:
    inner: Any = "bottom"
    for _ in range(60):
        inner = {"a": inner}
    table = f"answers_{uuid4().hex[:12]}"
    sink = make("mysql", url=mariadb.url, table=table, provision=True)
    await sink.open()
    try:
        event = make_event("deep", {"inner": inner, "plain": "x", "tags": ["a"]})
        await sink.write([event, make_event("flat", {"plain": "y"})])
        for fields in ({"plain": "x"}, {"tags": "a"}, {"tags.0": "a"}):
            assert [found.id async for found in sink.search(Query(fields=fields))] == [event.id], fields
    finally:
        await sink.close()
        await run(mariadb.url, f"DROP TABLE IF EXISTS {table}")


async def test_f8_mongodb_answers_as_the_model_does(mongodb: Server) -> None:
    import pymongo

    name = f"answers_{uuid4().hex[:12]}"
    options = {"database": "logweir_answers", "collection": name, "provision": True, "text_field": True}
    try:
        await hold(make("mongodb", url=mongodb.url, **options), 7, count=60)
    finally:
        with pymongo.MongoClient[dict[str, Any]](mongodb.url) as client:
            client["logweir_answers"].drop_collection(name)


@pytest.mark.parametrize(
    ("engine", "options"), [("elasticsearch", {}), ("elasticsearch", {"fields": "ecs"}), ("opensearch", {})]
)
async def test_f8_a_search_engine_answers_as_the_model_does_but_for_text(
    engine: str, options: dict[str, Any], request: pytest.FixtureRequest
) -> None:
    from support.elastic import Elastic

    url = request.getfixturevalue(engine).url
    store = Elastic(url, f"answers-{uuid4().hex[:12]}")
    try:
        sink = make(engine, url=url, index=store.name, provision=True, replicas=0, **options)
        await hold(sink, 7, count=25, text=False)
    finally:
        store.remove()


async def test_f8_loki_answers_as_the_model_does(loki: Server) -> None:
    job = f"answers_{uuid4().hex[:12]}"
    await hold(make("loki", url=loki.url, static_labels={"job": job}, lookback=3600), 7, count=60)


async def test_f8_victorialogs_answers_as_the_model_does(victorialogs: Server) -> None:
    job, url = f"answers_{uuid4().hex[:12]}", victorialogs.url
    await hold(
        make("victorialogs", url=url, static_fields={"job": job}), 7, count=60, show=lambda: shown(url)
    )


def shown(url: str) -> None:
    """Make the server show at once what it took."""
    victorialogs.show(url)
