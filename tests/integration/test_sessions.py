"""Pages that a reader follows from top to bottom leave, step by step, what they say."""

import asyncio
import contextlib
import difflib
import os
import shutil
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from servers import Server, machine
from servers.errors import Unavailable
from servers.plugin import Proxies
from support import sessions, sql
from support.sessions import ROOT, Session, alike, form, rewritten


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
    wrong = []
    for command, written, printed in played:
        if not alike(written, printed):
            lines = form(written).splitlines(), form(printed).splitlines()
            wrong += [f"$ {command}", *difflib.unified_diff(*lines, "the page", "here", n=0, lineterm="")]
    if wrong:
        hint = "after a change that is meant: LOGWEIR_SESSIONS=write"
        pytest.fail("\n".join([f"{session.page} says something else ({hint})", *wrong]), pytrace=False)


#: What the examples make, and what Django and the sink make for themselves.
OWN_TABLES = (
    "shop_",
    "jobs_",
    "django_",
    "auth_",
    "sqlite_",
    "logweir_",
    "audit_log",
    "accounts",
    "transfers",
)


def tables_in(path: Path) -> list[str]:
    with contextlib.closing(sqlite3.connect(path)) as database:
        return [name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]


def test_the_readme_leaves_what_it_says(folder: Path) -> None:
    follow(Session("README.md", folder))
    assert "never stored" not in "".join(
        path.read_text(errors="replace") for path in (folder / "audit.db", folder / "logs/tracing.jsonl")
    )


def test_what_the_page_on_installing_says_of_a_new_installation(folder: Path) -> None:
    follow(Session("docs/start/install.md", folder))
    assert {"routing.yaml", "audit.db"} <= {path.name for path in folder.iterdir()}


@pytest.mark.timeout(500)  # some thirty commands, each a process of its own
def test_the_tutorial_leaves_after_each_step_what_it_says(
    folder: Path, mysql: Server, victorialogs: Server, redis: Server, proxy: Proxies
) -> None:
    tail = uuid4().hex
    way = proxy(mysql)
    ours = {
        "mysql+aiomysql://root:secret@127.0.0.1:3306/shop": way.url,
        "http://127.0.0.1:9428": victorialogs.url,
        "redis://127.0.0.1:6379/0": redis.url,
        "corner-shop": f"shop-{tail[:6]}",  # as long as the names of the page, so that tables break alike
        "shop_audit": f"s_{tail[:8]}",
        "4bf92f3577b34da6a3ce929d0e0e4736": tail,
        "\nroutes:\n": "\ndrain_timeout: 3s\nroutes:\n",  # a program whose store is away waits for no longer
    }
    try:
        follow(
            Session(
                "docs/tutorial.md",
                folder,
                ours,
                {"docker stop mysql": way.refuse, "docker start mysql": way.clear},
                forked=True,
            )
        )
    finally:
        asyncio.run(sql.run(mysql.url, f"DROP TABLE IF EXISTS {ours['shop_audit']}"))


@pytest.mark.timeout(500)
@pytest.mark.parametrize("example", ["django_shop", "celery_jobs", "fallback", "ledger", "order_service"])
def test_an_example_leaves_what_its_page_says(example: str, folder: Path) -> None:
    try:
        machine.need({"curl": "curl"})
    except Unavailable as error:
        pytest.skip(f"not run: curl: {error}")
    if (ROOT / "examples" / example / "routing.yaml").exists():  # a program of its own; others are installed
        shutil.copytree(ROOT / "examples" / example, folder, dirs_exist_ok=True)
    port = str(machine.free_port())
    follow(Session(f"examples/{example}/README.md", folder, {"8000": port}, forked=True))
    tables = {name for path in folder.glob("*.db") for name in tables_in(path)}
    assert not {name for name in tables if not name.startswith(OWN_TABLES)}
