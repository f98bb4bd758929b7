"""The keys of a queue that goes over a broker: `queue: {type: redis, …}` or `queue: {type: kafka, …}`.

They stand beside the keys of every queue, which bound the local queue between the callers and the forwarder.
"""

from __future__ import annotations

import re
from functools import cache
from importlib.util import find_spec
from typing import Literal

from pydantic import ConfigDict, Field, field_validator

from logweir.settings import redis_urls
from logweir.settings.kafka import KafkaKeys
from logweir.settings.units import Seconds

__all__ = ["BROKERS", "BrokerKeys", "LocalQueue", "missing_extra"]

#: The types of queues that go over a broker.
BROKERS = frozenset({"redis", "kafka"})
LocalQueue = Literal["disk", "memory", "none"]

#: By type: the extra, and the package that it brings.
_NEEDS = {"redis": ("redis", "redis"), "kafka": ("kafka", "aiokafka")}
_STREAM = re.compile(r"[A-Za-z0-9._:-]+")


@cache
def missing_extra(kind: str | None) -> str | None:
    """The extra that is not installed for a type of queue; None if nothing is missing."""
    extra, package = _NEEDS.get(kind or "", ("", ""))
    return extra if package and find_spec(package) is None else None


class BrokerKeys(KafkaKeys):
    """Where the broker is, and how its messages are shared."""

    model_config = ConfigDict(frozen=True)

    url: str | None = None
    """With `type: redis`, where Redis is: `redis://user:password@host:6379/0`, `rediss://…` with TLS (options
    such as `?ssl_ca_certs=/path` behind it), or `unix:///path`."""
    cluster: bool = False
    """Whether `url` names a node of a Redis Cluster, any of them, from which the others are learnt. The
    partitions are spread over the nodes."""
    stream: str | None = None
    """With `type: redis`, the name under which it keeps the events; by default `logweir:SERVICE:ENV:SINK`.
    Each partition is a stream `{NAME:NUMBER}`. Letters, digits, `.`, `_`, `:` and `-`."""
    group: str = Field(default="logweir", min_length=1)
    """The consumer group in which the workers share the events. With `type: kafka`, whose groups are those of
    all topics, it is by default the topic's name."""
    partitions: int = Field(default=8, ge=1, le=1024)
    """Into how many streams, or partitions of the topic, the events are spread, those of one trace into one;
    the same in every process. It may be raised, and with `type: redis` lowered only when what would fall out
    is empty."""
    local: LocalQueue | None = None
    """What stands between the callers and the broker: `disk` keeps events in the spool until the broker has
    confirmed them, so that `durable` means on this disk; `memory` spills to disk unless `when_full` says
    otherwise; `none` uses no disk, so that `durable` means confirmed by the broker. By default `disk` where
    an audit route feeds the sink, otherwise `memory`."""
    maxlen: int | None = Field(default=None, ge=1)
    """The most events that may wait in one partition. Where it is reached nothing is trimmed: the forwarder
    waits, and with it the local queue. By default Redis's own `maxmemory` is the bound."""
    wait_replicas: int = Field(default=0, ge=0, le=16)
    """How many replicas must have an event before it counts as confirmed (`WAIT`)."""
    wait_timeout: Seconds = Field(default=1.0, gt=0)
    """How long the replicas may take; then the batch is sent again."""
    claim_after: Seconds = Field(default=60.0, ge=0.1)
    """How long a worker may be silent before others take over the events that it holds."""

    @field_validator("url")
    @classmethod
    def _is_a_redis_url(cls, url: str | None) -> str | None:
        # The url itself may hold a password, so that the message has nothing of it.
        if url is not None and (problem := redis_urls.problem_of(url)):
            raise ValueError(problem)
        return url

    @field_validator("stream")
    @classmethod
    def _is_a_stream(cls, stream: str | None) -> str | None:
        if stream is not None and not _STREAM.fullmatch(stream):
            raise ValueError("a stream's name has letters, digits and . _ : - only")
        return stream

    def misplaced(self) -> str | None:
        """Why the keys that were set do not fit the type of the queue; None when they do."""
        kind: str | None = getattr(self, "type", None)
        given = sorted(self.model_fields_set & set(BrokerKeys.model_fields))
        if kind not in BROKERS:
            return (
                f"{_belong(given)} to a queue over a broker; add type: redis, or remove them"
                if given
                else None
            )
        others = [key for key in given if key in (_OF_KAFKA if kind == "redis" else _OF_REDIS)]
        if others:
            other = "kafka" if kind == "redis" else "redis"
            return f"{_belong(others)} to a queue of type: {other}, and this one is of type: {kind}"
        if kind == "kafka":
            return None if self.brokers else "type: kafka needs brokers, such as [kafka-1:9092, kafka-2:9092]"
        if not self.url:
            return "type: redis needs url, such as redis://host:6379/0"
        if self.cluster and self.wait_replicas:
            return (
                "wait_replicas is not possible with cluster: true, where each node has replicas of its own; "
                "set min-replicas-to-write on the nodes"
            )
        if problem := redis_urls.problem_of_tls(self.url, self.tls):
            return problem
        return redis_urls.problem_of(self.url, cluster=True) if self.cluster else None


_OF_KAFKA = frozenset(KafkaKeys.model_fields) - {"tls"}
_OF_REDIS = frozenset({"url", "cluster", "stream", "maxlen", "wait_replicas", "wait_timeout"})


def _belong(keys: list[str]) -> str:
    return f"{', '.join(keys)} {'belongs' if len(keys) == 1 else 'belong'}"
