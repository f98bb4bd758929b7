"""Ways to a Redis: TLS, a socket, a user with a password, and what is refused with one message."""

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError
from redis import Redis
from typer.testing import CliRunner

from logweir.cli.app import app
from logweir.delivery.brokers.contract import Message, Place
from logweir.delivery.brokers.redis import RedisBroker
from logweir.errors import SinkRejected, SinkUnavailable
from logweir.settings.delivery import QueueConfig
from servers import machine
from support.tls import make_certificate

OwnServers = Callable[..., Any]


def broker_at(url: str, **settings: Any) -> RedisBroker:
    queue = QueueConfig(**{"type": "redis", "url": url, "partitions": 4, "stream": "ways", **settings})
    return RedisBroker(queue, Place("store", owner="test", consumer="a"))


async def carries(broker: RedisBroker, number: int = 20) -> None:
    """Everything that a broker does, done once."""
    await broker.open()
    try:
        assert not await broker.publish([Message(f"{item}", f"{item}".encode()) for item in range(number)])
        found: list[bytes] = []
        async with asyncio.timeout(30):
            while len(found) < number:
                entries = await broker.lease(number, 1.0)
                await broker.hold(entries)
                await broker.release(entries[:1])
                await broker.settle(entries)
                found += [entry.body for entry in entries]
        assert sorted(found) == sorted(f"{item}".encode() for item in range(number))
        assert await broker.claim(5) == []
        assert sum(state.lag + state.pending + state.missing for state in await broker.states()) == 0
    finally:
        await broker.close()


@pytest.fixture
def over_tls(tmp_path: Path, own_server: OwnServers) -> tuple[int, Path, Path]:
    """The port of a Redis that speaks TLS and asks who calls; the certificate of both, and its key."""
    certificate, key = make_certificate(tmp_path)
    port = machine.free_port()
    own_server(
        "redis",
        args=["--tls-port", str(port), "--tls-cert-file", str(certificate), "--tls-key-file", str(key),
              "--tls-ca-cert-file", str(certificate)],
    )  # fmt: skip
    return port, certificate, key


async def test_over_tls_both_sides_show_who_they_are(over_tls: tuple[int, Path, Path]) -> None:
    port, certificate, key = over_tls
    ours = f"ssl_ca_certs={certificate}&ssl_certfile={certificate}&ssl_keyfile={key}"
    await carries(broker_at(f"rediss://127.0.0.1:{port}/0?{ours}"))
    health = await broker_at(f"rediss://127.0.0.1:{port}/0?{ours}").health()
    assert health.durability == "a confirmed event is on Redis's disk."


async def test_a_certificate_that_nobody_vouches_for_is_not_spoken_to(
    over_tls: tuple[int, Path, Path],
) -> None:
    port, _, _ = over_tls
    with pytest.raises(SinkUnavailable, match="CERTIFICATE_VERIFY_FAILED|certificate verify failed"):
        await broker_at(f"rediss://127.0.0.1:{port}/0").open()


async def test_a_file_that_is_not_there_is_named(over_tls: tuple[int, Path, Path]) -> None:
    port, _, _ = over_tls
    with pytest.raises(SinkUnavailable, match="the url names ssl_ca_certs /no/such/ca.pem"):
        await broker_at(f"rediss://127.0.0.1:{port}/0?ssl_ca_certs=/no/such/ca.pem").open()


async def test_a_client_without_a_certificate_is_turned_away(over_tls: tuple[int, Path, Path]) -> None:
    port, certificate, _ = over_tls
    broker = broker_at(f"rediss://127.0.0.1:{port}/0?ssl_ca_certs={certificate}")
    with pytest.raises(SinkUnavailable):
        await broker.open()
    assert (await broker.health()).status == "down"
    await broker.close()


async def test_over_a_socket(own_server: OwnServers) -> None:
    server = own_server("redis", auth=True)
    await carries(broker_at(f"unix://:p@{server.data / 'redis.sock'}"))


async def test_a_user_with_a_password_that_has_every_sign(own_server: OwnServers) -> None:
    server = own_server("redis")
    admin = Redis.from_url(server.url)
    await asyncio.to_thread(
        lambda: admin.acl_setuser(
            "fleet", enabled=True, passwords=["+a/b?c#d@e:f%g h"], keys=["{ways*"], commands=["+@all"]
        )
    )
    admin.close()
    where = f"127.0.0.1:{server.port}/0"
    await carries(broker_at(f"redis://fleet:a%2Fb%3Fc%23d%40e%3Af%25g%20h@{where}"))
    with pytest.raises(SinkRejected) as refusal:
        await broker_at(f"redis://fleet:hush-hush-hush@{where}").open()
    assert "hush" not in str(refusal.value)


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("redis://h:6379/0?ssl_ca_certs=/ca.pem", "ssl_ca_certs is for rediss://"),
        ("rediss://h:6379/0?ssl_ca_cert=/ca.pem", "ssl_ca_cert is no option of a url of Redis; it may have"),
        ("rediss://h:6379/0?ssl_cert_reqs=maybe", "ssl_cert_reqs is none, optional or required"),
        ("rediss://h:6379/0?ssl_check_hostname=perhaps", "ssl_check_hostname is true or false"),
        ("redis://h:6379/0?max_connections=hush-hush-hush", "max_connections is no option"),
        ("unix:///redis.sock?db=last", "db is the number of a database"),
    ],
)
def test_an_option_that_the_client_cannot_use_is_refused(url: str, message: str) -> None:
    with pytest.raises(ValidationError) as refusal:
        QueueConfig(type="redis", url=url)
    assert message in str(refusal.value)
    assert "hush" not in str(refusal.value.errors(include_input=False))


def test_such_an_option_ends_a_command_with_one_message_and_exit_code_2(tmp_path: Path) -> None:
    path = tmp_path / "routing.yaml"
    queue = {"type": "redis", "url": "rediss://:hush-hush-hush@h:6379/0?ssl_verify=no"}
    path.write_text(
        json.dumps(
            {
                "data_dir": str(tmp_path / "data"),
                "sinks": {"store": {"type": "null", "queue": queue}},
                "routes": [{"name": "all", "to": ["store"]}],
            }
        )
    )
    done = CliRunner().invoke(app, ["worker", "-c", str(path)])
    assert done.exit_code == 2
    assert "ssl_verify is no option of a url of Redis" in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert "hush" not in done.output


async def test_b2_after_a_failover_no_connection_to_the_redis_that_is_a_replica_now_is_kept(
    own_server: OwnServers, proxy: Any
) -> None:
    old, new = own_server("redis"), own_server("redis")
    address = proxy(old)
    broker = broker_at(address.url)
    await broker.open()
    try:
        assert not await broker.publish([Message("a", b"before")])
        with Redis.from_url(old.url) as client:
            await asyncio.to_thread(client.replicaof, new.host, new.port)
        address.lead_to(new.url)
        refused = await broker.publish([Message("a", b"refused")])
        assert "READONLY" in refused[0] or "read only" in refused[0]
        assert not await broker.publish([Message("a", b"after")])
    finally:
        await broker.close()
