"""The Loki sink keeps the contract, on a double of Loki (or the server of LOGWEIR_TEST_LOKI_URL), in both encodings."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, ClassVar

import pytest

from logweir.event import new_event_id
from logweir.sinks.contract import SinkContext
from logweir.sinks.loki import LokiConfig, LokiSink
from logweir.testing.contract import SinkContract
from servers import Server

#: Tests whose events are of years ago; the others need not search so far.
OLD_EVENTS = {"test_each_condition_of_a_search_holds", "test_an_event_without_a_trace_comes_back_without_one"}


def seconds_to_search(test: str) -> float:
    since = (
        datetime(2023, 11, 1, tzinfo=UTC) if test in OLD_EVENTS else datetime.now(UTC) - timedelta(hours=1)
    )
    return (datetime.now(UTC) - since).total_seconds()


class TestLokiByProtobuf(SinkContract):
    reports_duplicates = False  # Loki absorbs what it has, and says nothing
    options: ClassVar[dict[str, Any]] = {"encoding": "protobuf"}

    @pytest.fixture(autouse=True)
    def _server(self, loki: Server, request: pytest.FixtureRequest) -> None:
        self.url = loki.url
        self.lookback = seconds_to_search(request.function.__name__)
        self.job = new_event_id()

    def make_sink(self, tmp_path: Path) -> LokiSink:
        config = LokiConfig(
            url=self.url,
            static_labels={"job": self.job},
            lookback=self.lookback,
            query_window=self.lookback,
            **self.options,
        )
        return LokiSink(config, SinkContext(name="loki", workers=2))


class TestLokiByJson(TestLokiByProtobuf):
    options = {"encoding": "json"}
