"""The moments of a process that the runtime must not miss: exit, SIGTERM and SIGHUP, and forks.

What happens at a fork has its order in :mod:`logweir.process.fork`; here the runtime registers for it.

Signals are handled only where the application left them at their default. SIGTERM drains in a thread of
its own and is then delivered again, so that the process ends by it as it would have without logweir;
the interrupted code goes on meanwhile, which keeps a handler from waiting for a lock that the code
under it holds. SIGINT needs no handler: it unwinds the program, and the exit drains.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import signal
import threading
from collections.abc import Callable
from types import FrameType

from logweir.process import fork
from logweir.process.fork import Stage

__all__ = ["install", "install_signals", "restore_signals"]

_Handler = Callable[[int, FrameType | None], None]

_installed: dict[signal.Signals, _Handler] = {}
_registered = False


def install(
    *, on_exit: Callable[[], object], before_fork: Callable[[], None], after_fork: Callable[[], None]
) -> None:
    """Call these before the interpreter exits, before a fork and in every fork's child; once."""
    # Neither registration can be undone, so a second start must not add to them.
    global _registered  # noqa: PLW0603 - these hooks belong to the process
    if _registered:
        return
    _registered = True
    _register_exit(on_exit)
    fork.register(Stage.RUNTIME, before=before_fork, in_child=after_fork)
    fork.install()


def _register_exit(on_exit: Callable[[], object]) -> None:
    # Both hooks lead to the same drain, which is idempotent; the second serves where there is no first.
    # The drain must come before the thread pools of the standard library shut down, which atexit comes
    # after. CPython has an unofficial hook for that; multiprocessing's children pass it too.
    early = getattr(threading, "_register_atexit", None)
    if early is not None:
        with contextlib.suppress(RuntimeError):  # the interpreter is already on its way out
            early(on_exit)
    atexit.register(on_exit)


def install_signals(*, on_term: Callable[[], object], on_hup: Callable[[], None] | None) -> None:
    """Handle SIGTERM, and SIGHUP if ``on_hup`` is given, where they are still at their default."""
    if threading.current_thread() is not threading.main_thread():
        return
    _handle(signal.SIGTERM, _DrainThenEnd(on_term))
    if on_hup is not None:
        _handle(
            signal.SIGHUP,
            lambda _signum, _frame: threading.Thread(target=on_hup, name="logweir-reload").start(),
        )


class _DrainThenEnd:
    """The first signal drains and sends a second one; the second, whoever sends it, ends the process."""

    def __init__(self, drain: Callable[[], object]) -> None:
        self._drain = drain
        self._draining = False

    def __call__(self, signum: int, _frame: FrameType | None) -> None:
        # The drain is over, or somebody has lost patience: from here on the default, which ends the process
        # with the status that its parent expects of a signal.
        if self._draining:
            signal.signal(signum, signal.SIG_DFL)
            os.kill(os.getpid(), signum)
            return
        self._draining = True
        # Not here: a handler runs between two instructions of the main thread, which may hold the very lock
        # that the drain needs. Daemonic, or a drain that hangs would keep the interpreter from its exit.
        threading.Thread(
            target=self._drain_and_signal, args=(signum,), name="logweir-drain", daemon=True
        ).start()

    def forget(self) -> None:
        """Begin anew in a fork's child: it was the parent that got the signal."""
        self._draining = False

    def _drain_and_signal(self, signum: int) -> None:
        self._drain()
        os.kill(os.getpid(), signum)


def _handle(number: signal.Signals, handler: _Handler) -> None:
    # A handler of the application's (or its server's: gunicorn, uvicorn) is its own; its exit drains as well.
    if signal.getsignal(number) is signal.SIG_DFL:
        signal.signal(number, handler)
        _installed[number] = handler


def restore_signals() -> None:
    """Put back the defaults where the handlers are still ours; from the main thread alone."""
    if threading.current_thread() is threading.main_thread():
        while _installed:
            number, handler = _installed.popitem()
            if signal.getsignal(number) is handler:
                signal.signal(number, signal.SIG_DFL)


def _forget_signals() -> None:
    for handler in _installed.values():
        if isinstance(handler, _DrainThenEnd):
            handler.forget()


fork.register(Stage.SIGNALS, in_child=_forget_signals)
