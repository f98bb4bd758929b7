"""Pages that a reader follows from top to bottom leave, step by step, what they say."""

import difflib
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from support import sessions
from support.sessions import ROOT, Session, form, rewritten


@pytest.fixture(name="folder")
def _folder() -> Iterator[Path]:
    with sessions.folder() as path:
        yield path


def follow(session: Session) -> None:
    """Do what the page says, and compare each output with the one that stands there."""
    played = session.play()
    assert played
    if os.environ.get("LOGWEIR_SESSIONS") == "write":
        text = rewritten(session.page, played)
        (ROOT / session.page).write_text(text, encoding="utf-8")
        return
    for command, told, printed in played:
        if form(told) != form(printed):
            lines = form(told).splitlines(), form(printed).splitlines()
            changes = difflib.unified_diff(*lines, "the page", "the command", n=0, lineterm="")
            pytest.fail("\n".join([f"{session.page}: {command}", *changes]), pytrace=False)


def test_the_readme_leaves_what_it_says(folder: Path) -> None:
    follow(Session("README.md", folder))
    assert "never stored" not in "".join(
        path.read_text(errors="replace") for path in (folder / "audit.db", folder / "logs/tracing.jsonl")
    )


def test_what_the_page_on_installing_says_of_a_new_installation(folder: Path) -> None:
    follow(Session("docs/start/install.md", folder))
    assert {"routing.yaml", "audit.db"} <= {path.name for path in folder.iterdir()}
