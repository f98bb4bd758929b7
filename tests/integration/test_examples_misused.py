"""The examples where something that they need is missing: one sentence, as from the command line."""

import os
from pathlib import Path

import pytest

from support import forked


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (
            ["ledger", "mysql+aiomysql://app:hunter22@127.0.0.1:1/ledger"],
            1,
            "mysql+aiomysql://app:***@127.0.0.1:1/ledger cannot be used: ",
        ),
        (
            ["ledger", "ledger.db"],
            2,
            "'ledger.db' is no URL of a database; write sqlite+aiosqlite:///ledger.db",
        ),
        (
            ["order_service", "0"],
            2,
            "routing.yaml: there is no such file in {folder}; make one with `logweir init`",
        ),
    ],
)
def test_what_is_missing_is_said_without_a_traceback(
    tmp_path: Path, arguments: list[str], code: int, message: str
) -> None:
    name, *rest = arguments
    done = forked.run(
        ["python", "-m", f"logweir.examples.{name}", *rest], cwd=tmp_path, env=os.environ, timeout=110
    )
    assert done.returncode == code
    assert message.format(folder=tmp_path) in done.stderr
    assert "Traceback" not in done.stderr
    assert "hunter22" not in done.stderr
    assert "http://" not in done.stdout
