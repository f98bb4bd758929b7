"""The documentation runs: its Python as programs, its commands as commands, its custom sink by the contract suite."""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

import logweir
from logweir import Event, Kind
from logweir.cli.app import app
from logweir.testing.contract import make_event
from support import forked
from support.code_blocks import RUN
from support.programs import PYTEST
from support.tree import copy_tree

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("docs/**/*.md"), ROOT / "README.md"])
#: Pages whose programs need the files and the servers of their sessions.
SESSIONS = {page for page, test in RUN.items() if test == "tests/integration/test_sessions.py"}
BIN = Path(sys.executable).parent


def blocks(page: Path, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", page.read_text(), re.DOTALL | re.MULTILINE)


def run(directory: Path, *command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, cwd=directory, capture_output=True, text=True, timeout=350, check=False)


def typed(command: str) -> Result:
    """Do what a command of a page does, in this process: none of the pages is about its start."""
    return CliRunner().invoke(app, shlex.split(command)[1:])


@pytest.fixture(scope="module")
def initialised(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder as ``logweir init`` leaves it, to be copied: it leaves the same for every page."""
    folder = tmp_path_factory.mktemp("initialised")
    done = run(folder, str(BIN / "logweir"), "init")
    assert done.returncode == 0, done.stderr
    return folder


@pytest.mark.parametrize(
    "page",
    [page for page in PAGES if blocks(page, "python") and page.relative_to(ROOT).as_posix() not in SESSIONS],
    ids=lambda page: page.name,
)
def test_the_python_of_a_page_runs(page: Path, initialised: Path, tmp_path: Path) -> None:
    shutil.copytree(initialised, tmp_path, dirs_exist_ok=True)
    for number, block in enumerate(blocks(page, "python")):
        name = re.match(r"# (\w+\.py)\n", block)
        (tmp_path / (name[1] if name else f"block{number}.py")).write_text(block)
    programs = [path.name for path in tmp_path.glob("*.py") if not path.name.startswith("test_")]
    if page.name == "audit-a-function.md":  # one program in several blocks
        text = "\n".join(blocks(page, "python"))
        (tmp_path / "all.py").write_text(text)
        programs = ["all.py"]
    for program in programs:
        done = forked.run(["python", program], cwd=tmp_path, env=os.environ)
        assert done.returncode == 0, done.stderr
        assert "Traceback" not in done.stderr


def commands(page: str) -> list[str]:
    lines = [line for block in blocks(ROOT / "docs/how-to" / page, "console") for line in block.splitlines()]
    return [line for line in lines if line.startswith("logweir ")]


def old_rows(directory: Path, name: str = "audit.db") -> list[Event]:
    """Rows of a hundred days ago, in the table of the page's configuration."""
    long_ago = time.time_ns() - 100 * 86_400 * 10**9
    events = [
        make_event("fund.transfer", {"user_id": 7, "n": n}, kind=Kind.AUDIT, time_ns=long_ago + n)
        for n in range(20)
    ]
    sink = {"type": "sqlite", "url": f"sqlite+aiosqlite:///{directory / name}", "provision": True}
    with logweir.running({"sinks": {"s": sink}, "routes": [{"name": "all", "to": ["s"]}]}) as running:
        for event in events:
            running.dispatch(event)
    return events


def test_the_page_on_testing_does_what_it_says(tmp_path: Path) -> None:
    page = ROOT / "docs/how-to/testing.md"
    routing, cases = blocks(page, "yaml")[:2]
    (tmp_path / "routing.yaml").write_text(routing)
    (tmp_path / "routes.test.yaml").write_text(cases)
    (command,) = blocks(page, "console")[0].splitlines()
    done = typed(command.removeprefix("$ "))
    assert done.stdout.endswith("4 passed, 0 failed\n"), done.output
    assert (tmp_path / "report.xml").exists()
    for block in blocks(page, "python"):
        (tmp_path / block.splitlines()[0].removeprefix("# ")).write_text(block)
    (tmp_path / "routing.yaml").write_text(routing.replace("${LOKI_HOST}", "loki"))
    done = run(tmp_path, *PYTEST, "test_shop.py")
    assert "1 passed" in done.stdout, done.stdout + done.stderr
    assert not (tmp_path / "audit.db").exists()


def test_the_page_on_archives_does_what_it_says(tmp_path: Path) -> None:
    page = ROOT / "docs/how-to/archive.md"
    (tmp_path / "routing.yaml").write_text(blocks(page, "yaml")[0])
    (tmp_path / "read.py").write_text(blocks(page, "py")[0])
    old_rows(tmp_path)
    said = ""
    for command in commands("archive.md"):
        done = typed(command)
        assert done.exit_code == 0, (command, done.output)
        said += done.stdout
    assert "20 rows of 1 day archived in 1 file at archive, 20 rows deleted" in said
    assert "20 rows restored, 0 there already" in said
    reading = run(tmp_path, sys.executable, "read.py")
    assert (reading.returncode, reading.stdout) == (0, "20 transfers of user 7\n"), reading.stderr


def test_the_page_on_reading_back_does_what_it_says(tmp_path: Path) -> None:
    names = ("audit_db", "archive_db", "logs")
    sinks = {
        name: {"type": "sqlite", "url": f"sqlite+aiosqlite:///{name}.db", "provision": True} for name in names
    }
    routing = {"sinks": sinks, "routes": [{"name": "all", "to": ["audit_db"]}]}
    (tmp_path / "routing.yaml").write_text(json.dumps(routing))
    events = old_rows(tmp_path, "audit_db.db")
    typed("logweir check")  # opens the sinks as the service does, and makes their tables
    for command in commands("read-back.md"):
        if " tail " not in command:  # it has no end
            done = typed(command)
            assert done.exit_code == 0, (command, done.output)
    assert "20 of audit_db found in archive_db" in done.stdout
    traced = typed(f"logweir trace {events[0].trace_id}")
    assert traced.stdout.count("[audit_db, archive_db]") == 20


@pytest.mark.parametrize("page", ["redaction.md", "routing.md"])
def test_the_commands_of_a_reference_work(page: str, initialised: Path, tmp_path: Path) -> None:
    shutil.copytree(initialised, tmp_path, dirs_exist_ok=True)
    lines = [
        line for block in blocks(ROOT / "docs/reference" / page, "console") for line in block.splitlines()
    ]
    for command in [line.removeprefix("$ ") for line in lines if line.startswith("$ ")]:
        done = typed(command)
        assert done.exit_code == 0, (command, done.output)


#: Commands of a release that take long, or talk to others.
NOT_HERE = (".ci/run", "git push", ".venv/bin/uv publish")

#: Makes virtual environments as Python does, and lets them see what is installed here instead of downloading it. That
#: holds of pip too: Python would unpack and compile it, which takes longer than all that it installs then.
VENV_MAKER = """\
#!/bin/sh
set -e
{python} "$@" --without-pip
echo '{site}' > "$(echo "$3"/lib/python*/site-packages)/installed_here.pth"
printf '#!/bin/sh\\nexec "%s/bin/python" -m pip "$@"\\n' "$(realpath "$3")" > "$3/bin/pip"
chmod +x "$3/bin/pip"
"""


@pytest.fixture
def clone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A clone whose last release is 1.1.0, for a maintainer who has no network."""
    for name in [name for name in os.environ if name.startswith("GIT_")]:
        monkeypatch.delenv(
            name
        )  # of a hook or a rebase that runs the tests: they point to our own repository
    for name, value in {
        "GIT_CONFIG_GLOBAL": os.devnull,
        "EMAIL": "maintainer@example.org",
        "PATH": f"{tmp_path}:{os.environ['PATH']}",
        "PIP_NO_DEPS": "1",
        "PIP_NO_INDEX": "1",
        "UV_OFFLINE": "1",
    }.items():
        monkeypatch.setenv(name, value)
    site = "\n".join(path for path in sys.path if path.endswith("site-packages"))
    (tmp_path / "python3").write_text(VENV_MAKER.format(python=sys.executable, site=site))
    (tmp_path / "python3").chmod(0o755)
    tree = copy_tree(tmp_path / "tree")
    for command in ("init --quiet", "add --all", "commit --quiet --message all", "tag v1.1.0"):
        done = run(tree, "git", *command.split())
        assert done.returncode == 0, done.stderr
    (tree / ".venv").symlink_to(sys.prefix)
    return tree


@pytest.mark.slow
@pytest.mark.timeout(400)  # builds, installs and runs the demo
def test_the_page_on_releases_does_what_it_says(clone: Path) -> None:
    page = "".join(blocks(ROOT / "docs/how-to/release.md", "console"))
    here = [line for line in page.splitlines() if not line.startswith(NOT_HERE)]
    done = run(clone, "bash", "-eu", "-c", "\n".join(here))
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"1.2.0 {clone}/.build/fresh/lib/" in done.stdout
    assert "each stored exactly once" in " ".join(done.stdout.split())
    built = sorted(path.name for path in clone.glob("dist/logweir*"))
    assert built == ["logweir-1.2.0-py3-none-any.whl", "logweir-1.2.0.tar.gz"]
    released = run(clone, "git", "show", "v1.2.0:CHANGELOG.md", "v1.2.0:pyproject.toml").stdout
    assert re.search(r"^## Unreleased\n\n## 1\.2\.0 - \d{4}-\d\d-\d\d\n", released, re.MULTILINE)
    assert '\nversion = "1.2.0"\n' in released
    assert '__version__ = "1.3.0.dev0"' in (clone / "core" / "__init__.py").read_text()
    assert run(clone, "git", "status", "--porcelain").stdout == "?? .venv\n"


def test_the_custom_sink_of_the_documentation_keeps_the_contract(tmp_path: Path) -> None:
    for block in blocks(ROOT / "docs/how-to/custom-sink.md", "python"):
        name = re.match(r"# (\w+\.py)\n", block)
        assert name
        (tmp_path / name[1]).write_text(block)
    (tmp_path / "pytest.ini").write_text("[pytest]\nasyncio_mode = auto\n")
    done = run(tmp_path, *PYTEST, ".")
    assert done.returncode == 0, done.stdout
    assert "passed" in done.stdout


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_of_a_page_lead_somewhere(page: Path) -> None:
    text = page.read_text()
    for target in re.findall(r"\]\((?!https?:)([^)#]+)", text) + re.findall(r' src(?:set)?="([^"]+)"', text):
        assert (page.parent / target).exists(), target
