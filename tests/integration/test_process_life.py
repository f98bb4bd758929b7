"""Nothing logged is lost or doubled however a process ends, forks, spawns or reloads."""

import os
import shlex
import signal
import subprocess
from collections import Counter
from pathlib import Path

import httpx
import pytest

from support.programs import CONFIG, PYTEST, names, run_program, start_program, stored

pytestmark = pytest.mark.busy


@pytest.mark.parametrize(
    ("ending", "status"),
    [
        ("", 0),
        ("sys.exit(3)", 3),
        ("raise RuntimeError('unhandled')", 1),
        ("threading.Thread(target=lambda: [log.info('late') for _ in range(10)]).start()", 0),
    ],
)
def test_what_was_logged_before_the_end_is_stored(tmp_path: Path, ending: str, status: int) -> None:
    code = f"""
    logweir.start()
    for number in range(1000):
        log.info("event", number=number)
    {ending}
    """
    assert run_program(tmp_path, code)[0] == status
    assert Counter(names(tmp_path))["event"] == 1000


def test_sigterm_in_a_burst_drains_and_then_ends_the_process(tmp_path: Path) -> None:
    code = """
    logweir.start()
    for number in range(5000):
        log.info("event", number=number)
    print("logged", flush=True)
    while True:
        log.info("more")
    """
    process = start_program(tmp_path, code)
    assert process.stdout is not None
    process.stdout.readline()
    process.send_signal(signal.SIGTERM)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == -signal.SIGTERM, errors
    events = stored(tmp_path)
    assert sum(event.name == "event" for event in events) == 5000
    assert len({event.id for event in events}) == len(events)


def test_a_process_ends_by_sigterm_though_its_drain_fails(tmp_path: Path) -> None:
    code = """
    import signal
    from logweir.process import hooks

    hooks.install_signals(on_term=lambda: 1 / 0, on_hup=None)
    os.kill(os.getpid(), signal.SIGTERM)
    threading.Event().wait(30.0)
    """
    status, _, errors = run_program(tmp_path, code)
    assert status == -signal.SIGTERM, errors
    assert "the drain of a signal failed: ZeroDivisionError" in errors


def test_sigint_drains_on_its_way_out(tmp_path: Path) -> None:
    code = """
    logweir.start()
    for number in range(1000):
        log.info("event", number=number)
    print("logged", flush=True)
    time.sleep(60)
    """
    process = start_program(tmp_path, code)
    assert process.stdout is not None
    process.stdout.readline()
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=60)
    assert names(tmp_path) == ["event"] * 1000


