"""Which processes start by themselves, and from what: spawned children from their parent's file, others by LOGWEIR_CONFIG."""

from collections import Counter
from pathlib import Path

import pytest

from support.programs import CONFIG, names, run_program

OTHER = CONFIG.replace("out.jsonl", "other.jsonl").replace("data_dir: data", "data_dir: other_data")

#: Another program: it logs at once, and starts from a file of its own, or not at all.
PROGRAM = """
import logweir
logweir.configure_structlog()
log = logweir.get_logger("other")
log.info("first line")
{start}
log.info("last line")
"""


@pytest.mark.parametrize("starts", [True, False])
def test_c9_another_program_started_by_a_process_has_a_runtime_of_its_own_or_none(
    tmp_path: Path, starts: bool
) -> None:
    (tmp_path / "other.yaml").write_text(OTHER)
    (tmp_path / "other.py").write_text(
        PROGRAM.format(start="logweir.start('other.yaml')" if starts else "pass")
    )
    code = """
    import subprocess
    logweir.start()
    log.info("parent")
    subprocess.run([sys.executable, "other.py"], check=True)
    """
    status, _, errors = run_program(tmp_path, code)
    assert status == 0, errors
    assert names(tmp_path) == ["parent"]
    if starts:
        assert names(tmp_path, "other.jsonl") == ["first line", "last line"]
    else:
        assert "2 events (0 audit) are lost: logged and no runtime is running" in errors


def test_c9_a_program_that_started_by_itself_may_start_another_configuration(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "other.yaml").write_text(OTHER)
    monkeypatch.setenv("LOGWEIR_CONFIG", str(tmp_path / "routing.yaml"))
    code = """
    log.info("by itself")
    runtime = logweir.current()
    assert logweir.start("other.yaml") is runtime
    log.info("as it says")
    try:
        logweir.start("routing.yaml")
    except logweir.LogweirError as error:
        print(error)
    """
    status, out, errors = run_program(tmp_path, code)
    assert (status, errors) == (0, "")
    assert (names(tmp_path), names(tmp_path, "other.jsonl")) == (["by itself"], ["as it says"])
    assert "a runtime with another configuration is running" in out


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_c9_a_child_may_start_another_configuration_than_its_parents(tmp_path: Path, method: str) -> None:
    (tmp_path / "other.yaml").write_text(OTHER)
    code = f"""
    import multiprocessing

    def work():
        log.info("by itself")
        logweir.start("other.yaml")
        log.info("as it says")

    if __name__ == "__main__":
        logweir.start()
        child = multiprocessing.get_context("{method}").Process(target=work)
        child.start()
        child.join()
        assert child.exitcode == 0
        log.info("parent")
    """
    status, _, errors = run_program(tmp_path, code)
    assert (status, errors) == (0, "")
    assert (names(tmp_path), names(tmp_path, "other.jsonl")) == (["by itself", "parent"], ["as it says"])


@pytest.mark.parametrize("method", ["spawn", "forkserver"])
def test_c9_a_spawned_child_starts_from_what_runs_in_its_parent_and_so_does_its_own_child(
    tmp_path: Path, method: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "other.yaml").write_text(OTHER)
    monkeypatch.setenv("LOGWEIR_CONFIG", str(tmp_path / "nowhere.yaml"))
    code = f"""
    import multiprocessing

    log.info("imported") if __name__ == "__mp_main__" else None

    def grandchild():
        log.info("grandchild")

    def run(work):
        process = multiprocessing.get_context("{method}").Process(target=work)
        process.start()
        process.join()
        assert process.exitcode == 0

    def child():
        log.info("child")
        run(grandchild)

    if __name__ == "__main__":
        logweir.start("other.yaml")
        run(child)
    """
    status, _, errors = run_program(tmp_path, code)
    assert (status, errors) == (0, "")
    assert Counter(names(tmp_path, "other.jsonl")) == {"imported": 2, "child": 1, "grandchild": 1}


def test_c9_children_of_another_program_do_not_start_what_its_parent_ran(tmp_path: Path) -> None:
    (tmp_path / "other.py").write_text(
        PROGRAM.format(start="").replace('log.info("first line")', "").replace('log.info("last line")', "")
        + """
import multiprocessing
def work():
    log.info("grandchild")
if __name__ == "__main__":
    child = multiprocessing.get_context("spawn").Process(target=work)
    child.start()
    child.join()
"""
    )
    code = """
    import subprocess
    logweir.start()
    log.info("parent")
    subprocess.run([sys.executable, "other.py"], check=True)
    """
    status, _, errors = run_program(tmp_path, code)
    assert status == 0
    assert names(tmp_path) == ["parent"]
    assert "1 event (0 audit) is lost" in errors


@pytest.mark.parametrize("call", ["logweir.audit_sync('first', acknowledge='stored')", "first()"])
def test_c9_an_audit_call_may_be_the_first_thing_that_a_spawned_child_does(tmp_path: Path, call: str) -> None:
    code = f"""
    import multiprocessing

    @logweir.audit_log("first")
    def first():
        pass

    def work():
        {call}

    if __name__ == "__main__":
        logweir.start()
        child = multiprocessing.get_context("spawn").Process(target=work)
        child.start()
        child.join()
        assert child.exitcode == 0
    """
    assert run_program(tmp_path, code)[::2] == (0, "")
    assert names(tmp_path) == ["first"]
