"""What changed: audit events of mapped rows, in the transaction that changes them, on SQLite."""

import sqlite3
import subprocess
import sys
import uuid
from collections.abc import Iterator
from contextlib import closing
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import (
    Column,
    Engine,
    Integer,
    MetaData,
    Table,
    create_engine,
    delete,
    event,
    insert,
    select,
    text,
    update,
)
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, with_loader_criteria

import logweir
from logweir.context import bind
from logweir.errors import AuditError, ConfigError, LogweirError, NotRunning
from logweir.integrations.sqlalchemy import audit_changes, history, history_sync
from logweir.integrations.sqlalchemy.statements import _shown
from logweir.sinks.sql.table import audit_table
from support.ledger_models import (
    Account,
    Badge,
    Base,
    Colour,
    Draft,
    Entry,
    Folder,
    Guest,
    Manager,
    Node,
    Paper,
    Person,
    Plain,
    Quiet,
    Remark,
    Scrap,
    Tag,
    account_tags,
)

AUDIT = audit_table("audit_log")


def config(folder: Path, **sink: Any) -> dict[str, Any]:
    return {
        "data_dir": str(folder / "data"),
        "service": "bank",
        "sinks": {
            "audit_db": {
                "type": "sqlite",
                "url": f"sqlite+aiosqlite:///{folder}/bank.db",
                "provision": True,
                **sink,
            }
        },
        "routes": [{"name": "all", "to": ["audit_db"]}],
        "audit": {"timeout": 10},
    }


def sound_savepoints(engine: Engine) -> None:
    """SQLite's driver begins a transaction late, and so undoes no savepoint; as SQLAlchemy's page says."""

    @event.listens_for(engine, "connect")
    def _connect(connection: Any, _record: Any) -> None:
        connection.isolation_level = None

    @event.listens_for(engine, "begin")
    def _begin(connection: Any) -> None:
        connection.exec_driver_sql("BEGIN")


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    engine = create_engine(f"sqlite:///{tmp_path}/bank.db")
    sound_savepoints(engine)
    logweir.start(config(tmp_path), handle_signals=False)
    Base.metadata.create_all(engine)
    yield engine
    logweir.stop()
    engine.dispose()


def events(engine: Engine) -> list[dict[str, Any]]:
    """What is stored, in order: the operation and what there is to say of it."""
    with engine.connect() as connection:
        rows = connection.execute(select(AUDIT).order_by(AUDIT.c.time_us, AUDIT.c.time_ns, AUDIT.c.id))
        return [{"action": row.action, "user_id": row.user_id, **row.extra_info} for row in rows]


def short(engine: Engine) -> list[tuple[Any, ...]]:
    return [
        (each["action"].removeprefix("chg_"), each.get("key"), each.get("before"), each.get("after"))
        for each in events(engine)
    ]


def test_the_changes_of_an_object_are_recorded_with_its_transaction(engine: Engine) -> None:
    with bind(user_id=7), Session(engine) as session:
        session.add(Account(id=1, owner="ann", balance=Decimal("5.00"), password="hunter2"))
        session.commit()
        account = session.get_one(Account, 1)
        account.owner = "bob"
        account.password = "hunter3"
        session.commit()
        assert account.owner == "bob"
        account.owner = "eve"
        session.rollback()
        assert account.owner == "bob"
        assert account.balance == Decimal("5.00")
        session.delete(account)
        session.commit()
    added, changed, deleted = history_sync(Account, 1)
    assert [each.operation for each in (added, changed, deleted)] == ["insert", "update", "delete"]
    assert {each.user_id for each in (added, changed, deleted)} == {7}
    assert added.key == {"id": 1}
    assert added.model == "Account"
    assert added.before == {}
    assert added.after["owner"] == "ann"
    assert added.after["balance"] == "5.00"
    assert added.after["version"] == 7
    assert added.after["created"]
    assert added.after["note"] is None
    assert added.after["password"] == "***"
    assert "secret_note" not in added.after
    assert changed.before == {"owner": "ann", "password": "***", "changed": None}
    assert changed.after == {"owner": "bob", "password": "***", "changed": 42}
    assert deleted.before["owner"] == "bob"
    assert deleted.after == {}
    assert len(events(engine)) == 3
    assert "hunter" not in repr(events(engine))


