"""The kinds of servers, by the names of their fixtures."""

from servers.kinds.contract import Options, ServerKind
from servers.kinds.elasticsearch import Elasticsearch
from servers.kinds.kafka import Kafka
from servers.kinds.loki import Loki
from servers.kinds.mariadb import MariaDB
from servers.kinds.mongodb import MongoDB
from servers.kinds.mysql import MySQL
from servers.kinds.opensearch import OpenSearch
from servers.kinds.pgbouncer import PgBouncer
from servers.kinds.postgresql import PostgreSQL
from servers.kinds.redis import Redis
from servers.kinds.redis_cluster import RedisCluster
from servers.kinds.victorialogs import VictoriaLogs

__all__ = ["KINDS", "Options", "ServerKind"]

KINDS: dict[str, ServerKind] = {
    kind.name: kind
    for kind in (
        MySQL(),
        MariaDB(),
        PostgreSQL(),
        PgBouncer(),
        MongoDB(),
        Elasticsearch(),
        OpenSearch(),
        Loki(),
        VictoriaLogs(),
        Redis(),
        Kafka(),
        RedisCluster(),
    )
}
