"""A sink whose events go over Redis, as an application sees it."""

import asyncio
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from redis import Redis
from typer.testing import CliRunner

import logweir
import logweir.auditing.record
from logweir.cli.app import app
from logweir.delivery.queue import DropReason
from logweir.errors import AuditError
from logweir.telemetry.model import SinkMetrics
from servers import Server
from support.behind_a_broker import audited_and_delivered, before_nothing, before_sqlite, beside_an_outbox
from support.waiting import eventually

OwnServers = Callable[..., Any]


def over(server: str, /, **queue: Any) -> dict[str, Any]:
    return {"type": "redis", "url": server, "partitions": 2, **queue}


def routing(folder: Path, server: str, /, **queue: Any) -> dict[str, Any]:
    return before_nothing(over(server, **queue), folder)


def in_redis(config: dict[str, Any], url: str) -> list[dict[str, Any]]:
    """The events in the streams of this service."""
    with Redis.from_url(url) as client:
        names = client.scan_iter(match=f"*{config['service']}*", _type="stream")
        return [json.loads(fields[b"e"]) for name in names for _, fields in client.xrange(name)]


def test_an_event_is_in_redis_redacted_when_a_flush_returns(tmp_path: Path, redis: Server) -> None:
    config = routing(tmp_path, redis.url)
    with logweir.running(config):
        logweir.configure_structlog()
        logweir.get_logger().info("login", user="ann", password="hush-hush-hush", kind="audit")
        assert logweir.flush(30)
        [event] = in_redis(config, redis.url)
    assert event["event"] == "login"
    assert event["fields"] == {"user": "ann", "password": "***"}


@pytest.fixture
def server(own_server: OwnServers) -> Any:
    return own_server("redis")


@pytest.mark.parametrize("local", ["disk", "none"])
async def test_durable_is_acknowledged_on_disk_or_by_the_broker(
    local: str, tmp_path: Path, server: Any
) -> None:
    config = routing(tmp_path, server.url, local=local)
    config["audit"] = {"timeout": "2s"}
    async with logweir.running(config):
        ack = await logweir.audit("fund.transfer", user_id=7)
        assert ack.level == "durable"
        if local == "none":
            found = await asyncio.to_thread(in_redis, config, server.url)
            assert [event["id"] for event in found] == [ack.event_id]
        await asyncio.to_thread(server.pause)
        if local == "disk":
            await logweir.audit("fund.transfer", user_id=8)
        else:
            with pytest.raises(AuditError, match="was not durable within 2 s by store"):
                await logweir.audit("fund.transfer", user_id=8)
        await asyncio.to_thread(server.resume)
        assert await logweir.aflush(30)
    assert len(await asyncio.to_thread(in_redis, config, server.url)) >= 2


@pytest.mark.parametrize("local", ["disk", "memory"])
@pytest.mark.parametrize(
    ("when_full", "reason"),
    [
        ("drop_newest", DropReason.QUEUE_FULL_NEWEST),
        ("drop_oldest", DropReason.QUEUE_FULL_OLDEST),
        ("block", DropReason.BLOCK_TIMEOUT),
    ],
)
def test_while_redis_is_away_the_bound_of_the_local_queue_holds(
    local: str, when_full: str, reason: DropReason, tmp_path: Path
) -> None:
    bound = {"local": local, "max_events": 10, "when_full": when_full, "block_timeout": "10ms"}
    config = routing(tmp_path, "redis://127.0.0.1:9", **bound) | {"drain_timeout": "100ms"}
    config["routes"][0]["match"] = {"kind": "tracing"}
    with logweir.running(config) as runtime:
        for number in range(40):
            runtime.emit("e", {"number": number})

        def sink() -> SinkMetrics:
            return runtime.metrics().sinks["store"]

        eventually(lambda: sink().dropped.get(reason, 0) >= 20, found=sink)
        eventually(lambda: sink().queue_depth + sink().in_flight + sink().dropped[reason] == 40, found=sink)
        assert (sink().queue_depth <= 10, [*sink().dropped]) == (True, [reason])
        eventually(lambda: "Redis" in sink().last_error, found=sink)


