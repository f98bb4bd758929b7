"""What a run says about servers that it cannot have, and what it makes of their tests."""

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from servers import Unavailable, machine
from servers.kinds import KINDS

TESTS = """\
def test_one(mysql): ...
def test_two(mysql): ...
def test_three(own_server): own_server("mysql")
def test_without_a_server(): ...
"""


DOUBLED = """\
def test_one(loki): ...
def test_two(own_server): own_server("loki")
def test_three(real_loki): ...
"""


def run(directory: Path, *arguments: str, tests: str = TESTS, **environment: str) -> tuple[int, str]:
    """Run tests in a pytest of their own; returns its status and what it printed."""
    (directory / "test_some.py").write_text(textwrap.dedent(tests))
    paths = str(Path(machine.__file__).parents[1])
    clean = {name: value for name, value in os.environ.items() if name != "CI"}
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "pytest",
            "-p",
            "servers.plugin",
            "-p",
            "xdist.plugin",
            "--rootdir",
            str(directory),
            str(directory),
            *arguments,
        ],
        # Other plugins take more time to import than these tests take.
        env={**clean, "PYTHONPATH": paths, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", **environment},
        cwd=directory,
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    return done.returncode, done.stdout


ONE_PROCESS_OR_TWO = pytest.mark.parametrize(
    "arguments", [(), ("--numprocesses", "2")], ids=["one process", "two processes"]
)


@ONE_PROCESS_OR_TWO
def test_tests_without_their_server_are_listed_by_its_name(
    tmp_path: Path, arguments: tuple[str, ...]
) -> None:
    status, output = run(tmp_path, *arguments, LOGWEIR_TEST_MYSQL_URL="none")
    assert status == 0, output
    assert "1 passed, 3 skipped" in output
    assert "not run: mysql (3 tests): LOGWEIR_TEST_MYSQL_URL=none" in output


def test_in_ci_they_fail(tmp_path: Path) -> None:
    status, output = run(tmp_path, LOGWEIR_TEST_MYSQL_URL="none", CI="true")
    assert status == 1, output
    assert "1 failed, 1 passed, 2 errors" in output
    assert "Unavailable: LOGWEIR_TEST_MYSQL_URL=none" in output


@ONE_PROCESS_OR_TWO
def test_what_ran_on_a_double_and_what_needs_the_real_server_is_listed_in_ci_too(
    tmp_path: Path, arguments: tuple[str, ...]
) -> None:
    status, output = run(tmp_path, *arguments, tests=DOUBLED, LOGWEIR_TEST_LOKI_URL="", CI="true")
    assert status == 0, output
    assert "2 passed, 1 skipped" in output
    assert "not run: a real loki (1 test): LOGWEIR_TEST_LOKI_URL names none" in output
    assert "not run on a real loki (2 tests on its double): LOGWEIR_TEST_LOKI_URL names none" in output


def test_a_server_of_the_environment_that_does_not_answer_is_missing(tmp_path: Path) -> None:
    url = f"mysql+aiomysql://u:hidden@127.0.0.1:{machine.free_port()}/t"
    _, output = run(tmp_path, "-k", "one or two", LOGWEIR_TEST_MYSQL_URL=url)
    assert "not run: mysql (2 tests): the server of LOGWEIR_TEST_MYSQL_URL does not answer" in output
    assert "hidden" not in output


@pytest.mark.parametrize("name", ["mysql", "mariadb", "postgresql", "mongodb"])
def test_who_is_not_root_learns_what_needs_root(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "is_root", lambda: False)
    monkeypatch.setattr(
        machine, "program", lambda program, *_: "/usr/bin/apt-get" if program == "apt-get" else None
    )
    monkeypatch.setattr("servers.kinds.postgresql.PostgreSQL._find", lambda *_: None)
    with pytest.raises(Unavailable, match="needs root"):
        KINDS[name].prepare()


@pytest.mark.parametrize("name", ["mariadb", "elasticsearch", "opensearch"])
def test_other_systems_learn_what_to_install(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "program", lambda *_: None)
    with pytest.raises(
        Unavailable, match=r"without apt-get it cannot be installed \(Debian: .*(mariadb|maven)"
    ):
        KINDS[name].prepare()
