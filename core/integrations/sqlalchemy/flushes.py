"""Flushes: what the unit of work does to objects, one event for each object and flush.

Mapper events say which objects a flush writes, and on which connection. What they were before is noted before
the statements; what they are is looked at when all statements were executed (keys and defaults are there
then, and the history of collections still is). A flush that fails rolls back, and what was noted is
forgotten.
"""

from __future__ import annotations

from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, event, inspect
from sqlalchemy.orm import InstanceState, Mapper, Session, UOWTransaction
from sqlalchemy.orm.base import PassiveFlag

from logweir.integrations.sqlalchemy.cascades import Member, members_of, write_member
from logweir.integrations.sqlalchemy.links import Link, LinkStatement, link_of, unnoted
from logweir.integrations.sqlalchemy.tracked import Tracked, find, key_names
from logweir.integrations.sqlalchemy.values import differ, key_of, read_row
from logweir.integrations.sqlalchemy.writing import RowChange, write_change, write_statement

__all__ = ["Flush", "current", "listen", "listen_to_sessions"]

#: Where a session keeps what its flush has done so far.
_NOTES = "logweir.changes"
_AS_IT_IS = PassiveFlag.PASSIVE_NO_INITIALIZE | PassiveFlag.INCLUDE_PENDING_MUTATIONS
_UNNOTED = "it made or removed links of objects that are not audited or not loaded"
_MOST_FLUSHES = 8


@dataclass(frozen=True, slots=True)
class Flush:
    """A flush that has begun.

    Attributes:
        work: SQLAlchemy's own record of it.
        links: The statements that made or removed links.
    """

    work: UOWTransaction
    links: list[LinkStatement] = field(default_factory=list)

    @property
    def is_active(self) -> bool:
        """Whether it goes on: one without work has no transaction, and that of a failed one is over."""
        transaction = getattr(self.work, "transaction", None)
        return transaction is not None and bool(transaction.is_active)


#: The flushes that run here, one inside the other where a hook uses another session.
_flushes: ContextVar[tuple[Flush, ...]] = ContextVar("logweir_flushes", default=())


@dataclass(slots=True)
class _Note:
    """An object that a flush is about to write.

    Attributes:
        state: The object's.
        tracked: What was asked for its class.
        operation: What is done to it.
        before: The values it had, as far as they are known.
        given: The names of the values that were set.
        connection: Where it was written; None until then.
        alone: The members that relationships to one got, whose history the flush may lose.
        links: What it got and lost in many-to-many relationships.
        members: The rows that the database may delete with it.
    """

    state: InstanceState[Any]
    tracked: Tracked
    operation: str
    before: dict[str, Any]
    given: frozenset[str] = frozenset()
    connection: Connection | None = None
    alone: dict[str, Any] = field(default_factory=dict)
    links: list[Link | None] = field(default_factory=list)
    members: list[Member] = field(default_factory=list)


def listen(model: type[Any]) -> None:
    """Hear what flushes do to the objects of a class and its subclasses."""
    for name in ("insert", "update", "delete"):
        event.listen(model, f"before_{name}", _BEFORE[name], propagate=True)
        event.listen(model, f"after_{name}", _written, propagate=True)


def listen_to_sessions(sessions: type[Session]) -> None:
    """Hear when flushes begin and end."""
    event.listen(sessions, "before_flush", _begin)
    event.listen(sessions, "after_flush", _end)
    event.listen(sessions, "after_soft_rollback", _forget)


def current() -> Flush | None:
    """The flush of which a statement that is executed now may be one."""
    return next((flush for flush in reversed(_flushes.get()) if flush.is_active), None)


def _begin(_session: Session, work: UOWTransaction, _instances: Any) -> None:
    _flushes.set((*_flushes.get()[1 - _MOST_FLUSHES :], Flush(work)))


def _end(session: Session, work: UOWTransaction) -> None:
    notes: dict[InstanceState[Any], _Note] = session.info.pop(_NOTES, None) or {}
    for note in notes.values():
        if note.connection is None:
            continue
        change = _CHANGES[note.operation](session, notes, note, note.connection)
        if change is not None:
            write_change(note.tracked, note.connection, session, change)
    _write_members(session, notes)
    links = [link for note in notes.values() for link in note.links if link is not None]
    for flush in _flushes.get():
        for each in unnoted(flush.links, links) if flush.work is work else ():
            write_statement(each.tracked, each.connection, session, each.text, each.rows, _UNNOTED)
    _flushes.set(tuple(flush for flush in _flushes.get() if flush.work is not work))