def test_an_intent_is_in_redis_before_the_call_where_there_is_no_disk(tmp_path: Path, redis: Server) -> None:
    config = routing(tmp_path, redis.url, local="none")

    @logweir.audit_log("fund.transfer", intent=True)
    def transfer() -> list[str]:
        return [event["fields"]["status"] for event in in_redis(config, redis.url)]

    with logweir.running(config):
        assert transfer() == ["started"]
        assert logweir.flush(30)
        found = in_redis(config, redis.url)
    assert sorted(event["fields"]["status"] for event in found) == ["started", "success"]


async def test_what_the_outbox_relays_is_in_redis_once(tmp_path: Path, redis: Server) -> None:
    config = beside_an_outbox(routing(tmp_path, redis.url), tmp_path)
    async with logweir.running(config):
        service = logweir.LogService(sink="bank")
        event = await service.create_audit_log(user_id=7, action="fund.transfer")
        async with asyncio.timeout(30):
            while not (found := await asyncio.to_thread(in_redis, config, redis.url)):
                await asyncio.sleep(0.05)
    assert [each["id"] for each in found] == [event.id]


async def test_stored_is_refused_for_what_a_worker_delivers(tmp_path: Path, redis: Server) -> None:
    async with logweir.running(routing(tmp_path, redis.url)):
        with pytest.raises(AuditError, match="another process delivers to it and does not report back"):
            await logweir.audit("fund.transfer", user_id=7, acknowledge="stored")


def test_check_says_what_a_confirmation_means_and_does_not_ask_the_sink(
    tmp_path: Path, redis: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "400")
    path = tmp_path / "routing.yaml"
    path.write_text(json.dumps(routing(tmp_path, redis.url)))
    result = CliRunner().invoke(app, ["check", "-c", str(path)])
    assert result.exit_code == 0, result.output
    assert "a confirmed event is on Redis's disk" in result.output
    assert "maxmemory is not set" in result.output
    assert "hush" not in result.output


@pytest.mark.parametrize(
    ("queue", "message"),
    [
        ({"partition": 2}, "did you mean 'partitions'"),
        ({"url": None}, "type: redis needs url"),
        ({"url": "http://:hush-hush-hush@h"}, "a url of Redis is redis://"),
    ],
)
def test_wrong_keys_end_with_one_message_and_exit_code_2(
    queue: dict[str, Any], message: str, tmp_path: Path
) -> None:
    path = tmp_path / "routing.yaml"
    path.write_text(json.dumps(routing(tmp_path, "redis://127.0.0.1:9", **queue)))
    result = CliRunner().invoke(app, ["check", "-c", str(path)])
    assert result.exit_code == 2
    assert message in result.stderr
    assert len(result.stderr.splitlines()) == 1
    assert "hush" not in result.output


# -- logweir worker ------------------------------------------------------------------------------------


def over_sqlite(folder: Path, server: str, **queue: Any) -> dict[str, Any]:
    return before_sqlite(over(server, claim_after=1.0, **queue), folder)


def test_logweir_worker_delivers_what_the_application_forwards(tmp_path: Path, redis: Server) -> None:
    config = over_sqlite(tmp_path, redis.url)
    with audited_and_delivered(config, tmp_path):
        eventually(lambda: in_redis(config, redis.url) == [])


def test_a_worker_with_fewer_partitions_ends_with_exit_code_2(tmp_path: Path, redis: Server) -> None:
    config = over_sqlite(tmp_path, redis.url, partitions=4)
    with logweir.running(config):
        for number in range(50):
            logweir.audit_sync(f"action.{number}", user_id=7)
        assert logweir.flush(30)
    config["sinks"]["store"]["queue"]["partitions"] = 1
    (tmp_path / "routing.yaml").write_text(json.dumps(config))
    command = [sys.executable, "-m", "logweir", "worker", "-c", str(tmp_path / "routing.yaml")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2
    assert "sinks.store.queue: partitions was 4 and is 1, and" in done.stderr
