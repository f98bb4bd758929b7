"""The Loki sink keeps the contract, on the real server, in both encodings."""

from pathlib import Path
from typing import Any, ClassVar

import pytest

from logweir.event import new_event_id
from logweir.sinks.contract import SinkContext
from logweir.sinks.loki import LokiConfig, LokiSink
from logweir.testing.contract import SinkContract
from servers import Server

#: Back to the oldest event of the suite.
LOOKBACK = 86_400 * 1500.0


class TestLokiByProtobuf(SinkContract):
    reports_duplicates = False  # Loki absorbs what it has, and says nothing
    options: ClassVar[dict[str, Any]] = {"encoding": "protobuf"}

    @pytest.fixture(autouse=True)
    def _server(self, loki: Server) -> None:
        self.url = loki.url
        self.job = new_event_id()

    def make_sink(self, tmp_path: Path) -> LokiSink:
        config = LokiConfig(
            url=self.url,
            static_labels={"job": self.job},
            lookback=LOOKBACK,
            query_window=LOOKBACK,
            **self.options,
        )
        return LokiSink(config, SinkContext(name="loki", workers=2))


class TestLokiByJson(TestLokiByProtobuf):
    options = {"encoding": "json"}
