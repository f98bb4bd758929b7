"""The keys of a queue that goes over Apache Kafka: `queue: {type: kafka, brokers: […], …}`."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, ConfigDict, Field, SecretStr

from logweir.settings.described import Described
from logweir.settings.strict import StrictModel
from logweir.settings.tls import TlsConfig
from logweir.settings.units import Seconds

__all__ = ["KafkaKeys", "SaslConfig"]

#: Nothing with an @, in which a password might be.
_ADDRESS = re.compile(r"(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\]):\d{1,5}")
_TOPIC = re.compile(r"(?!\.{1,2}$)[A-Za-z0-9._-]{1,200}")


def _is_an_address(address: str) -> str:
    if not _ADDRESS.fullmatch(address):
        raise ValueError("a broker of Kafka is host:port; a login goes into sasl, and encryption into tls")
    return address


def _is_a_topic(topic: str) -> str:
    if not _TOPIC.fullmatch(topic):
        raise ValueError("a topic's name has at most 200 letters, digits and . _ - only")
    return topic


class SaslConfig(StrictModel):
    """How we log in to Kafka."""

    mechanism: Literal["plain", "scram-sha-256", "scram-sha-512"] = "scram-sha-512"
    """What the brokers ask for; `plain` sends the password as it is, so that it needs `tls`."""
    username: str
    """Who we are."""
    password: SecretStr
    """Our password, as in `${KAFKA_PASSWORD}`."""


class KafkaKeys(Described):
    """Where Kafka is, and how its topic is made."""

    model_config = ConfigDict(frozen=True)

    brokers: tuple[Annotated[str, AfterValidator(_is_an_address)], ...] | None = None
    """With `type: kafka`, some of its brokers, `host:port` each; they name the others."""
    topic: Annotated[str, AfterValidator(_is_a_topic)] | None = None
    """With `type: kafka`, the topic that keeps the events; by default `logweir.SERVICE.ENV.SINK`. Letters,
    digits, `.`, `_` and `-`. Where it is missing and we may, it is created, with `partitions`,
    `replication` and `retention`."""
    replication: int = Field(default=3, ge=1, le=32)
    """How many brokers keep each event of a topic that is created here. With 3, two of them have an event
    before it counts as confirmed."""
    retention: Seconds | None = Field(default=None, gt=0)
    """How long Kafka keeps the events of a topic that is created here, delivered or not. By default without
    end; workers then delete what they have delivered."""
    tls: TlsConfig | None = None
    """Encryption between us and the broker; `tls: {}` trusts what the system trusts. With `type: redis` the
    url is `rediss://` then."""
    sasl: SaslConfig | None = None
    """With `type: kafka`, how we log in: `{mechanism: scram-sha-512, username: …, password: …}`."""
