"""``logweir worker``: delivers what applications put on this host's disk, or give to a broker.

SIGTERM and Ctrl-C let it finish what it has in hand; a second one ends it at once, and loses nothing, for the
spools have everything that is not settled. SIGHUP reads routing.yaml again.
"""

from __future__ import annotations

import os
import signal
from contextlib import suppress
from queue import SimpleQueue
from types import FrameType
from typing import Annotated, Self

import typer
from rich.console import Console

from logweir.cli.options import ROUTING_FILE, ConfigOption
from logweir.cli.printable import printable
from logweir.config.loading import load_config
from logweir.errors import LogweirError
from logweir.runtime.worker_process import WorkerProcess, sinks_to_deliver
from logweir.settings.operations import MetricsConfig

__all__ = ["worker"]


def worker(
    config: ConfigOption = ROUTING_FILE,
    sink: Annotated[
        list[str] | None,
        typer.Option(
            help="Deliver to this sink alone; may be repeated. By default to all delivered elsewhere."
        ),
    ] = None,
    metrics_port: Annotated[
        int | None,
        typer.Option(help="Serve metrics, /live and /ready at this port.", min=1, max=65535),
    ] = None,
    metrics_host: Annotated[
        str,
        typer.Option(help="The address for --metrics-port; 0.0.0.0 lets other machines read."),
    ] = MetricsConfig.model_fields["host"].default,
) -> None:
    """Deliver to sinks whose events leave the application by disk or broker.

    It runs until SIGTERM or Ctrl-C, as the user who runs the applications. SIGHUP reads the file again.
    """
    settings = load_config(config)
    wanted = sink or []
    names = sinks_to_deliver(settings, wanted)
    console = Console(stderr=True, highlight=False)
    metrics = None if metrics_port is None else MetricsConfig(port=metrics_port, host=metrics_host)
    process = WorkerProcess(settings, wanted, metrics=metrics)
    with _Signals() as signals:
        process.start()
        console.print(
            printable(f"logweir: worker {os.getpid()} delivers to {', '.join(names)}"), markup=False
        )
        while signals.next() == signal.SIGHUP:
            _reload(process, config, console)
        delivered = process.stop()
    if not delivered:
        console.print("logweir: what is not delivered stays in the spools", markup=False)


def _reload(process: WorkerProcess, config: str, console: Console) -> None:
    try:
        process.reload(load_config(config))
    except LogweirError as error:
        console.print(
            printable(f"logweir: the configuration in force stays, for the new one is wrong: {error}"),
            markup=False,
            soft_wrap=True,
        )
    else:
        console.print(printable(f"logweir: {config} was read again"), markup=False)


class _Signals:
    """Waits for signals; the second that asks for the end is left to the system."""

    def __init__(self) -> None:
        # Its put may interrupt its get in the same thread, which a lock or a semaphore would not survive.
        self._numbers: SimpleQueue[int] = SimpleQueue()

    def __enter__(self) -> Self:
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            if signal.getsignal(number) is not signal.SIG_IGN or number == signal.SIGHUP:
                signal.signal(number, self._on_signal)
        return self

    def __exit__(self, *_: object) -> None:
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            with suppress(ValueError):
                signal.signal(number, signal.SIG_DFL)

    def _on_signal(self, number: int, _frame: FrameType | None) -> None:
        if number != signal.SIGHUP:
            signal.signal(number, signal.SIG_DFL)
        self._numbers.put(number)

    def next(self) -> int:
        """Wait for the next signal."""
        return self._numbers.get()
