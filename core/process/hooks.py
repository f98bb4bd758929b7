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
import sys
import threading
from collections.abc import Callable
from types import FrameType

from logweir.diagnostics import report
from logweir.process import fork, late_signals
from logweir.process.fork import Stage

__all__ = [
    "can_start_threads",
    "install_exit",
    "install_fork",
    "install_signals",
    "is_multiprocessing_child",
    "is_preparing_children",
    "listen_for_signals",
    "restore_signals",
]

_Handler = Callable[[int, FrameType | None], None]

_installed: dict[signal.Signals, _Handler] = {}


def install_exit(*, main_ended: Callable[[], object], last: Callable[[], object]) -> None:
    """Call these on the interpreter's way out; called once, as early in the process as it can be.

    The interpreter ends in this order: the main thread ends; the thread pools of the standard library end,
    and all other threads that are not daemonic are waited for; the functions of ``atexit`` run, the one
    registered last first; no thread but the main one goes on. Any of these may log.

    Args:
        main_ended: Called when the main thread has ended, before thread pools are shut down.
        last: Called when the other threads have ended, behind what was registered with ``atexit`` after this.
            A process of ``multiprocessing`` may end without that; there it is called by a thread which waits
            for the others.
    """

    def when_main_ends() -> None:
        try:
            main_ended()
            if is_multiprocessing_child():
                _after_other_threads(last)
        except Exception as error:  # noqa: BLE001 - the interpreter would not wait for the other threads
            report("hooks.exit", "what is to be done at the end of the main thread failed: %r", error)

    # CPython's own hook of that moment, unofficial; without it the pools end first, and `last` does it all.
    early = getattr(threading, "_register_atexit", None)
    if early is not None:
        with contextlib.suppress(RuntimeError):  # the interpreter is already on its way out
            early(when_main_ends)
    atexit.register(last)


def is_multiprocessing_child() -> bool:
    """Whether this process was made by ``multiprocessing``, however; also while a spawned one is prepared."""
    process = sys.modules.get("multiprocessing.process")
    return process is not None and (
        process.parent_process() is not None or getattr(process.current_process(), "_inheriting", False)
    )


def is_preparing_children() -> bool:
    """Whether this is the server process of ``multiprocessing`` from which its children are forked."""
    return any("multiprocessing.forkserver" in argument for argument in sys.orig_argv)


def _after_other_threads(call: Callable[[], object]) -> None:
    """Call it when every other thread has ended that the interpreter waits for."""

    def wait() -> None:
        while running := _other_threads():
            for thread in running:
                thread.join()
        call()

    if _other_threads():
        threading.Thread(target=wait, name="logweir-exit", daemon=False).start()
    else:
        call()


def _other_threads() -> list[threading.Thread]:
    """Those that the interpreter waits for at its end."""
    spared = {threading.main_thread(), threading.current_thread()}
    return [thread for thread in threading.enumerate() if not thread.daemon and thread not in spared]


def can_start_threads() -> bool:
    """Whether the interpreter still starts threads; from Python 3.12 on, it does not on its way out."""
    try:
        threading.Thread(target=int, name="logweir-probe", daemon=True).start()
    except RuntimeError:
        return False
    return True


def install_fork(
    *, before_fork: Callable[[], None], in_parent: Callable[[], None], in_child: Callable[[], None]
) -> None:
    """Call these before a fork, after it in the parent, and in every fork's child; idempotent."""
    fork.register(Stage.RUNTIME, before=before_fork, in_parent=in_parent, in_child=in_child)
    fork.install()


def install_signals(*, on_term: Callable[[], object], on_hup: Callable[[], None] | None) -> None:
    """Handle SIGTERM, and SIGHUP if ``on_hup`` is given, where they are still at their default."""
    if threading.current_thread() is not threading.main_thread():
        return
    _handle(signal.SIGTERM, _DrainThenEnd(on_term))
    if on_hup is not None:
        _handle(signal.SIGHUP, lambda _signum, _frame: _reload_in_thread(on_hup))


