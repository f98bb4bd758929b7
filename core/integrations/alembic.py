"""Alembic: logweir's tables are left alone by autogenerate, and can be made by the application's migrations.

In ``env.py``::

    from logweir.integrations.alembic import include_object

    context.configure(..., include_object=include_object)

In a migration, where ``provision: true`` is not wanted (an import of this module in ``env.py`` brings the
operation)::

    def upgrade() -> None:
        op.provision_audit_tables("audit_log", chain=True)
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import Table, make_url, text

from logweir.errors import MissingDependency
from logweir.sinks.sql.chain.hashing import Seal
from logweir.sinks.sql.chain.tables import ChainTables
from logweir.sinks.sql.client import database_of
from logweir.sinks.sql.outbox import outbox_table
from logweir.sinks.sql.schema import VERSIONS, Schema, statements_of
from logweir.sinks.sql.table import CHAIN_COLUMNS, audit_table

try:
    from alembic.operations import MigrateOperation, Operations
except ModuleNotFoundError:  # pragma: no cover - reported to whoever imports this
    raise MissingDependency("logweir.integrations.alembic", "alembic") from None

__all__ = ["ProvisionAuditTables", "include_object"]

_AUDIT = audit_table("audit_log")
#: The tables beside an audit table, by what their names end in.
_BESIDE = {
    table.name.removeprefix(_AUDIT.name): frozenset(table.columns.keys())
    for table in (outbox_table(_AUDIT), *ChainTables(audit_table("audit_log", chained=True), Seal()).tables)
}


def include_object(
    object: Any,  # noqa: A002 - as Alembic calls it
    name: str | None,  # noqa: ARG001
    type_: str,
    reflected: bool,
    compare_to: Any,
) -> bool:
    """Leave logweir's own tables to logweir: whether autogenerate is to look at this object.

    A table is known by its columns, whatever its name; one that the application's metadata describes, such as
    a model of its own (``model:``), is compared as ever. With a rule of your own:
    ``lambda *args: include_object(*args) and mine(*args)``.
    """
    return not (type_ == "table" and reflected and compare_to is None and _is_ours(object))


def _is_ours(table: Table) -> bool:
    columns = frozenset(table.columns.keys())
    return (
        (table.name == VERSIONS.name and columns == frozenset(VERSIONS.columns.keys()))
        or columns >= frozenset(_AUDIT.columns.keys())
        or any(table.name.endswith(ending) and columns >= wanted for ending, wanted in _BESIDE.items())
    )


@Operations.register_operation("provision_audit_tables")
class ProvisionAuditTables(MigrateOperation):
    """``op.provision_audit_tables(...)``: create the tables of a relational sink, and what older ones lack.

    It may be run again: a later migration that calls it brings the tables to what the logweir of that day
    needs. There is no way back, for audit rows are not to be lost: a ``downgrade`` leaves them.

    Args:
        table: The sink's ``table``.
        chain: Whether rows are chained (``audit: {chain: true}``).
        outbox: Whether the sink has ``outbox: true``.
    """

    def __init__(self, table: str = "audit_log", *, chain: bool = False, outbox: bool = False) -> None:
        self.table = table
        self.chain = chain
        self.outbox = outbox

    @classmethod
    def provision_audit_tables(
        cls, operations: Operations, table: str = "audit_log", *, chain: bool = False, outbox: bool = False
    ) -> None:
        """Create or upgrade the tables, in the migration's transaction."""
        operations.invoke(cls(table, chain=chain, outbox=outbox))


@Operations.implementation_for(ProvisionAuditTables)
def _provision(operations: Operations, operation: ProvisionAuditTables) -> None:
    context = operations.get_context()
    audit = audit_table(operation.table, chained=operation.chain)
    tables = [audit]
    if operation.outbox:
        tables.append(outbox_table(audit))
    if operation.chain:
        tables += ChainTables(audit, Seal()).tables
    database = database_of(make_url(f"{context.dialect.name}://"))
    schema = Schema(tables, database, additions=CHAIN_COLUMNS if operation.chain else ())
    if not context.as_sql:
        schema.create(operations.get_bind())
        return
    for statement in statements_of(schema, context.dialect):  # `alembic upgrade --sql`
        operations.execute(text(statement.replace(":", "\\:")))
