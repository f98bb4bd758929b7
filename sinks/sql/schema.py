"""Making and migrating the audit table: what is there, what should be, and the way between.

Each audit table has a version, in a row of the table ``logweir_schema`` beside it. A change of the table is
a :class:`Migration`; with ``provision: true`` an older table is brought up to date when the sink opens, by
one process at a time. Every step asks what is there first: where DDL is not part of a transaction (MySQL,
MariaDB) a migration that was cut short is completed by the next opening. Without ``provision`` nothing is
changed and a difference is reported. A table that is newer than this logweir serves as long as it has the
columns that this one knows.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Integer,
    MetaData,
    String,
    Table,
    delete,
    insert,
    inspect,
    select,
    text,
    update,
)
from sqlalchemy.engine import Dialect
from sqlalchemy.exc import DBAPIError
from sqlalchemy.schema import CreateColumn, CreateTable

from logweir.diagnostics import report
from logweir.errors import SinkRejected
from logweir.sinks.sql.dialects.contract import Database
from logweir.sinks.sql.own_model import AUDIT_COLUMNS
from logweir.sinks.sql.table import TABLE_OPTIONS, definition

__all__ = ["MIGRATIONS", "Migration", "Schema", "audit_tables", "script_of", "statements_of"]


@dataclass(frozen=True, slots=True)
class Migration:
    """One change of the audit table: columns that a version added; indexes follow their table by themselves.

    Attributes:
        version: The version it leads to; one more than the migration before it.
        columns: The names of the columns that are new in it, which must be nullable or have a default.
    """

    version: int
    columns: tuple[str, ...]


#: In their order; the table that :func:`audit_table` describes is the one after the last of them.
#: Version 2 changed what rows say, not their columns: ``extra_info`` is canonical text, and chains are bound
#: to an id of their table, kept in two further tables, which a chained sink fills when it opens.
MIGRATIONS: tuple[Migration, ...] = (Migration(2, ()),)

VERSIONS = Table(
    "logweir_schema",
    MetaData(),
    Column("table_name", String(64), primary_key=True),
    Column("version", Integer, nullable=False),
    Column("changed_us", BigInteger, nullable=False),
    **TABLE_OPTIONS,
)


#: Stands for the version that an account without the right to read it finds.
_UNREADABLE = 0


@dataclass(frozen=True, slots=True)
class _Found:
    """What a database has of a schema."""

    version: int | None
    columns: dict[str, set[str]]
    indexes: dict[str, set[str]]


class Schema:
    """The tables of one sink, the audit table first.

    Args:
        tables: What there should be.
        database: Whose it is.
        versioned: Whether the audit table is logweir's own; a table of the application's has no version.
        migrations: How older tables become this one.
        additions: Nullable columns that an existing table may lack, whatever its version.
        optional: The names of tables that may be missing.
    """

    def __init__(
        self,
        tables: Sequence[Table],
        database: Database,
        *,
        versioned: bool = True,
        migrations: Sequence[Migration] = MIGRATIONS,
        additions: Sequence[str] = (),
        optional: Sequence[str] = (),
    ) -> None:
        self.tables = [*tables]
        self.newest = migrations[-1].version if migrations else 1
        self._database = database
        self.versioned = versioned
        self.migrations = migrations
        self.additions = additions if versioned else ()
        self._optional = optional

    @property
    def audit(self) -> Table:
        """The audit table."""
        return self.tables[0]

    def prepare(self, connection: Connection, *, provision: bool) -> None:
        """Create and migrate what is missing, if that is allowed.

        Raises:
            SinkRejected: Something is missing, and may not or cannot be created.
        """
        if provision and not self._seems_complete(connection):
            connection.rollback()
            with self._database.schema_lock(connection, self.audit.name):
                self.create(connection)
                connection.commit()
        found = self._look(connection)
        self._require(found)
        if (found.version or 0) > self.newest:
            report(f"{self.audit.name}.version", "%s", self.describe(found.version))

    def version(self, connection: Connection) -> int | None:
        """Return the version of the audit table; None if it was never noted, 0 if it may not be read."""
        if not self.versioned:
            return None
        try:
            if not inspect(connection).has_table(VERSIONS.name):
                return None
            wanted = VERSIONS.c.table_name == self.audit.name
            return connection.scalar(select(VERSIONS.c.version).where(wanted))
        except DBAPIError as error:
            if error.connection_invalidated:
                raise
            connection.rollback()  # an account that may write audit rows and nothing else
            return _UNREADABLE

    def describe(self, version: int | None) -> str:
        """Say what a version means, in words for an operator."""
        name = self.audit.name
        if not self.versioned:
            return f"table {name}, a model of the application's"
        if not version:
            return (
                f"table {name}, of a version that {'was not noted' if version is None else 'may not be read'}"
            )
        if version > self.newest:
            return (
                f"the table {name} has version {version} and this logweir knows {self.newest}; it serves,"
                " and a newer logweir serves it better"
            )
        return f"table {name}, version {version}"

    def _look(self, connection: Connection) -> _Found:
        inspector = inspect(connection)
        version = self.version(connection)
        columns, indexes = dict[str, set[str]](), dict[str, set[str]]()
        for table in self.tables:
            name, owner = table.name, table.schema
            if inspector.has_table(name, owner):
                columns[name] = {str(column["name"]) for column in inspector.get_columns(name, owner)}
                indexes[name] = {str(index["name"]) for index in inspector.get_indexes(name, owner)}
        return _Found(version, columns, indexes)

    def _seems_complete(self, connection: Connection) -> bool:
        """Whether nothing is to be done; MySQL may refuse to look while another process changes the table."""
        try:
            return self._is_complete(self._look(connection))
        except DBAPIError as error:
            if error.connection_invalidated:
                raise
            return False

    def _is_complete(self, found: _Found) -> bool:
        audit = found.columns.get(self.audit.name, set())
        return (
            not definition(self.tables, found.indexes)
            and all(column in audit for column in self._addable)
            and (not self.versioned or found.version == _UNREADABLE or (found.version or 0) >= self.newest)
        )

    def create(self, connection: Connection) -> None:
        """Create and add what is missing, in the caller's transaction, under the caller's lock."""
        found = self._look(connection)
        if self.audit.name in found.columns:
            if self._missing(found).difference(self._addable):
                return  # a table of another shape: reported by _require, and left as it is
            for statement in self._missing_additions(found, connection.dialect):
                connection.execute(text(statement))
        for ddl in definition(self.tables, found.indexes):
            connection.execute(ddl)
        if self.versioned:
            self._note_version(connection)

    @property
    def _addable(self) -> list[str]:
        return [*(name for migration in self.migrations for name in migration.columns), *self.additions]

    def _missing_additions(self, found: _Found, dialect: Dialect) -> list[str]:
        present = found.columns[self.audit.name]
        return [_addition(self.audit, name, dialect) for name in self._addable if name not in present]

    def _note_version(self, connection: Connection) -> None:
        if not inspect(connection).has_table(VERSIONS.name):
            connection.execute(CreateTable(VERSIONS, if_not_exists=True))
        noted = self.version(connection)
        values = {"version": self.newest, "changed_us": time.time_ns() // 1000}
        if noted is None:
            connection.execute(insert(VERSIONS).values(table_name=self.audit.name, **values))
        elif noted < self.newest:  # a newer logweir's note stays
            connection.execute(
                update(VERSIONS).where(VERSIONS.c.table_name == self.audit.name).values(**values)
            )

    def _missing(self, found: _Found) -> set[str]:
        return {column.name for column in self.audit.columns} - found.columns[self.audit.name]

    def _require(self, found: _Found) -> None:
        name = self.audit.name
        for table in self.tables:
            if table.name not in found.columns and table.name not in self._optional:
                raise SinkRejected(f"the table {table.name} is missing; create it, or set provision: true")
        version = found.version
        if version and any(new.columns for new in self.migrations if new.version > version):
            raise SinkRejected(
                f"the table {name} has version {version} and this logweir needs {self.newest};"
                " set provision: true, or run what `logweir schema --sink NAME` prints"
            )
        if missing := self._missing(found):
            columns = ", ".join(sorted(missing))
            hint = ", or set provision: true" if missing.issubset(self.additions) else ""
            raise SinkRejected(f"the table {name} lacks the columns {columns}; add them{hint}")


def audit_tables(connection: Connection, is_wanted: Callable[[str], bool]) -> list[str]:
    """Return the names of the tables that are wanted and have the columns of an audit table."""
    inspector = inspect(connection)
    names = [name for name in sorted(inspector.get_table_names()) if is_wanted(name)]
    if not names:
        return []
    found = inspector.get_multi_columns(filter_names=names)
    columns = {key[1]: {str(column["name"]) for column in of_table} for key, of_table in found.items()}
    return [name for name in names if columns.get(name, set()).issuperset(AUDIT_COLUMNS)]


def _addition(table: Table, name: str, dialect: Dialect) -> str:
    quote = dialect.identifier_preparer.format_table(table)
    return f"ALTER TABLE {quote} ADD COLUMN {CreateColumn(table.c[name]).compile(dialect=dialect)}"


def script_of(schema: Schema, dialect: Dialect) -> str:
    """Return the SQL that makes the tables of a schema; what brings older ones up to date is in comments."""
    older = [
        f"-- a table older than version {migration.version}: {_addition(schema.audit, column, dialect)};"
        for migration in schema.migrations
        for column in migration.columns
    ]
    older += [
        f"-- a table from before chaining: {_addition(schema.audit, column, dialect)};"
        for column in schema.additions
    ]
    statements = statements_of(schema, dialect)
    return "".join([*(f"{statement};\n" for statement in statements), *(f"{line}\n" for line in older)])


def statements_of(schema: Schema, dialect: Dialect) -> list[str]:
    """Return the statements that make the tables of a schema."""
    can_pass_over = dialect.name != "mysql"  # which has no CREATE INDEX IF NOT EXISTS
    tables = [*schema.tables, *([VERSIONS] if schema.versioned else [])]
    statements = [
        str(ddl.compile(dialect=dialect)).strip()
        for ddl in definition(tables, index_if_not_exists=can_pass_over)
    ]
    if schema.versioned:
        name, newest = schema.audit.name, schema.newest
        statements += [
            str(statement.compile(dialect=dialect, compile_kwargs={"literal_binds": True}))
            for statement in (
                delete(VERSIONS).where(VERSIONS.c.table_name == name),
                insert(VERSIONS).values(table_name=name, version=newest, changed_us=0),
            )
        ]
    return statements
