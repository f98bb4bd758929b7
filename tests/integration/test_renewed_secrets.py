"""A secret that is renewed on disk reaches its sink by itself: no reload, no restart, no event lost on the way."""

import asyncio
import os
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import pymongo
import pytest

import logweir
from logweir.config.loading import load_config, reread
from logweir.config.models import RoutingConfig
from logweir.runtime.runtime import Runtime
from logweir.runtime.worker_process import WorkerProcess
from logweir.settings.tls_files import files_read_once
from logweir.sinks import registry
from logweir.telemetry.model import SinkMetrics
from servers import Server
from support.tls import make_certificate, tls_relay
from support.waiting import eventually
from support.webhook import Received, Reply, Webhook

ROUTING = """
version: 1
data_dir: data
drain_timeout: 1s
sinks:
  store:
    type: http
    url: {url}
    bearer_token: ${{file:token}}
    queue: {{type: {queue}{more}}}
    retry: {{initial: 20ms, max: 100ms}}
  other: {{type: memory}}
routes:
  - {{name: audit, match: {{kind: audit}}, to: [store]}}
  - {{name: rest, to: [store, other]}}
"""


class Guarded:
    """A receiver that takes events of who brings its token, and what it answered."""

    def __init__(self, webhook: Webhook) -> None:
        self.webhook = webhook
        self.token = "first"
        self.refused = 0
        webhook.behaviour = self._judge

    def _judge(self, request: Received) -> Reply | None:
        if request.headers.get("authorization") == f"Bearer {self.token}":
            return None
        self.refused += 1
        return Reply(401)

    @property
    def names(self) -> list[str]:
        return [event.name for event in self.webhook.stored.values()]


@pytest.fixture
async def receiver() -> AsyncIterator[Guarded]:
    async with Webhook() as webhook:
        yield Guarded(webhook)


def write_secret(folder: Path, secret: str) -> None:
    """As a mounted secret is renewed: another file in the place of the one that was there."""
    (folder / "new").write_text(secret + "\n")
    (folder / "new").replace(folder / "token")


def written(folder: Path, receiver: Guarded, queue: str = "disk", more: str = "") -> Path:
    write_secret(folder, "first")
    path = folder / "routing.yaml"
    path.write_text(ROUTING.format(url=receiver.webhook.url, queue=queue, more=more))
    return path


@contextmanager
def running(path: Path) -> Iterator[Runtime]:
    runtime = Runtime(load_config(path))
    runtime.start()
    try:
        yield runtime
    finally:
        runtime.stop(5)


def metrics(runtime: Runtime) -> SinkMetrics:
    return runtime.metrics().sinks["store"]


@pytest.mark.parametrize("queue", ["disk", "memory"])
async def test_b4_a_token_that_was_renewed_on_disk_is_read_again_when_the_receiver_refuses_the_old_one(
    tmp_path: Path, receiver: Guarded, queue: str
) -> None:
    def run() -> None:
        with running(written(tmp_path, receiver, queue)) as runtime:
            runtime.emit("before", {})
            eventually(lambda: receiver.names == ["before"], 30)
            receiver.token = "second"
            runtime.emit("between", {})
            eventually(lambda: receiver.refused > 1, 30)
            write_secret(tmp_path, "second")
            runtime.emit("after", {})
            eventually(lambda: len(receiver.names) == 3, 30, found=lambda: metrics(runtime))
            assert runtime.flush(30)
            found = metrics(runtime)
            assert (found.stored + found.duplicate, found.dead, found.queue_depth) == (3, 0, 0)
            assert runtime.metrics().sinks["other"].stored == 3

    await asyncio.to_thread(run)
    assert sorted(receiver.names) == ["after", "before", "between"]


async def test_a_sink_that_could_not_be_served_since_its_start_is_served_once_its_secret_is_right(
    tmp_path: Path, receiver: Guarded
) -> None:
    receiver.token = "second"

    def run() -> None:
        with running(written(tmp_path, receiver)) as runtime:
            runtime.emit("waits", {})
            eventually(lambda: receiver.refused > 1, 30)
            os.chdir("/")  # as a daemon does
            write_secret(tmp_path, "second")
            assert runtime.flush(30), metrics(runtime)

    await asyncio.to_thread(run)
    assert receiver.names == ["waits"]


async def test_a_secret_that_is_gone_for_a_moment_leaves_the_sink_as_it_is(
    tmp_path: Path, receiver: Guarded, caplog: pytest.LogCaptureFixture
) -> None:
    def run() -> None:
        with running(written(tmp_path, receiver)) as runtime:
            before = runtime._pipeline.channels["store"]
            (tmp_path / "token").unlink()
            eventually(lambda: "cannot be read again" in caplog.text, 30)
            runtime.emit("goes on", {})
            assert runtime.flush(30)
            assert runtime._pipeline.channels["store"] is before
            receiver.token = "second"
            write_secret(tmp_path, "second")
            runtime.emit("and on", {})
            assert runtime.flush(30)
            assert runtime._pipeline.channels["store"] is not before

    await asyncio.to_thread(run)
    assert receiver.names == ["goes on", "and on"]
    assert "second" not in caplog.text


