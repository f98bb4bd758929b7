"""The OTLP sink keeps the contract, against a receiver that keeps events by id."""

from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any, ClassVar

import pytest

from logweir.event import Event
from logweir.sinks.contract import SinkContext
from logweir.sinks.otlp.config import OtlpConfig
from logweir.sinks.otlp.sink import OtlpSink
from logweir.testing.contract import SinkContract
from support.otlp import Receiver


class TestOtlp(SinkContract):
    reports_duplicates = False  # the protocol has no word for them
    options: ClassVar[dict[str, Any]] = {}

    @pytest.fixture(autouse=True)
    async def _server(self) -> AsyncIterator[None]:
        async with Receiver() as self.server:
            yield

    def make_sink(self, tmp_path: Path) -> OtlpSink:
        config = OtlpConfig.model_validate({"url": self.server.url, **self.options})
        return OtlpSink(config, SinkContext(workers=2))

    async def stored(self, sink: Any, ids: Sequence[str] | None = None) -> list[Event]:
        return list(self.server.stored.values())


class TestEveryOption(TestOtlp):
    options = {
        "gzip": False,
        "headers": {"X-Team": "payments"},
        "bearer_token": "hunter2-hunter2",
        "resource": {"service.version": "1.2", "replicas": 3},
    }
