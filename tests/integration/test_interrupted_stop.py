"""Stops that others interrupt, overtake or repeat: what they held is stored once, or on disk for the next start."""

from collections import Counter
from pathlib import Path

import pytest

from support.programs import CONFIG, names, run_program

pytestmark = pytest.mark.busy

#: A file sink that holds its writes until somebody lets them go on.
HELD = """
import signal
import logweir.sinks.file.sink as module
from logweir.runtime import current

reached, let_go = threading.Event(), threading.Event()
write = module.FileSink.write

def held(self, batch):
    reached.set()
    let_go.wait()
    return write(self, batch)

module.FileSink.write = held

def send_while_draining(number):
    def wait():
        while current.stage() != "draining":
            time.sleep(0.005)
        os.kill(os.getpid(), number)

    threading.Thread(target=wait).start()
"""


@pytest.mark.parametrize("kind", ["memory", "disk"])
def test_c2_an_interrupt_in_the_middle_of_a_stop_loses_nothing(tmp_path: Path, kind: str) -> None:
    code = (
        HELD
        + """
signal.signal(signal.SIGINT, signal.default_int_handler)
logweir.start()
for number in range(100):
    log.info("event", number=number)
reached.wait()
send_while_draining(signal.SIGINT)
try:
    logweir.stop()
except KeyboardInterrupt:
    print(logweir.current() is not None, flush=True)
log.info("between the stops")
let_go.set()
"""
    )
    config = CONFIG.replace("{type: file,", f"{{type: file, queue: {{type: {kind}}},")
    status, out, errors = run_program(tmp_path, code, config=config)
    assert (status, out) == (0, "True\n"), errors
    assert Counter(names(tmp_path)) == {"event": 100, "between the stops": 1}


def test_c2_a_stop_of_a_signal_handler_in_the_middle_of_a_stop_drains_for_both(tmp_path: Path) -> None:
    code = (
        HELD
        + """
def handler(number, frame):
    log.info("in the handler")
    let_go.set()
    print("inner", logweir.stop(), flush=True)

signal.signal(signal.SIGUSR1, handler)
logweir.start()
log.info("event")
reached.wait()
send_while_draining(signal.SIGUSR1)
print("outer", logweir.stop(), logweir.current(), flush=True)
"""
    )
    status, out, errors = run_program(tmp_path, code)
    assert (status, out.splitlines(), errors) == (0, ["inner True", "outer True None"], "")
    assert names(tmp_path) == ["event", "in the handler"]


def test_c2_a_start_of_a_signal_handler_in_the_middle_of_a_stop_begins_anew(tmp_path: Path) -> None:
    code = (
        HELD
        + """
def handler(number, frame):
    let_go.set()
    logweir.start()
    log.info("anew")

signal.signal(signal.SIGUSR1, handler)
logweir.start()
log.info("event")
reached.wait()
send_while_draining(signal.SIGUSR1)
logweir.stop()
log.info("goes on")
"""
    )
    status, _, errors = run_program(tmp_path, code)
    assert (status, errors) == (0, "")
    assert names(tmp_path) == ["event", "anew", "goes on"]


@pytest.mark.parametrize(
    "ending", ["threading.Thread(target=sys.exit, args=(3,)).start()", "logweir.stop(); logweir.stop()"]
)
def test_c2_other_ends_lose_nothing_either(tmp_path: Path, ending: str) -> None:
    code = f"""
    logweir.start()
    log.info("event")
    threading.Thread(target=lambda: (threading.main_thread().join(), log.info("late"))).start()
    {ending}
    """
    status, _, errors = run_program(tmp_path, code)
    assert (status, errors) == (0, "")
    assert Counter(names(tmp_path)) == {"event": 1, "late": 1}


def test_c2_a_sigterm_while_threads_are_waited_for_drains_and_ends_the_process(tmp_path: Path) -> None:
    code = """
    import signal
    logweir.start()
    log.info("event")

    def work():
        threading.main_thread().join()
        for number in range(100):
            log.info("late", number=number)
        time.sleep(0.2)  # the interpreter would sleep through a signal that comes as the main thread begins to wait
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(60)

    threading.Thread(target=work).start()
    """
    status, _, errors = run_program(tmp_path, code)
    assert (status, errors) == (-15, "")
    assert Counter(names(tmp_path)) == {"event": 1, "late": 100}
