"""The contract of brokers, on a real Apache Kafka."""

import pytest

from logweir.delivery.brokers.contract import Broker, Place
from logweir.delivery.brokers.kafka import KafkaBroker
from logweir.settings.delivery import QueueConfig
from logweir.testing import BrokerContract
from servers import Server
from support.kafka import brokers


class TestKafka(BrokerContract):
    # The session timeout of its groups: on a busy machine the server itself is silent for a second.
    claim_after = 2.0

    @pytest.fixture(autouse=True)
    def _server(self, kafka: Server) -> None:
        self.url = kafka.url

    def make_broker(self, place: Place) -> Broker:
        queue = QueueConfig(
            type="kafka",
            brokers=brokers(self.url),
            partitions=self.partitions,
            claim_after=self.claim_after,
            replication=1,
        )
        return KafkaBroker(queue, place)
