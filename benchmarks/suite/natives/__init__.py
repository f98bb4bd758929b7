"""What each backend can do beyond a sink's contract: native queries, its own sizes, the bare driver."""

from __future__ import annotations

from importlib import import_module

from logweir.benchmarks.suite.natives.base import Native, Spec
from logweir.errors import LogweirError, MissingDependency

__all__ = ["Native", "Spec", "known_types", "native_of"]

_CLASSES = {
    "elasticsearch": "elasticsearch:ElasticsearchNative",
    "file": "file:FileNative",
    "loki": "loki:LokiNative",
    "mongodb": "mongodb:MongoNative",
    "mysql": "relational:MysqlNative",
    "opensearch": "opensearch:OpenSearchNative",
    "postgresql": "relational:PostgresqlNative",
    "sqlite": "sqlite:SqliteNative",
    "victorialogs": "logsql:LogsqlNative",
}

#: A backend of type ``loki`` whose URL ends so is VictoriaLogs, which has Loki's push API there alone.
_VICTORIALOGS, _VICTORIALOGS_PATH = "victorialogs:VictoriaLogsNative", "/insert"


def known_types() -> list[str]:
    """The types that can be measured."""
    return sorted(_CLASSES)


def native_of(spec: Spec) -> Native:
    """Make the native of a backend; does no IO.

    Raises:
        LogweirError: Its type cannot be measured.
        MissingDependency: Its driver is not installed.
    """
    if spec.type not in _CLASSES:
        known = ", ".join(known_types())
        raise LogweirError(f"a backend of type {spec.type!r} cannot be measured; there are {known}")
    is_victorialogs = spec.type == "loki" and spec.url.rstrip("/").endswith(_VICTORIALOGS_PATH)
    module, _, name = (_VICTORIALOGS if is_victorialogs else _CLASSES[spec.type]).partition(":")
    try:
        found = import_module(f"logweir.benchmarks.suite.natives.{module}")
    except ModuleNotFoundError:
        raise MissingDependency(f"measuring {spec.type}", spec.type) from None
    made: Native = getattr(found, name)(spec)
    return made
