"""The contract of brokers, on a real Redis."""

import pytest

from logweir.delivery.brokers.contract import Broker, Place
from logweir.delivery.brokers.redis import RedisBroker
from logweir.settings.delivery import QueueConfig
from logweir.testing import BrokerContract
from servers import Server


class TestRedis(BrokerContract):
    @pytest.fixture(autouse=True)
    def _server(self, redis: Server) -> None:
        self.url = redis.url

    def make_broker(self, place: Place) -> Broker:
        queue = QueueConfig(
            type="redis", url=self.url, partitions=self.partitions, claim_after=self.claim_after
        )
        return RedisBroker(queue, place)
