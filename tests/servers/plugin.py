"""The fixtures of tests/servers, and the list of what was not run because its server was missing.

Where a server cannot be had its tests are skipped and listed at the end, by server. With ``CI=true`` they fail.
"""

import os
import threading
import warnings
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from servers.errors import NotStarted, Unavailable
from servers.kinds import KINDS, Options
from servers.pool import Pool, variable
from servers.proxy import FaultProxy
from servers.server import OwnServer, Server

OwnServers = Callable[..., OwnServer]
Proxies = Callable[[Server], FaultProxy]

#: Drivers that drop connections, at times, without closing them, which the garbage collection reports in whatever
#: test it comes: PyMongo that which it is making when it is cancelled, and that of a monitor which looks once more
#: after the close; aiokafka its first one, when a start is cancelled while it waits for metadata. (A client of
#: Kafka's that is not closed is still found: it warns of itself.)
_DROPPED = {
    "mongodb": r"unclosed <socket.socket .*, {port}\)>",
    "kafka": r"Unclosed AIOKafkaConnection <",
}
_MARK = "not run: "
_DOUBLE = "runs on a double"


class _Plugin:
    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._item: pytest.Item | None = None
        self._not_run: Counter[str] = Counter()
        self._on_doubles: defaultdict[str, set[str]] = defaultdict(set)
        self.pool = Pool(before_preparation=self._suspend_timeout, brief=True)

    def obtain(self, name: str, get: Callable[[], Server]) -> Any:
        """The server, or the end of the test that asked for it."""
        self._note_double(name)
        try:
            return self.bear_with_driver(get())
        except (Unavailable, NotStarted) as error:
            if os.environ.get("CI", "").lower() in {"true", "1"}:
                raise
            pytest.skip(f"{_MARK}{name}: {error}")

    def bear_with_driver(self, server: Server, port: int = 0) -> Server:
        """Let connections to this server, or to a proxy's port, be dropped where its driver is known for it."""
        dropped = _DROPPED.get(getattr(server, "name", ""))  # a test may give the proxy whatever has a URL
        if dropped is None:
            return server
        message = dropped.replace("{port}", str(port or server.port))
        line = f"ignore:{message}:ResourceWarning"
        if line not in self._config.getini("filterwarnings"):
            self._config.addinivalue_line("filterwarnings", line)
        warnings.filterwarnings("ignore", message, ResourceWarning)  # the test that runs has read that list
        return server

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> None:
        self._item = item
        names = [name for name in getattr(item, "fixturenames", ()) if name in KINDS]
        self.pool.revive(names)
        for name in names:
            self._note_double(name)

    def _note_double(self, name: str) -> None:
        """Remember a test that runs on a double, for the list at the end."""
        if KINDS[name].double and not os.environ.get(variable(name)) and self._item is not None:
            # A report carries it to the process that writes the list, where tests run in several.
            self._item.user_properties.append((_DOUBLE, name))

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.skipped and isinstance(report.longrepr, tuple):
            reason = report.longrepr[2].removeprefix("Skipped: ")
            if reason.startswith(_MARK):
                self._not_run[reason.removeprefix(_MARK)] += 1
        for key, name in report.user_properties:
            if key == _DOUBLE:
                self._on_doubles[str(name)].add(report.nodeid)

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        if self._not_run or self._on_doubles:
            terminalreporter.section("servers that were missing", yellow=True)
        for what, count in sorted(self._not_run.items()):
            name, reason = what.split(": ", 1)
            terminalreporter.line(f"{_MARK}{name} ({_tests(count)}): {reason}")
        for name, tests in sorted(self._on_doubles.items()):
            terminalreporter.line(
                f"not run on a real {name} ({_tests(len(tests))} on its double): {variable(name)} names none"
            )

    def pytest_unconfigure(self) -> None:
        self.pool.close()

    def _suspend_timeout(self) -> None:
        """A first preparation may take minutes, which are not the test's; its timer ends in the main thread alone."""
        main = threading.current_thread() is threading.main_thread()
        if main and self._item is not None and self._config.pluginmanager.has_plugin("timeout"):
            self._config.hook.pytest_timeout_cancel_timer(item=self._item)


def _tests(count: int) -> str:
    return "1 test" if count == 1 else f"{count} tests"


_PLUGIN = pytest.StashKey[_Plugin]()


def pytest_configure(config: pytest.Config) -> None:
    """Start nothing yet."""
    config.stash[_PLUGIN] = _Plugin(config)
    config.pluginmanager.register(config.stash[_PLUGIN])


def _shared_server(name: str) -> Any:
    @pytest.fixture(scope="session", name=name)
    def server(request: pytest.FixtureRequest) -> Server:
        plugin = request.config.stash[_PLUGIN]
        found: Server = plugin.obtain(name, lambda: plugin.pool.shared(name))
        return found

    server.__doc__ = f"The session's {name}."
    return server


mysql = _shared_server("mysql")
mariadb = _shared_server("mariadb")
postgresql = _shared_server("postgresql")
pgbouncer = _shared_server("pgbouncer")
mongodb = _shared_server("mongodb")
elasticsearch = _shared_server("elasticsearch")
opensearch = _shared_server("opensearch")
loki = _shared_server("loki")
victorialogs = _shared_server("victorialogs")
redis = _shared_server("redis")
kafka = _shared_server("kafka")
redis_cluster = _shared_server("redis_cluster")


@pytest.fixture(scope="session")
def real_loki(request: pytest.FixtureRequest) -> Server:
    """A real Loki, which only the environment can name; without one the test is listed, in CI too."""
    if os.environ.get(variable("loki"), "") in {"", "none"}:
        pytest.skip(f"{_MARK}a real loki: {variable('loki')} names none")
    plugin = request.config.stash[_PLUGIN]
    found: Server = plugin.obtain("loki", lambda: plugin.pool.shared("loki"))
    return found


@pytest.fixture
def own_server(request: pytest.FixtureRequest) -> Iterator[OwnServers]:
    """Makes servers for this test alone: ``own_server("mysql", args=["--max-connections=10"], size="400m")``."""
    plugin = request.config.stash[_PLUGIN]
    made: list[OwnServer] = []

    def make(name: str, **options: Any) -> OwnServer:
        wanted = Options(**{"brief": True, **options, "args": tuple(options.get("args", ()))})
        server: OwnServer = plugin.obtain(name, lambda: plugin.pool.own(name, wanted))
        made.append(server)
        return server

    yield make
    for server in made:
        plugin.pool.discard(server)


@pytest.fixture
def proxy(request: pytest.FixtureRequest) -> Iterator[Proxies]:
    """Puts a FaultProxy in front of a server: ``proxy(mysql)``."""
    made: list[FaultProxy] = []

    def make(server: Server) -> FaultProxy:
        made.append(FaultProxy(server.url))
        request.config.stash[_PLUGIN].bear_with_driver(server, made[-1].port)
        return made[-1]

    yield make
    for each in made:
        each.close()
