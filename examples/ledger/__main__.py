"""Run the ledger: ``python -m logweir.examples.ledger [DATABASE_URL]``; by default a SQLite file."""

from __future__ import annotations

import asyncio
import sys
from decimal import Decimal
from typing import Any

from rich import print as show
from sqlalchemy import Connection, inspect
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine

import logweir
from logweir.examples.ledger.ledger import Account, Base, NotEnough, transfer, who_moved_the_money_of

_FILE = "sqlite+aiosqlite:///ledger.db"


def routing(url: str) -> dict[str, Any]:
    """The routing of stage V1: what is explicit goes to the audit table, tracing to stdout."""
    kind = make_url(url).get_backend_name()
    return {
        "service": "ledger",
        "strategy": "explicit",
        "sinks": {"audit_db": {"type": kind, "url": url, "provision": True}, "logs": {"type": "stdout"}},
    }


def _make_tables(connection: Connection) -> None:
    """Make the tables, in a database that has none of their names: what is there belongs to somebody."""
    taken = sorted(Base.metadata.tables.keys() & set(inspect(connection).get_table_names()))
    if taken:
        sys.exit(
            f"{connection.engine.url.render_as_string()} has the tables {', '.join(taken)} already, which "
            "this example would use; give it a database of its own, or remove an earlier run's ledger.db"
        )
    Base.metadata.create_all(connection)


async def main(url: str) -> None:
    """Two transfers that commit, and one that rolls back with its audit row."""
    engine = create_async_engine(url)
    async with logweir.running(routing(url)):
        async with engine.begin() as connection:
            await connection.run_sync(_make_tables)
        async with AsyncSession(engine) as session, session.begin():
            session.add_all(Account(owner=owner, balance=Decimal(100)) for owner in ("ann", "bob"))
        for number, amount in (("t-1", 30), ("t-2", 50), ("t-3", 900)):
            try:
                async with AsyncSession(engine) as session, session.begin():
                    await transfer(session, number, "ann", "bob", Decimal(amount), clerk="eve")
            except NotEnough as error:
                show(f"{number}: {error}; neither the money nor an audit row moved")
        async with AsyncSession(engine) as session:
            for clerk, target, moved in await who_moved_the_money_of(session, "ann"):
                show(f"{clerk} moved {moved} from ann to {target}")
    await engine.dispose()


def _url_of(text: str) -> URL:
    try:
        return make_url(text)
    except ArgumentError:
        print(f"{text!r} is no URL of a database; write {_FILE}", file=sys.stderr)  # noqa: T201 - for people
        sys.exit(2)


if __name__ == "__main__":
    given = _url_of(sys.argv[1] if len(sys.argv) > 1 else _FILE)
    try:
        asyncio.run(main(given.render_as_string(hide_password=False)))
    except DBAPIError as error:
        sys.exit(f"{given.render_as_string()} cannot be used: {error.orig}")
