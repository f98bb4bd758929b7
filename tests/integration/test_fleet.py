"""The routing.yaml of examples/fleet on real servers: an application, its host's worker, two workers behind Redis."""

import asyncio
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from urllib.request import urlopen
from uuid import uuid4

import pytest

from logweir.encoding.events import decode_event
from servers import Server, machine
from support import raw_stores, sql, victorialogs
from support.elsewhere import TESTS
from support.order_service import ROOT, Driven, expected, order_service
from support.programs import ended_with_the_test
from support.raw_stores import Stored
from support.waiting import eventually, whole_lines

ROUTING = ROOT / "examples" / "fleet" / "routing.yaml"
#: Not the address that is the default.
ELSEWHERE = "127.0.0.2"


@contextmanager
def worker(folder: Path, environment: Mapping[str, str], *sinks: str) -> Iterator[tuple[int, Path]]:
    """A worker process that drains at the end of the block; gives the port of its metrics, and what it says."""
    port, said = machine.free_port(), folder / f"{'-'.join(sinks)}-{uuid4().hex[:4]}.txt"
    options = [word for name in sinks for word in ("--sink", name)]
    command = [sys.executable, "-m", "logweir", "worker", "-c", str(ROUTING), *options]
    with said.open("w") as errors:
        process = ended_with_the_test(
            subprocess.Popen(
                [*command, "--metrics-port", str(port), "--metrics-host", ELSEWHERE],
                cwd=folder, env={**environment, "PYTHONPATH": str(TESTS), "COLUMNS": "200"}, stderr=errors, text=True,
            )
        )  # fmt: skip
    eventually(lambda: "delivers to" in said.read_text(), 90, found=said.read_text)
    yield port, said
    process.terminate()
    assert process.wait(60) == 0, said.read_text()


def asked(port: int, path: str) -> str:
    with urlopen(f"http://{ELSEWHERE}:{port}{path}", timeout=30) as answer:
        assert answer.status == 200
        text: str = answer.read().decode()
        return text


@pytest.mark.timeout(240)
def test_what_an_application_logs_is_in_every_store_of_the_fleet_once(
    tmp_path: Path,
    mysql: Server,
    redis: Server,
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    logs: Server = request.getfixturevalue("victorialogs")
    name = f"fleet_{uuid4().hex[:12]}"
    shared = {
        "APP_ENV": name,  # a part of the names of the streams
        "MYSQL_URL": mysql.url,
        "REDIS_URL": redis.url,
        "LOKI_URL": victorialogs.push_url(logs.url),
        "AUDIT_TABLE": name,
        "LOKI_JOB": name,
        "AUDIT_COPY": str(tmp_path / "copy.jsonl"),
        "METRICS_PORT": str(machine.free_port()),
    }
    for key, value in shared.items():
        monkeypatch.setenv(key, value)
    at = {place: environment_of(tmp_path / place) for place in ("host", "one", "other")}
    try:
        with (
            worker(tmp_path, at["one"], "audit_db", "logs") as (one, _),
            worker(tmp_path, at["other"], "audit_db", "logs") as (other, _),
            worker(tmp_path, at["host"], "audit_copy") as (beside, _),
            order_service(tmp_path, ROUTING, at["host"]) as service,
        ):
            driven = service.drive(150)
            wanted = {kind: truth(driven, kind).total() for kind in ("audit", "tracing")}
            wanted["tracing"] += driven.repeated_refunds
            eventually(lambda: len(audit_of(mysql, name)) >= wanted["audit"], 60, pause=0.2)
            eventually(lambda: len(tracing_of(logs, name)) >= wanted["tracing"], 60, pause=0.5)
            eventually(lambda: len(copy_of(tmp_path)) >= wanted["audit"], 60, pause=0.1)
            for port in (one, other, beside):
                assert [asked(port, path) for path in ("/live", "/ready")] == ["ok\n", "ok\n"]
            service.stop()
        assert_once(audit_of(mysql, name), driven, "audit")
        assert_once(tracing_of(logs, name), driven, "tracing")
        assert sorted(copy_of(tmp_path)) == sorted(item.id for item in audit_of(mysql, name))
    finally:
        asyncio.run(sql.run(mysql.url, f"DROP TABLE IF EXISTS {name}"))


def environment_of(place: Path) -> dict[str, str]:
    """The environment of the processes of one host."""
    return {**os.environ, "DATA_DIR": str(place)}


def audit_of(mysql: Server, table: str) -> list[Stored]:
    return asyncio.run(raw_stores.in_mysql(mysql.url, table))


def tracing_of(server: Server, job: str) -> list[Stored]:
    return raw_stores.in_victorialogs(server.url, job)


def copy_of(folder: Path) -> list[str]:
    path = folder / "copy.jsonl"
    return [decode_event(line).id for line in whole_lines(path)]


def truth(driven: Driven, kind: str) -> Counter[tuple[str, str]]:
    """What must be there: how often each name under each trace. Repeated refunds warn besides."""
    return Counter(
        {
            (answer.trace_id, name): count
            for answer in driven.answers
            for name, count in expected(answer)[kind].items()
        }
    )


def assert_once(stored: list[Stored], driven: Driven, kind: str) -> None:
    assert len({item.id for item in stored}) == len(stored)
    found = Counter((item.trace_id, item.name) for item in stored if item.name != "refund.repeated")
    assert found == truth(driven, kind)
    repeated = sum(item.name == "refund.repeated" for item in stored)
    assert repeated == (driven.repeated_refunds if kind == "tracing" else 0)