def test_an_object_that_did_not_change_has_no_row(engine: Engine) -> None:
    with Session(engine) as session:
        account = Account(id=1, owner="ann")
        session.add(account)
        session.flush()
        account.owner = "ann"
        session.flush()
        account.owner = "bob"
        account.owner = "ann"
        session.flush()
        account.secret_note = "changed, and not asked for"
        session.commit()
    assert [each[0] for each in short(engine)] == ["accounts.insert", "accounts.update"]
    assert short(engine)[1][2:] == ({}, {"changed": 42})


def test_a_savepoint_that_is_rolled_back_takes_its_rows_along(engine: Engine) -> None:
    with Session(engine) as session:
        session.add(Account(id=1, owner="ann"))
        session.flush()
        with session.begin_nested() as nested:
            session.add(Account(id=2, owner="bob"))
            session.flush()
            nested.rollback()
        with session.begin_nested():
            session.add(Account(id=3, owner="eve"))
        session.commit()
        session.add(Account(id=4, owner="dan"))
        session.flush()
        session.rollback()
    assert [each[1] for each in short(engine)] == [{"id": 1}, {"id": 3}]


def test_a_flush_that_fails_leaves_nothing_and_the_next_one_is_recorded(engine: Engine) -> None:
    with Session(engine) as session:
        session.add(Account(id=1, owner="ann"))
        session.commit()
        session.add_all([Account(id=2, owner="bob"), Account(id=3)])  # without its owner
        with pytest.raises(Exception, match="NOT NULL"):
            session.commit()
        session.rollback()
        session.execute(text("CREATE UNIQUE INDEX chg_one ON chg_entries (account_id)"))
        entries = [Entry(ledger="a", number=1), Entry(ledger="a", number=2)]
        session.add(Account(id=5, owner="dan", entries=entries))  # its entries come second
        with pytest.raises(Exception, match="UNIQUE"):
            session.commit()
        session.rollback()
        session.add(Account(id=4, owner="eve"))
        session.commit()
    assert [each[1] for each in short(engine)] == [{"id": 1}, {"id": 4}]


def test_values_are_written_as_in_every_event(engine: Engine) -> None:
    number = uuid.uuid4()
    with Session(engine) as session:
        session.add(
            Account(
                id=1,
                owner="ann",
                opened=datetime(2026, 1, 2, 3, 4, 5),  # noqa: DTZ001 - a column without time zone
                token_of=number,
                colour=Colour.RED,
                picture=b"\xff" * 5000,
                settings={"dark": True, "password": "x"},
            )
        )
        session.commit()
        account = session.get_one(Account, 1)
        account.settings["dark"] = False  # type: ignore[index]
        session.commit()
    added, changed = history_sync(Account, 1)
    assert added.after["opened"].startswith("2026-01-02T03:04:05")
    assert added.after["colour"] == "r"
    assert added.after["picture"]["bytes"] == 5000
    assert len(added.after["picture"]["sha256"]) == 64
    assert added.after["settings"] == {"dark": True, "password": "***"}
    assert changed.after == {"settings": {"dark": False, "password": "***"}, "changed": 42}
    assert changed.before == {"changed": None}  # a value that is changed in place is not kept


def test_values_that_were_not_loaded_are_missing_or_read_before(engine: Engine) -> None:
    with Session(engine) as session:
        session.add(Account(id=1, owner="ann"))
        session.add(Entry(ledger="a", number=1, amount=5))
        session.commit()
        account, entry = session.get_one(Account, 1), session.get_one(Entry, ("a", 1))
        session.expire(account)
        session.expire(entry)
        account.owner, entry.amount = "bob", 6
        session.commit()
        session.expire(entry)
        entry.amount = 6
        session.commit()
        session.expire(entry)
        session.delete(entry)
        session.commit()
    assert history_sync(Account, 1)[1].before == {}
    assert history_sync(Account, 1)[1].after["owner"] == "bob"
    _, changed, deleted = history_sync(Entry, ("a", 1))  # the second time, nothing has changed
    assert (changed.before, changed.after) == ({"amount": 5}, {"amount": 6})
    assert deleted.before == {"ledger": "a", "number": 1, "account_id": None, "amount": 6}


