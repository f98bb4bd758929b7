"""The one runtime of the process: what it says of a configuration that nobody waits for the answer of."""

import asyncio
from pathlib import Path

import pytest

import logweir
from conftest import until
from logweir import diagnostics
from logweir.runtime import current
from support import sinks as misbehaving

GOOD = """\
sinks: {out: {type: memory}}
routes: [{name: all, to: [out]}]
"""
UNMADE = GOOD.replace("memory", "support.sinks:Unmade")


@pytest.fixture(autouse=True)
def _no_mask_of_an_earlier_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(diagnostics, "_mask", str)


def test_the_error_of_a_sink_shows_no_password_where_a_signal_reloads(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    file = tmp_path / "routing.yaml"
    file.write_text(GOOD)
    logweir.start(file, handle_signals=False)
    file.write_text(UNMADE)
    current._reload_or_report()
    assert "cannot be made for db://app:***@db/app" in caplog.text
    assert "zq7KXhunterS3cr" not in caplog.text


def test_the_error_of_a_sink_shows_no_password_where_a_first_line_starts(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "routing.yaml").write_text(UNMADE)
    monkeypatch.setenv(current.ENVIRONMENT_VARIABLE, str(tmp_path / "routing.yaml"))
    logweir.configure_structlog()
    logweir.get_logger().info("first")
    assert "cannot be made for db://app:***@db/app" in caplog.text
    assert "zq7KXhunterS3cr" not in caplog.text


async def test_an_async_block_that_is_cancelled_at_its_entry_leaves_no_runtime_behind() -> None:
    misbehaving.healed.clear()
    config = {
        "sinks": {"out": {"type": "support.sinks:HungInOpen"}},
        "routes": [{"name": "all", "to": ["out"]}],
        "drain_timeout": 0.1,
    }

    async def enter() -> None:
        async with current.running(config):
            pass

    task = asyncio.ensure_future(enter())
    await until(lambda: current.current() is not None)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert current.current() is None
