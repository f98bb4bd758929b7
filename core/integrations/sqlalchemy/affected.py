"""The rows that a statement affects: read before it and behind it, where that is the whole truth.

A :class:`Capture` ends with the changes of single rows, or with the reason why there are none: too many rows,
keys that only the database knows, or a statement that has changed other rows than those that were read.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from sqlalchemy import BindParameter, Connection, Delete, Insert, Table, Update, select, tuple_
from sqlalchemy.exc import InvalidRequestError
from sqlalchemy.orm import Mapper, ORMExecuteState

from logweir.encoding.counted import counted
from logweir.integrations.sqlalchemy.tracked import Tracked, find, key_names
from logweir.integrations.sqlalchemy.values import differ, take_lock
from logweir.integrations.sqlalchemy.writing import RowChange

__all__ = ["Capture", "plan", "rows_of"]

_PAGE = 500
Rows = dict[tuple[Any, ...], dict[str, Any]]


def plan(tracked: Tracked, state: ORMExecuteState) -> Capture | None:
    """How to record a statement of a session's; None if it is of no audited class."""
    statement: Any = state.statement
    mapper = state.bind_mapper
    if mapper is not None:
        own = find(mapper)
        if own is None:
            return None
        names = (*key_names(mapper), *own.names(mapper))
        columns = {name: getattr(mapper.class_, name) for name in names}
        return Capture(own, mapper, columns, state)
    # A statement of the table: what the class inherits from other tables is not in it.
    mapper = _class_of(tracked, statement.table)
    if mapper is None:
        return None
    columns = {mapper.get_property_by_column(column).key: column for column in statement.table.primary_key}
    for name in tracked.names(mapper):
        if mapper.columns[name].table is statement.table:
            columns[name] = mapper.columns[name]
    return Capture(tracked, mapper, columns, state)


def _class_of(tracked: Tracked, table: Table) -> Mapper[Any] | None:
    return next((each for each in tracked.mapper.self_and_descendants if each.local_table is table), None)


