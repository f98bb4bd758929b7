"""``logweir demo``: a real order service under real requests, and what landed where.

The service runs in a process of its own, with the shipped routing.yaml; it is driven over HTTP, stopped
by SIGTERM so that it drains, and its stores are then read back.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer
from rich.progress import Progress
from rich.table import Table
from rich.text import Text

from logweir.cli.events import as_line
from logweir.cli.screen import Screen
from logweir.cli.tables import table_of
from logweir.config.loading import load_config
from logweir.context.trace import new_trace_id
from logweir.errors import LogweirError, MissingDependency
from logweir.event import Kind
from logweir.process.own_modules import command_of
from logweir.sinks.contract import Query
from logweir.stores.reading import Found, search_all

__all__ = ["demo"]

_CONCURRENCY = 32
_STOP_SECONDS = 30.0
_PATIENCE = 60.0
_IDLE_SECONDS = 2.0
_OUR_FILE = "service.err"
_SECRETS = ("4111111111111111", "hunter2-of-the-demo")

console = Screen()


@dataclass(slots=True)
class _Outcome:
    """What the drive saw from outside."""

    seconds: float = 0.0
    statuses: Counter[int] = field(default_factory=Counter)
    kinds: Counter[str] = field(default_factory=Counter)
    a_refund: str = ""


def demo(
    requests: Annotated[int, typer.Option(help="How many HTTP requests to send.", min=10)] = 3000,
    config: Annotated[Path, typer.Option("-c", "--config", help="The routing file.")] = Path("routing.yaml"),
    directory: Annotated[Path, typer.Option(help="Where the demo keeps its stores; made anew.")] = Path(
        ".logweir/demo"
    ),
) -> None:
    """Drive a real order service and show what landed where."""
    if None in map(find_spec, ("fastapi", "httpx", "uvicorn")):
        raise MissingDependency("logweir demo", "demo")
    load_config(config)
    config = config.resolve()
    _make_anew(directory)
    config = Path(shutil.copy(config, directory / "routing.yaml")).resolve()  # its paths begin beside it
    with contextlib.chdir(directory):
        with _unwound_by_sigterm(), _service(config) as address:
            console.print(f"The order service listens on {address}; its stores are in {directory}.")
            outcome = asyncio.run(_drive(address, requests))
        found = asyncio.run(search_all(load_config(config), Query(limit=None)))
    _report(outcome, found, directory / "routing.yaml")
    _prove(outcome, found)


def _make_anew(directory: Path) -> None:
    """Make the folder of the stores, in place of that of the last demo; any other is left alone."""
    ours = not directory.exists() or (directory / _OUR_FILE).exists()
    if not ours and (not directory.is_dir() or any(directory.iterdir())):
        raise typer.BadParameter(
            f"{directory} is not a folder of the demo, which would empty it; name a new one"
        )
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(parents=True, exist_ok=True)


@contextlib.contextmanager
def _unwound_by_sigterm() -> Iterator[None]:
    """Let SIGTERM unwind the block, which ends the service, instead of ending this process alone."""

    def unwind(signum: int, _frame: object) -> None:
        sys.exit(128 + signum)

    before = signal.signal(signal.SIGTERM, unwind)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


@contextlib.contextmanager
def _service(config: Path) -> Iterator[str]:
    """Run the order service until the block ends; yields its address."""
    environment = {**os.environ, "LOGWEIR_CONFIG": str(config)}
    command = command_of("logweir.examples.order_service", "0")
    with Path(_OUR_FILE).open("wb") as errors:
        process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=errors)  # noqa: S603 - ours
    try:
        assert process.stdout is not None  # noqa: S101 - it was asked for
        address = process.stdout.readline().decode().strip()
        if not address:
            raise LogweirError(f"the order service did not start: {_last_line(Path(_OUR_FILE))}")
        yield address
    finally:
        process.send_signal(signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(_STOP_SECONDS)
        process.kill()
        process.wait()
        if process.stdout is not None:
            process.stdout.close()


def _last_line(path: Path) -> str:
    lines = path.read_text(errors="replace").strip().splitlines()
    return lines[-1] if lines else "it said nothing"


async def _drive(address: str, requests: int) -> _Outcome:
    """Send the requests, many at once, and count the answers.

    Raises:
        LogweirError: The service does not answer.
    """
    import httpx  # noqa: PLC0415 - only the demo needs a client

    # Below the service's five seconds: whoever reuses a connection that is being closed gets no answer.
    limits = httpx.Limits(keepalive_expiry=_IDLE_SECONDS)
    try:
        async with httpx.AsyncClient(base_url=address, timeout=_PATIENCE, limits=limits) as client:
            await _until_it_answers(client)
            return await _send(client, requests)
    except httpx.TransportError as error:
        raise LogweirError(
            f"the order service does not answer ({type(error).__name__}); what it said is in {_OUR_FILE} "
            "beside its stores"
        ) from None


async def _send(client: Any, requests: int) -> _Outcome:
    outcome = _Outcome()
    jobs = iter(_jobs(requests))
    with Progress(console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task("requests", total=requests)
        started = time.perf_counter()

        async def work() -> None:
            for kind, method, path, body in jobs:
                trace_id = new_trace_id()
                response = await client.request(
                    method, path, json=body, headers={"traceparent": f"00-{trace_id}-00f067aa0ba902b7-01"}
                )
                outcome.statuses[response.status_code] += 1
                outcome.kinds[kind] += 1
                if kind == "refund" and response.is_success:
                    outcome.a_refund = trace_id
                progress.advance(task)

        await asyncio.gather(*(work() for _ in range(_CONCURRENCY)))
        outcome.seconds = time.perf_counter() - started
    return outcome


async def _until_it_answers(client: Any) -> None:
    """Wait until the service has started; its socket listens before it accepts."""
    await client.get("/orders/0")


def _jobs(requests: int) -> Iterator[tuple[str, str, str, dict[str, Any] | None]]:
    """A day in a shop: orders above all, some refunds and permission changes, some failures."""
    chance = random.Random(7)  # the same demo every time
    for number in range(requests):
        user_id = chance.randint(1, 200)
        order_id = chance.randint(1, max(1, number // 2))
        choice = chance.random()
        if choice < 0.5:  # noqa: PLR2004 - shares of the mix
            amount = "1500.00" if chance.random() < 0.1 else f"{chance.randint(1, 900)}.50"  # noqa: PLR2004 - idem
            yield (
                "order",
                "POST",
                "/orders",
                {"user_id": user_id, "amount": amount, "card_number": _SECRETS[0]},
            )
        elif choice < 0.8:  # noqa: PLR2004 - idem
            yield "read", "GET", f"/orders/{order_id}", None
        elif choice < 0.9:  # noqa: PLR2004 - idem
            yield "refund", "POST", f"/orders/{order_id}/refund", {"user_id": user_id}
        else:
            role = chance.choice(["admin", "support", "guest"])
            body = {"admin_id": 1, "role": role, "password": _SECRETS[1]}
            yield "permission", "POST", f"/users/{user_id}/role", body


def _report(outcome: _Outcome, found: list[Found], config: Path) -> None:
    total = sum(outcome.kinds.values())
    console.print(
        f"\n{total:,} requests in {outcome.seconds:.1f} s: {total / outcome.seconds:,.0f} requests/s, "
        f"{len(found) / outcome.seconds:,.0f} events/s; answers "
        + ", ".join(f"{status}: {count:,}" for status, count in sorted(outcome.statuses.items()))
    )
    console.print(_where_it_landed(found, console))
    console.print("\nOne refund, across the sinks; this shows it in full:")
    program = "logweir" if shutil.which("logweir") else sys.argv[0]
    typer.echo(f"$ {shlex.join([program, 'trace', outcome.a_refund, '-c', str(config)])}")
    for item in found:
        if item.event.trace_id == outcome.a_refund:
            console.print(_shortened(item), soft_wrap=True, highlight=False)


def _where_it_landed(found: list[Found], console: Screen) -> Table:
    counts = Counter((item.sink, item.event.kind, item.event.name) for item in found)
    table = table_of(console, ["sink", "kind", "event"], ["events"], title="What landed where")
    for (sink, kind, name), count in sorted(counts.items()):
        table.add_row(sink, kind.value, name, f"{count:,}")
    return table


def _shortened(item: Found) -> Text:
    """A line without what all lines of the trace have."""
    shared = {"request_id", "http_method", "http_path"}
    fields = {name: value for name, value in item.event.fields.items() if name not in shared}
    return as_line(msgspec.structs.replace(item.event, fields=fields, trace_id=None), [item.sink])


def _prove(outcome: _Outcome, found: list[Found]) -> None:
    """Check what the demo claims: each call that must be audited was, once, and no secret was stored.

    Raises:
        LogweirError: It was not.
    """
    audited = Counter(item.event.name for item in found if item.event.kind is Kind.AUDIT)
    expected = {
        "fund.charge": outcome.kinds["order"],
        "fund.refund": outcome.kinds["refund"],
        "permission.change": outcome.kinds["permission"],
    }
    if {name: audited[name] for name in expected} != expected:
        raise LogweirError(f"audit is incomplete: expected {expected}, found {dict(audited)}")
    if any(secret in str(item.event.fields) for item in found for secret in _SECRETS):
        raise LogweirError("a secret was stored")
    console.print(
        f"Checked: {sum(expected.values()):,} audited calls, each stored exactly once; "
        "no card number or password stored."
    )