def test_what_the_database_makes_is_read_after_the_flush(engine: Engine) -> None:
    with Session(engine) as session:
        account = Account(owner="ann")
        session.add(account)
        session.commit()
        number = account.id
        assert account.version == 7
        account.version = Account.version + 1  # type: ignore[assignment]
        session.commit()
    added, changed = history_sync(Account, number)
    assert added.key == {"id": number}
    assert added.after["version"] == 7
    assert (changed.before["version"], changed.after["version"]) == (7, 8)


def test_relationships_say_which_keys_came_and_went(engine: Engine) -> None:
    with Session(engine) as session:
        red, blue = Tag(id=1, name="red"), Tag(id=2, name="blue")
        account = Account(id=1, owner="ann", tags=[red], entries=[Entry(ledger="a", number=1)])
        session.add_all([account, blue])
        session.commit()
        with session.no_autoflush:
            account.tags = [blue]
            account.entries.append(Entry(ledger="a", number=2))
        session.commit()
        account.entries.pop(0)  # an orphan, which is deleted
        session.commit()
        blue.accounts.remove(account)
        session.commit()
        account.tags.append(red)
        session.commit()
        session.delete(account)
        session.commit()
    collections = [each.collections for each in history_sync(Account, 1)]
    first, second = {"ledger": "a", "number": 1}, {"ledger": "a", "number": 2}
    assert collections == [
        {"tags": {"added": [{"id": 1}], "removed": []}, "entries": {"added": [first], "removed": []}},
        {
            "tags": {"added": [{"id": 2}], "removed": [{"id": 1}]},
            "entries": {"added": [second], "removed": []},
        },
        {"entries": {"added": [], "removed": [first]}},
        {"tags": {"added": [], "removed": [{"id": 2}]}},
        {"tags": {"added": [{"id": 1}], "removed": []}},
        {"tags": {"added": [], "removed": [{"id": 1}]}},
    ]
    assert [each.operation for each in history_sync(Entry, ("a", 1))] == ["insert", "delete"]
    assert [each.operation for each in history_sync(Entry, ("a", 2))] == ["insert", "delete"]  # by cascade
    assert not [each for each in events(engine) if each["operation"] == "statement"]


def test_links_that_are_removed_from_the_side_that_is_not_audited_are_reported(engine: Engine) -> None:
    with Session(engine) as session:
        session.add(Account(id=1, owner="ann", tags=[Tag(id=1, name="red"), Tag(id=2, name="blue")]))
        session.commit()
        session.delete(session.get_one(Tag, 2))
        session.commit()
        red = session.get_one(Tag, 1)
        red.accounts.append(Account(id=2, owner="bob"))
        session.commit()
    removed, added = events(engine)[1:]
    assert (removed["operation"], removed["rows"]) == ("statement", 1)
    assert removed["executed"].startswith("DELETE FROM chg_account_tags")
    assert (added["key"], added["collections"]) == (
        {"id": 2},
        {"tags": {"added": [{"id": 1}], "removed": []}},
    )


def test_relationships_of_every_kind_are_recorded(engine: Engine) -> None:
    with Session(engine) as session:
        node, scrap, draft, badge = Node(id=1), Scrap(id=1), Draft(id=1), Badge(code_token="tok-1")
        session.add_all([node, scrap, draft, badge])
        session.commit()
        node.notes.add(scrap)
        node.drafts.append(draft)
        session.commit()
        node.badge = badge  # what was there before is not loaded
        session.commit()
        node.favourite = node
        session.commit()
        node.favourite = None
        session.commit()
    changes = history_sync(Node, 1)[1:]
    assert [(each.before, each.after, each.collections) for each in changes] == [
        ({}, {}, {name: {"added": [{"id": 1}], "removed": []} for name in ("drafts", "notes")}),
        ({}, {}, {"badge": {"added": [{"code_token": "***"}], "removed": []}}),  # a secret by its name
        ({"favourite_id": None}, {"favourite_id": 1}, {}),
        ({"favourite_id": 1}, {"favourite_id": None}, {}),
    ]


