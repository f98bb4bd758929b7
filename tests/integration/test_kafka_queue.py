"""A sink whose events go over Apache Kafka, as an application sees it."""

import asyncio
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

import logweir
import logweir.auditing.record
from logweir.cli.app import app
from logweir.errors import AuditError
from servers import Server
from support.behind_a_broker import audited_and_delivered, before_nothing, before_sqlite, beside_an_outbox
from support.kafka import brokers, create_topic, records, run
from support.waiting import eventually

OwnServers = Callable[..., Any]


def over(server: str, /, **queue: Any) -> dict[str, Any]:
    return {"type": "kafka", "brokers": brokers(server), "partitions": 2, "replication": 1, **queue}


def routing(folder: Path, server: str, /, **queue: Any) -> dict[str, Any]:
    return before_nothing(over(server, **queue), folder)


def in_kafka(config: dict[str, Any], url: str) -> list[Any]:
    return run(records(url, topic_of(config)))  # type: ignore[no-any-return]


def topic_of(config: dict[str, Any]) -> str:
    return f"logweir.{config['service']}.dev.store"


def test_an_event_is_in_kafka_redacted_when_a_flush_returns(tmp_path: Path, kafka: Server) -> None:
    config = routing(tmp_path, kafka.url)
    with logweir.running(config):
        logweir.configure_structlog()
        logweir.get_logger().info("login", user="ann", password="hush-hush-hush", kind="audit")
        assert logweir.flush(30)
    [record] = in_kafka(config, kafka.url)
    event = json.loads(record.value)
    assert event["event"] == "login"
    assert event["fields"] == {"user": "ann", "password": "***"}
    assert record.key.decode() == event.get("trace_id") or event["id"]
    assert dict(record.headers) == {"v": b"1"}


async def test_durable_is_acknowledged_on_disk_or_by_the_broker(
    tmp_path: Path, own_server: OwnServers
) -> None:
    server = await asyncio.to_thread(own_server, "kafka")
    for local in ("disk", "none"):
        config = routing(tmp_path / local, server.url, local=local)
        config["audit"] = {"timeout": "2s"}
        async with logweir.running(config):
            ack = await logweir.audit("fund.transfer", user_id=7)
            assert ack.level == "durable"
            if local == "none":
                found = await asyncio.to_thread(in_kafka, config, server.url)
                assert [json.loads(record.value)["id"] for record in found] == [ack.event_id]
            await asyncio.to_thread(server.pause)
            if local == "disk":
                await logweir.audit("fund.transfer", user_id=8)
            else:
                with pytest.raises(AuditError, match="was not durable within 2 s by store"):
                    await logweir.audit("fund.transfer", user_id=8)
            await asyncio.to_thread(server.resume)
            assert await logweir.aflush(30)
        assert len(await asyncio.to_thread(in_kafka, config, server.url)) >= 2


def test_an_intent_is_in_kafka_before_the_call_where_there_is_no_disk(tmp_path: Path, kafka: Server) -> None:
    config = routing(tmp_path, kafka.url, local="none")

    def statuses() -> list[str]:
        return [json.loads(record.value)["fields"]["status"] for record in in_kafka(config, kafka.url)]

    @logweir.audit_log("fund.transfer", intent=True)
    def transfer() -> list[str]:
        return statuses()

    with logweir.running(config):
        assert transfer() == ["started"]
        assert logweir.flush(30)
    assert sorted(statuses()) == ["started", "success"]


async def test_what_the_outbox_relays_is_in_kafka_once(tmp_path: Path, kafka: Server) -> None:
    config = beside_an_outbox(routing(tmp_path, kafka.url), tmp_path)
    async with logweir.running(config):
        event = await logweir.LogService(sink="bank").create_audit_log(user_id=7, action="fund.transfer")
        async with asyncio.timeout(30):
            while not (found := await asyncio.to_thread(in_kafka, config, kafka.url)):
                await asyncio.sleep(0.05)
    assert [json.loads(record.value)["id"] for record in found] == [event.id]


def test_check_says_what_a_confirmation_means_and_does_not_ask_the_sink(
    tmp_path: Path, kafka: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "900")
    config = routing(tmp_path, kafka.url)
    path = tmp_path / "routing.yaml"
    path.write_text(json.dumps(config))
    run(create_topic(kafka.url, topic_of(config), 2, retention_ms="3600000", cleanup_policy="compact,delete"))
    result = CliRunner().invoke(app, ["check", "-c", str(path)])
    assert result.exit_code == 0, result.output
    assert "a confirmed event is on one broker alone" in result.output
    assert "retention.ms keeps events for 60 minutes" in result.output
    assert "cleanup.policy is compact" in result.output
    assert "hush" not in result.output


def test_wrong_keys_end_with_one_message_and_exit_code_2(tmp_path: Path) -> None:
    path = tmp_path / "routing.yaml"
    queue = {"brokers": ["app:hush-hush-hush@kafka:9092"]}
    path.write_text(json.dumps(routing(tmp_path, "kafka://127.0.0.1:9", **queue)))
    result = CliRunner().invoke(app, ["check", "-c", str(path)])
    assert result.exit_code == 2
    assert "sinks.store.queue.brokers[0]: a broker of Kafka is host:port" in result.stderr
    assert len(result.stderr.splitlines()) == 1
    assert "hush" not in result.output


# -- logweir worker ------------------------------------------------------------------------------------


def over_sqlite(folder: Path, server: str, **queue: Any) -> dict[str, Any]:
    return before_sqlite(over(server, claim_after=2.0, **queue), folder)


def status(folder: Path) -> dict[str, Any]:
    """What ``logweir broker status`` says."""
    result = CliRunner().invoke(app, ["broker", "status", "--json", "-c", str(folder / "routing.yaml")])
    return json.loads(result.stdout)  # type: ignore[no-any-return]


def test_logweir_worker_delivers_what_the_application_forwards(tmp_path: Path, kafka: Server) -> None:
    with audited_and_delivered(over_sqlite(tmp_path, kafka.url), tmp_path):
        eventually(lambda: status(tmp_path)["lag"] == status(tmp_path)["pending"] == 0)
        assert [len(status(tmp_path)["consumers"]), status(tmp_path)["missing"]] == [2, 0]


def end_of_a_worker(folder: Path) -> str:
    """What a worker says that ends with exit code 2."""
    command = [sys.executable, "-m", "logweir", "worker", "-c", str(folder / "routing.yaml")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2, done.stderr
    return done.stderr


def test_a_topic_of_another_routing_yaml_ends_a_worker_with_exit_code_2(
    tmp_path: Path, kafka: Server
) -> None:
    config = over_sqlite(tmp_path, kafka.url)
    with logweir.running(config):
        logweir.audit_sync("action", user_id=7)
        assert logweir.flush(30)
    config["sinks"]["store"]["queue"]["topic"] = topic_of(config)
    (tmp_path / "routing.yaml").write_text(json.dumps(config | {"service": "another"}))
    assert "belong to another routing.yaml (sink store of type sqlite, service shop-" in end_of_a_worker(
        tmp_path
    )


def test_a_topic_that_cannot_be_created_ends_a_worker_with_exit_code_2(tmp_path: Path, kafka: Server) -> None:
    over_sqlite(tmp_path, kafka.url, replication=3)
    assert "with replication: 3" in end_of_a_worker(tmp_path)
