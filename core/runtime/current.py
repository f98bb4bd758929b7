"""The one runtime of this process: starting, stopping, and finding it.

The process is always in one stage of :mod:`logweir.process.life`, which says what each call gets. ``start``
is idempotent. The runtime drains when it is stopped, at the end of the process (behind everybody who may
still log), and on SIGTERM; it is rebuilt in the child after a fork; SIGHUP reloads routing.yaml. A process
that was given a configuration starts by itself at its first line; what was stopped stays stopped.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from types import TracebackType

from logweir.config.loading import ConfigSource, load_config
from logweir.config.models import RoutingConfig
from logweir.context.blocks import block
from logweir.delivery.queues.bounded import interrupts_delivery
from logweir.diagnostics import say
from logweir.encoding.counted import counted
from logweir.errors import ConfigError, LogweirError, NotRunning
from logweir.process import hooks
from logweir.process.life import Answer, Call, Life, Stage
from logweir.process.threads import in_thread, on_event_loop
from logweir.runtime.early_lines import EarlyLines, Taker
from logweir.runtime.inheritance import ENVIRONMENT_VARIABLE, export, given_config, withdraw
from logweir.runtime.lost_rows import refuse_lost_rows
from logweir.runtime.runtime import Runtime
from logweir.telemetry.model import Metrics

__all__ = [
    "ENVIRONMENT_VARIABLE",
    "Runtime",
    "aflush",
    "apart",
    "current",
    "flush",
    "metrics",
    "reload",
    "running",
    "serves_audit",
    "stage",
    "stand_in",
    "start",
    "stop",
]

#: How long a start waits for sinks to open.
_OPENING = 1.0
#: How long the end of an exit drains at least, if the first part of it took all the time that there is.
_LAST_DRAIN = 2.0


class _State:
    """What this process knows about its runtime."""

    def __init__(self, instead: Callable[[RoutingConfig], RoutingConfig] | None = None) -> None:
        self.lock = threading.RLock()  # re-entrant: a sink that logs while it is made may ask for a start
        self.life = Life()
        self.instead = instead  # what runs in the place of a configuration, in a life apart
        self.source: ConfigSource | None = None
        self.early = EarlyLines(current)
        self.last: Runtime | None = None  # that was stopped: it takes what is logged late
        self.gave_up = False  # on starting by itself, which failed
        self.exit_seconds = 0.0  # that the exit has waited for sinks so far


_runtime: Runtime | None = None


def current() -> Runtime | None:
    """The running runtime of this process, or None."""
    return _runtime


_state = _State()


def stage() -> Stage:
    """Where this process is with its runtime."""
    return _state.life.stage


def serves_audit() -> bool:
    """Whether an audit call would be served now."""
    return _state.life.answer(Call.AUDIT) is Answer.SERVED


def start(
    config: ConfigSource = "routing.yaml", *, handle_signals: bool = True, source: ConfigSource | None = None
) -> Runtime:
    """Start the runtime of this process, or return the one that runs.

    What was logged before is delivered now. A runtime that was started by a first line, or inherited by a
    fork's child, goes over to ``config``, as by a reload.

    Outside of event loops it returns when each sink was opened or could not be, after a second at most: a
    short program must not end before (from Python 3.12 on, an exiting interpreter starts no threads, and
    some sinks need one to open). A sink that could not be opened is tried again in the background.

    Args:
        config: A path to routing.yaml, a mapping of the same shape, or a ``RoutingConfig``.
        handle_signals: Drain on SIGTERM and reload on SIGHUP, where the application has not installed
            handlers of its own and the call comes from the main thread.
        source: Where ``config`` was read from, if it was loaded before; a reload reads it again.

    Raises:
        ConfigError: The configuration is wrong, or audit rows are gone that were stored by it; nothing was
            started.
        LogweirError: The program has started another configuration already, and it is running.
    """
    with _state.lock:
        runtime = _start(load_config(config), config if source is None else source, Stage.RUNNING)
        if handle_signals:
            hooks.install_signals(
                on_term=_stop_on_signal,
                on_hup=_reload_or_report if isinstance(_state.source, str | Path) else None,
            )
    if not on_event_loop():
        runtime.wait_for_sinks(_OPENING)
    return runtime


def _start(config: RoutingConfig, source: ConfigSource, becomes: Stage) -> Runtime:
    """Under the lock: the runtime of a configuration, made or found."""
    global _runtime  # noqa: PLW0603 - the process has one runtime, and this module owns it
    state = _state
    if state.instead is not None:
        config = state.instead(config)
    if state.life.below is Stage.DRAINING:
        stop()  # it was interrupted, or a signal handler starts in the middle of it
    if _runtime is not None:
        _go_over(_runtime, config, source, becomes)
        return _runtime
    before = state.life.below
    if before is Stage.STARTING:
        raise LogweirError("start() was called from inside a start, by a sink that is being made")
    _end_late_lines()
    state.life.to(Stage.STARTING)
    try:
        if becomes is Stage.RUNNING:  # a log line that starts the runtime waits for no database
            refuse_lost_rows(config)
        runtime = Runtime(config)
        runtime.start()
    except BaseException:
        state.life.to(before)
        raise
    _install_fork_hooks()
    state.last = None
    _note_source(source)
    state.life.to(becomes)
    _runtime = runtime
    state.early.hand_over(runtime)
    return runtime


def _go_over(runtime: Runtime, config: RoutingConfig, source: ConfigSource, becomes: Stage) -> None:
    """Go on with a runtime that runs; only one that nobody asked for takes another configuration."""
    state = _state
    if runtime.config != config:
        if state.instead is None and state.life.answer(Call.START) is not Answer.REPLACES:
            raise LogweirError(
                "a runtime with another configuration is running; call logweir.reload(config) or stop()"
            )
        runtime.reload(config)
        _note_source(source)
    if state.life.below in {Stage.BY_ITSELF, Stage.CHILD} and becomes is Stage.RUNNING:
        state.life.to(becomes)


def stand_in() -> Taker:
    """What takes a line where no runtime runs, as the table of :mod:`logweir.process.life` says."""
    state = _state
    if state.life.answer(Call.LOG) is Answer.SAVED and state.last is not None:
        return state.last
    # Not for the lock: a log call waits for nobody, and who has it is about to start, or has just stopped.
    if not state.gave_up and (path := given_config()) is not None and state.lock.acquire(blocking=False):
        try:
            if _runtime is None and state.life.below is Stage.BEFORE_START:
                _start_by_itself(path)
        finally:
            state.lock.release()
    if not len(state.early):
        _install_fork_hooks()  # a child must not deliver what its parent keeps
    return _runtime or state.early


def _start_by_itself(path: str) -> None:
    try:
        _start(load_config(path), path, Stage.BY_ITSELF)
    except Exception as error:  # noqa: BLE001 - a log call must never break its caller
        _state.gave_up = True
        say(logging.ERROR, "cannot start from %s=%s: %s", ENVIRONMENT_VARIABLE, path, error)
        return
    hooks.install_signals(on_term=_stop_on_signal, on_hup=_reload_or_report)


def stop(timeout: float | None = None) -> bool:
    """Drain and stop the runtime; True if everything accepted was delivered (or nothing ran).

    In a signal handler or a finaliser that interrupted the delivery inside a lock of its own thread it
    returns False at once, and the stop happens as soon as that is over.
    """
    if _runtime is not None and interrupts_delivery():
        _stop_soon(timeout)
        return False
    return _stop(timeout, Stage.STOPPED)


def _stop_soon(timeout: float | None) -> None:
    """Stop in a thread, which waits for the lock that this one has."""
    # Not daemonic: what ends the process now must wait for it. Where the interpreter gives no threads any
    # more, the end of the process stops the runtime.
    with suppress(RuntimeError):
        threading.Thread(target=_stop, args=(timeout, Stage.STOPPED), name="logweir-stop").start()


def _stop_on_signal() -> None:
    """What SIGTERM does, in a thread of its own."""
    _stop(None, Stage.STOPPED)


def _stop(timeout: float | None, becomes: Stage) -> bool:
    global _runtime  # noqa: PLW0603 - see start
    # Several ways lead here at once: the program's own stop, SIGTERM's thread, and the end of the process.
    with _state.lock:
        runtime = _runtime
        if runtime is None:
            return True
        # It stays the current one while it drains, and takes what is logged meanwhile and afterwards as late
        # lines: an event of the exit must not start another runtime by itself.
        _state.life.to(Stage.DRAINING)
        delivered = runtime.stop(timeout)
        if _runtime is runtime:  # a signal handler's own stop, or start, may have come in between
            _state.last = runtime
            _runtime = None
            _state.life.to(becomes)
            withdraw()
            hooks.restore_signals()
    return delivered


def flush(timeout: float = 10.0) -> bool:
    """Wait until everything accepted so far is settled; False if time ran out.

    It blocks this thread: in asynchronous code, use :func:`aflush`.
    """
    return _require().flush(timeout)


async def aflush(timeout: float = 10.0) -> bool:
    """Wait until everything accepted so far is settled; False if time ran out."""
    return await _require().aflush(timeout)


def reload(config: ConfigSource | None = None) -> None:
    """Read routing.yaml again, or take a new configuration, without losing an event.

    Raises:
        ConfigError: It is wrong; the old configuration stays in force.
        NotRunning: There is nothing to reload.
        LogweirError: A sink held it up for ten seconds, or a stop came first; likewise.
    """
    runtime = _require()
    source = _state.source if config is None else config
    if source is None:
        raise NotRunning("the runtime was started without a configuration to read again")
    instead = _state.instead
    with _state.life.reloading():
        runtime.reload(source if instead is None else instead(load_config(source)))
    _note_source(source)


def _note_source(source: ConfigSource) -> None:
    """Only what was accepted is read again by the next SIGHUP, and found by children that are spawned."""
    _state.source = source
    if _state.instead is None:
        export(source)


def metrics() -> Metrics:
    """The counts up to now; from a finaliser that interrupted the delivery itself, those of the call before.

    Raises:
        NotRunning: No runtime is running.
    """
    return _require().metrics()


class running:  # noqa: N801 - used like a function: `with running(config):` and `async with running(config):`
    """Run the runtime for the length of a block; for ``with`` and ``async with``.

    Args:
        config: As for :func:`start`.
    """

    def __init__(self, config: ConfigSource = "routing.yaml") -> None:
        self._config = config

    def __enter__(self) -> Runtime:
        return start(self._config)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        stop()

    async def __aenter__(self) -> Runtime:
        # The file is read off the loop; signal handlers need the main thread, where we may be now.
        config = await in_thread(lambda: load_config(self._config))
        runtime = start(config, source=self._config)
        try:
            await runtime.await_sinks(_OPENING)
        except BaseException:  # a cancellation: there is no block whose end would stop it
            await in_thread(stop)
            raise
        return runtime

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await in_thread(stop)


def _require() -> Runtime:
    if _runtime is None:
        raise NotRunning("no runtime is running in this process; call logweir.start(...) first")
    return _runtime


def _install_fork_hooks() -> None:
    hooks.install_fork(before_fork=_before_fork, in_parent=_after_fork_in_parent, in_child=_after_fork)


def _before_fork() -> None:
    _state.life.fork_begins()
    if _runtime is not None:
        _runtime.before_fork()


def _after_fork_in_parent() -> None:
    _state.life.fork_ends()


def _after_fork() -> None:
    global _runtime
    # The thread that held the lock may not exist in the child, nor does one that was about to end a stop.
    _state.lock = threading.RLock()
    if _runtime is not None and _runtime.stopped:
        _state.last, _runtime = _runtime, None
        _state.life.to(Stage.STOPPED)
    _state.life.born()
    _state.early = EarlyLines(current)
    for runtime in (_runtime, _state.last):
        if runtime is not None:
            runtime.after_fork()


def _reload_or_report() -> None:
    try:
        reload()
    except ConfigError as error:
        say(logging.ERROR, "routing.yaml was not reloaded, the old one stays in force:\n%s", error)
    except NotRunning:
        return
    except Exception as error:  # noqa: BLE001 - nobody else hears of it in this thread
        say(logging.ERROR, "routing.yaml was not reloaded: %r", error)
    else:
        say(logging.INFO, "routing.yaml was reloaded")


def _end_late_lines() -> int:
    """Let go of what the last runtime took late, so that a new one can take it over; how many lines wait."""
    return 0 if _state.last is None else _state.last.end_late_lines()


def _deliver_late_lines() -> None:
    """Run once more what was stopped, for the lines that came afterwards."""
    global _runtime  # noqa: PLW0603 - see start
    state = _state
    last = state.last
    if last is None or not _end_late_lines() or not hooks.can_start_threads():
        return
    state.life.to(Stage.STARTING)
    runtime = Runtime(last.config)
    runtime.start()
    state.last = None
    state.life.to(Stage.MAIN_ENDED)
    _runtime = runtime
    runtime.flush(_LAST_DRAIN)


def _report_late_lines() -> None:
    waiting = _end_late_lines()
    if waiting and _state.last is not None:
        say(
            logging.WARNING,
            "%s logged after the stop, and kept on disk (%s) for the next start",
            counted(waiting, "event", "was", "were"),
            _state.last.config.data_dir,
        )


def _when_main_ends() -> None:
    """Deliver what there is while everything still works; other threads go on, and so does the runtime."""
    state = _state
    with state.lock:
        if len(state.early):
            stand_in()  # a process that was given a configuration starts by itself, for lines of its import
        if state.life.below is Stage.DRAINING:
            stop()  # that was interrupted: nobody else is at it, for this thread has the lock
        runtime = _runtime
        if runtime is None:
            _deliver_late_lines()
            return
        if state.life.below is not Stage.MAIN_ENDED:
            state.life.to(Stage.MAIN_ENDED)
    runtime.listen_for_signals()
    begun = time.monotonic()
    runtime.flush_if_busy(runtime.config.drain_timeout)
    state.exit_seconds = time.monotonic() - begun


def _at_last() -> None:
    """Drain for the last time: nobody comes after this but functions of ``atexit`` older than logweir."""
    state = _state
    with state.lock:
        runtime = _runtime
        if runtime is not None:
            whole = runtime.config.drain_timeout
            _stop(min(whole, max(whole - state.exit_seconds, _LAST_DRAIN)), Stage.AT_EXIT)
        _deliver_late_lines()
        _stop(_LAST_DRAIN, Stage.AT_EXIT)
        _report_late_lines()
        state.early.give_up()
        if state.life.below is not Stage.AT_EXIT:
            state.life.to(Stage.AT_EXIT)


@block
def apart(instead: Callable[[RoutingConfig], RoutingConfig] | None = None) -> Iterator[None]:
    """Live another life for the length of a block, as a test does: without lines kept before, leaving none.

    Args:
        instead: What runs in the place of a configuration that is started or loaded inside; then the one that
            was started last counts, and children that are spawned find none.

    Raises:
        LogweirError: A runtime is running.
    """
    global _state  # noqa: PLW0603 - see start
    if _runtime is not None:
        raise LogweirError("a runtime is running; stop it first")
    before, _state = _state, _State(instead)
    try:
        yield
    finally:
        stop()
        _end_late_lines()
        _state = before


# At the import, for the functions of `atexit` run in the opposite order: those of the application come first.
hooks.install_exit(main_ended=_when_main_ends, last=_at_last)
