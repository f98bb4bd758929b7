"""Brokers: what carries events from the processes that log to those that deliver.

``contract`` is what a broker is; ``redis`` keeps it over Redis Streams, ``kafka`` over Apache Kafka. The
application publishes by :mod:`logweir.delivery.forwarder`, ``logweir worker`` leases by
:mod:`logweir.delivery.queues.broker`.
"""
