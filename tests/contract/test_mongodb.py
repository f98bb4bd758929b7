"""The MongoDB sink keeps the contract, by either driver, on a real server."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar
from uuid import uuid4

import pymongo
import pytest

from logweir.sinks.contract import SinkContext
from logweir.sinks.mongodb.config import MongoConfig
from logweir.sinks.mongodb.sink import MongoSink
from logweir.testing.contract import SinkContract

DATABASE = "logweir_contract"


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
