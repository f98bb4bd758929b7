"""What changed, by hypothesis: whatever a session does, the history replays to exactly the rows of the tables.

Objects are added, changed, deleted, replaced, given another key and linked; statements change rows past them;
flushes, savepoints and transactions end either way, and objects are expired in between.
"""

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    precondition,
    rule,
    run_state_machine_as_test,
)
from sqlalchemy import Engine, create_engine, delete, event, insert, select, update
from sqlalchemy.orm import Session, SessionTransaction

import logweir
from logweir.sinks.sql.table import audit_table
from support.ledger_models import Account, Base, Entry, Tag, account_tags

AUDIT = audit_table("audit_log")
LEDGERS = st.sampled_from("ab")
NUMBERS = st.integers(1, 3)
AMOUNTS = st.integers(0, 3)
TAGS = st.sampled_from((1, 2))
Rows = dict[tuple[Any, ...], dict[str, Any]]
Links = set[tuple[int, int]]


def replayed(changes: list[dict[str, Any]]) -> tuple[Rows, Links]:
    """The rows and the links that a history leaves; what it says of values before must be true."""
    rows, links = Rows(), Links()
    for change in changes:
        key = (change["model"], *change["key"].values())
        old_key = (change["model"], *change.get("key_before", change["key"]).values())
        before = rows.pop(old_key, {})
        assert bool(before) == (change["operation"] != "insert"), change
        assert {name: before[name] for name in change["before"]} == change["before"], change
        if change["operation"] != "delete":
            rows[key] = before | change["after"]
        tags = change.get("collections", {}).get("tags", {"added": [], "removed": []})
        links |= {(key[1], tag["id"]) for tag in tags["added"]}
        links -= {(key[1], tag["id"]) for tag in tags["removed"]}
    return rows, links


