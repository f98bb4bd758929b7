"""The code blocks of the documentation, and which of them no test runs.

``NOT_RUN`` is the one place where a command that cannot run in the tests is named, with the reason.
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
    "uv ": "not run: asks an index",
    "make": "not run: it is what runs the tests",
    "git": "not run: needs a clone; the page on releases has one in its test",
    "export": "not run: addresses of servers that the reader has",
    "curl": "not run: asks a service that the page has started",
    "redis-cli": "not run: asks a server that the page has started",
    "tail": "not run: has no end",
    "python -m logweir.examples": "not run: a service without an end; tests/integration/test_fleet.py runs it",
    "python -m logweir.benchmarks": "not run: takes minutes; its own tests run it in a short form",
    "gunicorn": "not run: a service without an end",
    "uvicorn": "not run: a service without an end",
    "celery": "not run: a service without an end",
    "pytest": "not run: the tests of the example are run by their own",
}

#: YAML that is no routing file and no part of one, by the page and what it begins with, and who reads it.
OTHER_YAML: dict[tuple[str, str], str] = {}

#: Routing files that name code or a sink of their page, which the loader cannot import: held to the schema alone.
NAMES_CODE = {
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
