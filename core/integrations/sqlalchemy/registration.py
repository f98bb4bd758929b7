"""``audit_changes``: has the changes of a class audited, by the events of SQLAlchemy."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any, NoReturn, get_args

from sqlalchemy import Engine, event
from sqlalchemy.orm import Mapper, RelationshipProperty, Session

from logweir.errors import ConfigError, ConfigProblem
from logweir.integrations.sqlalchemy import failures, flushes, statements, tracked
from logweir.integrations.sqlalchemy.tracked import OnError, Tracked

__all__ = ["audit_changes"]

_hears: list[None] = []


def audit_changes(
    model: type[Any],
    *,
    columns: Collection[Any] | None = None,
    exclude: Collection[Any] = (),
    relationships: Collection[Any] | None = None,
    actor: Callable[[Session | None], Any] | None = None,
    action: str | None = None,
    load_before: bool = False,
    max_rows: int = 1000,
    sink: str | None = None,
    on_error: OnError = "raise",
) -> None:
    """Audit what happens to the rows of a mapped class and of its subclasses, from now on.

    Args:
        model: The class.
        columns: The attributes whose values are recorded, by name or as ``Model.name``; by default all that
            are columns. A change of others alone is not recorded.
        exclude: Those that are not.
        relationships: Those whose added and removed members are recorded by their keys; by default all
            to-many ones. A reference to one object shows as its foreign key.
        actor: Returns who changes something, given the session, or None for a statement without one; by
            default the bound ``user_id``.
        action: What the events' names begin with, before ``.insert``, ``.update``, ``.delete`` or
            ``.statement``; by default the table.
        load_before: Whether values that are replaced or deleted unseen, because they were not loaded, are
            read before the statement of the flush: one SELECT more for each such row.
        max_rows: The most rows that a statement is recorded for row by row.
        sink: The relational sink that stores the events, as for :class:`logweir.LogService`.
        on_error: ``raise`` fails the transaction when an event cannot be written; ``report`` lets it go on,
            at the cost of a savepoint for each event.

    Raises:
        ConfigError: The class is not mapped or is audited already, or an argument is wrong.
    """
    mapper = tracked.mapper_of(model)
    if mapper is None:
        _refuse(model, "it is not a mapped class; give the class of your model")
    wanted = Tracked(
        mapper,
        None if columns is None else _names(columns),
        _names(exclude),
        None if relationships is None else _names(relationships),
        actor,
        action or tracked.root_table(mapper),
        load_before,
        max_rows,
        sink,
        on_error,
    )
    _check(model, wanted, {"actor": actor, "max_rows": max_rows})
    tracked.add(wanted)
    flushes.listen(model)
    _listen_once()


def _listen_once() -> None:
    """Hear what all sessions and engines do, from the first audited class on."""
    if not _hears:
        _hears.append(None)
        event.listen(Mapper, "after_configured", tracked.forget_tables)
        flushes.listen_to_sessions(Session)
        statements.listen(Session, Engine)
        failures.listen_to_commits(Engine)


def _check(model: type[Any], wanted: Tracked, given: Mapping[str, Any]) -> None:
    """See that the arguments mean something.

    Raises:
        ConfigError: One does not.
    """
    mapper, names = wanted.mapper, wanted.mapper.columns.keys()
    unknown = (wanted.columns or frozenset()) | {n for n in wanted.exclude if not mapper.has_property(n)}
    for name in sorted(unknown.difference(names)):
        _refuse(model, f"there is no column {name!r}; it has {', '.join(names)}")
    for name in sorted(wanted.relationships or ()):
        if not mapper.has_property(name) or not isinstance(mapper.get_property(name), RelationshipProperty):
            _refuse(model, f"there is no relationship {name!r}")
    if wanted.on_error not in get_args(OnError):
        _refuse(model, f"on_error={wanted.on_error!r} is none of {', '.join(get_args(OnError))}")
    actor, max_rows = given["actor"], given["max_rows"]
    if actor is not None and not callable(actor):
        _refuse(model, f"{actor=} cannot be called; give a function of the session, such as lambda _: 7")
    if type(max_rows) is not int or max_rows < 0:
        _refuse(model, f"{max_rows=} is no number of rows")


def _names(given: Collection[Any]) -> frozenset[str]:
    given = (given,) if isinstance(given, str) else given
    return frozenset(each if isinstance(each, str) else str(getattr(each, "key", each)) for each in given)


def _refuse(model: object, message: str) -> NoReturn:
    name = getattr(model, "__name__", None) or repr(model)
    raise ConfigError([ConfigProblem(message, file=f"audit_changes({name})")])