class Capture:
    """The rows of one statement.

    Args:
        tracked: What was asked for its class.
        mapper: Of its class.
        columns: What is read, by the names of attributes; the key first.
        state: The statement.

    Attributes:
        tracked: What was asked for its class.
        why: Why single rows are not known; None if they are.
        rows: How many rows were changed, where single ones are not known, if that is.
        statement: The statement.
    """

    def __init__(
        self, tracked: Tracked, mapper: Mapper[Any], columns: Mapping[str, Any], state: ORMExecuteState
    ) -> None:
        self.statement: Any = state.statement
        self.why: str | None = None
        self.rows: int | None = None
        self.tracked = tracked
        self._mapper = mapper
        self._columns = columns
        self._state = state
        self._key = key_names(mapper)
        self._names = tracked.names(mapper)
        self._before: Rows = {}
        self._after: Rows = {}

    def look_before(self) -> None:
        """Read the rows that the statement will change, and lock them as it will."""
        statement, many = self.statement, isinstance(self._state.parameters, Sequence)
        if not isinstance(statement, Insert) and self.tracked.max_rows:
            take_lock(self._connection(), statement.table)
        if self.tracked.max_rows == 0:
            self.why = "max_rows is 0"
        elif isinstance(statement, Insert):
            self.why = _doubts(statement)
        elif many and not self._is_by_key():
            self.why = "it was executed for several sets of parameters"
        elif many:
            keys = _keys_in(self._state.parameters, self._key)
            if keys is None or len(keys) > self.tracked.max_rows:
                self._too_many()
            else:
                self._before = self._read(keys, lock=True)
        else:
            found = self._select(statement.whereclause)
            self._before = {} if found is None else found

    def _is_by_key(self) -> bool:
        """Whether it is an UPDATE of the ORM whose sets of values have their keys with them."""
        of_class = self._state.bind_mapper is not None and isinstance(self.statement, Update)
        return of_class and self.statement.whereclause is None

    def look_after(self, result: Any) -> None:
        """Read what the statement has left, and see whether it is what was to be expected."""
        self.rows = rows_of(result)
        if self.why is not None:
            if self.rows is None and isinstance(self.statement, Insert):
                self.rows = len(self._given() or ()) or None
            return
        if isinstance(self.statement, Insert):
            self._look_after_insert(result)
        elif self.rows is not None and self.rows != len(self._before):
            self.why = "it changed other rows than were read before it"
        elif isinstance(self.statement, Update):
            self._after = self._read(list(self._before))
            if len(self._after) != len(self._before):
                self.why = "keys have changed"
        elif self.rows is None:  # with RETURNING: what is still there was not deleted
            self._after = self._read(list(self._before))
            for key in self._after:
                del self._before[key]
            self._after = {}

    def _connection(self) -> Connection:
        return self._state.session.connection(bind_arguments=dict(self._state.bind_arguments))

    def changes(self) -> Iterator[RowChange]:
        """What happened to each row; nothing for those that are as they were."""
        for key, before in self._before.items():
            if isinstance(self.statement, Delete):
                yield RowChange(self._mapper, "delete", key, self._chosen(before), {})
                continue
            after = self._after[key]
            names = [n for n in self._names if n in after and differ(self._mapper, n, before[n], after[n])]
            if names:
                yield RowChange(
                    self._mapper,
                    "update",
                    key,
                    {name: before[name] for name in names},
                    {name: after[name] for name in names},
                )
        if isinstance(self.statement, Insert):
            for key, after in self._after.items():
                yield RowChange(self._mapper, "insert", key, {}, self._chosen(after))

    def _chosen(self, row: dict[str, Any]) -> dict[str, Any]:
        return {name: row[name] for name in self._names if name in row}

    def _too_many(self) -> None:
        self.why = f"it may change more than {counted(self.tracked.max_rows, 'row')}"

    def _look_after_insert(self, result: Any) -> None:
        given = self._given()
        keys = _keys_in(given, self._key) if given else None
        if keys is None and (key := _inserted_key(result)) is not None:
            keys = [key]
        if self.rows is None or self.rows < len(given or ()):
            self.rows = len(given or keys or ()) or None
        if keys is None:
            self.why = "the keys of the new rows are not known"
        elif len(keys) > self.tracked.max_rows:
            self._too_many()
        else:
            self._after = self._read(keys)
            if len(self._after) != len(keys):
                self.why = "it left other rows than were given"

    def _given(self) -> list[Mapping[Any, Any]] | None:
        """The rows that an INSERT was given, if they can be seen."""
        parameters = self._state.parameters
        if parameters:
            return list(parameters) if isinstance(parameters, Sequence) else [parameters]
        several = getattr(self.statement, "_multi_values", ())
        return [row for rows in several for row in rows] or None

    def _select(self, where: Any) -> Rows | None:
        most = self.tracked.max_rows
        statement = select(*self._columns.values()).limit(most + 1).with_for_update()
        found = self._rows(statement if where is None else statement.where(where), self._state.parameters)
        if len(found) > most:
            self._too_many()
            return None
        return found

    def _read(self, keys: Sequence[tuple[Any, ...]], *, lock: bool = False) -> Rows:
        columns, found = [self._columns[name] for name in self._key], Rows()
        for start in range(0, len(keys), _PAGE):
            page = keys[start : start + _PAGE]
            if len(columns) == 1:
                where = columns[0].in_([key[0] for key in page])
            else:
                where = tuple_(*columns).in_(page)
            statement = select(*self._columns.values()).where(where)
            found |= self._rows(statement.with_for_update() if lock else statement)
        return found

    def _rows(self, statement: Any, parameters: Any = None) -> Rows:
        """Read rows where the statement will be executed, and after what the session has pending."""
        given = self._state.execution_options
        options = {"autoflush": given.get("autoflush", True)}
        if "schema_translate_map" in given:
            options["schema_translate_map"] = given["schema_translate_map"]
        result = self._state.session.execute(
            statement,
            dict(parameters or {}),
            execution_options=options,
            bind_arguments={**self._state.bind_arguments, "clause": statement},
        )
        rows = [dict(zip(self._columns, row, strict=True)) for row in result]
        return {tuple(row[name] for name in self._key): row for row in rows}


def rows_of(result: Any) -> int | None:
    """How many rows a statement has changed, if its driver says it."""
    if getattr(result, "returns_rows", True):
        return None
    count = getattr(result, "rowcount", -1)
    return count if isinstance(count, int) and count >= 0 else None


def _doubts(statement: Any) -> str | None:
    if statement.select is not None:
        return "it inserts what it selects"
    if getattr(statement, "_post_values_clause", None) is not None or getattr(statement, "_prefixes", None):
        return "it may change rows that are there"
    return None


def _keys_in(rows: Any, names: Sequence[str]) -> list[tuple[Any, ...]] | None:
    """The keys of the rows that a statement was given, if all of them have theirs."""
    keys = []
    for row in rows:
        if not isinstance(row, Mapping):
            return None
        named = {name if isinstance(name, str) else getattr(name, "key", ""): row[name] for name in row}
        key = tuple(_plain(named.get(name)) for name in names)
        if None in key:
            return None
        keys.append(key)
    return keys


def _plain(value: Any) -> Any:
    if isinstance(value, BindParameter):
        return value.value
    return None if hasattr(value, "__clause_element__") or hasattr(value, "compile") else value


def _inserted_key(result: Any) -> tuple[Any, ...] | None:
    try:
        key = result.inserted_primary_key
    except (AttributeError, InvalidRequestError):  # of several rows, or where the rows are the caller's
        return None
    return tuple(key) if key is not None and None not in tuple(key) else None
