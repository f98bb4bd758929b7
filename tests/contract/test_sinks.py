"""Every built-in sink keeps the contract."""

from pathlib import Path
from typing import Any, ClassVar

import pytest

from logweir.sinks.contract import SinkContext
from logweir.sinks.file import FileConfig, FileSink
from logweir.sinks.memory import MemoryConfig, MemorySink
from logweir.sinks.null import NullConfig, NullSink
from logweir.sinks.sql.config import SqliteConfig
from logweir.sinks.sql.sink import SqlSink
from logweir.sinks.stdout import StdoutConfig, StdoutSink
from logweir.sinks.threaded import as_async
from logweir.testing.contract import SinkContract

CONTEXT = SinkContext(workers=2)


class TestMemory(SinkContract):
    durable = False

    def make_sink(self, tmp_path: Path) -> MemorySink:
        return MemorySink(MemoryConfig())


class TestNull(SinkContract):
    durable = False
    idempotent = False

    def make_sink(self, tmp_path: Path) -> NullSink:
        return NullSink(NullConfig())


class TestStdout(SinkContract):
    durable = False
    idempotent = False
    format: ClassVar[Any] = "json"

    def make_sink(self, tmp_path: Path) -> StdoutSink:
        return StdoutSink(StdoutConfig(format=self.format), CONTEXT)

    @pytest.fixture(autouse=True)
    def _keep_the_output_out_of_the_way(self, capfd: pytest.CaptureFixture[str]) -> None: ...


class TestStdoutForPeople(TestStdout):
    format = "console"


class TestFile(SinkContract):
    def make_sink(self, tmp_path: Path) -> FileSink:
        return FileSink(FileConfig(path=tmp_path / "logs" / "tracing.jsonl"), CONTEXT)


class TestFileWithRotation(SinkContract):
    def make_sink(self, tmp_path: Path) -> FileSink:
        rotate: Any = {"max_bytes": "10KiB", "compress": "gzip"}
        return FileSink(FileConfig(path=tmp_path / "tracing.jsonl", rotate=rotate, fsync=True), CONTEXT)


class TestFilesByTemplate(SinkContract):
    def make_sink(self, tmp_path: Path) -> Any:
        path = tmp_path / "{service}" / "{fields.number}.jsonl"
        return as_async(FileSink(FileConfig(path=path, max_destinations=3), CONTEXT))


class TestSqlite(SinkContract):
    def make_sink(self, tmp_path: Path) -> SqlSink:
        url: Any = f"sqlite+aiosqlite:///{tmp_path}/data/audit.db"
        return SqlSink(SqliteConfig(url=url, provision=True), CONTEXT)


class TestSqliteByTemplate(SinkContract):
    def make_sink(self, tmp_path: Path) -> Any:
        options = {"url": f"sqlite+aiosqlite:///{tmp_path}/audit.db", "table": "audit_{fields.number}"}
        config = SqliteConfig.model_validate({**options, "provision": True, "max_destinations": 3})
        return as_async(SqlSink(config, CONTEXT))
