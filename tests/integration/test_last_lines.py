"""What is logged on the way out of a process: by threads that outlive the main one, and by functions of atexit."""

import signal
from collections import Counter
from pathlib import Path

import pytest

import logweir
from support.programs import CONFIG, names, run_program, stored

pytestmark = pytest.mark.busy

AUDITED = CONFIG.replace("{type: file,", "{type: file, queue: {type: disk},")


def deliver_what_waits() -> None:
    """Start once more in the working directory; in this process, for it is not this end that is tested."""
    logweir.start("routing.yaml", handle_signals=False)
    assert logweir.flush()
    assert logweir.stop()


@pytest.mark.parametrize("config", [CONFIG, AUDITED], ids=["memory", "disk"])
def test_c2_a_thread_that_outlives_the_main_one_is_heard_to_its_last_line(
    tmp_path: Path, config: str
) -> None:
    code = """
    logweir.start()
    ended = threading.main_thread()

    def work():
        ended.join()
        for number in range(100):
            log.info("line", persist_db=True)
        logweir.audit_sync("fund.transfer", acknowledge="stored")

    threading.Thread(target=work).start()
    log.info("main")
    """
    status, _, errors = run_program(tmp_path, code, config=config)
    assert (status, errors) == (0, "")
    assert Counter(names(tmp_path)) == {"main": 1, "line": 100, "fund.transfer": 1}


def test_c2_an_executor_that_nobody_shuts_down_is_heard_to_its_last_job(tmp_path: Path) -> None:
    code = """
    from concurrent.futures import ThreadPoolExecutor
    logweir.start()
    ended = threading.Event()
    threading._register_atexit(ended.set)

    def job(number):
        ended.wait()
        log.info("job", number=number)

    executor = ThreadPoolExecutor(2)
    for number in range(20):
        executor.submit(job, number)
    """
    status, _, errors = run_program(tmp_path, code)
    assert (status, errors) == (0, "")
    assert names(tmp_path) == ["job"] * 20


def test_c2_functions_of_atexit_are_heard_whether_registered_before_or_after_the_start(
    tmp_path: Path,
) -> None:
    code = """
    import atexit
    atexit.register(lambda: logweir.audit_sync("older", acknowledge="stored"))
    logweir.start()
    atexit.register(log.info, "newer", persist_db=True)
    """
    status, _, errors = run_program(tmp_path, code)
    assert (status, errors) == (0, "")
    assert names(tmp_path) == ["newer", "older"]


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_c2_threads_of_a_multiprocessing_child_are_heard_to_their_last_line(
    tmp_path: Path, method: str
) -> None:
    code = f"""
    import multiprocessing
    from concurrent.futures import ThreadPoolExecutor

    def late(ended):
        ended.join()
        log.info("late", persist_db=True)

    def work():
        log.info("work")
        threading.Thread(target=late, args=(threading.main_thread(),)).start()
        ThreadPoolExecutor(1).submit(log.info, "job")

    if __name__ == "__main__":
        logweir.start()
        child = multiprocessing.get_context("{method}").Process(target=work)
        child.start()
        child.join()
        assert child.exitcode == 0, child.exitcode
    """
    status, _, errors = run_program(tmp_path, code)
    assert (status, errors) == (0, "")
    assert Counter(names(tmp_path)) == {"work": 1, "job": 1, "late": 1}


def test_c2_an_exit_whose_sink_is_down_keeps_every_line_on_disk_and_reports_it(tmp_path: Path) -> None:
    config = CONFIG.replace("drain_timeout: 20s", "drain_timeout: 300ms").replace("out.jsonl", "out.jsonl/x")
    (tmp_path / "out.jsonl").write_text("a file where the sink needs a directory")
    code = """
    import atexit
    logweir.start()
    atexit.register(log.info, "at exit")
    log.info("main")
    """
    status, _, errors = run_program(tmp_path, code, config=config)
    assert status == 0
    assert "2 events were not delivered before the stop; kept on disk for the next start" in errors
    (tmp_path / "out.jsonl").unlink()
    deliver_what_waits()
    assert Counter(names(tmp_path, "out.jsonl/x")) == {"main": 1, "at exit": 1}


