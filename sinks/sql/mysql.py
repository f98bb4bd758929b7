"""The sink ``mysql``: MySQL and MariaDB. Importing it shows whether the driver is there."""

import aiomysql  # type: ignore[import-untyped]  # noqa: F401

from logweir.sinks.sql.config import MysqlConfig
from logweir.sinks.sql.sink import SqlSink

__all__ = ["MysqlSink"]


class MysqlSink(SqlSink):
    """Writes events into the audit table of a MySQL or MariaDB database."""

    Config = MysqlConfig
