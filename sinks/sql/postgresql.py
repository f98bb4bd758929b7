"""The sink ``postgresql``. Importing it shows whether the driver is there."""

import asyncpg  # noqa: F401

from logweir.sinks.sql.config import PostgresqlConfig
from logweir.sinks.sql.sink import SqlSink

__all__ = ["PostgresqlSink"]


class PostgresqlSink(SqlSink):
    """Writes events into the audit table of a PostgreSQL database."""

    Config = PostgresqlConfig