def test_what_the_database_deletes_by_its_foreign_keys_is_recorded(engine: Engine) -> None:
    engine.dispose()
    event.listen(engine, "connect", lambda connection, _record: connection.execute("PRAGMA foreign_keys=ON"))
    with Session(engine) as session:
        session.add(Folder(id=1, papers=[Paper(id=1, remarks=[Remark(id=1)]), Paper(id=2)]))
        session.add(Folder(id=2, papers=[Paper(id=number) for number in range(10, 14)]))
        session.commit()
        session.delete(session.get_one(Folder, 1))
        session.commit()
        session.delete(session.get_one(Folder, 2))
        session.commit()
        assert session.scalars(select(Paper)).all() == []
    found = events(engine)[-6:]
    assert [(each["model"], each["operation"]) for each in found] == [
        ("Folder", "delete"),
        ("Paper", "delete"),
        ("Remark", "update"),
        ("Paper", "delete"),
        ("Folder", "delete"),
        ("Paper", "statement"),  # they are more than three
    ]
    assert (found[1]["key"], found[1]["before"]) == ({"id": 1}, {"id": 1, "folder_id": 1})
    assert (found[2]["before"], found[2]["after"]) == ({"paper_id": 1}, {"paper_id": None})


def test_a_key_that_changes_is_followed_back(engine: Engine) -> None:
    with Session(engine) as session:
        session.add(Entry(ledger="a", number=1, amount=5))
        session.commit()
        entry = session.get_one(Entry, ("a", 1))
        entry.number = 2
        session.commit()
        entry.amount = 6
        session.commit()
        session.add(Entry(ledger="a", number=1, amount=9))  # another row, under the old key
        session.commit()
    added, moved, changed = history_sync(Entry, {"ledger": "a", "number": 2})
    assert (added.operation, added.key) == ("insert", {"ledger": "a", "number": 1})
    assert (moved.key, moved.key_before) == ({"ledger": "a", "number": 2}, {"ledger": "a", "number": 1})
    assert (moved.before, moved.after) == ({"number": 1}, {"number": 2})
    assert (changed.before, changed.after) == ({"amount": 5}, {"amount": 6})
    assert history_sync(Entry, ("a", 2), limit=1) == [changed]


def test_a_row_that_another_object_takes_over_is_changed(engine: Engine) -> None:
    with Session(engine) as session:
        session.add(Account(id=1, owner="ann", note="hers", version=9))
        session.commit()
        account = session.get_one(Account, 1)
        assert account.note == "hers"
        session.delete(account)
        session.add(Account(id=1, owner="bob"))
        session.commit()
    _, changed = history_sync(Account, 1)
    with Session(engine) as session:
        stored = session.get_one(Account, 1)
        assert changed.operation == "update"
        assert changed.before["owner"] == "ann"
        assert (changed.after["owner"], changed.after["note"]) == ("bob", stored.note)
        assert changed.after["version"] == stored.version


def test_subclasses_are_audited_with_their_class(engine: Engine) -> None:
    with Session(engine) as session:
        session.add_all([Manager(id=1, name="ann", budget=5), Guest(id=2, name="bob", badge="b-2")])
        session.commit()
        session.get_one(Person, 1).budget = 6  # type: ignore[attr-defined]
        session.get_one(Person, 2).badge = None  # type: ignore[attr-defined]
        session.commit()
        session.execute(update(Manager).values(budget=7))
        session.execute(update(Person).where(Person.id == 2).values(name="eve"))
        session.commit()
    assert [(each.model, each.after) for each in history_sync(Manager, 1)] == [
        ("Manager", {"id": 1, "kind": "manager", "name": "ann", "budget": 5}),
        ("Manager", {"budget": 6}),
        ("Manager", {"budget": 7}),
    ]
    assert history_sync(Manager, 1) == history_sync(Person, 1)
    assert [(each.before, each.after) for each in history_sync(Guest, 2)[1:]] == [
        ({}, {"badge": None}),  # a column of the subclass alone, which is not loaded with its parent's
        ({"name": "bob"}, {"name": "eve"}),
    ]