async def test_only_the_sinks_whose_secret_changed_are_made_anew(tmp_path: Path, receiver: Guarded) -> None:
    def run() -> None:
        path = written(tmp_path, receiver)
        with running(path) as runtime:
            config, other = runtime.config, runtime._pipeline.channels["other"]
            # The file of routes has changed too: it is not half taken over without a reload.
            path.write_text(path.read_text().replace("data_dir: data", "data_dir: elsewhere"))
            write_secret(tmp_path, "second")
            eventually(lambda: runtime.config is not config, 30)
            assert runtime.config.data_dir == config.data_dir
            assert runtime._pipeline.channels["other"] is other
            sink: Any = runtime.config.sinks["store"]
            assert sink.bearer_token.get_secret_value() == "second"
            # And once more: the watch goes on from what it has read.
            write_secret(tmp_path, "third")
            sinks = runtime.config.sinks
            eventually(lambda: runtime.config.sinks is not sinks, 30)

    await asyncio.to_thread(run)


async def test_a_worker_process_reads_a_renewed_secret_too(tmp_path: Path, receiver: Guarded) -> None:
    def run() -> None:
        config = load_config(written(tmp_path, receiver, more=", deliver: elsewhere"))
        worker = WorkerProcess(config)
        worker.start()
        try:
            with running(tmp_path / "routing.yaml") as runtime:
                runtime.emit("one", {})
                eventually(lambda: receiver.names == ["one"], 30)
                receiver.token = "second"
                runtime.emit("two", {})
                eventually(lambda: receiver.refused > 1, 30)
                write_secret(tmp_path, "second")
                eventually(lambda: receiver.names == ["one", "two"], 60)
                assert worker.metrics().sinks["store"].dead == 0
        finally:
            worker.stop(5)

    await asyncio.to_thread(run)


def test_a_secret_in_force_is_no_part_of_what_makes_two_configurations_alike(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("t")
    path = tmp_path / "routing.yaml"
    path.write_text(ROUTING.format(url="http://h/", queue="disk", more=""))
    config = load_config(path)
    assert config == load_config(path) == RoutingConfig(**dict(config))
    assert "first" not in repr(config)
    logweir.start(config, handle_signals=False)
    logweir.start(path, handle_signals=False)  # the same one: no error


def test_b4_certificates_that_mongodbs_driver_reads_but_once_are_read_again_when_they_were_renewed(
    tmp_path: Path, mongodb: Server
) -> None:
    old, new, ca = tmp_path / "old", tmp_path / "new", tmp_path / "ca.pem"
    certificates = {}
    for folder in (old, new):
        folder.mkdir()
        certificates[folder] = make_certificate(folder)
    ca.write_bytes(certificates[old][0].read_bytes())
    collection = f"renewed_{uuid4().hex[:12]}"
    with tls_relay(mongodb.host, mongodb.port, *certificates[old]) as port:
        sink = {
            "type": "mongodb",
            "url": mongodb.url.replace(f":{mongodb.port}", f":{port}"),
            "database": "logweir_integration",
            "collection": collection,
            "provision": True,
            "tls": {"ca": str(ca)},
            "queue": {"type": "disk"},
            "retry": {"initial": "20ms", "max": "100ms", "timeout": "5s"},
        }
        routes = [{"name": "all", "to": ["store"]}]
        config = {"data_dir": str(tmp_path / "data"), "sinks": {"store": sink}, "routes": routes}
        runtime = Runtime(load_config(config))
        runtime.start()
        runtime.emit("before", {})
        eventually(lambda: metrics(runtime).stored == 1, 30, found=lambda: metrics(runtime))
    try:
        with tls_relay(mongodb.host, mongodb.port, *certificates[new], listen=port):
            runtime.emit("after", {})
            eventually(lambda: metrics(runtime).failures, 30)
            ca.write_bytes(certificates[new][0].read_bytes())
            eventually(lambda: metrics(runtime).stored == 2, 40, found=lambda: metrics(runtime))
            assert not metrics(runtime).dead
            runtime.stop(10)
    finally:
        runtime.stop(1)
        with pymongo.MongoClient[dict[str, Any]](mongodb.url) as client:
            client["logweir_integration"][collection].drop()


def test_files_that_a_driver_reads_but_once_are_known(tmp_path: Path) -> None:
    ca = str(tmp_path / "ca.pem")
    null = registry.resolve("null").Config
    queues: dict[str, dict[str, Any]] = {
        "redis": {"type": "redis", "url": "rediss://h", "tls": {"ca": ca}},
        "kafka": {"type": "kafka", "brokers": ["h:9092"], "tls": {"ca": ca}},
    }
    found = {
        name: [*files_read_once(null.model_validate({"type": "null", "queue": queue}))]
        for name, queue in queues.items()
    }
    assert found == {"redis": [Path(ca)], "kafka": []}
    http = registry.resolve("http").Config.model_validate({"url": "https://h", "tls": {"ca": ca}})
    assert not [*files_read_once(http)]


def test_what_whoever_runs_a_configuration_has_changed_in_it_stays(tmp_path: Path) -> None:
    write_secret(tmp_path, "first")
    path = tmp_path / "routing.yaml"
    path.write_text(ROUTING.format(url="http://h/", queue="disk", more=""))
    config = load_config(path)
    patient = config.sinks["store"].model_copy(update={"workers": 3})
    run = config.model_copy(update={"sinks": {**config.sinks, "store": patient}})
    captured = config.model_copy(update={"sinks": dict.fromkeys(config.sinks, config.sinks["other"])})
    write_secret(tmp_path, "second")
    sink: Any = reread(run).sinks["store"]
    assert (sink.workers, sink.bearer_token.get_secret_value()) == (3, "second")
    assert reread(captured) is captured  # a test's own sink in the place of this one