class Changes(RuleBasedStateMachine):
    """One session after another on the same tables."""

    engine: Engine
    path: Path

    @initialize()
    def start(self) -> None:
        with closing(sqlite3.connect(self.path)) as connection, connection:
            for table in ("audit_log", "chg_account_tags", "chg_entries", "chg_accounts", "chg_tags"):
                connection.execute(f"DELETE FROM {table}")
            connection.execute("INSERT INTO chg_tags VALUES (1, 'red'), (2, 'blue')")
        self.session = Session(self.engine)
        self.savepoints: list[SessionTransaction] = []

    def teardown(self) -> None:
        if hasattr(self, "session"):
            self.look()
            self.session.commit()
            self.look()
            self.session.close()

    def entry(self, ledger: str, number: int) -> Entry | None:
        """An object that is there and stays."""
        for each in self.session.new:
            if isinstance(each, Entry) and (each.ledger, each.number) == (ledger, number):
                return each
        found = self.session.get(Entry, (ledger, number))
        return None if found is None or found in self.session.deleted else found

    def account(self, number: int) -> Account | None:
        self.session.flush()
        return self.session.get(Account, number)

    @rule(ledger=LEDGERS, number=NUMBERS, amount=AMOUNTS, owner=st.none() | NUMBERS)
    def add(self, ledger: str, number: int, amount: int, owner: int | None) -> None:
        if self.entry(ledger, number) is None:  # it may take over the row of one that is deleted
            account = None if owner is None else self.session.get(Account, owner)
            account = None if account in self.session.deleted else account
            self.session.add(Entry(ledger=ledger, number=number, amount=amount, account=account))

    @rule(ledger=LEDGERS, number=NUMBERS, amount=AMOUNTS, expire=st.booleans())
    def change(self, ledger: str, number: int, amount: int, expire: bool) -> None:
        if (entry := self.entry(ledger, number)) is not None:
            if expire and entry not in self.session.new:
                self.session.expire(entry)
            entry.amount = amount

    @rule(ledger=LEDGERS, number=NUMBERS, by=AMOUNTS)
    def count(self, ledger: str, number: int, by: int) -> None:
        if (entry := self.entry(ledger, number)) is not None and entry not in self.session.new:
            entry.amount = Entry.amount + by  # type: ignore[assignment]

    @rule(ledger=LEDGERS, number=NUMBERS, to=NUMBERS)
    def rename(self, ledger: str, number: int, to: int) -> None:
        self.session.flush()
        entry = self.entry(ledger, number)
        if entry is not None and self.entry(ledger, to) is None:
            entry.number = to
            self.session.flush()

    @rule(ledger=LEDGERS, number=NUMBERS, expire=st.booleans())
    def remove(self, ledger: str, number: int, expire: bool) -> None:
        entry = self.entry(ledger, number)
        if entry is not None and entry not in self.session.new:
            if expire:
                self.session.expire(entry)
            self.session.delete(entry)

    @rule(ledger=LEDGERS, number=NUMBERS, amount=st.none() | AMOUNTS)
    def replace(self, ledger: str, number: int, amount: int | None) -> None:
        """A new object takes over the row, and what it was not given stays in it."""
        self.session.flush()
        if (entry := self.entry(ledger, number)) is not None:
            self.session.delete(entry)
            given = {} if amount is None else {"amount": amount}
            self.session.add(Entry(ledger=ledger, number=number, **given))

    @rule(number=NUMBERS, owner=st.sampled_from(("ann", "bob")))
    def open_account(self, number: int, owner: str) -> None:
        account = self.account(number)
        if account is None:
            self.session.add(Account(id=number, owner=owner))
        else:
            account.owner = owner

    @rule(number=NUMBERS)
    def close_account(self, number: int) -> None:
        if (account := self.account(number)) is not None:
            self.session.delete(account)

    @rule(number=NUMBERS, tag=TAGS, other_side=st.booleans())
    def link(self, number: int, tag: int, other_side: bool) -> None:
        account, linked = self.account(number), self.session.get_one(Tag, tag)
        if account is not None:
            collection, member = (linked.accounts, account) if other_side else (account.tags, linked)
            (collection.remove if member in collection else collection.append)(member)  # type: ignore[arg-type]

    @rule(ledger=LEDGERS, by=AMOUNTS, core=st.booleans())
    def update_rows(self, ledger: str, by: int, core: bool) -> None:
        self.session.flush()
        target: Any = Entry.__table__ if core else Entry
        columns = target.c if core else target
        self.session.execute(
            update(target).where(columns.ledger == ledger).values(amount=columns.amount + by)
        )
        self.session.expire_all()

    @rule(ledger=LEDGERS, amount=AMOUNTS)
    def delete_rows(self, ledger: str, amount: int) -> None:
        self.session.execute(delete(Entry).where(Entry.ledger == ledger, Entry.amount == amount))

    @rule(ledger=LEDGERS, numbers=st.sets(NUMBERS, min_size=1))
    def insert_rows(self, ledger: str, numbers: set[int]) -> None:
        self.session.flush()
        free = [number for number in sorted(numbers) if self.entry(ledger, number) is None]
        if free:
            self.session.execute(insert(Entry), [{"ledger": ledger, "number": number} for number in free])

    @rule()
    def flush(self) -> None:
        self.session.flush()

    @rule()
    def expire(self) -> None:
        self.session.flush()
        self.session.expire_all()

    @precondition(lambda self: len(self.savepoints) < 3)
    @rule()
    def begin_savepoint(self) -> None:
        self.savepoints.append(self.session.begin_nested())

    @precondition(lambda self: self.savepoints)
    @rule(release=st.booleans())
    def end_savepoint(self, release: bool) -> None:
        savepoint = self.savepoints.pop()
        (savepoint.commit if release else savepoint.rollback)()
        self.look()

    @rule(commit=st.booleans())
    def end(self, commit: bool) -> None:
        self.savepoints.clear()
        (self.session.commit if commit else self.session.rollback)()
        self.look()

    def look(self) -> None:
        """Compare what the transaction sees of the history with what it sees of the tables."""
        self.session.flush()
        connection = self.session.connection()
        order = (AUDIT.c.time_us, AUDIT.c.time_ns, AUDIT.c.id)
        rows, links = replayed(list(connection.scalars(select(AUDIT.c.extra_info).order_by(*order))))
        entries = connection.execute(select(Entry.__table__)).mappings()
        assert {key[1:]: row for key, row in rows.items() if key[0] == "Entry"} == {
            (row["ledger"], row["number"]): dict(row) for row in entries
        }
        accounts = connection.execute(select(Account.__table__.c.id, Account.__table__.c.owner))
        owners = {key[1]: row["owner"] for key, row in rows.items() if key[0] == "Account"}
        assert owners == {row.id: row.owner for row in accounts}
        assert links == {tuple(row) for row in connection.execute(select(account_tags))}


def test_the_history_replays_to_the_rows(tmp_path: Path) -> None:
    path = tmp_path / "bank.db"
    engine = create_engine(f"sqlite:///{path}")

    @event.listens_for(engine, "connect")
    def _connect(connection: Any, _record: Any) -> None:
        connection.isolation_level = None  # or the driver undoes no savepoint
        connection.execute("PRAGMA synchronous = OFF")

    @event.listens_for(engine, "begin")
    def _begin(connection: Any) -> None:
        connection.exec_driver_sql("BEGIN")

    sink = {"type": "sqlite", "url": f"sqlite+aiosqlite:///{path}", "provision": True}
    routes = [{"name": "all", "to": ["audit_db"]}]
    logweir.start({"data_dir": str(tmp_path / "data"), "sinks": {"audit_db": sink}, "routes": routes})
    Base.metadata.create_all(engine)
    machine = type("Machine", (Changes,), {"engine": engine, "path": path})
    try:
        run_state_machine_as_test(
            machine,
            settings=settings(
                max_examples=25,
                stateful_step_count=30,
                deadline=None,
                suppress_health_check=list(HealthCheck),
            ),
        )
    finally:
        logweir.stop()
        engine.dispose()
