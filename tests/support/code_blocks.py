"""The code blocks of the documentation, and which of them no test runs.

This is the one place where a command, a session or a part that no test runs is named, with the reason.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("docs/**/*.md"), *ROOT.glob("examples/**/README.md"), ROOT / "README.md"])

#: Commands of console blocks that no test runs as they stand, with the reason, by how they begin.
NOT_RUN = {
    "docker": "not run: no containers where the tests run; the files are held to their schemas",
    "kubectl": "not run: no cluster where the tests run; the files are held to their schemas",
    "helm": "not run: no cluster where the tests run",
    "systemctl": "not run: no systemd where the tests run",
    "sudo": "not run: changes the machine",
    "pip install": "not run: asks an index; tests/integration/test_wheel.py installs what is built",
    "pip wheel": "not run: asks an index for what builds it; tests/integration/test_wheel.py builds it without",
    "python3 -m venv": "not run: followed by what asks an index",
    ". .venv/bin/activate": "not run: changes the reader's shell",
    "uv ": "not run: asks an index",
    "make": "not run: it is what runs the tests",
    "git": "not run: needs a clone; the page on releases has one in its test",
    "export": "not run: addresses of servers that the reader has",
    "curl": "not run: asks a service that the page has started",
    "redis-cli": "not run: asks a server that the page has started",
    "journalctl": "not run: no systemd where the tests run",
    "zcat": "not run: reads a file that the reader has",
    "tail": "not run: has no end",
    "python -m logweir.examples": "not run: a service without an end; tests/integration/test_fleet.py runs it",
    "python -m logweir.benchmarks": "not run: takes minutes; its own tests run it in a short form",
    "gunicorn": "not run: a service without an end",
    "uvicorn": "not run: a service without an end",
    "celery": "not run: a service without an end",
    "pytest": "not run: the tests of the example are run by their own",
}

_HERE = "tests/integration/test_documentation.py"
_SESSIONS = "tests/integration/test_sessions.py"
#: Pages whose commands of logweir a test runs, and which.
RUN = {
    "README.md": _SESSIONS,
    "docs/start/install.md": _SESSIONS,
    "docs/tutorial.md": _SESSIONS,
    "examples/celery_jobs/README.md": _SESSIONS,
    "examples/django_shop/README.md": _SESSIONS,
    "examples/fallback/README.md": _SESSIONS,
    "examples/ledger/README.md": _SESSIONS,
    "examples/order_service/README.md": _SESSIONS,
    "docs/how-to/archive.md": _HERE,
    "docs/how-to/read-back.md": _HERE,
    "docs/how-to/testing.md": _HERE,
    "docs/how-to/release.md": _HERE,
    "docs/reference/redaction.md": _HERE,
    "docs/reference/routing.md": _HERE,
}

#: Pages whose every command a test runs, beside those of NOT_RUN.
RUN_AS_A_WHOLE = {"docs/how-to/release.md", *(page for page, test in RUN.items() if test == _SESSIONS)}

#: Pages whose commands of logweir are only parsed, with the reason.
PARSED = {
    "docs/how-to/erase.md": "not run: asks for rows of the reader; tests/unit/cli/test_query.py has its own",
    "docs/how-to/dead-letters.md": "not run: names letters of the reader; tests/integration/test_dead_letters.py has its own",
    "docs/how-to/deliver-elsewhere.md": "not run: a worker has no end; tests/integration/test_elsewhere.py runs it",
    "docs/how-to/kafka.md": "not run: a worker has no end; tests/integration/test_kafka_queue.py runs it",
    "docs/how-to/operate-brokers.md": "not run: a worker has no end; tests/integration/test_worker_processes.py runs it",
    "docs/how-to/log-files.md": "not run: names log files of the reader; the tutorial runs the same",
    "docs/reference/audit-chain.md": "not run: weeks lie between; tests/integration/test_verify.py has its own",
    "docs/how-to/verify.md": "not run: checks chains of the reader; tests/unit/cli/test_verify_jobs.py has its own",
    "examples/fleet/README.md": "not run: names servers of the reader; tests/integration/test_fleet.py runs the file",
    "examples/separated/README.md": "not run: names servers of the reader; tests/integration/test_separated.py runs the files",
}

#: Python that is marked as ``py``: parts of the reader's own files, which no test runs as they stand.
PARTS = {
    "docs/how-to/classify.md": "not run: a function of the reader's; tests/unit/routing has its like",
    "docs/how-to/alembic.md": "not run: parts of env.py and of a migration; tests/integration/test_alembic.py has them",
    "docs/how-to/carry-a-trace.md": "not run: part of a service with aiohttp",
    "docs/how-to/django.md": "not run: parts of settings.py and asgi.py; tests/integration/test_django.py has them",
    "docs/how-to/testing.md": "not run: a test of the reader's; tests/unit/testing has its like",
    "docs/how-to/wsgi.md": "not run: part of an application with Flask; tests/integration/test_web.py has one",
}

#: YAML that is no routing file and no part of one, by the page and what it begins with, and who reads it.
OTHER_YAML: dict[tuple[str, str], str] = {}

#: Routing files that name code or a sink of their page, which the loader cannot import: held to the schema alone.
NAMES_CODE = {
    "docs/how-to/classify.md",
    "docs/how-to/structlog-chain.md",
    "docs/how-to/relational-audit-store.md",
    "examples/custom_sink/README.md",
}


@dataclass(frozen=True)
class Block:
    """A fenced block of a page."""

    page: str
    line: int
    language: str
    text: str

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"


def blocks(*languages: str) -> list[Block]:
    """All blocks in one of the languages."""
    return [block for page in PAGES for block in _blocks(page) if block.language in languages]


def _blocks(page: Path) -> Iterator[Block]:
    text = page.read_text(encoding="utf-8")
    name = page.relative_to(ROOT).as_posix()
    for found in re.finditer(r"^( *)```(\w+)[^\n]*\n(.*?)^\1```", text, re.DOTALL | re.MULTILINE):
        inner = "".join(line.removeprefix(found[1]) for line in found[3].splitlines(keepends=True))
        yield Block(name, text.count("\n", 0, found.start()) + 1, found[2], inner)


def commands(block: Block) -> list[str]:
    """The commands of a console block, joined where they go on in the next line; where prompts are, the rest is output."""
    joined = block.text.replace("\\\n", " ")
    lines = joined.splitlines()
    prompted = [line.removeprefix("$ ") for line in lines if line.startswith("$ ")]
    return [line.strip() for line in prompted or lines if line.strip() and not line.startswith("#")]