@pytest.mark.parametrize("config", [CONFIG, AUDITED], ids=["memory", "disk"])
def test_c2_the_hook_for_uncaught_exceptions_is_heard_after_the_runtime_has_stopped(
    tmp_path: Path, config: str
) -> None:
    code = """
    sys.excepthook = lambda kind, error, trace: log.critical("uncaught", exc_info=error, persist_db=True)
    with logweir.running("routing.yaml"):
        log.info("main")
        raise ValueError("out of the block")
    """
    status, _, errors = run_program(tmp_path, code, config=config)
    assert (status, errors) == (1, "")
    assert names(tmp_path) == ["main", "uncaught"]
    assert not list((tmp_path / "data/queues").iterdir())


def test_c2_a_line_after_the_stop_survives_a_process_that_ends_without_its_exit(tmp_path: Path) -> None:
    code = """
    logweir.start()
    logweir.stop()
    log.info("after the stop")
    os._exit(0)
    """
    assert run_program(tmp_path, code)[0] == 0
    deliver_what_waits()
    assert names(tmp_path) == ["after the stop"]


def test_c2_lines_after_a_stop_are_delivered_by_the_next_start_of_the_process(tmp_path: Path) -> None:
    code = """
    logweir.start()
    logweir.stop()
    log.info("between", persist_db=True)
    logweir.start()
    logweir.flush()
    log.info("again")
    """
    assert run_program(tmp_path, code)[::2] == (0, "")
    assert names(tmp_path) == ["between", "again"]


def test_c2_lines_of_other_threads_during_a_stop_are_late_and_not_lost(tmp_path: Path) -> None:
    code = """
    from logweir.runtime import current
    logweir.start()
    log.info("before")
    said = threading.Event()

    def work():
        while current.stage() == "running":
            pass
        log.info("during or after", persist_db=True)
        said.set()

    threading.Thread(target=work).start()
    logweir.stop()
    said.wait()
    """
    assert run_program(tmp_path, code)[::2] == (0, "")
    assert names(tmp_path) == ["before", "during or after"]


def test_c2_what_the_disk_does_not_take_after_the_stop_is_counted_and_reported(tmp_path: Path) -> None:
    code = """
    import shutil
    logweir.start({"data_dir": "gone/data", "sinks": {"out": {"type": "null"}}, "routes": [{"name": "all", "to": ["out"]}]})
    logweir.stop()
    shutil.rmtree("gone", ignore_errors=True)
    log.info("nowhere")
    """
    status, _, errors = run_program(tmp_path, code)
    assert status == 0
    assert "runtime dropped 1 event: logged after the stop" in errors
    assert not (tmp_path / "gone").exists()


def test_c2_lines_before_the_start_are_delivered_by_it_as_they_were_at_their_call(tmp_path: Path) -> None:
    config = CONFIG.replace("sinks:", "redact: {keys: [pin_of_us]}\nsinks:")
    code = """
    from logweir.context.binding import bind
    items = [1]
    with bind(user="bob"):
        log.info("before", persist_db=True, items=items, password="S", pin_of_us="S", trace_id="ab12")
    items.append(2)
    moment = time.time_ns()
    with bind(user="starter"):
        logweir.start()
    print(moment)
    """
    status, out, errors = run_program(tmp_path, code, config=config)
    assert (status, errors) == (0, "")
    (event,) = stored(tmp_path)
    assert (event.name, event.kind, event.trace_id, event.service) == ("before", "audit", "ab12", "program")
    assert event.fields == {
        "items": [1],
        "user": "bob",
        "password": "***",
        "pin_of_us": "***",
        "logger": "program",
    }
    assert event.time < int(out)


@pytest.mark.parametrize("starts", [True, False])
def test_c2_lines_before_the_start_are_kept_up_to_a_bound_and_the_rest_is_counted(
    tmp_path: Path, starts: bool
) -> None:
    code = f"""
    for number in range(1010):
        log.info("before", number=number, persist_db=number % 2)
    if {starts}:
        logweir.start()
    """
    status, _, errors = run_program(tmp_path, code)
    assert status == 0
    lost = "10 events (5 audit) are lost" if starts else "1,010 events (505 audit) are lost"
    assert lost in errors
    if starts:
        assert [event.fields["number"] for event in stored(tmp_path)] == list(range(1000))