def test_statements_of_a_session_are_recorded_row_by_row(engine: Engine) -> None:
    with Session(engine) as session:
        session.add_all([Account(id=n, owner=f"o{n}") for n in (1, 2, 3)])
        session.flush()
        session.execute(update(Account).where(Account.id < 3).values(version=Account.version + 1))
        session.execute(update(Account), [{"id": 3, "note": "x"}])
        session.execute(delete(Account).where(Account.id == 2))
        session.execute(insert(Account), [{"id": 5, "owner": "e"}, {"id": 6, "owner": "f"}])
        session.execute(insert(Account).values([{"id": 7, "owner": "g"}, {"id": 8, "owner": "h"}]))
        session.execute(insert(Account).values(owner="i"))
        session.execute(Account.__table__.update().where(text("id = :n")).values(owner="j"), {"n": 5})
        session.query(Account).filter(Account.id == 6).delete()
        assert session.scalars(
            update(Account).where(Account.id == 7).values(note="r").returning(Account.id)
        ).all() == [7]
        session.commit()
    found = list(short(engine)[3:])
    assert [each[0] for each in found] == [
        *["accounts.update"] * 3,
        "accounts.delete",
        *["accounts.insert"] * 5,
        "accounts.update",
        "accounts.delete",
        "accounts.update",
    ]
    assert found[0][1:] == ({"id": 1}, {"version": 7, "changed": None}, {"version": 8, "changed": 42})
    assert found[2][1:] == ({"id": 3}, {"note": None, "changed": None}, {"note": "x", "changed": 42})
    assert found[3][1] == {"id": 2}
    assert found[3][2]["owner"] == "o2"
    assert found[3][3] == {}
    assert [each[3]["owner"] for each in found[4:9]] == ["e", "f", "g", "h", "i"]
    assert found[8][1] == {"id": 9}
    assert found[8][3]["version"] == 7
    assert found[9][2:] == ({"owner": "e", "changed": None}, {"owner": "j", "changed": 42})
    assert (found[10][1], found[10][2]["owner"]) == ({"id": 6}, "f")
    assert found[11][1] == {"id": 7}


def test_what_cannot_be_recorded_row_by_row_is_reported_once(engine: Engine) -> None:
    with Session(engine) as session:
        session.add_all([Tag(id=1, name="red"), Plain(id=1)])
        session.bulk_save_objects([Account(owner="a", password="x"), Account(owner="b", password="x")])
        session.bulk_insert_mappings(Account, [{"owner": "c"}])  # type: ignore[arg-type]
        session.bulk_update_mappings(Account, [{"id": 1, "note": "n"}])  # type: ignore[arg-type]
        session.execute(insert(Account), [{"owner": "d"}, {"owner": "e"}])
        session.execute(insert(Account).from_select(["owner"], select(Tag.name)))
        session.execute(text("UPDATE chg_accounts SET note = 'a secret text' WHERE id = :id"), {"id": 1})
        session.execute(account_tags.insert(), [{"account_id": 1, "tag_id": 1}])
        session.execute(update(Account).values(note="x").where(Account.id == 99))  # no row
        session.execute(select(Account).where(Account.note == "update"))
        session.execute(update(Plain).values(text="x"))
        session.commit()
    with engine.begin() as connection:
        connection.execute(Account.__table__.update().values(note="y").where(Account.id < 3))
        connection.exec_driver_sql("DELETE FROM chg_accounts WHERE id = 6")
        connection.exec_driver_sql("SELECT 'update', note FROM chg_accounts")
    found = events(engine)
    assert {each["action"] for each in found} == {"chg_accounts.statement"}
    assert [each["rows"] for each in found] == [2, 1, 1, 2, 1, 1, 1, 2, 1]
    verbs = ["INSERT", "INSERT", "UPDATE", "INSERT", "INSERT", "UPDATE", "INSERT", "UPDATE", "DELETE"]
    assert [each["executed"].split()[0] for each in found] == verbs
    assert "secret text" not in repr(found)
    assert all(each["reason"] for each in found)


