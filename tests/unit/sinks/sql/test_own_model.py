"""An audit table of the application's own: how its columns are filled."""

from datetime import UTC, date, datetime, time
from decimal import Decimal
from enum import Enum
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import (
    ARRAY,
    Boolean,
    Column,
    Computed,
    Date,
    DateTime,
    Double,
    Identity,
    Integer,
    Numeric,
    String,
    Time,
    Uuid,
)
from sqlalchemy import Enum as EnumType

from logweir.sinks.sql.encode import to_row
from logweir.sinks.sql.own_model import AUDIT_COLUMNS, fill, find_table
from logweir.sinks.sql.table import audit_table
from logweir.testing.contract import make_event


class Colour(Enum):
    RED = "red"


@pytest.mark.parametrize(
    ("kind", "value", "filled"),
    [
        (Integer(), 7, 7),
        (Integer(), "7", 7),
        (Integer(), 7.0, 7),
        (Integer(), 7.5, None),
        (Integer(), "seven", None),
        (Integer(), {"a": 1}, None),
        (Double(), 7, 7.0),
        (Numeric(), "12.50", Decimal("12.50")),
        (Numeric(), 0.1, Decimal("0.1")),
        (Numeric(), "much", None),
        (String(), "x", "x"),
        (String(), 7, "7"),
        (String(), True, None),
        (String(), ["x"], None),
        (Boolean(), True, True),
        (Boolean(), 1, None),
        (DateTime(), "2026-01-02T03:04:05+00:00", datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)),
        (DateTime(), "yesterday", None),
        (DateTime(), 7, None),
        (Date(), "2026-01-02", date(2026, 1, 2)),
        (Time(), "03:04:05", time(3, 4, 5)),
        (Uuid(), "0198a3c2-0000-7000-8000-000000000001", UUID("0198a3c2-0000-7000-8000-000000000001")),
        (EnumType(Colour), "red", Colour.RED),
        (EnumType(Colour), "mauve", None),
        (String(3), "long", None),
        (String(3), 999, "999"),
        (ARRAY(Integer), [1], [1]),
    ],
    ids=str,
)
def test_a_column_takes_what_fits_and_stays_empty_otherwise(kind: Any, value: Any, filled: Any) -> None:
    table = audit_table("x")
    table.append_column(Column("more", kind))
    row = fill(table, make_event(more=value))
    assert (type(row["more"]), row["more"]) == (type(filled), filled)
    assert row["extra_info"] == {"more": value}


def test_what_the_database_fills_itself_is_left_to_it() -> None:
    table = audit_table("x")
    table.append_column(Column("number", Integer, Identity()))
    table.append_column(Column("double", Integer, Computed("time_us * 2")))
    table.append_column(Column("tenant", Integer, server_default="1"))
    event = make_event(number=5, double=6)
    assert fill(table, event) == to_row(event)


def test_a_table_and_a_class_are_found_by_their_path() -> None:
    with pytest.raises(ValueError, match="lacks the audit columns id, time_us"):
        find_table("logweir.sinks.sql.schema:VERSIONS")
    with pytest.raises(ValueError, match="is no model but function; name a declarative class or a Table"):
        find_table("logweir.sinks.sql.table:audit_table")
    with pytest.raises(ValueError, match="names no model"):
        find_table("no_such_module:Class")
    assert tuple(to_row(make_event())) == AUDIT_COLUMNS
