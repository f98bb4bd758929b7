"""What is audited: the classes, each with what was asked for it, found by a mapper or by a table.

A class that is audited brings its subclasses along. The registry is filled when an application is imported,
and only read afterwards.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

from sqlalchemy import Column, Table, inspect
from sqlalchemy.orm import Mapper, RelationshipProperty, Session

from logweir.errors import ConfigError, ConfigProblem

__all__ = [
    "OnError",
    "Tracked",
    "add",
    "column_names",
    "find",
    "forget_tables",
    "is_secondary",
    "key_names",
    "mapper_of",
    "root_table",
    "watched",
    "watched_in",
]

_WORD = re.compile(r"\w+")

OnError = Literal["raise", "report"]


@dataclass(frozen=True, slots=True)
class Tracked:
    """A class whose changes are audited; see :func:`audit_changes` for the attributes."""

    mapper: Mapper[Any]
    columns: frozenset[str] | None
    exclude: frozenset[str]
    relationships: frozenset[str] | None
    actor: Callable[[Session | None], Any] | None
    action: str
    load_before: bool
    max_rows: int
    sink: str | None
    on_error: OnError
    _names: dict[Mapper[Any], tuple[str, ...]] = field(default_factory=dict)

    def names(self, mapper: Mapper[Any]) -> tuple[str, ...]:
        """The attributes of a class, or of a subclass, whose values are recorded."""
        found = self._names.get(mapper)
        if found is None:
            chosen = column_names(mapper)
            if self.columns is not None:
                chosen = tuple(name for name in chosen if name in self.columns)
            found = self._names[mapper] = tuple(name for name in chosen if name not in self.exclude)
        return found

    def collections(self, mapper: Mapper[Any]) -> list[RelationshipProperty[Any]]:
        """The relationships whose members are recorded: to many, unless others were named."""
        if self.relationships is not None:
            return [each for each in mapper.relationships if each.key in self.relationships]
        return [
            each
            for each in mapper.relationships
            if each.direction.name != "MANYTOONE" and not each.viewonly and each.key not in self.exclude
        ]


class _Registry:
    """The audited classes, and the tables whose statements are looked at."""

    def __init__(self) -> None:
        self.by_mapper: dict[Mapper[Any], Tracked] = {}
        self.by_table: dict[str, Tracked] = {}
        self.secondary: set[str] = set()
        self.is_stale = False


_registry = _Registry()


def mapper_of(model: object) -> Mapper[Any] | None:
    """The mapper of a class; None if there is none."""
    mapper = inspect(model, raiseerr=False)
    return mapper if isinstance(mapper, Mapper) else None


def add(tracked: Tracked) -> None:
    """Audit a class.

    Raises:
        ConfigError: It is audited already, by itself or together with another one.
    """
    for other in _registry.by_mapper:
        if other.isa(tracked.mapper) or tracked.mapper.isa(other):
            message = "it is audited already; call it once, where the class is made"
            if other is not tracked.mapper:
                message = (
                    f"{other.class_.__name__} is audited already, and a class brings its subclasses along"
                )
            place = f"audit_changes({tracked.mapper.class_.__name__})"
            raise ConfigError([ConfigProblem(message, file=place)])
    _registry.by_mapper[tracked.mapper] = tracked
    _registry.is_stale = True


def find(mapper: Mapper[Any]) -> Tracked | None:
    """What was asked for a class, or for one that it derives from."""
    for each in mapper.iterate_to_root():
        if (tracked := _registry.by_mapper.get(each)) is not None:
            return tracked
    return None


def watched(table: object) -> Tracked | None:
    """The audited class whose rows, or whose links to others, a table has."""
    if _registry.is_stale:
        _look_up_tables()
    return _registry.by_table.get(getattr(table, "fullname", ""))


def is_secondary(table: object) -> bool:
    """Whether a watched table links the objects of a many-to-many relationship."""
    return getattr(table, "fullname", "") in _registry.secondary


def watched_in(statement: str) -> list[Tracked]:
    """The audited classes whose tables a text names."""
    if _registry.is_stale:
        _look_up_tables()
    words = set(_WORD.findall(statement.lower()))
    found = [
        tracked for table, tracked in _registry.by_table.items() if table.lower().rpartition(".")[2] in words
    ]
    return list({id(tracked): tracked for tracked in found}.values())


def forget_tables() -> None:
    """Look at the tables anew: classes were mapped since."""
    _registry.is_stale = True


def _look_up_tables() -> None:
    tables, secondary = dict[str, Tracked](), set[str]()
    configured = True
    for mapper, tracked in _registry.by_mapper.items():
        for each in mapper.self_and_descendants:
            for table in each.tables:
                tables[getattr(table, "fullname", "")] = tracked
        # Relationships name classes that may not be there yet.
        configured = configured and mapper.configured
        for relationship in tracked.collections(mapper) if mapper.configured else ():
            if isinstance(relationship.secondary, Table):
                secondary.add(relationship.secondary.fullname)
                tables.setdefault(relationship.secondary.fullname, tracked)
    _registry.by_table, _registry.secondary = tables, secondary
    _registry.is_stale = not configured


def column_names(mapper: Mapper[Any]) -> tuple[str, ...]:
    """The attributes of a class that are columns of its tables."""
    properties: Any = mapper.columns.items()  # some are expressions
    return tuple(name for name, column in properties if isinstance(column, Column))


def key_names(mapper: Mapper[Any]) -> tuple[str, ...]:
    """The attributes of the primary key, in its order."""
    return tuple(mapper.get_property_by_column(column).key for column in mapper.primary_key)


def root_table(mapper: Mapper[Any]) -> str:
    """The name of the table in which every row of a class and its subclasses has its key."""
    return str(getattr(mapper.base_mapper.local_table, "fullname", mapper.base_mapper.class_.__name__))
