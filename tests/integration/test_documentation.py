"""The documentation runs: its Python as programs, its commands as commands, its custom sink by the contract suite."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("docs/**/*.md"), ROOT / "README.md"])
BIN = Path(sys.executable).parent


def blocks(page: Path, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", page.read_text(), re.DOTALL | re.MULTILINE)


def run(directory: Path, *command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, cwd=directory, capture_output=True, text=True, timeout=100, check=False)


@pytest.mark.parametrize(
    "page", [page for page in PAGES if blocks(page, "python")], ids=lambda page: page.name
)
def test_the_python_of_a_page_runs(page: Path, tmp_path: Path) -> None:
    run(tmp_path, str(BIN / "logweir"), "init")
    for number, block in enumerate(blocks(page, "python")):
        name = re.match(r"# (\w+\.py)\n", block)
        (tmp_path / (name[1] if name else f"block{number}.py")).write_text(block)
    for name in ("routing.yaml",) if page.name == "README.md" else ():
        (tmp_path / name).write_text(blocks(page, "yaml")[0])
    programs = [path.name for path in tmp_path.glob("*.py") if not path.name.startswith("test_")]
    if page.name in {"audit-a-function.md", "tutorial.md"}:  # one program in several blocks
        text = "\n".join(blocks(page, "python"))
        (tmp_path / "all.py").write_text(text)
        programs = ["all.py"]
    for program in programs:
        done = run(tmp_path, sys.executable, program)
        assert done.returncode == 0, done.stderr
        assert "Traceback" not in done.stderr


def test_the_example_of_the_readme_leaves_what_it_says(tmp_path: Path) -> None:
    readme = ROOT / "README.md"
    (tmp_path / "routing.yaml").write_text(blocks(readme, "yaml")[0])
    (tmp_path / "shop.py").write_text(blocks(readme, "python")[0])
    done = run(tmp_path, sys.executable, "shop.py")
    assert done.returncode == 0, done.stderr
    assert len((tmp_path / "logs" / "tracing.jsonl").read_text().splitlines()) == 1
    rows = run(
        tmp_path,
        sys.executable,
        "-c",
        "import sqlite3; print(sqlite3.connect('audit.db').execute('SELECT action, user_id, status, extra_info FROM audit_log').fetchall())",
    )
    assert "('fund.transfer', '7', 'success'" in rows.stdout
    assert "never stored" not in rows.stdout


def test_the_commands_of_the_tutorial_work(tmp_path: Path) -> None:
    (tmp_path / "old-service.log").write_text('{"msg": "hello"}\nplain\n')
    commands = [line for block in blocks(ROOT / "docs/tutorial.md", "console") for line in block.splitlines()]
    for command in commands:
        if command.startswith("logweir "):
            done = subprocess.run(
                f"{BIN}/{command}", shell=True, cwd=tmp_path, capture_output=True, text=True, check=False
            )
            assert done.returncode == 0, (command, done.stderr)


def test_the_custom_sink_of_the_documentation_keeps_the_contract(tmp_path: Path) -> None:
    for block in blocks(ROOT / "docs/how-to/custom-sink.md", "python"):
        name = re.match(r"# (\w+\.py)\n", block)
        assert name
        (tmp_path / name[1]).write_text(block)
    (tmp_path / "pytest.ini").write_text("[pytest]\nasyncio_mode = auto\n")
    done = run(
        tmp_path, sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:randomly", "."
    )
    assert done.returncode == 0, done.stdout
    assert "passed" in done.stdout


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_of_a_page_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\((?!https?:)([^)#]+)", page.read_text()):
        assert (page.parent / target).exists(), target
