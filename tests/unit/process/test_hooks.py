"""The handlers of signals, where the process can do no more what they are for."""

import os
import signal
import threading
from collections.abc import Iterator

import pytest

from logweir.process import hooks


@pytest.fixture
def _defaults() -> Iterator[None]:
    before = {number: signal.signal(number, signal.SIG_DFL) for number in (signal.SIGTERM, signal.SIGHUP)}
    yield
    hooks.restore_signals()
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.usefixtures("_defaults")
def test_c2_a_reload_by_signal_that_gets_no_thread_is_reported_and_disturbs_nobody(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(_thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    hooks.install_signals(on_term=list, on_hup=lambda: None)
    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", refuse)
        os.kill(os.getpid(), signal.SIGHUP)
    assert "routing.yaml was not reloaded: can't start new thread" in caplog.text
