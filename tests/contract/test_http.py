"""The HTTP sink keeps the contract, in each mode, against a server that stores by id."""

from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any, ClassVar

import msgspec
import pytest

from logweir.event import Event
from logweir.sinks.contract import SinkContext
from logweir.sinks.http.config import HttpConfig
from logweir.sinks.http.sink import HttpSink
from logweir.testing.contract import SinkContract
from support.webhook import Webhook


class TestBatch(SinkContract):
    options: ClassVar[dict[str, Any]] = {}

    @pytest.fixture(autouse=True)
    async def _server(self) -> AsyncIterator[None]:
        async with Webhook() as self.server:
            yield

    def make_sink(self, tmp_path: Path) -> HttpSink:
        config = HttpConfig.model_validate({"url": self.server.url, **self.options})
        return HttpSink(config, SinkContext(workers=2))

    async def stored(self, sink: Any, ids: Sequence[str] | None = None) -> list[Event]:
        return [msgspec.structs.replace(event, size=0) for event in self.server.stored.values()]


class TestSingle(TestBatch):
    options = {"mode": "single", "retry": {"timeout": 60}}  # a thousand requests, on a busy machine

    async def stored(self, sink: Any, ids: Sequence[str] | None = None) -> list[Event]:
        return sorted(await super().stored(sink, ids), key=lambda event: event.id)


class TestEveryOption(TestBatch):
    options = {
        "gzip": True,
        "method": "PUT",
        "headers": {"X-Team": "payments"},
        "bearer_token": "hunter2-hunter2",
        "sign": {"secret": "correct horse battery staple"},
    }
