"""The MongoDB sink keeps the contract, by either driver, on a real server."""

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any, ClassVar
from uuid import uuid4

import pymongo
import pytest

from logweir.errors import SinkRejected
from logweir.sinks.contract import Query, SinkContext
from logweir.sinks.mongodb.config import MongoConfig
from logweir.sinks.mongodb.sink import MongoSink
from logweir.testing.contract import SinkContract
from logweir.testing.events import make_event

DATABASE = "logweir_contract"


#: What somebody may write into a document beside us, so that it is no event.
NO_EVENTS: list[dict[str, Any]] = [
    {"kind": ["audit"]},
    {"level": 5},
    {"ns": "none"},
    {"name": b"ann"},
    {"env": None},
    {"span_id": 7},
    {"fields": "text"},
    {"fields": {"at": datetime(2026, 1, 1)}},  # noqa: DTZ001 - as the server has it
    {"fields_json": "{"},
    {"fields_json": "[1]"},
]


class TestMotor(SinkContract):
    driver: ClassVar[str] = "motor"
    options: ClassVar[dict[str, Any]] = {}

    @pytest.fixture(autouse=True)
    def _collection(self, mongodb: Any) -> Iterator[None]:
        self.url = mongodb.url
        self.name = f"events_{uuid4().hex[:12]}"
        yield
        with pymongo.MongoClient[dict[str, Any]](self.url) as client:
            client[DATABASE].drop_collection(self.name)

    def make_sink(self, tmp_path: Path) -> MongoSink:
        config = MongoConfig.model_validate(
            {
                "url": self.url,
                "driver": self.driver,
                "database": DATABASE,
                "collection": self.name,
                "provision": True,
                **self.options,
            }
        )
        return MongoSink(config, SinkContext(workers=2))

    async def test_documents_that_are_no_events_are_named_and_passed_over_by_who_asks_for_that(
        self, tmp_path: Path
    ) -> None:
        async with self.opened(tmp_path) as (sink, itself):
            one = make_event()
            await sink.write([one])
            with pymongo.MongoClient[dict[str, Any]](self.url) as client:
                collection = client[DATABASE][self.name]
                (whole,) = collection.find()
                collection.insert_many([{**whole, "_id": str(change), **change} for change in NO_EVENTS])
                collection.insert_one({"_id": "foreign", "time": whole["time"], "kind": "audit"})
            with pytest.raises(SinkRejected, match="is no event: "):
                [event async for event in itself.search(Query())]
            faults = list[str]()
            found = [event.id async for event in itself.search(Query(on_unreadable=faults.append))]
        assert found == [one.id]
        assert len(faults) == len(NO_EVENTS) + 1


class TestPyMongo(TestMotor):
    driver = "pymongo"


class TestEveryOption(TestMotor):
    driver = "pymongo"
    options = {
        "text_field": True,
        "ttl": {"tracing": "30d", "audit": None},
        "indexed_fields": ["user_id"],
    }


class TestTimeSeries(TestMotor):
    options = {"time_series": True}

    async def test_check_answers_before_and_after_opening(self, tmp_path: Path) -> None:
        sink = self.make_sink(tmp_path)
        assert (await sink.check()).status == "down"
        async with self.opened(tmp_path) as (opened, _):
            health = await opened.check()
        assert health.status == ("degraded" if "FerretDB" in health.server else "ok")
