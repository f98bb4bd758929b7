"""rsyslog: the standard library's SysLogHandler over TCP to an own rsyslogd, which writes into the store.

The daemon has its own configuration, pid file and port on loopback; the system's service is never touched.
Its CPU counts. It waits in a memory queue and writes batches of up to 1000, where its module can.
"""

from __future__ import annotations

import logging
import logging.handlers
import shutil
import socket
import subprocess
import time
from abc import abstractmethod
from pathlib import Path
from typing import ClassVar
from urllib.parse import urlsplit

from logweir.benchmarks.suite.rivals.base import Ground, JsonLines, Rival, log_record, queued_logger
from logweir.benchmarks.suite.rivals.counts import count, mysql_arguments
from logweir.errors import LogweirError
from logweir.event import Event

__all__ = ["RsyslogElasticsearch", "RsyslogMongo", "RsyslogMysql"]

_MODULES = ("usr/lib/*/rsyslog", "usr/lib/rsyslog", "usr/lib64/rsyslog")
_STARTING = 10.0
_CONFIG = """\
global(workDirectory="{folder}" maxMessageSize="256k")
module(load="imptcp")
module(load="{module}")
template(name="line" type="list") {{ property(name="msg" position.from="2") }}
{templates}
ruleset(name="out" queue.type="LinkedList" queue.size="200000" queue.dequeueBatchSize="1000") {{
  {action}
}}
input(type="imptcp" address="127.0.0.1" port="{port}" ruleset="out")
"""


class _Rsyslog(Rival):
    """An own daemon for a turn."""

    module: ClassVar[str]
    package: ClassVar[str]
    templates: ClassVar[str] = ""

    def __init__(self, ground: Ground) -> None:
        super().__init__(ground)
        self._daemon: subprocess.Popen[bytes] | None = None

    @classmethod
    def missing(cls) -> str | None:
        """See :meth:`Rival.missing`."""
        found = [path for folder in _MODULES for path in Path("/").glob(f"{folder}/{cls.module}.so")]
        if _binary() and found:
            return None
        return f"rsyslogd with {cls.module} is not installed; apt-get install rsyslog {cls.package}"

    @abstractmethod
    def _action(self) -> str:
        """The action of the configuration."""

    def _prepare(self) -> None:
        """Make what the module does not make by itself."""

    def open(self) -> None:
        """See :meth:`Rival.open`."""
        self._prepare()
        port = _free_port()
        folder = self.ground.folder
        config = folder / "rsyslog.conf"
        config.touch(mode=0o600)  # it may hold a password
        config.write_text(
            _CONFIG.format(
                folder=folder.absolute(),
                module=self.module,
                templates=self.templates.format(**self.ground.settings),
                action=self._action(),
                port=port,
            )
        )
        command = [_binary() or "", "-n", "-f", str(config.absolute()), "-i", str(folder.absolute() / "pid")]
        with (folder / "said").open("wb") as said:
            self._daemon = subprocess.Popen(command, stdout=said, stderr=said)  # noqa: S603 - ours
        self._wait_until_it_listens(port)
        handler = logging.handlers.SysLogHandler(("127.0.0.1", port), socktype=socket.SOCK_STREAM)
        handler.append_nul = False
        handler.setFormatter(_SyslogLines())
        self._handler = handler
        self._logger = queued_logger(handler)

    def _wait_until_it_listens(self, port: int) -> None:
        deadline = time.monotonic() + _STARTING
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
            except OSError:
                ended = self._daemon is None or self._daemon.poll() is not None
                if ended or time.monotonic() > deadline:
                    said = (self.ground.folder / "said").read_text(errors="replace").strip()
                    raise LogweirError(f"rsyslogd does not listen: {said[-300:]}") from None
                time.sleep(0.05)
            else:
                return

    def log(self, event: Event) -> None:
        """See :meth:`Rival.log`."""
        log_record(self._logger, event)

    def settle(self) -> None:
        """See :meth:`Rival.settle`: everything was handed over; only the store's count shows the rest."""
        self._handler.close()

    def arrived(self) -> int:
        """See :meth:`Rival.arrived`."""
        return count(self.ground)

    def close(self) -> None:
        """See :meth:`Rival.close`."""
        if self._daemon is not None:
            self._daemon.terminate()
            try:
                self._daemon.wait(10)
            except subprocess.TimeoutExpired:
                self._daemon.kill()
                self._daemon.wait()


class _SyslogLines(JsonLines):
    """A tag, the JSON, and the end of the frame."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the frame, but for its priority."""
        return f"bench: {super().format(record)}\n"


class RsyslogMysql(_Rsyslog):
    """ommysql."""

    name = "rsyslog ommysql"
    durability = "rsyslog's memory queue; commits of up to 1000 as durable as the server's; no index"
    module, package = "ommysql", "rsyslog-mysql"
    templates = (
        'template(name="row" type="string" option.sql="on" string="INSERT INTO {table} '
        "(time, level, message) VALUES ('%timereported:::date-mysql%', '%syslogseverity-text%', "
        "'%msg:2:$%')\")"
    )

    def _prepare(self) -> None:
        import pymysql  # noqa: PLC0415 - an extra

        with pymysql.connect(**mysql_arguments(self.ground.url)) as connection:
            connection.cursor().execute(
                f"CREATE TABLE {self.ground.settings['table']} (id BIGINT AUTO_INCREMENT PRIMARY KEY, "
                "time DATETIME, level VARCHAR(16), message MEDIUMTEXT) CHARACTER SET utf8mb4"
            )

    def _action(self) -> str:
        to = mysql_arguments(self.ground.url)
        host = "127.0.0.1" if to["host"] == "localhost" else to["host"]  # that would mean a socket's file
        return (
            f'action(type="ommysql" server="{host}" serverport="{to["port"]}" db="{to["database"]}" '
            f'uid="{to["user"]}" pwd="{to["password"]}" template="row")'
        )


class RsyslogElasticsearch(_Rsyslog):
    """omelasticsearch."""

    name = "rsyslog omelasticsearch"
    durability = "rsyslog's memory queue; bulk requests of up to 1000 events, ids by the server"
    module, package = "omelasticsearch", "rsyslog-elasticsearch"

    def _action(self) -> str:
        to = urlsplit(self.ground.url)
        return (
            f'action(type="omelasticsearch" server="{to.hostname}" serverport="{to.port or 9200}" '
            f'searchIndex="{self.ground.settings["index"]}-rsyslog" searchType="" bulkmode="on" '
            'template="line")'
        )


class RsyslogMongo(_Rsyslog):
    """ommongodb."""

    name = "rsyslog ommongodb"
    durability = "rsyslog's memory queue; an insert for each event, as durable as the server's"
    module, package = "ommongodb", "rsyslog-mongodb"

    def _action(self) -> str:
        settings = self.ground.settings
        return (
            f'action(type="ommongodb" uristr="{self.ground.url}" db="{settings["database"]}" '
            f'collection="{settings["collection"]}")'
        )


def _binary() -> str | None:
    return shutil.which("rsyslogd") or shutil.which("rsyslogd", path="/usr/sbin:/sbin")


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])
