"""Real servers let in a user whose password no URL can hold as it is: from a variable, and by keys of their own."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.engine import make_url

from logweir.config.loading import load_config
from support.sql import run

PASSWORD = "zq@h/e:a#d%41?t ail"
USER = "odd_user"


@pytest.fixture(params=["mysql", "postgresql"])
def server(request: pytest.FixtureRequest) -> Iterator[Any]:
    server = request.getfixturevalue(request.param)
    for statement in statements(request.param, server.url):
        asyncio.run(run(server.url, statement))
    yield request.param, make_url(server.url)
    asyncio.run(run(server.url, f"DROP USER {USER}"))


def statements(kind: str, url: str) -> list[str]:
    quoted = PASSWORD.replace(":", "\\:")  # which would name a parameter
    if kind == "mysql":
        return [
            f"DROP USER IF EXISTS '{USER}'@'%'",
            f"CREATE USER '{USER}'@'%' IDENTIFIED BY '{quoted}'",
            f"GRANT ALL ON `{make_url(url).database}`.* TO '{USER}'@'%'",
        ]
    return [
        f"DO $$ BEGIN CREATE ROLE {USER} LOGIN; EXCEPTION WHEN duplicate_object THEN NULL; END $$",
        f"ALTER ROLE {USER} PASSWORD '{quoted}'",
    ]


@pytest.mark.parametrize("way", ["variable", "keys", "file"])
def test_r11_a_user_with_any_password_is_let_in(
    server: Any, way: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kind, url = server
    monkeypatch.setenv("DB_PASSWORD", PASSWORD)
    (tmp_path / "secret").write_text(PASSWORD + "\n")
    where = f"{url.host}:{url.port}/{url.database}"
    given = {
        "variable": f"url: '{url.drivername}://{USER}:${{DB_PASSWORD}}@{where}'",
        "file": f"url: '{url.drivername}://{USER}:${{file:secret}}@{where}'",
        "keys": f"url: '{url.drivername}://{where}', username: {USER}, password: '${{DB_PASSWORD}}'",
    }
    (tmp_path / "routing.yaml").write_text(
        f"sinks:\n  s: {{type: {kind}, {given[way]}, table: t}}\n"
        "routes:\n  - {name: all, to: [s], match: {}}\n"
    )
    config: Any = load_config(tmp_path / "routing.yaml").sinks["s"]

    ((user,),) = asyncio.run(run(config.address, "SELECT CURRENT_USER"))

    assert str(user).partition("@")[0] == USER
