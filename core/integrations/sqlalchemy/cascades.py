"""Rows that the database itself deletes or changes with the row that they refer to.

A relationship with ``passive_deletes`` leaves its members to the database (``ON DELETE CASCADE`` and others).
Those of an audited class are read before the row that they refer to is deleted, when the unit of work has
deleted what it knows itself, and looked for again behind the flush.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, and_, select
from sqlalchemy.orm import Mapper, Session

from logweir.encoding.counted import counted
from logweir.integrations.sqlalchemy.tracked import Tracked, find, key_names
from logweir.integrations.sqlalchemy.values import differ, read_row, take_lock
from logweir.integrations.sqlalchemy.writing import RowChange, write_change, write_statement

__all__ = ["Member", "members_of", "write_member"]


@dataclass(frozen=True, slots=True)
class Member:
    """A row that the database may delete or change.

    Attributes:
        tracked: What was asked for its class.
        mapper: Of its class.
        key: Its primary key; empty where there are more rows than are recorded one by one.
        before: Its values.
    """

    tracked: Tracked
    mapper: Mapper[Any]
    key: tuple[Any, ...]
    before: dict[str, Any]


def members_of(
    connection: Connection, mapper: Mapper[Any], row: Mapping[str, Any], seen: set[Any] | None = None
) -> Iterator[Member]:
    """Read the rows that refer to one that is about to be deleted, and those that refer to them.

    Args:
        connection: In the transaction.
        mapper: Of the row's class.
        row: Its values, as far as they are known, by the names of attributes.
        seen: The rows that were met already.
    """
    seen = set() if seen is None else seen
    for relationship in mapper.relationships:
        tracked = find(relationship.mapper) if relationship.passive_deletes else None
        if tracked is None or relationship.direction.name != "ONETOMANY":
            continue
        child = relationship.mapper
        pairs = [
            (remote, row.get(mapper.get_property_by_column(local).key))
            for local, remote in relationship.local_remote_pairs or ()
        ]
        if not pairs or any(value is None for _, value in pairs):
            continue
        names = dict.fromkeys((*key_names(child), *tracked.names(child)))
        statement = (
            select(*(child.columns[name] for name in names))
            .select_from(child.persist_selectable)
            .where(and_(*(remote == value for remote, value in pairs)))
            .limit(tracked.max_rows + 1)
            .with_for_update()
        )
        take_lock(connection, child.local_table)
        rows = connection.execute(statement).all()
        if len(rows) > tracked.max_rows:
            yield Member(tracked, child, (), {})
            continue
        for found in rows:
            values = dict(zip(names, found, strict=True))
            key = tuple(values[name] for name in key_names(child))
            if (child, key) not in seen:
                seen.add((child, key))
                yield Member(tracked, child, key, {name: values[name] for name in tracked.names(child)})
                yield from members_of(connection, child, values, seen)


def write_member(connection: Connection, session: Session, member: Member) -> None:
    """Write what the database has done to a row; nothing if it is as it was.

    Raises:
        LogweirError: As for :func:`write_change`.
    """
    if not member.key:
        most = counted(member.tracked.max_rows, "row")
        why = f"the database may have changed more than {most} with one they refer to"
        write_statement(member.tracked, connection, session, "ON DELETE", None, why)
    elif (change := _change_of(connection, member)) is not None:
        write_change(member.tracked, connection, session, change)


def _change_of(connection: Connection, member: Member) -> RowChange | None:
    names = [*key_names(member.mapper), *member.before]
    after = read_row(connection, member.mapper, member.key, names)
    if not after:
        return RowChange(member.mapper, "delete", member.key, member.before, {})
    changed = [
        name for name, value in member.before.items() if differ(member.mapper, name, value, after[name])
    ]
    if not changed:
        return None
    before = {name: member.before[name] for name in changed}
    return RowChange(member.mapper, "update", member.key, before, {name: after[name] for name in changed})
