"""``logweir check``: warnings, and every sink asked whatever the others do."""

import asyncio
import sys
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from logweir.cli.app import app
from logweir.errors import SinkUnavailable
from logweir.event import Event
from logweir.sinks.contract import Sink, SinkConfig, SyncSink
from logweir.sinks.results import Health, HealthStatus, WriteResult


class _Silent(Sink[SinkConfig]):
    async def write(self, batch: Sequence[Event]) -> WriteResult:
        return WriteResult.all_stored()


class Hanging(_Silent):
    async def open(self) -> None:
        await asyncio.Event().wait()


class Down(_Silent):
    async def open(self) -> None:
        raise SinkUnavailable("nobody listens at [db]:3306")


class Raising(_Silent):
    async def check(self) -> Health:
        raise RuntimeError("the password is hunter2")


class Degraded(SyncSink[SinkConfig]):
    closed = False

    def write(self, batch: Sequence[Event]) -> WriteResult:
        return WriteResult.all_stored()

    def check(self) -> Health:
        return Health(HealthStatus.DEGRADED, "slow [/today]", "Thing 1.2")

    def close(self) -> None:
        type(self).closed = True


@pytest.fixture(autouse=True)
def _sinks(monkeypatch: pytest.MonkeyPatch) -> None:
    module = ModuleType("sinks_to_check")
    for sink_class in (Hanging, Down, Raising, Degraded):
        setattr(module, sink_class.__name__, sink_class)
    monkeypatch.setitem(sys.modules, "sinks_to_check", module)


def check(*sinks: str, arguments: Sequence[str] = ()) -> Result:
    lines = [f"  s{n}: {{type: 'sinks_to_check:{sink}'}}" for n, sink in enumerate(sinks)]
    text = "\n".join(["sinks:", "  good: {type: memory}", *lines, "routes:", "  - {name: all, to: [good]}"])
    Path("routing.yaml").write_text(text)
    return CliRunner().invoke(app, ["check", *arguments], env={"COLUMNS": "160"})


def row(result: Result, sink: str) -> str:
    return next(line for line in result.stdout.splitlines() if f" {sink} " in line)


def test_each_sink_is_reported_whatever_the_others_do() -> None:
    result = check("Down", "Raising", "Degraded", "Hanging", arguments=["--timeout", "0.2"])
    assert result.exit_code == 1
    assert "ok" in row(result, "good")
    assert "nobody listens at [db]:3306" in row(result, "s0")
    assert "raised RuntimeError" in row(result, "s1")
    assert "hunter2" not in result.output
    assert "degraded" in row(result, "s2")
    assert "Thing 1.2" in row(result, "s2")
    assert "slow [/today]" in row(result, "s2")
    assert "no answer within 0.2 s" in row(result, "s3")


def test_a_degraded_sink_is_no_failure_and_is_closed() -> None:
    Degraded.closed = False
    assert check("Degraded").exit_code == 0
    assert Degraded.closed


def test_without_probing_only_the_file_is_read() -> None:
    result = check("Hanging", arguments=["--no-probe"])
    assert result.exit_code == 0
    assert "routing.yaml is valid: 2 sinks, 1 route\n" in result.stdout
    assert "warning: no route sends to the sink 's0'" in result.stdout


def test_a_file_without_an_audit_route_is_warned_about() -> None:
    Path("routing.yaml").write_text(
        "sinks: {a: {type: memory}}\nroutes: [{name: rest, match: {kind: tracing}, to: a}]\n"
    )
    result = CliRunner().invoke(app, ["check"])
    assert result.exit_code == 0
    assert "warning: no route takes audit events; add one with match: {kind: audit}" in result.stdout


def test_the_shipped_file_passes() -> None:
    shipped = Path(__file__).parents[3] / "routing.yaml"
    result: Any = CliRunner().invoke(app, ["check", "-c", str(shipped)])
    assert result.exit_code == 0, result.output
    assert "warning" not in result.output
