"""Waiting for signals in the main thread, wherever they arrive."""

import os
import signal
import threading
import time

from logweir.cli.signals import Signals


def from_a_thread(send: object) -> threading.Thread:
    thread = threading.Thread(target=send)  # type: ignore[arg-type]
    thread.start()
    return thread


def test_signals_come_in_their_order() -> None:
    with Signals() as signals:
        os.kill(os.getpid(), signal.SIGHUP)
        os.kill(os.getpid(), signal.SIGTERM)
        assert [signals.next(10), signals.next(10)] == [signal.SIGHUP, signal.SIGTERM]
        assert signals.next(0.01) is None
    assert signal.getsignal(signal.SIGHUP) == signal.SIG_DFL


def test_a_signal_that_another_thread_gets_wakes_who_waits() -> None:
    def gets() -> None:
        time.sleep(0.1)
        signal.pthread_kill(threading.get_ident(), signal.SIGHUP)

    with Signals() as signals:
        thread = from_a_thread(gets)
        assert signals.next(10) == signal.SIGHUP
        thread.join()


def test_what_was_left_alone_before_is_left_alone() -> None:
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)  # as nohup does for what runs behind a shell
    try:
        with Signals() as signals:
            os.kill(os.getpid(), signal.SIGINT)
            assert signals.next(0.05) is None
    finally:
        signal.signal(signal.SIGINT, before)