def test_c2_a_forked_child_leaves_what_was_kept_before_the_start_to_its_parent(tmp_path: Path) -> None:
    code = """
    log.info("before")
    pid = os.fork()
    if pid:
        assert os.waitpid(pid, 0)[1] == 0
    logweir.start()
    log.info("child" if pid == 0 else "parent")
    """
    assert run_program(tmp_path, code)[::2] == (0, "")
    assert names(tmp_path) == ["child", "before", "parent"]


def test_c2_an_audited_call_before_the_start_or_after_the_stop_is_recorded_all_the_same(
    tmp_path: Path,
) -> None:
    code = """
    @logweir.audit_log("fund.transfer")
    def transfer(amount, password):
        return amount

    transfer(1, "S")
    logweir.start()
    transfer(2, "S")
    logweir.stop()
    transfer(3, "S")
    """
    status, _, errors = run_program(tmp_path, code)
    assert status == 0
    assert (
        "an audited call was not recorded as it should: no runtime is running; the event waits for one, "
        "at most until the process ends: call logweir.start(...) before the first audited call" in errors
    )
    events = stored(tmp_path)
    assert [event.fields["arguments"] for event in events] == [
        {"amount": amount, "password": "***"} for amount in (1, 2, 3)
    ]
    assert {event.kind for event in events} == {"audit"}


SERVER = """
import signal, socket
import uvicorn
from fastapi import FastAPI
from logweir.integrations.stdlib import install_stdlib

app = FastAPI(lifespan=logweir.lifespan("routing.yaml"))
install_stdlib()
server = uvicorn.Server(uvicorn.Config(app, port=0, log_config=None))

def end():
    while not server.started:
        time.sleep(0.01)
    os.kill(os.getpid(), signal.{signal})

signal.signal(signal.SIGINT, signal.default_int_handler)
threading.Thread(target=end).start()
try:
    server.run()
except KeyboardInterrupt:
    pass
"""


@pytest.mark.parametrize("number", ["SIGINT", "SIGTERM"])
def test_c2_what_a_server_says_before_and_after_the_lifespan_is_stored(tmp_path: Path, number: str) -> None:
    status, _, errors = run_program(tmp_path, SERVER.format(signal=number))
    if number == "SIGTERM":  # uvicorn ends the process by the signal, behind its last line: no exit delivers
        assert status == -signal.SIGTERM, errors
        deliver_what_waits()
    said = [name.partition(" [")[0] for name in names(tmp_path)]
    assert said[0] == "Started server process"
    assert said[-1] == "Finished server process"
    assert Counter(said)["Application shutdown complete."] == 1


#: Begins a program that does something while its main thread waits for the others; of that nobody is notified.
AT_THE_END = """
    import signal
    main = threading.main_thread()

    def wait_until_main_has_ended():
        while "shutdown" not in sys._current_frames()[main.ident].f_code.co_name:
            time.sleep(0.01)
"""


def test_a_sigterm_that_does_not_wake_the_main_thread_at_its_end_is_not_slept_through(tmp_path: Path) -> None:
    """As one that arrives in the moment before it begins to wait: here another thread receives it."""
    code = f"""{AT_THE_END}
    logweir.start()

    def work():
        wait_until_main_has_ended()
        time.sleep(0.3)
        log.info("last")
        signal.pthread_kill(threading.get_ident(), signal.SIGTERM)
        time.sleep(600)

    threading.Thread(target=work).start()
    """
    status, _, errors = run_program(tmp_path, code)
    assert (status, errors) == (-signal.SIGTERM, "")
    assert names(tmp_path) == ["last"]


def test_a_child_forked_at_the_end_of_the_main_thread_keeps_its_signals_from_its_parent(
    tmp_path: Path,
) -> None:
    code = f"""{AT_THE_END}
    logweir.start()

    def work():
        wait_until_main_has_ended()
        reading, writing = os.pipe()
        child = os.fork()
        if not child:
            os.write(writing, b"x")
            time.sleep(600)
        os.read(reading, 1)
        os.kill(child, signal.SIGTERM)
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGTERM)
        time.sleep(0.5)
        log.info("last")

    threading.Thread(target=work).start()
    """
    status, printed, errors = run_program(tmp_path, code)
    assert (status, printed, errors) == (0, "True\n", "")
    assert names(tmp_path) == ["last"]
