"""The one runtime of this process: starting, stopping, and finding it.

``start`` is idempotent. The runtime drains when it is stopped, when the interpreter exits and on
SIGTERM; it is rebuilt in the child after a fork; SIGHUP reloads routing.yaml. A spawned child, which
shares nothing with its parent but the environment, starts by itself from ``LOGWEIR_CONFIG``; what was
stopped stays stopped.
"""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path
from types import TracebackType

from logweir.config.loading import ConfigSource, load_config
from logweir.diagnostics import logger, report
from logweir.errors import ConfigError, LogweirError, NotRunning
from logweir.process import hooks
from logweir.process.threads import in_thread, on_event_loop
from logweir.runtime.runtime import Runtime
from logweir.telemetry.model import Metrics

__all__ = [
    "ENVIRONMENT_VARIABLE",
    "Runtime",
    "aflush",
    "current",
    "flush",
    "metrics",
    "reload",
    "running",
    "start",
    "start_from_environment",
    "stop",
]

#: Names the configuration file for processes that start by themselves.
ENVIRONMENT_VARIABLE = "LOGWEIR_CONFIG"
#: How long a start waits for sinks to open.
_OPENING = 1.0
#: How long the end of an exit drains at least, if the first part of it took all the time that there is.
_LAST_DRAIN = 2.0


class _State:
    """What this process knows about its runtime."""

    def __init__(self) -> None:
        self.lock = threading.RLock()  # re-entrant: a sink that logs while it is made may ask for a start
        self.source: ConfigSource | None = None
        self.exported = False
        self.starting = False
        self.gave_up = False  # on starting by itself: it failed, or somebody stopped the runtime
        self.exit_seconds = 0.0  # that the exit has waited for sinks so far


_runtime: Runtime | None = None
_state = _State()


def current() -> Runtime | None:
    """The running runtime of this process, or None."""
    return _runtime


def start(
    config: ConfigSource = "routing.yaml", *, handle_signals: bool = True, source: ConfigSource | None = None
) -> Runtime:
    """Start the runtime of this process, or return the one that runs.

    Outside of event loops it returns when each sink was opened or could not be, after a second at most: a
    short program must not end before (from Python 3.12 on, an exiting interpreter starts no threads, and
    some sinks need one to open). A sink that could not be opened is tried again in the background.

    Args:
        config: A path to routing.yaml, a mapping of the same shape, or a ``RoutingConfig``.
        handle_signals: Drain on SIGTERM and reload on SIGHUP, where the application has not installed
            handlers of its own and the call comes from the main thread.
        source: Where ``config`` was read from, if it was loaded before; a reload reads it again.

    Raises:
        ConfigError: The configuration is wrong; nothing was started.
        LogweirError: Another configuration is running.
    """
    with _state.lock:
        _state.starting = True
        try:
            runtime = _start(config, handle_signals=handle_signals, source=source)
        finally:
            _state.starting = False
    if not on_event_loop():
        runtime.wait_for_sinks(_OPENING)
    return runtime


def _start(config: ConfigSource, *, handle_signals: bool, source: ConfigSource | None) -> Runtime:
    global _runtime  # noqa: PLW0603 - the process has one runtime, and this module owns it
    loaded = load_config(config)
    if _runtime is not None:
        if _runtime.config == loaded:
            return _runtime
        raise LogweirError(
            "a runtime with another configuration is running; call logweir.reload(config) or stop()"
        )
    runtime = Runtime(loaded)
    runtime.start()
    _runtime = runtime
    _state.source = source = config if source is None else source
    _export(source)
    hooks.install_fork(before_fork=_before_fork, after_fork=_after_fork)
    if handle_signals:
        hooks.install_signals(
            on_term=stop, on_hup=_reload_or_report if isinstance(source, str | Path) else None
        )
    return runtime


