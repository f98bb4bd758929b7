"""Tries logweir in the environment that runs this file, which imports nothing but the standard library and logweir.

``python smoke.py [--whole] EXTRA...``: each extra named is installed, and what it brings is opened as far as it can be
without a server; what other extras bring must name its extra in one message, with exit code 2.
"""

from __future__ import annotations

import contextlib
import importlib
import io
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

#: Nobody listens there.
_NOWHERE = "127.0.0.1:9"
_QUICK = {"retry": {"timeout": "2s"}}
_AUDIT = {"type": "sqlite", "provision": True}
#: By extra: a sink that needs it.
SINKS: dict[str, dict[str, Any]] = {
    "mysql": {"type": "mysql", "url": f"mysql+aiomysql://u:p@{_NOWHERE}/app"},
    "postgresql": {"type": "postgresql", "url": f"postgresql+asyncpg://u:p@{_NOWHERE}/app"},
    "mongodb": {"type": "mongodb", "url": f"mongodb://{_NOWHERE}/?serverSelectionTimeoutMS=500"},
    "elasticsearch": {"type": "elasticsearch", "url": f"http://{_NOWHERE}"},
    "opensearch": {"type": "opensearch", "url": f"http://{_NOWHERE}"},
    "loki": {"type": "loki", "url": f"http://{_NOWHERE}"},
    "victorialogs": {"type": "victorialogs", "url": f"http://{_NOWHERE}"},
    "http": {"type": "http", "url": f"http://{_NOWHERE}"},
    "otlp": {"type": "otlp", "url": f"http://{_NOWHERE}"},
    "redis": {"type": "null", "queue": {"type": "redis", "url": f"redis://{_NOWHERE}/0"}},
    "kafka": {"type": "null", "queue": {"type": "kafka", "brokers": [_NOWHERE]}},
}
#: By extra: a module of logweir that needs it.
MODULES = {
    "alembic": "logweir.integrations.alembic",
    "celery": "logweir.integrations.celery",
    "django": "logweir.integrations.django",
    "fastapi": "logweir.integrations.fastapi",
}
#: By extra: a command that needs it, and what to import where it is installed.
COMMANDS = {
    "archive": (["archive", "--sink", "audit_db", "--to", "archived", "--older-than", "1d"], "pyarrow"),
    "demo": (["demo", "--requests", "20"], "uvicorn"),
    "zstd": (["run", "lines.zst"], "zstandard"),
}
#: What brings nothing that could be tried by itself.
IMPORTS = {"aws": "botocore", "bench": "jinja2"}


def logweir(*arguments: str, outside: bool = False) -> tuple[int, str]:
    """Run a command; returns its exit code and what it wrote."""
    if outside:
        command = [sys.executable, "-m", "logweir", *arguments]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        return done.returncode, done.stdout + done.stderr
    from logweir.cli.app import main

    written, before = io.StringIO(), sys.argv
    sys.argv = ["logweir", *arguments]
    try:
        with contextlib.redirect_stdout(written), contextlib.redirect_stderr(written):
            main()
        code = 0
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(bool(end.code))
    finally:
        sys.argv = before
    return code, written.getvalue()


def expect(what: str, holds: object, shown: object = "") -> None:
    """End with a message unless something holds."""
    if not holds:
        sys.exit(f"{what}: {shown}")


def begin() -> None:
    """Everything that needs no extra: the help, a new file, its check, and an event on its way to its store."""
    import logweir as package

    code, text = logweir("--help", outside=True)
    expect("logweir --help", code == 0 and "routing.yaml" in text, text)
    code, text = logweir("--version", outside=True)
    expect("logweir --version", code == 0 and package.__version__ in text, text)
    code, text = logweir("init", outside=True)
    expect("logweir init", code == 0, text)
    code, text = logweir("check", outside=True)
    expect("logweir check", code == 0 and "Traceback" not in text, text)


def route() -> None:
    """An event arrives."""
    import logweir as package

    config = {
        "sinks": {"audit_db": _AUDIT, "logs": {"type": "file", "path": "logs/out.jsonl"}},
        "routes": [
            {"name": "audit", "match": {"kind": "audit"}, "to": ["audit_db"]},
            {"name": "rest", "to": ["logs"]},
        ],
    }
    Path("routing.yaml").write_text(json.dumps(config))
    with package.running("routing.yaml"):
        package.configure_structlog()
        package.get_logger("smoke").info("tracing", number=1)
        package.audit_sync("fund.transfer", user_id=7)
        expect("flush", package.flush(20))
    expect("the file", '"tracing"' in Path("logs/out.jsonl").read_text())
    code, text = logweir("query", "--sink", "audit_db")
    expect("logweir query", code == 0 and "fund.transfer" in text, text)


def check(extra: str) -> tuple[int, str]:
    """What ``logweir check`` says of the sink of an extra."""
    sinks = {"one": {**SINKS[extra], **_QUICK}}
    Path("one.yaml").write_text(json.dumps({"sinks": sinks, "routes": [{"name": "all", "to": ["one"]}]}))
    return logweir("check", "-c", "one.yaml", "--timeout", "3")


def installed(extra: str, *, whole: bool) -> None:
    """What an extra brings works as far as without a server; commands that take seconds only as a whole."""
    if extra in SINKS:
        code, text = check(extra)
        expect(
            f"{extra} is asked", code == 1 and "needs a driver" not in text and "Traceback" not in text, text
        )
    elif extra in MODULES:
        importlib.import_module(MODULES[extra])
    elif extra in COMMANDS:
        importlib.import_module(COMMANDS[extra][1])
        if not whole:
            return
        if extra == "zstd":
            line = b'{"event": "compressed"}\n'
            Path("lines.zst").write_bytes(importlib.import_module("zstandard").compress(line))
        code, text = logweir(*COMMANDS[extra][0])
        expect(f"{extra} works", code == 0, text)
    else:
        importlib.import_module(IMPORTS[extra])


def missing(extra: str) -> None:
    """What an extra would bring says so in one message that names it."""
    if extra in MODULES:
        try:
            importlib.import_module(MODULES[extra])
        except Exception as error:  # noqa: BLE001 - what it is shows in its message
            code, text = 2, str(error)
        else:
            code, text = 0, "it can be imported"
    elif extra in SINKS:
        code, text = check(extra)
    elif extra in COMMANDS:
        Path("lines.zst").write_bytes(b"\x28\xb5\x2f\xfd")
        code, text = logweir(*COMMANDS[extra][0])
    else:
        return
    expect(
        f"{extra} is missed",
        code == 2 and f"logweir[{extra}]" in text.replace("\n", "") and "Traceback" not in text,
        (code, text),
    )


def main(arguments: list[str]) -> None:
    """Try what is installed, and what is not."""
    extras = [word for word in arguments if not word.startswith("--")]
    whole = "--whole" in arguments or not extras
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        if whole:
            begin()
            route()
        for extra in extras:
            installed(extra, whole=whole)
        if not extras:
            for extra in (*SINKS, *MODULES, *COMMANDS):
                missing(extra)


if __name__ == "__main__":
    main(sys.argv[1:])
