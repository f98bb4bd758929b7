"""Files of saved heads where they cannot be written."""

import asyncio
import resource
import signal
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from logweir.sinks.tamper_evidence import Head
from logweir.stores.saved_heads import write_saved_heads


async def heads(count: int) -> AsyncIterator[Head]:
    for number in range(count):
        yield Head(f"writer {number}", 1, "hash")


@pytest.fixture
def full_disk() -> Iterator[None]:
    """No file grows beyond some bytes, which is refused as on a disk that is full."""
    limits, before = resource.getrlimit(resource.RLIMIT_FSIZE), signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, before)


@pytest.mark.parametrize("count", [3, 100_000], ids=["at the end", "on the way"])
@pytest.mark.usefixtures("full_disk")
def test_a_full_disk_leaves_nothing_beside_the_file_and_is_an_error(tmp_path: Path, count: int) -> None:
    with pytest.raises(OSError, match="too large"):
        asyncio.run(write_saved_heads(tmp_path / "heads.jsonl", "sink", "table", heads(count)))
    assert not [*tmp_path.iterdir()]