def start_from_environment() -> Runtime | None:
    """Start from ``LOGWEIR_CONFIG``, for a spawned child; None (reported once) when that cannot be."""
    path = os.environ.get(ENVIRONMENT_VARIABLE)
    if path is not None and not _state.gave_up:
        with _state.lock:  # a stop under way ends first, and means it
            if _runtime is not None or _state.starting:
                return _runtime
            if not _state.gave_up:
                return _start_or_report(path)
    report("not running", "an event was logged but no runtime is running; call logweir.start(...)")
    return None


def _start_or_report(path: str) -> Runtime | None:
    try:
        return start(path)
    except Exception as error:  # noqa: BLE001 - a log call must never break its caller
        _state.gave_up = True
        logger.error("cannot start from %s=%s: %s", ENVIRONMENT_VARIABLE, path, error)
        return None


def stop(timeout: float | None = None) -> bool:
    """Drain and stop the runtime; True if everything accepted was delivered (or nothing ran)."""
    global _runtime  # noqa: PLW0603 - see start
    # Several ways lead here at once: the program's own stop, SIGTERM's thread, and two hooks of the exit.
    with _state.lock:
        runtime = _runtime
        if runtime is None:
            return True
        # It stays the current one while it drains, so that what is logged meanwhile is counted as late, and
        # then gone for good: an event of the exit must not start another by itself.
        delivered = runtime.stop(timeout)
        _state.gave_up = True
        _runtime = None
        _withdraw_export()
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
    """
    runtime = _require()
    source = _state.source if config is None else config
    if source is None:
        raise NotRunning("the runtime was started without a configuration to read again")
    runtime.reload(source)
    # Only what was accepted is read again by the next SIGHUP, and found by children that are spawned.
    _state.source = source
    if _state.exported:
        _withdraw_export()
        _export(source)


def metrics() -> Metrics:
    """The counts up to now.

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
        await runtime.await_sinks(_OPENING)
        return runtime

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await in_thread(stop)


def _require() -> Runtime:
    if _runtime is None:
        raise NotRunning("no runtime is running in this process; call logweir.start(...) first")
    return _runtime


def _export(config: ConfigSource) -> None:
    """Let spawned children find the file."""
    if isinstance(config, str | Path) and ENVIRONMENT_VARIABLE not in os.environ:
        os.environ[ENVIRONMENT_VARIABLE] = str(Path(config).resolve())
        _state.exported = True


def _withdraw_export() -> None:
    if _state.exported:
        os.environ.pop(ENVIRONMENT_VARIABLE, None)
        _state.exported = False


def _before_fork() -> None:
    if _runtime is not None:
        _runtime.before_fork()


def _after_fork() -> None:
    # The thread that held the lock may not exist in the child; nor does one that was just starting.
    _state.lock = threading.RLock()
    _state.starting = False
    if _runtime is not None:
        _runtime.after_fork()


def _reload_or_report() -> None:
    try:
        reload()
    except ConfigError as error:
        logger.error("routing.yaml was not reloaded, the old one stays in force:\n%s", error)
    except NotRunning:
        return
    except Exception as error:  # noqa: BLE001 - nobody else hears of it in this thread
        logger.error("routing.yaml was not reloaded: %r", error)
    else:
        logger.info("routing.yaml was reloaded")


def _when_main_ends() -> None:
    """Deliver what there is while everything still works; other threads go on, and so does the runtime."""
    runtime = _runtime
    if runtime is not None:
        begun = time.monotonic()
        runtime.flush_if_busy(runtime.config.drain_timeout)
        _state.exit_seconds = time.monotonic() - begun


def _at_last() -> None:
    """Drain for the last time: nobody comes after this but functions of ``atexit`` older than logweir."""
    runtime = _runtime
    if runtime is not None:
        whole = runtime.config.drain_timeout
        stop(min(whole, max(whole - _state.exit_seconds, _LAST_DRAIN)))


# At the import, for the functions of `atexit` run in the opposite order: those of the application come first.
hooks.install_exit(main_ended=_when_main_ends, last=_at_last)