def _write_members(session: Session, notes: dict[InstanceState[Any], _Note]) -> None:
    """Write what the database has deleted with the objects of a flush, and the flush itself has not."""
    known = {(state.mapper.base_mapper, tuple(state.identity or ())) for state in notes}
    for note in notes.values():
        if note.connection is None:
            continue
        for member in note.members:
            if (member.mapper.base_mapper, member.key) not in known:
                write_member(note.connection, session, member)


def _forget(session: Session, _transaction: Any) -> None:
    session.info.pop(_NOTES, None)
    _flushes.set(tuple(each for each in _flushes.get() if each.is_active))


def _note(target: Any, operation: str, before: dict[str, Any], given: frozenset[str] = frozenset()) -> None:
    state: InstanceState[Any] = inspect(target)
    tracked, session = find(state.mapper), state.session
    if tracked is None or session is None:
        return
    note = session.info.setdefault(_NOTES, {})[state] = _Note(state, tracked, operation, before, given)
    for relationship in tracked.collections(state.mapper):
        if not relationship.uselist and (added := state.attrs[relationship.key].history.added):
            note.alone[relationship.key] = added


def _before_insert(_mapper: Mapper[Any], _connection: Connection, target: Any) -> None:
    _note(target, "insert", {}, frozenset(inspect(target).dict))


def _before_update(_mapper: Mapper[Any], connection: Connection, target: Any) -> None:
    state: InstanceState[Any] = inspect(target)
    tracked = find(state.mapper)
    if tracked is None:
        return
    before, unseen = _values_before(state, tracked)
    changed = [name for name in unseen if state.attrs[name].history.added]
    if tracked.load_before:
        late = _set_late(state.mapper)
        wanted = [
            name
            for name in unseen
            if name in changed or name in late or _is_set_by_updates(state.mapper, name)
        ]
        before |= read_row(connection, state.mapper, state.identity or (), wanted, lock=True)
    _note(target, "update", before, frozenset(changed))


def _before_delete(_mapper: Mapper[Any], connection: Connection, target: Any) -> None:
    state: InstanceState[Any] = inspect(target)
    tracked = find(state.mapper)
    if tracked is None:
        return
    before, unseen = _values_before(state, tracked)
    if tracked.load_before and unseen:
        before |= read_row(connection, state.mapper, state.identity or (), unseen, lock=True)
    _note(target, "delete", before)
    if (note := _notes_of(state).get(state)) is not None:
        key = dict(zip(key_names(state.mapper), state.identity or (), strict=False))
        note.members = list(members_of(connection, state.mapper, {**state.dict, **before, **key}))


_BEFORE = {"insert": _before_insert, "update": _before_update, "delete": _before_delete}


def _written(_mapper: Mapper[Any], connection: Connection, target: Any) -> None:
    state: InstanceState[Any] = inspect(target)
    if (note := _notes_of(state).get(state)) is not None:
        note.connection = connection


def _notes_of(state: InstanceState[Any]) -> dict[InstanceState[Any], _Note]:
    return state.session.info.get(_NOTES, {}) if state.session is not None else {}


def _values_before(state: InstanceState[Any], tracked: Tracked) -> tuple[dict[str, Any], list[str]]:
    """The values that an object had in the database, and the names of those that are not loaded."""
    before, unseen = dict[str, Any](), list[str]()
    for name in tracked.names(state.mapper):
        history = state.attrs[name].history
        known = history.deleted or history.unchanged
        if known:
            before[name] = known[0]
        else:
            unseen.append(name)
    return before, unseen