def _reload_in_thread(reload: Callable[[], None]) -> None:
    """Reload, but not in the code of the application that the signal has interrupted."""
    try:
        threading.Thread(target=reload, name="logweir-reload").start()
    except RuntimeError as error:  # the interpreter is on its way out, or threads ran out
        report("hooks.hup", "routing.yaml was not reloaded: %s", error)


def listen_for_signals(call_on_loop: Callable[[Callable[[], None]], object]) -> None:
    """Let no SIGTERM be slept through while the main thread, at its end, waits for others.

    Args:
        call_on_loop: Calls a function on the delivery's loop.
    """
    handler = _installed.get(signal.SIGTERM)
    if (
        isinstance(handler, _DrainThenEnd)
        and _is_in_force(signal.SIGTERM, handler)
        and threading.current_thread() is threading.main_thread()
        and _other_threads()
    ):
        late_signals.listen(signal.SIGTERM, handler, call_on_loop)


class _DrainThenEnd:
    """The first signal drains and sends a second one; the second, whoever sends it, ends the process."""

    def __init__(self, drain: Callable[[], object]) -> None:
        self._drain = drain
        self._draining = False
        self._sent_again = False

    def __call__(self, signum: int, _frame: FrameType | None) -> None:
        # The drain is over, or somebody has lost patience: from here on the default, which ends the process
        # with the status that its parent expects of a signal.
        sent_again, self._sent_again = self._sent_again, False
        if self._draining and sent_again:  # both have arrived after all
            return
        if self._draining:
            signal.signal(signum, signal.SIG_DFL)
            os.kill(os.getpid(), signum)
            return
        self._draining = True
        # Not here: a handler runs between two instructions of the main thread, which may hold the very lock
        # that the drain needs. Daemonic, or a drain that hangs would keep the interpreter from its exit.
        thread = threading.Thread(
            target=self._drain_and_signal, args=(signum,), name="logweir-drain", daemon=True
        )
        try:
            thread.start()
        except RuntimeError:  # the interpreter is on its way out: the main thread only waits by now
            self._drain_and_signal(signum)

    @property
    def has_run(self) -> bool:
        """Whether a first signal has been handled."""
        return self._draining

    def call_again(self, signum: int) -> None:
        """Send the signal to the main thread, which has slept through it; from another thread."""
        if not _is_in_force(signum, self):
            return
        self._sent_again = True
        main = threading.main_thread().ident
        assert main is not None  # noqa: S101 - it runs
        signal.pthread_kill(main, signum)

    def forget(self) -> None:
        """Begin anew in a fork's child: it was the parent that got the signal."""
        self._draining = False

    def _drain_and_signal(self, signum: int) -> None:
        try:
            self._drain()
        except Exception as error:  # noqa: BLE001 - the process was asked to end, and must
            report("hooks.term", "the drain of a signal failed: %r", error)
        os.kill(os.getpid(), signum)


def _handle(number: signal.Signals, handler: _Handler) -> None:
    # A handler of the application's (or its server's: gunicorn, uvicorn) is its own; its exit drains as well.
    if signal.getsignal(number) is signal.SIG_DFL:
        signal.signal(number, handler)
        _installed[number] = handler


def _is_in_force(number: int, handler: _Handler) -> bool:
    return signal.getsignal(number) is handler


def restore_signals() -> None:
    """Put back the defaults where the handlers are still ours; from the main thread alone."""
    if threading.current_thread() is threading.main_thread():
        while _installed:
            number, handler = _installed.popitem()
            if _is_in_force(number, handler):
                signal.signal(number, signal.SIG_DFL)


def _forget_signals() -> None:
    late_signals.forget()
    for handler in _installed.values():
        if isinstance(handler, _DrainThenEnd):
            handler.forget()


fork.register(Stage.SIGNALS, in_child=_forget_signals)