def test_a_statement_of_too_many_rows_is_reported_with_their_number(engine: Engine) -> None:
    with Session(engine) as session:
        session.execute(insert(Account), [{"id": n, "owner": "o"} for n in range(51)])
        session.execute(update(Account).values(note="x"))
        session.execute(delete(Account).where(Account.id < 51))
        session.commit()
    assert [(each["operation"], each["rows"]) for each in events(engine)] == [("statement", 51)] * 3
    assert "more than 50 rows" in events(engine)[1]["reason"]


def test_a_statement_that_changes_other_rows_than_were_read_is_reported(engine: Engine) -> None:
    with Session(engine) as session:
        session.execute(insert(Account), [{"id": 1, "owner": "ann"}, {"id": 2, "owner": "bob"}])
        only_ann = with_loader_criteria(Account, Account.owner == "ann")
        session.execute(update(Account).values(note="x").options(only_ann))
        # With RETURNING, no driver counts the rows: those that are still there were not deleted.
        gone = session.scalars(delete(Account).options(only_ann).returning(Account.id)).all()
        session.commit()
    assert gone == [1]
    reported, deleted = events(engine)[2:]
    assert (reported["operation"], reported["rows"]) == ("statement", 1)
    assert reported["reason"] == "it changed other rows than were read before it"
    assert (deleted["operation"], deleted["key"]) == ("delete", {"id": 1})


def test_an_upsert_is_reported(engine: Engine) -> None:
    from sqlalchemy.dialects.sqlite import insert as sqlite_insert

    with Session(engine) as session:
        statement = sqlite_insert(Account).values(id=1, owner="ann")
        session.execute(statement.on_conflict_do_update(index_elements=["id"], set_={"owner": "bob"}))
        session.commit()
    assert [(each["operation"], each["rows"]) for each in events(engine)] == [("statement", 1)]


async def test_an_asynchronous_session_is_audited_alike(tmp_path: Path, engine: Engine) -> None:
    aengine = create_async_engine(f"sqlite+aiosqlite:///{tmp_path}/bank.db")
    try:
        with bind(user_id="ann"):
            async with AsyncSession(aengine) as session, session.begin():
                session.add(Account(id=1, owner="ann"))
                await session.flush()
                await session.execute(update(Account).values(note="x"))
            async with AsyncSession(aengine) as session:
                account = await session.get_one(Account, 1)
                session.expire(account)
                account.owner = "bob"  # not loaded: nothing may be loaded here
                await session.commit()
                account.owner = "eve"
                await session.rollback()
    finally:
        await aengine.dispose()
    changes = await history(Account, 1)
    assert [(each.operation, each.user_id) for each in changes] == [
        ("insert", "ann"),
        ("update", "ann"),
        ("update", "ann"),
    ]
    with pytest.raises(AuditError, match="await history"):
        history_sync(Account, 1)


def test_an_audit_that_cannot_be_written_fails_the_transaction(engine: Engine) -> None:
    with engine.begin() as connection:
        connection.execute(text("DROP TABLE audit_log"))
    with Session(engine) as session:
        session.add(Account(id=1, owner="ann"))
        with pytest.raises(Exception, match="audit_log"):
            session.commit()
        session.rollback()
        assert session.get(Account, 1) is None
        with pytest.raises(Exception, match="audit_log"):
            session.execute(insert(Account).values(id=2, owner="bob"))
        with pytest.raises(AuditError, match="roll it back"):  # even if the error is swallowed
            session.commit()
        session.rollback()
        assert session.get(Account, 2) is None
        session.add(Quiet(id=1, text="a"))  # on_error="report"
        session.commit()
        session.execute(update(Quiet).values(text="b"))
        session.commit()
        assert session.get_one(Quiet, 1).text == "b"