def test_x4_tests_are_green_where_their_parent_ignores_the_signals_that_they_send(tmp_path: Path) -> None:
    test = f"{__file__}::{test_sigint_drains_on_its_way_out.__name__}"
    pytest_run = [*PYTEST, "--basetemp", str(tmp_path / "its")]
    trap = f"trap '' INT TERM HUP; exec {shlex.join([*pytest_run, test])}"  # as nohup and a script's `&` do
    done = subprocess.run(
        ["sh", "-c", trap],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    assert "1 passed" in done.stdout, done.stdout + done.stderr


def test_an_applications_own_sigterm_handler_is_left_alone(tmp_path: Path) -> None:
    code = """
    import signal
    def own(signum, frame):
        log.info("handled")
        sys.exit(7)
    signal.signal(signal.SIGTERM, own)
    logweir.start()
    log.info("before")
    os.kill(os.getpid(), signal.SIGTERM)
    """
    assert run_program(tmp_path, code)[0] == 7
    assert names(tmp_path) == ["before", "handled"]


@pytest.mark.wound("opentelemetry-python #4005")
def test_a_forked_child_delivers_its_own_and_the_parent_its_own(tmp_path: Path) -> None:
    code = """
    logweir.start()
    log.info("parent before")
    children = []
    for child in range(4):
        pid = os.fork()
        if pid == 0:
            for number in range(100):
                log.info(f"child {child}", number=number)
            sys.exit(0)
        children.append(pid)
    for pid in children:
        assert os.waitpid(pid, 0)[1] == 0
    log.info("parent after")
    """
    status, _, errors = run_program(tmp_path, code)
    assert status == 0, errors
    assert Counter(names(tmp_path)) == {
        "parent before": 1,
        "parent after": 1,
        **{f"child {child}": 100 for child in range(4)},
    }


@pytest.mark.wound("opentelemetry-python #4005")
@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_children_of_multiprocessing_deliver(tmp_path: Path, method: str) -> None:
    code = f"""
    import multiprocessing

    def work(child):
        for number in range(50):
            log.info(f"child {{child}}", number=number)

    if __name__ == "__main__":
        logweir.start()
        log.info("parent")
        context = multiprocessing.get_context("{method}")
        children = [context.Process(target=work, args=(child,)) for child in range(3)]
        for child in children:
            child.start()
        for child in children:
            child.join()
            assert child.exitcode == 0, child.exitcode
    """
    status, _, errors = run_program(tmp_path, code)
    assert status == 0, errors
    assert Counter(names(tmp_path)) == {"parent": 1, **{f"child {child}": 50 for child in range(3)}}


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_c8_loggers_can_be_sent_into_a_pool_of_processes(tmp_path: Path, method: str) -> None:
    code = f"""
    import multiprocessing, concurrent.futures, structlog

    if __name__ == "__mp_main__":
        structlog.reset_defaults()  # a child where nobody has configured structlog

    def work(logger, child):
        logger.info(f"child {{child}}")
        logger.bind(more=1).warning("bound", child=child)

    if __name__ == "__main__":
        logweir.start()
        context = multiprocessing.get_context("{method}")
        loggers = [log, log.bind(a=1), logweir.get_logger("shop", b=2), structlog.get_logger().bind(c=3)]
        with context.Pool(2) as pool:
            pool.starmap(work, [(logger, child) for child, logger in enumerate(loggers)])
            pool.close()
            pool.join()
        with concurrent.futures.ProcessPoolExecutor(2, mp_context=context) as pool:
            list(pool.map(work, loggers, range(4, 8)))
    """
    status, _, errors = run_program(tmp_path, code)
    assert status == 0, errors
    bound = {
        0: {"logger": "program"},
        1: {"logger": "program", "a": 1},
        2: {"logger": "shop", "b": 2},
        3: {"c": 3},
    }
    events = stored(tmp_path)
    assert Counter(event.name for event in events) == {
        "bound": 8,
        **{f"child {child}": 1 for child in range(8)},
    }
    for event in events:
        child = event.fields.pop("child", None)
        if event.name == "bound":
            assert event.fields == {**bound[child % 4], "more": 1}
        else:
            assert event.fields == bound[int(event.name[-1]) % 4]


@pytest.mark.wound("loguru #958")
@pytest.mark.timeout(300)
def test_a_fork_while_other_threads_log_does_not_deadlock(tmp_path: Path) -> None:
    code = """
    logweir.start()
    stop = threading.Event()

    def chatter(thread):
        number = 0
        while not stop.is_set():
            log.info(f"thread {thread}", number=number)
            number += 1
            if number % 20 == 0:  # without an end of their own, they would leave a busy machine nothing for the forks
                stop.wait(0.005)

    threads = [threading.Thread(target=chatter, args=(thread,)) for thread in range(8)]
    for thread in threads:
        thread.start()
    for child in range(20):
        pid = os.fork()
        if pid == 0:
            log.info(f"child {child}")
            logweir.stop()
            os._exit(0)
        assert os.waitpid(pid, 0)[1] == 0
    stop.set()
    for thread in threads:
        thread.join()
    """
    status, _, errors = run_program(tmp_path, code, config=CONFIG + "  # 8 threads\n", timeout=280)
    assert status == 0, errors
    events = stored(tmp_path)
    assert {f"child {child}" for child in range(20)} <= {event.name for event in events}
    assert len({event.id for event in events}) == len(events)


@pytest.mark.wound("loguru #1065")
def test_a_fork_with_a_full_queue_does_not_deadlock(tmp_path: Path) -> None:
    config = CONFIG.replace(
        "batch:", "queue: {max_events: 10, when_full: block, block_timeout: 100ms}, batch:"
    ).replace("linger: 20ms", "linger: 5s, max_events: 1000")
    code = """
    logweir.start()
    for number in range(30):
        if number == 15:
            pid = os.fork()
            if pid == 0:
                log.info("child")
                sys.exit(0)
            assert os.waitpid(pid, 0)[1] == 0
        log.info("parent")
    print(logweir.metrics().sinks["out"].dropped["block_timeout"])
    """
    status, out, errors = run_program(tmp_path, code, config=config)
    assert status == 0, errors
    assert Counter(names(tmp_path)) == {"child": 1, "parent": 30 - int(out)}
    assert "block_timeout" in errors


WSGI = """
import os
import logweir

logweir.configure_structlog()
log = logweir.get_logger("web")
{start}

def application(environ, start_response):
    log.info("request", path=environ["PATH_INFO"], pid=os.getpid())
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [str(os.getpid()).encode()]
"""


@pytest.mark.wound("loguru #284")
@pytest.mark.wound("loguru #1137")
@pytest.mark.wound("watchtower #89")
@pytest.mark.parametrize("preload", [False, True])
def test_gunicorns_workers_deliver_every_event_once(tmp_path: Path, preload: bool) -> None:
    (tmp_path / "web.py").write_text(WSGI.format(start="logweir.start()"))
    code = f"""
    import subprocess
    command = [sys.executable, "-m", "gunicorn", "--workers", "4", "--bind", "127.0.0.1:0"]
    command += ["--graceful-timeout", "20", {'"--preload",' if preload else ""} "web:application"]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    for line in process.stderr:
        print(line, end="", flush=True)
    sys.exit(process.wait())
    """
    process = start_program(tmp_path, code)
    assert process.stdout is not None
    lines: list[str] = []
    try:
        address, master = "", 0
        while not address:
            lines.append(process.stdout.readline())
            assert lines[-1], "".join(lines)
            if "Listening at: " in lines[-1]:
                address = lines[-1].split("Listening at: ")[1].split(" ")[0]
                master = int(lines[-1].split("(")[1].split(")")[0])
        with httpx.Client(base_url=address, timeout=30) as client:
            pids = Counter(
                client.get(f"/{number}", headers={"connection": "close"}).text for number in range(200)
            )
        os.kill(master, signal.SIGTERM)
        process.communicate(timeout=60)
    finally:
        process.kill()
    events = [event for event in stored(tmp_path) if event.name == "request"]
    assert sorted(event.fields["path"] for event in events) == sorted(f"/{number}" for number in range(200))
    assert Counter(str(event.fields["pid"]) for event in events) == pids


RELOAD = """
import signal
logweir.start()
done = threading.Event()
counts = [0] * 8

def chatter(thread):
    while not done.is_set():
        log.info(f"thread {thread}", number=counts[thread])
        counts[thread] += 1
        time.sleep(0)

threads = [threading.Thread(target=chatter, args=(thread,)) for thread in range(8)]
for thread in threads:
    thread.start()
text = open("routing.yaml").read()
for turn in range(12):
    changed = text.replace("linger: 20ms", f"linger: {turn + 1}ms")
    if turn % 3 == 1:
        changed = changed.replace("sinks:", "sinks:\\n  extra: {type: file, path: extra.jsonl}").replace("[out]", "[out, extra]")
    open("routing.yaml", "w").write(changed)
    RELOADING
done.set()
for thread in threads:
    thread.join()
print(sum(counts))
"""


def test_reloads_in_a_burst_lose_nothing_and_double_nothing(tmp_path: Path) -> None:
    config = CONFIG.replace("batch:", "queue: {max_events: 1000000}, batch:")
    status, out, errors = run_program(
        tmp_path, RELOAD.replace("RELOADING", "logweir.reload()"), config=config
    )
    assert status == 0, errors
    events = stored(tmp_path)
    assert len({event.id for event in events}) == len(events) == int(out)
    for thread in range(8):
        numbers = [event.fields["number"] for event in events if event.name == f"thread {thread}"]
        assert sorted(numbers) == list(range(len(numbers)))


def test_sighup_reloads_and_a_wrong_file_changes_nothing(tmp_path: Path) -> None:
    code = """
    import signal
    logweir.start()
    log.info("old")
    text = open("routing.yaml").read()
    open("routing.yaml", "w").write(text.replace("service: program", "service: renamed"))
    os.kill(os.getpid(), signal.SIGHUP)
    while logweir.current().config.service != "renamed":
        time.sleep(0.005)
    log.info("new")
    open("routing.yaml", "w").write("sinks: {}")
    try:
        logweir.reload()
    except logweir.ConfigError as error:
        print(error)
    log.info("newest")
    """
    status, out, errors = run_program(tmp_path, code)
    assert status == 0, errors
    assert "routing.yaml:1:8: sinks: sinks must not be empty" in out
    assert [(event.name, event.service) for event in stored(tmp_path)] == [
        ("old", "program"),
        ("new", "renamed"),
        ("newest", "renamed"),
    ]


def test_logging_before_the_start_is_reported_once_and_never_raises(tmp_path: Path) -> None:
    code = """
    for number in range(100):
        log.info("nobody listens")
    """
    status, _, errors = run_program(tmp_path, code)
    assert status == 0
    assert errors.count("no runtime is running; call logweir.start(...)") == 1


def test_logging_while_the_interpreter_exits_never_raises(tmp_path: Path) -> None:
    code = """
    import atexit, weakref

    class Talkative:
        def __del__(self):
            log.info("deleted")

    atexit.register(lambda: log.info("at exit"))
    kept = Talkative()
    cycle = Talkative()
    cycle.itself = cycle
    weakref.finalize(kept, lambda: log.info("finalised"))
    logweir.start()
    log.info("event")
    """
    status, _, errors = run_program(tmp_path, code)
    assert status == 0
    assert "Traceback" not in errors
    assert names(tmp_path)[0] == "event"


def test_records_of_the_standard_library_that_come_before_the_start_are_stored(tmp_path: Path) -> None:
    code = """
    import logging
    logging.getLogger("library").addHandler(logweir.Handler())
    logging.getLogger("library").warning("early")
    logweir.start()
    """
    status, _, errors = run_program(tmp_path, code)
    assert (status, names(tmp_path)) == (0, ["early"]), errors
