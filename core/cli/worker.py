"""``logweir worker``: delivers what applications put on this host's disk, or give to a broker.

SIGTERM and Ctrl-C let it finish what it has in hand; a second one ends it at once, and loses nothing, for the
spools have everything that is not settled. SIGHUP reads routing.yaml again. With ``--processes`` a parent
keeps several of them running, and passes these signals on.
"""

from __future__ import annotations

import os
import signal
import threading
from typing import Annotated

import typer
from rich.console import Console

from logweir.cli.options import ROUTING_FILE, ConfigOption
from logweir.cli.printable import printable
from logweir.cli.signals import Signals
from logweir.config.loading import load_config
from logweir.config.models import RoutingConfig
from logweir.errors import LogweirError
from logweir.process.garbage import keep_what_is_there
from logweir.process.own_modules import command_of
from logweir.redaction.reasons import masked
from logweir.runtime.worker_group import WorkerGroup
from logweir.runtime.worker_process import WorkerProcess, refuse_what_cannot_work
from logweir.runtime.worker_sinks import Share, divided, sinks_to_deliver
from logweir.settings.operations import MetricsConfig

__all__ = ["worker"]

#: While processes end, how often the parent looks; in seconds.
_ENDING = 0.2


def worker(
    config: ConfigOption = ROUTING_FILE,
    sink: Annotated[
        list[str] | None,
        typer.Option(
            help="Deliver to this sink alone; may be repeated. By default to all delivered elsewhere."
        ),
    ] = None,
    processes: Annotated[
        int, typer.Option(help="So many workers, which a parent starts again when they die.", min=1, max=256)
    ] = 1,
    forward: Annotated[
        bool,
        typer.Option(
            "--forward", help="Publish to brokers what applications of this host put on its disk, no more."
        ),
    ] = False,
    metrics_port: Annotated[
        int | None,
        typer.Option(help="Serve metrics, /live and /ready at this port.", min=1, max=65535),
    ] = None,
    metrics_host: Annotated[
        str,
        typer.Option(help="The address for --metrics-port; 0.0.0.0 lets other machines read."),
    ] = MetricsConfig.model_fields["host"].default,
    share: Annotated[str | None, typer.Option(hidden=True)] = None,
) -> None:
    """Deliver to sinks whose events leave the application by disk or broker.

    It runs until SIGTERM or Ctrl-C, as the user who runs the applications. SIGHUP reads the file again.
    """
    settings = load_config(config)
    wanted = sink or []
    metrics = None if metrics_port is None else MetricsConfig(port=metrics_port, host=metrics_host)
    if processes > 1 and share is None:
        _keep(processes, settings, config, wanted, metrics, forward=forward)
        return
    part = _part(share)
    names = sinks_to_deliver(settings, wanted, part, forward=forward)
    process = WorkerProcess(settings, wanted, part, forward=forward, metrics=metrics)
    with Signals() as signals:
        if part is not None:
            threading.Thread(target=_end_with_the_parent, daemon=True).start()
        process.start()
        keep_what_is_there()
        _say(f"worker {os.getpid()} {'forwards for' if forward else 'delivers to'} {', '.join(names)}")
        while signals.next() == signal.SIGHUP:
            _reload(process, config)
        if not process.stop():
            _say("what is not delivered stays in the spools")


def _reload(process: WorkerProcess, config: str) -> None:
    try:
        process.reload(load_config(config))
    except Exception as error:  # noqa: BLE001 - a sink of somebody else's may raise anything when it is made
        reason = error if isinstance(error, LogweirError) else masked(f"{type(error).__name__}: {error}")
        _say(f"the configuration in force stays, for the new one is wrong: {reason}")
    else:
        _say(f"{config} was read again")


def _say(message: str) -> None:
    console = Console(stderr=True, highlight=False)
    console.print(printable(f"logweir: {message}"), markup=False, soft_wrap=True)


# -- several processes ---------------------------------------------------------------------------------


def _keep(
    processes: int,
    settings: RoutingConfig,
    config: str,
    wanted: list[str],
    metrics: MetricsConfig | None,
    *,
    forward: bool,
) -> None:
    """Keep so many workers running until a signal asks for the end."""
    names = sinks_to_deliver(settings, wanted, forward=forward)
    own = divided(settings, names, forward=forward)
    if len(own) == len(names) < processes:
        raise typer.BadParameter(
            f"--processes {processes} is more than there are sinks ({', '.join(own)}), each of which one "
            f"process at a time delivers from this host's disk; give {len(own)} at most"
        )
    refuse_what_cannot_work(settings, names, forward=forward)
    command = command_of("logweir", "worker", "-c", config)
    command += [part for name in wanted for part in ("--sink", name)] + ["--forward"] * forward
    if metrics is not None:  # one of them serves it for all
        command += ["--metrics-port", str(metrics.port), "--metrics-host", metrics.host]
    commands = [[*command, "--share", f"{number}/{processes}"] for number in range(processes)]
    group = WorkerGroup(commands, _say)
    with Signals([signal.SIGCHLD]) as signals:
        _say(f"worker {os.getpid()} keeps {processes} processes for {', '.join(names)}")
        while (came := signals.next(group.look_after())) not in {signal.SIGTERM, signal.SIGINT}:
            if came == signal.SIGHUP:
                group.send(signal.SIGHUP)
        group.end()
        while not group.is_over():
            if signals.next(_ENDING) in {signal.SIGTERM, signal.SIGINT}:
                group.end()
            group.look_after()
    if not group.ended_well:
        raise typer.Exit(1)


def _part(share: str | None) -> Share | None:
    """Which of several processes this is, as :func:`_keep` says it."""
    if share is None:
        return None
    number, of = map(int, share.split("/"))
    return Share(number, of)


def _end_with_the_parent() -> None:
    """Wait for the end of the pipe that is our standard input: then nobody would start us again."""
    while os.read(0, 1):
        pass
    os.kill(os.getpid(), signal.SIGTERM)
