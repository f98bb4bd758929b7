"""The pure part of the audit chain: its bytes, its links, and the judgement of rows."""

import json
import re
import runpy
import sqlite3
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import SecretStr

from logweir.event import Event
from logweir.sinks.sql.canonical import canonical
from logweir.sinks.sql.chain.hashing import GENESIS, Link, Run, Seal, bridge, extend, join
from logweir.sinks.sql.chain.judging import Judge, StoredRow, read_row
from logweir.sinks.sql.chain.rules import Rules
from logweir.sinks.sql.dialects.sqlite import Sqlite
from logweir.sinks.sql.encode import to_parameters
from logweir.sinks.sql.own_model import AUDIT_COLUMNS
from logweir.sinks.sql.table import CHAIN_COLUMNS, audit_table
from logweir.sinks.tamper_evidence import Head, Trouble
from support.chains import KEY, Place, audit_event

ROOT = Path(__file__).parents[5]
WRITER = "0192f0c1-0000-7000-8000-000000000001"
SEAL = Seal(KEY)
TABLE_ID = "6b1f0c8e4d5a4f3b9e2d7c6a5b4f3e2d"
RULE = Rules(SEAL, audit_table("audit_log", chained=True), Sqlite()).by(TABLE_ID)
TEXT = st.text(st.characters(codec="utf-8"), max_size=20)
FLOATS = st.floats(allow_nan=False, allow_infinity=False) | st.sampled_from(
    [1e-5, 1e-4, 1e15, 1e16, 1e22, 5e-324, -0.0]
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | FLOATS | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=12,
)  # fmt: skip


@settings(deadline=None)
@given(st.dictionaries(TEXT, JSON, max_size=6))
def test_the_bytes_are_those_of_json_dumps(document: dict[str, Any]) -> None:
    plain = json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    assert canonical(document) == plain.encode()


def test_a_hash_stays_what_it_is_in_all_versions() -> None:
    """A change here would make every chain in the world unsound."""
    event = Event(
        "i", 1, audit_event(0).kind, "info", "ä", "s", "e", None, None, {"b": 1e16, "a": [None, 0.1]}
    )
    place, columns = Link("w", 1, GENESIS, ""), to_parameters(event)
    assert Seal().of_row("t", place, columns) == PLAIN
    assert Seal(SecretStr("0123456789abcdef")).of_row("t", place, columns) == KEYED
    assert Seal().of_row_before_2(place, event) == OLDER_PLAIN
    assert Seal(SecretStr("0123456789abcdef")).of_row_before_2(place, event) == OLDER_KEYED


PLAIN = "c3cd16031d646092740a7a715da2c8f6f4486f6cdfd1b2b83c62a60515798cfe"
KEYED = "590a92946f703315764f43d8fddca5122ba6378b15a05ec42d2c97e54ae00a5c"
OLDER_PLAIN = "bf75218e00424a1293146aaa16309958be84b487e24af8c1e241ecc45afc5ce3"
OLDER_KEYED = "ec914748a1555ecc3d7366163d5706129d1ce03e206113eb471066878959a7c3"


# -- rows, as a database would give them back -------------------------------------------------------------


def chained(count: int) -> list[dict[str, Any]]:
    events = [audit_event(number) for number in range(count)]
    links = extend(SEAL, TABLE_ID, Head(WRITER, 0, GENESIS), map(to_parameters, events))
    return [row_of(event, link) for event, link in zip(events, links, strict=True)]


def row_of(event: Event, link: Link) -> dict[str, Any]:
    return dict(zip((*AUDIT_COLUMNS, *CHAIN_COLUMNS), (*to_parameters(event), *link), strict=True))


def judged(
    rows: list[dict[str, Any]], head: Head, runs: list[Run] | None = None
) -> list[tuple[Trouble, Any, Any]]:
    judge = Judge(RULE, WRITER, head)
    found = []
    for row in map(read, rows):
        found += judge.take(row, head, runs or [])
    found += judge.end(runs or [])
    return [(item.trouble, item.seq, item.last) for item in found]


def read(row: dict[str, Any]) -> StoredRow:
    return read_row(row, RULE)


def head_of(rows: list[dict[str, Any]]) -> Head:
    return Head(WRITER, rows[-1]["chain_seq"], rows[-1]["chain_hash"])


