"""Damage in the log of an audit table in SQLite, found by the next process: put right, or reported and kept."""

import asyncio
import shutil
from collections.abc import Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from logweir.errors import SinkUnavailable
from logweir.sinks.contract import Query, SinkContext
from logweir.sinks.sql.config import SqliteConfig
from logweir.sinks.sql.sink import SqlSink
from logweir.sinks.tamper_evidence import Chaining
from logweir.testing.contract import make_event

NAMES = [f"{number:03}" for number in range(60)]
PAGE = 4096
FRAME = 24 + PAGE


@asynccontextmanager
async def opened(directory: Path, *, read_only: bool = False) -> Any:
    config = SqliteConfig(url=f"sqlite+aiosqlite:///{directory / 'audit.db'}", provision=True)
    context = SinkContext(
        workers=1, read_only=read_only, data_dir=directory / "data", chaining=Chaining(None)
    )
    sink = SqlSink(config, context)
    await sink.open()
    try:
        yield sink
    finally:
        await sink.close()


async def stored(sink: SqlSink) -> list[str]:
    return [event.name async for event in sink.search(Query())]


@pytest.fixture(scope="module")
def killed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The files of a process that was killed after it had stored events."""
    directory = tmp_path_factory.mktemp("killed")

    async def live() -> None:
        async with opened(directory / "life") as sink:
            for name in NAMES:
                await sink.write([make_event(name)])
            shutil.copytree(directory / "life", directory / "left", ignore=shutil.ignore_patterns("*-shm"))

    asyncio.run(live())
    return directory / "left"


def damage(directory: Path, harm: Callable[[bytearray], object]) -> bytes:
    path = directory / "audit.db-wal"
    content = bytearray(path.read_bytes())
    harm(content)
    path.write_bytes(content)
    return bytes(content)


@pytest.mark.parametrize("read_only", [False, True])
@pytest.mark.parametrize(
    "place", [0, 24, 32 + 5 * FRAME + 1, 32 + 5 * FRAME + 2000, 32 + 60 * FRAME + 24 + 600]
)
async def test_s1_a_changed_byte_in_the_log_costs_no_row(
    killed: Path, tmp_path: Path, place: int, read_only: bool, caplog: pytest.LogCaptureFixture
) -> None:
    left = shutil.copytree(killed, tmp_path / "left")
    harmed = damage(left, lambda content: content.__setitem__(place, content[place] ^ 0xFF))
    async with opened(left, read_only=read_only) as sink:
        assert await stored(sink) == NAMES
    (kept,) = left.glob("audit.db.corrupt-*-wal")
    assert kept.read_bytes() == harmed
    assert "all of it was kept" in caplog.text
    assert str(kept) in caplog.text


async def test_s1_what_cannot_be_kept_of_the_log_is_reported(
    killed: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    left = shutil.copytree(killed, tmp_path / "left")
    shutil.rmtree(left / "data")  # which would refuse the start, for rows are gone that it knows

    def harm(content: bytearray) -> None:
        for start in range(32 + 24, len(content), FRAME):
            if start > len(content) - 12 * FRAME:
                content[start + 3000 : start + 3100] = b"\xaa" * 100

    damage(left, harm)
    async with opened(left) as sink:
        found = await stored(sink)
        assert 0 < len(found) < len(NAMES)
        await sink.write([make_event("more")])
    assert "pages of it are lost" in caplog.text
    assert list(left.glob("audit.db.corrupt-*-wal"))


async def test_s1_a_log_that_may_only_be_read_is_reported(
    killed: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    left = shutil.copytree(killed, tmp_path / "left")
    place = 32 + 80 * FRAME + 700
    harmed = damage(left, lambda content: content.__setitem__(place, content[place] ^ 0xFF))
    monkeypatch.setattr("os.access", lambda *_args, **_options: False)
    async with opened(left, read_only=True) as sink:
        assert 0 < len(await stored(sink)) < len(NAMES)
    assert "its log is damaged" in caplog.text
    assert (left / "audit.db-wal").read_bytes() == harmed


@pytest.mark.parametrize(("start", "harm"), [(0, b"no"), (PAGE, b"\xff" * 200), (16, b"\xff")])
async def test_s1_a_damaged_file_keeps_its_events_waiting_and_names_the_next_step(
    tmp_path: Path, start: int, harm: bytes
) -> None:
    async with opened(tmp_path) as sink:
        await sink.write([make_event(name) for name in NAMES])
    path = tmp_path / "audit.db"
    content = bytearray(path.read_bytes())
    for place in range(start, len(content) if start else 1, PAGE):
        content[place : place + len(harm)] = harm
    path.write_bytes(content)
    with pytest.raises(SinkUnavailable, match=r"the file is damaged: .*\.recover"):
        async with opened(tmp_path) as sink:
            await sink.write([make_event("more")])
    assert path.read_bytes() == content