def _inserted(session: Session, notes: Any, note: _Note, connection: Connection) -> RowChange:
    mapper, key = note.state.mapper, key_of(note.state)
    replaced = _replaced(session, notes, mapper, key)
    values, names = note.state.dict, note.tracked.names(mapper)
    missing = [name for name in names if name not in values]
    # What nobody gave and no default gives is NULL, unless the row of another object was taken over.
    unknown = [
        name for name in missing if replaced is not None or name in note.given or _is_generated(mapper, name)
    ]
    read = read_row(connection, mapper, key, unknown)
    after = {name: values[name] if name in values else read.get(name) for name in names}
    collections = _collections(note)
    if replaced is None:
        return RowChange(mapper, "insert", key, {}, after, collections)
    before = {name: replaced.dict[name] for name in names if name in replaced.dict}
    return RowChange(mapper, "update", key, before, after, collections)


def _replaced(session: Session, notes: Any, mapper: Mapper[Any], key: Any) -> InstanceState[Any] | None:
    """An object that was deleted in the same flush, and whose row an UPDATE gives to the new one."""
    wanted = mapper.identity_key_from_primary_key(key)
    for each in session.deleted:
        state: InstanceState[Any] = inspect(each)
        if state.key == wanted and state not in notes:
            return state
    return None


def _is_generated(mapper: Mapper[Any], name: str) -> bool:
    column = mapper.columns[name]
    return bool(column.primary_key or column.computed or column.identity) or any(
        default is not None for default in (column.default, column.server_default)
    )


def _set_late(mapper: Mapper[Any]) -> set[str]:
    """The foreign keys that a second statement sets, of relationships with ``post_update``."""
    return {
        mapper.get_property_by_column(column).key
        for relationship in mapper.relationships
        if relationship.post_update and relationship.direction.name == "MANYTOONE"
        for column in relationship.local_columns
    }


def _is_set_by_updates(mapper: Mapper[Any], name: str) -> bool:
    return mapper.columns[name].onupdate is not None


def _updated(_session: Session, _notes: Any, note: _Note, connection: Connection) -> RowChange | None:
    mapper, values = note.state.mapper, note.state.dict
    key, old_key = key_of(note.state), tuple(note.state.identity or ())
    # Values that the database has made, such as `Model.count + 1`, are not loaded any more.
    read = read_row(connection, mapper, key, [n for n in (*note.before, *note.given) if n not in values])
    before, after = dict[str, Any](), dict[str, Any]()
    for name in note.tracked.names(mapper):
        if name not in values and name not in read:
            continue
        value = values[name] if name in values else read[name]
        if name in note.before:
            if differ(mapper, name, note.before[name], value):
                before[name], after[name] = note.before[name], value
        elif name in note.given or _is_set_by_updates(mapper, name) or note.state.attrs[name].history.added:
            after[name] = value
    collections = _collections(note)
    renamed = old_key if old_key != key else None
    if not after and not collections and renamed is None:
        return None
    return RowChange(mapper, "update", key, before, after, collections, renamed)


def _deleted(_session: Session, _notes: Any, note: _Note, _connection: Connection) -> RowChange:
    key = tuple(note.state.identity or ())
    return RowChange(note.state.mapper, "delete", key, note.before, {}, _collections(note))


_CHANGES: dict[str, Any] = {"insert": _inserted, "update": _updated, "delete": _deleted}


def _collections(note: _Note) -> dict[str, Any]:
    """The keys of the members that relationships got and lost."""
    found = dict[str, Any]()
    for relationship in note.tracked.collections(note.state.mapper):
        # A collection that is not loaded has what was added to it and removed, if that is known.
        history = note.state.get_history(relationship.key, _AS_IT_IS)
        added = list[Any](history.added or note.alone.get(relationship.key, ()))
        removed = list[Any](history.deleted or ())
        if note.operation == "delete":
            if relationship.secondary is None:  # what becomes of its members is their own change
                continue
            added, removed = [], [*removed, *(history.unchanged or ())]
        for members, made in ((added, True), (removed, False)):
            note.links += [
                link_of(relationship, note.state, each, made=made) for each in members if each is not None
            ]
        keys = {"added": _keys(added), "removed": _keys(removed)}
        if any(keys.values()):
            found[relationship.key] = keys
    return found


def _keys(members: Any) -> list[Any]:
    keys = list[Any]()
    for member in members:
        if member is None:
            continue
        state: InstanceState[Any] = inspect(member)
        key = key_of(state)
        keys.append(dict(zip(key_names(state.mapper), key, strict=False)))
    return keys