def test_without_a_runtime_a_change_fails(engine: Engine) -> None:
    logweir.stop()
    with Session(engine) as session:
        session.add(Account(id=1, owner="ann"))
        with pytest.raises(NotRunning):
            session.commit()
        session.rollback()
        session.add(Plain(id=1))
        session.commit()


def test_the_actor_may_be_found_otherwise(engine: Engine) -> None:
    with bind(user_id=7), Session(engine) as session:
        session.add(Quiet(id=1, text="a"))
        session.commit()
    assert [each.user_id for each in history_sync(Quiet, 1)] == ["the quiet one"]


def test_a_key_that_may_not_be_shown_is_found_by_its_hash(engine: Engine) -> None:
    number = 4111111111111111
    with Session(engine) as session:
        session.add(Quiet(id=number, text="a"))
        session.commit()
    (change,) = history_sync(Quiet, number)
    assert change.after["text"] == "a"
    assert str(number) not in repr(change)
    assert history_sync(Quiet, 4012888888881881) == []


def test_a_hook_that_changes_rows_inside_a_flush_is_not_silent(engine: Engine) -> None:
    def hook(_mapper: Any, connection: Any, _target: Any) -> None:
        connection.execute(Account.__table__.update().values(note="by a hook"))

    event.listen(Entry, "after_insert", hook)
    try:
        with Session(engine) as session:
            session.add(Account(id=1, owner="ann"))
            session.flush()
            session.add(Entry(ledger="a", number=1))
            session.commit()
    finally:
        event.remove(Entry, "after_insert", hook)
    assert [each["operation"] for each in events(engine)] == ["insert", "statement", "insert"]


def test_what_it_costs_is_what_the_page_says(engine: Engine) -> None:
    sent: list[str] = []
    event.listen(engine, "before_cursor_execute", lambda *given: sent.append(given[2].split()[0]))

    def cost(*expected: str) -> None:
        assert sent == ["BEGIN", *expected]
        sent.clear()

    with Session(engine) as session:
        account = Account(id=1, owner="ann")
        session.add_all([account, Entry(ledger="a", number=1)])
        session.commit()
        cost(*["INSERT"] * 4)
        assert account.owner == "ann"
        account.owner = "bob"
        session.commit()
        cost("SELECT", "UPDATE", "INSERT")  # the SELECT is of the session, here and in the next two
        session.get_one(Entry, ("a", 1)).amount = 5
        session.commit()
        cost("SELECT", "UPDATE", "INSERT")
        entry = session.get_one(Entry, ("a", 1))
        session.expire(entry)
        entry.amount = 6
        session.commit()
        # The first UPDATE is of no row, the lock of SQLite; the SELECT behind ours, of the key, is the session's.
        cost("SELECT", "UPDATE", "SELECT", "SELECT", "UPDATE", "INSERT")
        session.execute(update(Entry).values(amount=7))
        session.commit()
        cost("UPDATE", "SELECT", "UPDATE", "SELECT", "INSERT")
        session.execute(delete(Entry))
        session.commit()
        cost("UPDATE", "SELECT", "DELETE", "INSERT")
        session.add(Plain(id=1))
        session.commit()
        cost("INSERT")


