"""``logweir broker status`` on a real Redis."""

import asyncio
import json
import time
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from logweir.cli.app import app
from logweir.config.loading import load_config
from logweir.config.sinks import context_of
from logweir.delivery.brokers.contract import Message
from logweir.delivery.brokers.making import make_broker, place_of
from servers import Server
from support.waiting import eventually


class Site:
    """A routing.yaml with one sink behind Redis, and one of the application's own."""

    def __init__(self, url: str) -> None:
        self.config: dict[str, Any] = {
            "service": f"shop-{time.time_ns()}",
            "data_dir": "data",
            "sinks": {
                "store": {
                    "type": "null",
                    "queue": {"type": "redis", "url": url, "partitions": 2, "claim_after": "1s"},
                    "retry": {"timeout": "5s"},
                },
                "own": {"type": "null"},
            },
            "routes": [{"name": "all", "to": ["store"]}],
        }

    def status(self, *arguments: str) -> Result:
        Path("routing.yaml").write_text(json.dumps(self.config))
        return CliRunner().invoke(app, ["broker", "status", *arguments], env={"COLUMNS": "200"})

    def as_json(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.status("--json").stdout)
        return found

    def use(self, consumes: bool, work: Any) -> None:
        """Do something with a broker of this site."""

        async def used() -> None:
            config = load_config(self.config)
            broker = make_broker(
                config.sinks["store"].queue, place_of("null", context_of("store", config), consumes=consumes)
            )
            await broker.open()
            await work(broker)
            await broker.close()

        asyncio.run(used())


@pytest.fixture
def site(redis: Server) -> Site:
    return Site(redis.url)


def test_the_status_says_what_waits_who_consumes_and_what_a_confirmation_is_worth(site: Site) -> None:
    async def publish(broker: Any) -> None:
        await broker.publish([Message(str(number), b"{}") for number in range(30)])
        await broker.keep_letters([b"a letter"])

    async def consume(broker: Any) -> None:
        await broker.lease(10, 1.0)
        found = await asyncio.to_thread(site.as_json)
        assert found["problems"] == []
        assert found["lag"] + found["pending"] == 30
        assert found["pending"] >= 10
        assert 0 <= found["oldest_seconds"] < 30
        assert [each["partition"] for each in found["partitions"]] == [0, 1]
        assert found["dead_letters"]["count"] == 1
        assert found["durability"] == "a confirmed event is on Redis's disk."
        [consumer] = found["consumers"]
        assert consumer["pending"] >= 10
        assert consumer["alive"]
        shown = await asyncio.to_thread(site.status)
        assert shown.exit_code == 0, shown.output
        for word in (
            "store",
            "Redis 7",
            "on Redis's disk",
            consumer["name"],
            "dead letters: 1",
            "silent for",
        ):
            assert word in shown.output

    site.use(False, publish)
    site.use(True, consume)


def test_it_fails_where_nobody_consumes_or_too_much_waits(site: Site) -> None:
    async def publish(broker: Any) -> None:
        await broker.publish([Message(str(number), b"{}") for number in range(30)])

    async def die(broker: Any) -> None:
        await broker.lease(2, 1.0)
        running = await asyncio.to_thread(site.status, "--max-lag", "30")
        assert running.exit_code == 0, running.output
        late = await asyncio.to_thread(site.status, "--max-lag", "5")
        assert late.exit_code == 1
        assert "events wait for a worker, more than 5" in late.output

    site.use(False, publish)
    alone = site.status()
    assert alone.exit_code == 1
    assert "nobody consumes: start `logweir worker --sink store`" in alone.output
    site.use(True, die)
    # It holds two, so that it is not forgotten; it is silent for longer than claim_after.
    eventually(lambda: site.status().exit_code == 1)
    assert site.as_json()["problems"]


def test_a_broker_that_does_not_answer_is_said_to_be_down(site: Site) -> None:
    site.config["sinks"]["store"]["queue"]["url"] = "redis://:hush-hush-hush@127.0.0.1:9/0"
    down = site.status()
    assert down.exit_code == 1
    assert "the broker does not serve: Redis" in down.output
    assert "hush" not in down.output
    assert site.as_json()["status"] == "down"


def test_bad_input_ends_with_exit_code_2(site: Site) -> None:
    assert "did you mean 'store'" in (wrong := site.status("--sink", "stor")).output
    assert wrong.exit_code == 2
    assert "sink 'own' is not behind a broker" in (own := site.status("--sink", "own")).output
    assert own.exit_code == 2
    site.status()
    site.config["sinks"]["store"]["type"] = "memory"
    others = site.status()
    assert others.exit_code == 2
    assert "belongs to another routing.yaml" in others.output
    del site.config["sinks"]["store"]["queue"]
    none = site.status()
    assert none.exit_code == 2
    assert "no sink is behind a broker" in none.output
