"""A secret that is logged, by whichever way, reaches no sink, spool, dead letter, report or metric of ours."""

import logging
from pathlib import Path
from typing import Any

import pytest

import logweir
from logweir.errors import SinkRejected
from logweir.event import Event
from logweir.sinks import registry
from logweir.sinks.contract import Sink, SinkConfig
from logweir.sinks.results import WriteResult
from logweir.telemetry.prometheus import expose

SECRET = "hunter2-Zk9-Qx7"


class Refusing(Sink):
    """Refuses what it gets, in words that quote a secret."""

    seen: list[Event] = []

    class Config(SinkConfig):
        pass

    async def write(self, batch: Any) -> WriteResult:
        self.seen += batch
        raise SinkRejected(f"cannot parse [password={SECRET}]")


class Failure(Exception):
    pass


def log_in_every_way() -> None:
    log = logweir.get_logger()
    log.info("login", password=SECRET, nested={"headers": [["Authorization", f"Bearer {SECRET}"]]})
    log.info({"password": SECRET})
    log.info("login %s", {"password": SECRET})
    message = "login %s %s"
    log.info(message, f"password={SECRET}")
    log.info(f"https://bob:{SECRET}@host/path?token={SECRET}")
    log.info("x", trace_id=f"password={SECRET}")
    try:
        raise Failure(f"cannot connect: password={SECRET}")
    except Failure:
        log.exception("failed")
    logging.getLogger("app").warning("token=%s", SECRET)
    logweir.audit_sync("login", password=SECRET)
    with pytest.raises(TypeError):
        _login("bob", SECRET, SECRET)  # type: ignore[call-arg]


@logweir.audit_log("login")
def _login(user: str, password: str) -> None: ...


def test_a_secret_reaches_nothing_that_we_write(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(
        registry._registered, "refusing", Refusing
    )  # as by the decorator, for this test alone
    Refusing.seen.clear()
    config = {
        "data_dir": str(tmp_path / "data"),
        "sinks": {
            "refusing": {"type": "refusing", "queue": {"type": "disk"}},
            "file": {"type": "file", "path": str(tmp_path / "all.jsonl")},
        },
        "routes": [{"name": "all", "to": ["refusing", "file"]}],
    }
    logweir.configure_structlog()
    handler = logweir.Handler()
    logging.getLogger("app").addHandler(handler)
    try:
        with caplog.at_level(logging.DEBUG, "logweir"), logweir.running(config):
            log_in_every_way()
            assert logweir.flush()
            shown = expose(logweir.metrics())[0].decode()
    finally:
        logging.getLogger("app").removeHandler(handler)

    assert len({event.id for event in Refusing.seen}) == 10
    written = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    assert (tmp_path / "data" / "dead_letters.db") in written
    assert [path.name for path, content in written.items() if SECRET.encode() in content] == []
    assert SECRET not in shown
    assert SECRET not in " ".join(
        record.getMessage() for record in caplog.records if record.name == "logweir"
    )
