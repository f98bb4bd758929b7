"""logweir's own way and its rivals, side by side: the same events into the same store, all counted there."""

from __future__ import annotations

from logweir.benchmarks.suite.natives import Native, Spec, native_of
from logweir.benchmarks.suite.rivals.base import Ground, Rival
from logweir.benchmarks.suite.rivals.drop_in import LogxideFile, PicologgingFile
from logweir.benchmarks.suite.rivals.logstash import LogstashAsync, Loopback
from logweir.benchmarks.suite.rivals.loguru_file import LoguruFile
from logweir.benchmarks.suite.rivals.loki_handler import LokiHandler
from logweir.benchmarks.suite.rivals.opentelemetry_file import OpentelemetryFile, OpentelemetryRoomy
from logweir.benchmarks.suite.rivals.own import Own, OwnUnredacted
from logweir.benchmarks.suite.rivals.rsyslog import (
    RsyslogElasticsearch,
    RsyslogMongo,
    RsyslogMysql,
)
from logweir.benchmarks.suite.rivals.stdlib import (
    MysqlBatches,
    MysqlIndexed,
    MysqlRows,
    SqliteBatches,
    SqliteIndexed,
    SqliteRows,
)

__all__ = ["LOOPBACK", "Ground", "Rival", "contenders", "native_for", "rival_types"]

#: The "backend" of rivals that have none: a receiver on loopback which counts lines.
LOOPBACK = "loopback"

_RIVALS: dict[str, list[type[Rival]]] = {
    "elasticsearch": [Own, RsyslogElasticsearch],
    "file": [
        Own,
        OwnUnredacted,
        LoguruFile,
        PicologgingFile,
        LogxideFile,
        OpentelemetryFile,
        OpentelemetryRoomy,
    ],
    "loki": [Own, LokiHandler],
    LOOPBACK: [LogstashAsync],
    "mongodb": [Own, RsyslogMongo],
    "mysql": [Own, MysqlRows, MysqlBatches, MysqlIndexed, RsyslogMysql],
    "sqlite": [Own, SqliteRows, SqliteBatches, SqliteIndexed],
}


def rival_types() -> list[str]:
    """The types of backends for which there is a rival."""
    return sorted(set(_RIVALS) - {LOOPBACK})


def contenders(kind: str) -> list[type[Rival]]:
    """Who competes for a type of backend, logweir first."""
    return _RIVALS[kind]


def native_for(spec: Spec) -> Native | Loopback:
    """What prepares and empties the stores of a backend; does no IO."""
    return Loopback(spec) if spec.type == LOOPBACK else native_of(spec)