@settings(deadline=None, max_examples=30)
@given(st.data())
def test_any_deletion_is_missing_unless_it_was_noted(data: st.DataObject) -> None:
    count = data.draw(st.integers(1, 15))
    rows = chained(count)
    gone = data.draw(st.sets(st.integers(1, count)))
    left = [row for row in rows if row["chain_seq"] not in gone]
    noted = data.draw(st.sets(st.sampled_from(sorted(gone)))) if gone else set()
    links = [Link(*(row[name] for name in CHAIN_COLUMNS)) for row in rows]
    runs = join(Run.of_row(link) for link in links if link.seq in noted)
    found = judged(left, head_of(rows), runs)
    assert {trouble for trouble, _, _ in found} <= {Trouble.MISSING}
    missing = {seq for _, first, last in found for seq in range(first, last + 1)}
    assert missing == gone - noted


@settings(deadline=None, max_examples=30)
@given(st.data())
def test_any_change_of_content_or_link_is_found_and_named(data: st.DataObject) -> None:
    rows = chained(8)
    place = data.draw(st.integers(0, 7))
    column = data.draw(
        st.sampled_from([name for name in rows[0] if name not in {"chain_writer", "chain_seq"}])
    )
    value = data.draw(st.none() | st.integers(-5, 5) | TEXT | FLOATS | st.binary(max_size=3))
    if value == rows[place][column] and type(value) is type(rows[place][column]):
        return
    head = head_of(rows)
    rows[place] = {**rows[place], column: value}
    found = judged(rows, head)
    assert found == [(Trouble.CHANGED, place + 1, None)]


@settings(deadline=None)
@given(st.permutations(range(8)))
def test_any_order_but_the_right_one_is_found(order: list[int]) -> None:
    rows = chained(8)
    moved = [{**rows[index], "chain_seq": place + 1} for place, index in enumerate(order)]
    wrong = [place + 1 for place, index in enumerate(order) if place != index]
    assert judged(moved, head_of(rows)) == [(Trouble.REORDERED, place, None) for place in wrong]


def test_a_row_computed_anew_does_not_fit_the_row_after_it() -> None:
    rows = chained(5)
    link = Link(WRITER, 3, rows[2]["chain_prev"], "")
    event = audit_event(99)
    forged = link._replace(hash=SEAL.of_row(TABLE_ID, link, to_parameters(event)))
    head = head_of(rows)
    rows[2] = row_of(event, forged)
    assert judged(rows, head) == [(Trouble.CHANGED, 3, None)]
    assert judged(rows[:3], Head(WRITER, 3, "the hash before")) == [(Trouble.CHANGED, 3, None)]


def test_runs_are_joined_only_where_their_hashes_fit() -> None:
    one, two, three = Run("w", 1, 2, "a", "b"), Run("w", 3, 3, "b", "c"), Run("w", 4, 4, "x", "d")
    assert join([three, two, one]) == [Run("w", 1, 3, "a", "c"), three]
    assert join([one, Run("w", 1, 1, "a", "z")]) == [one]
    assert bridge([Run("w", 1, 3, "a", "c")], 0, "a", 3) == (3, "c")
    assert bridge([Run("w", 1, 3, "a", "c")], 0, "b", 3) == (0, "b")
    assert bridge([Run("w", 1, 3, "a", "c")], 0, "a", 2) == (2, None)


@pytest.mark.parametrize("key", [None, KEY])
async def test_the_program_of_the_documentation_agrees(tmp_path: Path, key: SecretStr | None) -> None:
    page = (ROOT / "docs/reference/audit-chain.md").read_text()
    (block,) = re.findall(r"^```python\n(.*?)^```", page, re.DOTALL | re.MULTILINE)
    (tmp_path / "verify_chain.py").write_text(block)
    broken: Any = runpy.run_path(str(tmp_path / "verify_chain.py"))["broken_in"]
    path = tmp_path / "audit.db"
    events = [audit_event(number, deep={"z": [1e16, 1e-7, "ä\n"], "a": -0.0}) for number in range(20)]
    async with Place("sqlite", f"sqlite+aiosqlite:///{path}", "audit_log").opened(key=key) as sink:
        await sink.write(events[:10])
        await sink.write(events[10:])
        await sink.record(audit_event(50))
    secret = key.get_secret_value().encode() if key else None
    with sqlite3.connect(path) as database:
        assert [*broken(database, secret)] == []
        database.execute("UPDATE audit_log SET status = 'failed' WHERE id = ?", (events[4].id,))
        assert [*broken(database, secret)] == [events[4].id]
    database.close()
