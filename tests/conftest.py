"""Fixtures that every test shares."""

import asyncio
import gc
import os
import signal
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
import structlog
from blockbuster import blockbuster_ctx
from hypothesis import HealthCheck, settings

import logweir
from logweir import diagnostics
from logweir.event import Event, Kind, new_event_id
from logweir.runtime import current as runtime
from support.programs import end_programs

# Each of the thousand programs that tests start would look for plug-ins of pydantic in all of the installed packages: a tenth of its start.
os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")

pytest_plugins = ["servers.plugin"]  # real servers: `mysql`, `own_server`, `proxy`, ...

# How long an example takes says how busy the machine is, and nothing about what is tested.
settings.register_profile(
    "busy", settings(), max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("busy")

_UNIT_TESTS = Path(__file__).parent / "unit"


def pytest_itemcollected(item: pytest.Item) -> None:
    """Mark what depends on time in the contract suite, which is not ours alone and has no marks of ours."""
    if item.name == "test_no_call_blocks_the_event_loop":
        item.add_marker(pytest.mark.busy)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Leave unit tests for the end, whose files take moments: no process waits long for another's last file."""
    items.sort(key=lambda item: _UNIT_TESTS in item.path.parents)


def pytest_collection_finish() -> None:
    """Let no collection of garbage go through all tests again, which are there to the end."""
    gc.collect()
    gc.freeze()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print what tests measured (``record_property("figures", ...)``), which several processes cannot print themselves."""
    reports = terminalreporter.getreports("passed") + terminalreporter.getreports("failed")
    found = [
        (each.nodeid, value) for each in reports for name, value in each.user_properties if name == "figures"
    ]
    if found:
        terminalreporter.section("figures")
    for nodeid, value in sorted(found):
        terminalreporter.line(f"{nodeid.rpartition('::')[2]}: {value}")


@pytest.fixture(autouse=True, scope="session")
def _nothing_blocks_the_event_loop() -> Iterator[None]:
    """Fail any test in which our code blocks an event loop; begun once, for that takes a third of a small test."""
    logweir.start  # noqa: B018 - its first use imports what runs on loops, which no test is about
    with blockbuster_ctx("logweir") as guard:
        # stop() and flush() say that they block; a test may call them on a loop.
        guard.functions["threading.Lock.acquire"].can_block_in("core/process/loop_thread.py", {"run", "stop"})
        # So does reload(), and a start in the place of another one.
        guard.functions["threading.Lock.acquire"].can_block_in("core/runtime/runtime.py", {"_go_over"})
        guard.functions["threading.Lock.acquire"].can_block_in("core/delivery/spool/committer.py", {"stop"})
        guard.functions["threading.Lock.acquire"].can_block_in("tests/unit/auditing/conftest.py", {"events"})
        # The kernel knows the working directory without asking a disk.
        guard.functions["os.getcwd"].can_block_in("core/config/models.py", {"_stays_where_it_is"})
        # Whether files of TLS were renewed is asked of the kernel once for each connection.
        guard.functions["os.stat"].can_block_in("sinks/shared/tls.py", {"_seen"})
        # PyMongo's asynchronous client looks for /.dockerenv when it makes a pool of connections.
        guard.functions["os.stat"].can_block_in("pymongo/pool_options.py", {"get_container_env_info"})
        # A command has nothing else to do while nobody reads what it prints.
        for name in ("io.BufferedWriter.write", "io.TextIOWrapper.write"):
            guard.functions[name].can_block_in("core/cli/event_printer.py", {"flush", "show"})
        # asyncpg looks for psql's files of passwords and certificates once for each connection.
        for function in guard.functions.values():
            function.can_block_in("asyncpg/connect_utils.py", "_parse_connect_dsn_and_args")
        yield


@pytest_asyncio.fixture
async def _loop() -> AsyncIterator[None]:
    """The event loop of a test."""
    yield


@pytest.fixture(autouse=True)
def _the_loop_outlives_other_fixtures(request: pytest.FixtureRequest) -> None:
    """What the fixtures of an asynchronous test close may still say so to its loop; others are spared a loop."""
    if pytest_asyncio.is_async_test(request.node):
        request.getfixturevalue("_loop")


@pytest.fixture(autouse=True, scope="session")
def _signals_are_heard() -> Iterator[None]:
    """What a parent ignores (nohup, a script's ``&``) would be ignored by every program that a test starts."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    ignored = [number for number, handler in before.items() if handler is signal.SIG_IGN]
    for number in ignored:
        # A handler of ours: programs begin with the default then, and this process is as safe as it was.
        signal.signal(number, lambda _number, _frame: None)
    yield
    for number in ignored:
        signal.signal(number, signal.SIG_IGN)


@pytest.fixture(autouse=True)
def _no_program_outlives_its_test() -> Iterator[None]:
    yield
    end_programs()


@pytest.fixture(autouse=True)
def _clean_process(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> Iterator[None]:
    """Each test starts without a runtime, without bound context, in a directory of its own."""
    monkeypatch.delenv(runtime.ENVIRONMENT_VARIABLE, raising=False)
    monkeypatch.chdir(tmp_path)
    structlog.contextvars.clear_contextvars()
    diagnostics.after_fork()  # what an earlier test made it report may be reported again
    with runtime.apart():
        yield
        runtime.stop(timeout=2.0)
    structlog.contextvars.clear_contextvars()
    structlog.reset_defaults()
    os.environ.pop(runtime.ENVIRONMENT_VARIABLE, None)


def make_event(name: str = "event", *, kind: Kind = Kind.TRACING, size: int = 100, **fields: Any) -> Event:
    """An event for tests that do not care how it was captured."""
    return Event(
        new_event_id(), time.time_ns(), kind, "info", name, "test-service", "test", None, None, fields, size
    )


async def until(condition: Any, timeout: float = 10.0) -> None:
    """Yield to the loop until ``condition()`` holds; for conditions that have no event to await."""
    async with asyncio.timeout(timeout):
        while not condition():
            await asyncio.sleep(0.001)
