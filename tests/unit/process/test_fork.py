"""A fork passes its stages in the written order, and nobody registers beside it."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from logweir.process import fork
from logweir.process.fork import Stage

pytestmark = pytest.mark.busy

ROOT = Path(__file__).parents[3]
FROM_THE_GROUND_UP = [
    "DIAGNOSTICS",
    "REGISTERED_LOCKS",
    "SQLITE_GATE",
    "STANDSTILL",
    "WATCHDOG",
    "COMMIT_FUTURES",
    "DEAD_LETTERS",
    "FALLBACK_NOTES",
    "SPOOL_OWNERSHIP",
    "SPOOL_FILES",
    "SPOOLS",
    "LINES_TO_WORKERS",
    "METRICS_SOCKETS",
    "METRICS_FILES",
    "SIGNALS",
    "RUNTIME",
]


@pytest.fixture(autouse=True)
def own_handlers(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(fork, "_handlers", {})
    return


def test_the_order_of_the_stages_is_the_written_one() -> None:
    assert [stage.name for stage in sorted(Stage)] == FROM_THE_GROUND_UP


def test_stages_are_passed_from_the_top_down_before_a_fork_and_from_the_ground_up_after_it() -> None:
    passed: list[tuple[str, str]] = []
    for stage in reversed(Stage):  # whoever registers when
        fork.register(
            stage,
            before=lambda name=stage.name: passed.append(("before", name)),
            in_parent=lambda name=stage.name: passed.append(("parent", name)),
            in_child=lambda name=stage.name: passed.append(("child", name)),
        )
    fork._before()
    fork._in_parent()
    fork._in_child()
    assert passed == [
        *(("before", name) for name in reversed(FROM_THE_GROUND_UP)),
        *(("parent", name) for name in FROM_THE_GROUND_UP),
        *(("child", name) for name in FROM_THE_GROUND_UP),
    ]


def test_a_stage_that_fails_keeps_no_other_from_its_work(caplog: pytest.LogCaptureFixture) -> None:
    passed: list[str] = []

    def interrupted() -> None:
        raise KeyboardInterrupt

    fork.register(Stage.RUNTIME, before=interrupted)
    fork.register(Stage.SQLITE_GATE, before=lambda: passed.append("gate"))
    fork._before()
    assert passed == ["gate"]
    assert "stage RUNTIME of a fork failed" in caplog.text


def test_a_stage_has_one_handler_and_the_last_one_counts() -> None:
    passed: list[str] = []
    fork.register(Stage.SPOOLS, in_child=lambda: passed.append("first"))
    fork.register(Stage.SPOOLS, in_child=lambda: passed.append("second"))
    fork._in_child()
    assert passed == ["second"]


def test_a_started_runtime_has_a_handler_at_every_stage() -> None:
    script = """
import logweir
from logweir.telemetry import server
from logweir.process import fork
config = {"service": "s", "sinks": {"a": {"type": "null"}}, "routes": [{"name": "all", "to": ["a"]}]}
logweir.start(config)
print(sorted(stage.name for stage in fork._handlers))
logweir.stop()
"""
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.strip() == str(sorted(FROM_THE_GROUND_UP))


def test_the_locks_of_thread_pools_are_taken_after_our_handlers_have_run() -> None:
    """Handlers run before a fork in the reverse order of their registration."""
    script = """
import os
order = []
register = os.register_at_fork
def noting(**handlers):
    owner = next(iter(handlers.values()))
    order.append(getattr(owner, "__module__", None) or type(owner).__name__)
    register(**handlers)
os.register_at_fork = noting
from logweir.process import fork
fork.install()
fork.install()
assert order.count("logweir.process.fork") == 1, order
assert order[-1] == "logweir.process.fork", order
import sys
assert "concurrent.futures.thread" in sys.modules and "logging" in sys.modules
"""
    subprocess.run([sys.executable, "-c", script], check=True, timeout=60)


def test_only_the_module_of_forks_registers_with_the_interpreter() -> None:
    registering = [
        path.relative_to(ROOT).as_posix()
        for folder in ("core", "sinks", "benchmarks", "examples")
        for path in (ROOT / folder).rglob("*.py")
        if any(
            isinstance(node, ast.Attribute | ast.Name | ast.alias)
            and "register_at_fork" in {getattr(node, key, None) for key in ("attr", "id", "name")}
            for node in ast.walk(ast.parse(path.read_text()))
        )
    ]
    assert registering == ["core/process/fork.py"]


def test_a_real_fork_passes_the_stages_in_both_processes() -> None:
    script = """
import os, sys
from logweir.process import fork
seen = []
fork.register(fork.Stage.SPOOLS, before=lambda: seen.append("before"), in_parent=lambda: seen.append("parent"),
              in_child=lambda: seen.append("child"))
fork.install()
pid = os.fork()
if not pid:
    os._exit(0 if seen == ["before", "child"] else 1)
assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
assert seen == ["before", "parent"], seen
"""
    subprocess.run([sys.executable, "-c", script], check=True, timeout=60)