def test_nobody_writes_between_the_values_before_and_the_statement(tmp_path: Path, engine: Engine) -> None:
    path = tmp_path / "bank.db"
    refused: list[str] = []

    def write_meanwhile(_connection: Any, _cursor: Any, statement: str, *_others: Any) -> None:
        if statement.startswith("SELECT") and "amount" in statement:
            with closing(sqlite3.connect(path, timeout=0)) as other:
                try:
                    other.execute("UPDATE chg_entries SET amount = 9")
                except sqlite3.OperationalError as error:
                    refused.append(str(error))

    plain = create_engine(f"sqlite:///{path}")  # the driver as it is, which reads outside of transactions
    event.listen(plain, "after_cursor_execute", write_meanwhile)
    try:
        with Session(plain) as session:
            session.add(Entry(ledger="a", number=1, amount=1))
            session.commit()
            session.execute(update(Entry).values(amount=Entry.amount + 1))
            session.commit()
    finally:
        plain.dispose()
    assert refused == ["database is locked"] * 2  # between the rows before and the statement, and behind it
    assert [each.after["amount"] for each in history_sync(Entry, ("a", 1))] == [1, 2]


@pytest.mark.parametrize(
    ("dialect", "statement", "shown"),
    [
        ("sqlite", "UPDATE t SET a = 'it''s', \"b\" = 'x'", "UPDATE t SET a = '?', \"b\" = '?'"),
        ("mysql", "UPDATE t SET a = \"it's\", b = 'x'", "UPDATE t SET a = '?', b = '?'"),
        ("postgresql", "UPDATE t SET a = $q$it's$q$, b = $$x$$", "UPDATE t SET a = '?', b = '?'"),
        ("mysql", "UPDATE t SET a = 'it\\'s', b = 'x'", "UPDATE t SET a = '?' …"),
        ("postgresql", "UPDATE t SET a = 'secret", "UPDATE t SET a = '?'"),
        ("sqlite", "UPDATE t SET a = ? WHERE b = 1", "UPDATE t SET a = ? WHERE b = 1"),
        ("sqlite", "UPDATE t SET " + "a" * 3000, "UPDATE t SET " + "a" * 1987 + " …"),
    ],
)
def test_a_statement_is_shown_without_its_texts(dialect: str, statement: str, shown: str) -> None:
    assert _shown(statement, dialect) == shown


class Own(DeclarativeBase):
    pass


class Wrong(Own):
    __tablename__ = "chg_wrong"
    id: Mapped[int] = mapped_column(primary_key=True)


@pytest.mark.parametrize(
    ("model", "options", "message"),
    [
        (Wrong, {"columns": ["nme"]}, r"audit_changes\(Wrong\): there is no column 'nme'; it has id"),
        (Wrong, {"exclude": ["nme"]}, "there is no column 'nme'"),
        (Wrong, {"relationships": ["tags"]}, "there is no relationship 'tags'"),
        (Wrong, {"on_error": "ignore"}, "on_error='ignore' is none of raise, report"),
        (Wrong, {"actor": 7}, "actor=7 cannot be called"),
        (Wrong, {"max_rows": -1}, "max_rows=-1 is no number of rows"),
        (dict, {}, r"audit_changes\(dict\): it is not a mapped class"),
        (Table("t", MetaData(), Column("id", Integer)), {}, "it is not a mapped class"),
        (Account, {}, r"audit_changes\(Account\): it is audited already"),
        (Manager, {}, "Person is audited already, and a class brings its subclasses along"),
    ],
)
def test_a_wrong_call_is_refused_in_one_message(model: Any, options: Any, message: str) -> None:
    with pytest.raises(ConfigError, match=message) as caught:
        audit_changes(model, **options)
    assert len(str(caught.value).splitlines()) == 1


def test_a_wrong_question_is_refused_in_one_message(engine: Engine) -> None:
    for model, key, message in [
        (Plain, 1, r"history\(Plain\): its changes are not audited"),
        (int, 1, r"history\(int\): its changes are not audited"),
        (Entry, 1, "its key has 2 columns: ledger, number; 1 were given"),
    ]:
        with pytest.raises(ConfigError, match=message):
            history_sync(model, key)
    with pytest.raises(LogweirError, match="there is no sink 'nowhere'"):
        history_sync(Account, 1, sink="nowhere")


def test_nothing_of_it_is_imported_by_logweir() -> None:
    program = "import logweir, sys; print([m for m in sys.modules if 'sqlalchemy' in m])"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
