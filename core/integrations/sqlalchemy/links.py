"""Links of many-to-many relationships: whether a flush has changed others than its objects were noted with.

The unit of work writes the rows of a ``secondary`` table for both sides. Where only one side is audited, or a
collection is not loaded, some of them belong to no event; the statement is reported then.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Delete, Insert, inspect
from sqlalchemy.orm import InstanceState, RelationshipProperty

from logweir.integrations.sqlalchemy.tracked import Tracked, root_table
from logweir.integrations.sqlalchemy.values import key_of

__all__ = ["Link", "LinkStatement", "link_of", "unnoted"]

#: A secondary table, whether the link was made, and the two rows, whichever side has noted it.
Link = tuple[str, bool, frozenset[Any]]


@dataclass(frozen=True, slots=True)
class LinkStatement:
    """A statement of a flush that made or removed links.

    Attributes:
        tracked: The class whose relationship it is.
        connection: Where it was executed.
        statement: The statement.
        rows: How many links, as far as it is known.
        text: As it was sent.
    """

    tracked: Tracked
    connection: Connection
    statement: Insert | Delete
    rows: int
    text: str


def link_of(
    relationship: RelationshipProperty[Any], owner: InstanceState[Any], member: object, *, made: bool
) -> Link | None:
    """The link of two objects; None where the relationship has no table of links."""
    table = getattr(relationship.secondary, "fullname", None)
    state: Any = inspect(member)
    rows = frozenset((root_table(each.mapper), key_of(each)) for each in (owner, state))
    return None if table is None else (table, made, rows)


def unnoted(statements: Iterable[LinkStatement], links: Iterable[Link]) -> list[LinkStatement]:
    """The statements whose tables have other numbers of links made or removed than were noted."""
    noted = dict[tuple[str, bool], int]()
    for table, made, _ in set(links):
        noted[table, made] = noted.get((table, made), 0) + 1
    by_table = dict[tuple[str, bool], list[LinkStatement]]()
    for each in statements:
        by_table.setdefault(_kind_of(each), []).append(each)
    return [
        each
        for kind, several in by_table.items()
        if sum(one.rows for one in several) > noted.get(kind, 0)
        for each in several
    ]


def _kind_of(each: LinkStatement) -> tuple[str, bool]:
    return str(getattr(each.statement.table, "fullname", "")), isinstance(each.statement, Insert)
