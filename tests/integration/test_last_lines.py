"""What is logged on the way out of a process: by threads that outlive the main one, and by functions of atexit."""

from collections import Counter
from pathlib import Path

import pytest

from support.programs import CONFIG, names, run_program

AUDITED = CONFIG.replace("{type: file,", "{type: file, queue: {type: disk},")


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
    assert "2 events were not delivered before the stop; they are kept on disk for the next start" in errors
    (tmp_path / "out.jsonl").unlink()
    run_program(tmp_path, "logweir.start()\nlogweir.flush()", config=config)
    assert Counter(names(tmp_path, "out.jsonl/x")) == {"main": 1, "at exit": 1}
