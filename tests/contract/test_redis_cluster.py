"""The contract of brokers, on a real Redis Cluster of three nodes."""

import pytest

from logweir.delivery.brokers.contract import Broker, Place
from logweir.delivery.brokers.redis import RedisBroker
from logweir.settings.delivery import QueueConfig
from logweir.testing import BrokerContract
from servers import Server


class TestRedisCluster(BrokerContract):
    @pytest.fixture(autouse=True)
    def _server(self, redis_cluster: Server) -> None:
        self.url = redis_cluster.url

    def make_broker(self, place: Place) -> Broker:
        queue = QueueConfig(
            type="redis", url=self.url, cluster=True, partitions=self.partitions, claim_after=self.claim_after
        )
        return RedisBroker(queue, place)
