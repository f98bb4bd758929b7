"""``logweir check``: is routing.yaml valid, and does every sink answer?"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Mapping
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from logweir.cli.dead_letter_tables import kept
from logweir.cli.metrics_client import look, url_of
from logweir.cli.options import ROUTING_FILE, ConfigOption, checked_seconds
from logweir.cli.printable import printable
from logweir.cli.screen import Screen
from logweir.cli.tables import health_word, table_of
from logweir.config.checks import find_doubts
from logweir.config.loading import load_config
from logweir.config.models import RoutingConfig
from logweir.config.queue_plan import delivered_from_spools
from logweir.config.sinks import context_of
from logweir.delivery.brokers.making import make_broker, place_of
from logweir.delivery.dead_letters import DeadLetters
from logweir.delivery.elsewhere.presence import UNATTENDED_AFTER, command_for, unattended_for
from logweir.delivery.fallback.circuit import CircuitState
from logweir.delivery.fallback.ledger import waiting_in
from logweir.delivery.forwarder import Forwarder
from logweir.encoding.counted import counted
from logweir.errors import LogweirError, SinkError
from logweir.runtime.pipeline import queues_of
from logweir.sinks import registry
from logweir.sinks.contract import Sink, SinkConfig
from logweir.sinks.results import Health, HealthStatus
from logweir.sinks.threaded import as_async

__all__ = ["check", "table_of_health"]

#: How long a sink that was probed may take to let go of its connections.
_CLOSING = 2.0


def check(
    config: ConfigOption = ROUTING_FILE,
    probe: Annotated[bool, typer.Option(help="Open every sink and ask whether it can serve.")] = True,
    timeout: Annotated[
        float | None,
        typer.Option(
            help="Seconds for each sink to answer; its retry.timeout by default.",
            min=0.01,
            callback=checked_seconds,
        ),
    ] = None,
) -> None:
    """Validate routing.yaml and probe every sink."""
    settings = load_config(config)
    console = Screen(highlight=False)
    count = f"{counted(len(settings.sinks), 'sink')}, {counted(len(settings.routes), 'route')}"
    console.print(Text(f"{config} is valid: {count}"), soft_wrap=True)
    for doubt in find_doubts(settings):
        console.print(Text("warning: ", style="yellow").append(doubt), soft_wrap=True)
    failed = not _show_dead_letters(settings, console)
    for warning in [*_of_running(settings), *_in_fallbacks(settings), *_unattended(settings)]:
        console.print(Text("warning: ", style="yellow").append(warning), soft_wrap=True)
    if probe:
        sinks = {name: _made(name, settings) for name in settings.sinks}
        answers = asyncio.run(_probe_all(sinks, timeout))
        console.print(table_of_health(answers, console))
        failed = failed or any(health.status is HealthStatus.DOWN for health in answers.values())
    if failed:
        raise typer.Exit(1)


def _show_dead_letters(config: RoutingConfig, console: Console) -> bool:
    """Print how many dead letters wait; False if they cannot be read, which leaves the sinks to be asked."""
    try:
        waiting = DeadLetters(config.data_dir).look()
    except OSError as error:
        console.print(
            Text("dead letters cannot be read: ", style="bold red").append(printable(str(error))),
            soft_wrap=True,
        )
        return False
    console.print(Text(kept(waiting, config.dead_letters)), soft_wrap=True)
    return True


def _of_running(config: RoutingConfig) -> list[str]:
    """What a running process has set aside or diverts, if it serves its metrics where the file says."""
    if config.metrics is None or not config.metrics.port:
        return []
    try:
        running = look(url_of(config.metrics.host, config.metrics.port))
    except LogweirError:
        return []  # no process runs, and that is no fault of the file
    waiting = {sink: running.value("queue_set_aside_events", sink) for sink in running.sinks}
    warnings = [
        f"sink {sink!r} has put off {counted(round(count), 'event')} of the running process: set aside "
        "while others pass; its log says why"
        for sink, count in waiting.items()
        if count
    ]
    circuits = {sink: running.state("sink_circuit", sink) for sink in running.sinks}
    warnings += [
        f"the circuit of sink {sink!r} is {circuit} in the running process: events go to its fallback; "
        "its log says why"
        for sink, circuit in circuits.items()
        if circuit in {CircuitState.OPEN, CircuitState.HALF_OPEN}
    ]
    return warnings


def _in_fallbacks(config: RoutingConfig) -> list[str]:
    """What waits in fallbacks, and whether it comes back."""
    try:
        waiting = waiting_in(config.data_dir)
    except OSError as error:
        return [f"what was sent to fallbacks cannot be read: {error}"]
    warnings = []
    for (name, to), count in waiting.items():
        fallback = config.sinks[name].fallback if name in config.sinks else None
        what = f"{counted(count, 'event')} of sink {name!r} may be in {to!r}"
        if fallback is None or fallback.to != to:
            advice = "which is not its fallback any more; to have them back, name it again, with return: true"
            warnings.append(f"{what}, {advice}")
        elif fallback.return_:
            warnings.append(f"{what}, its fallback, and will return")
    return warnings


def _unattended(config: RoutingConfig) -> list[str]:
    """The sinks delivered elsewhere whose worker has not been heard of."""
    silent = {name: unattended_for(queues_of(config), name) for name in sorted(delivered_from_spools(config))}
    return [
        f"nobody delivers to the sink {name!r}: no worker has given a sign of life for {seconds:.0f} s; "
        f"start {command_for(name, forwards=config.sinks[name].queue.is_forwarded_elsewhere)}"
        for name, seconds in silent.items()
        if seconds >= UNATTENDED_AFTER
    ]


def _made(name: str, config: RoutingConfig) -> Sink[SinkConfig] | Health:
    """Make a sink, or say why it cannot be made."""
    settings = config.sinks[name]
    context = context_of(name, config)
    sink_class: Any = registry.resolve(settings.type)
    if settings.queue.goes_over_a_broker:  # the application meets the broker, and only workers meet the sink
        return Forwarder(settings, make_broker(settings.queue, place_of(settings.type, context)), context)
    try:
        return as_async(sink_class(settings, context))
    except Exception as error:  # noqa: BLE001 - see _down
        return _down(error)


async def _probe_all(
    sinks: Mapping[str, Sink[SinkConfig] | Health], timeout: float | None
) -> dict[str, Health]:
    answers = await asyncio.gather(*(_probe(sink, timeout) for sink in sinks.values()))
    return dict(zip(sinks, answers, strict=True))


async def _probe(sink: Sink[SinkConfig] | Health, timeout: float | None) -> Health:
    """Open a sink, ask it, and close it, whatever it does."""
    if isinstance(sink, Health):
        return sink
    seconds = timeout or sink.config.retry.timeout
    try:
        async with asyncio.timeout(seconds):
            await sink.open()
            return await sink.check()
    except TimeoutError:
        return Health(HealthStatus.DOWN, f"no answer within {seconds:g} s")
    except Exception as error:  # noqa: BLE001 - see _down
        return _down(error)
    finally:
        with contextlib.suppress(Exception):
            await asyncio.wait_for(sink.close(), _CLOSING)


def _down(error: Exception) -> Health:
    """A sink may raise anything; what is no SinkError may hold a password, so that its text is not shown."""
    if isinstance(error, SinkError):
        return Health(HealthStatus.DOWN, str(error))
    return Health(HealthStatus.DOWN, f"raised {type(error).__name__}, which is no SinkError")


def table_of_health(answers: dict[str, Health], console: Console) -> Table:
    """A row for each sink, of its health and its server."""
    table = table_of(console, ["sink", "health", "server", "detail"])
    for name, health in answers.items():
        texts = (Text(printable(text)) for text in (health.server, health.detail))
        table.add_row(Text(name), health_word(health.status), *texts)
    return table
