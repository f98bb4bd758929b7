"""The clients of Kafka: made from a queue's settings, with their errors turned into ours.

A client that is given up is closed whatever it is doing; what it had not sent is sent by nobody.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, errors
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.client import AIOKafkaClient
from aiokafka.conn import create_conn

from logweir.errors import SinkError, SinkRejected, SinkUnavailable
from logweir.process.threads import in_thread
from logweir.redaction.messages import mask
from logweir.settings.delivery import QueueConfig
from logweir.sinks.shared.tls import tls_context

__all__ = ["ANSWER", "Client"]

#: How long Kafka may take to answer anything that does not wait, in seconds.
ANSWER = 10.0
#: How old what a client knows of topics may grow: when a worker sees at the latest that its topic was made
#: anew, or has more partitions. Between two questions there is at least the pause.
_KNOWN, _PAUSE = 5.0, 0.1
_MECHANISMS = {
    "plain": "PLAIN",
    "scram-sha-256": "SCRAM-SHA-256",
    "scram-sha-512": "SCRAM-SHA-512",
}
#: What an operator has to change.
_REFUSALS = (
    errors.AuthenticationFailedError,
    errors.AuthenticationMethodNotSupported,
    errors.SaslAuthenticationFailed,
    errors.UnsupportedSaslMechanismError,
    errors.TopicAuthorizationFailedError,
    errors.GroupAuthorizationFailedError,
    errors.ClusterAuthorizationFailedError,
    errors.InvalidSessionTimeoutError,
    errors.InvalidReplicationFactorError,
    errors.InvalidTopicError,
    errors.PolicyViolationError,
)


class _QuietInOurThreads(logging.Filter):
    """Leaves out what the client logs of each failure in our threads: the worker reports it, less often."""

    def filter(self, record: logging.LogRecord) -> bool:
        return not (record.threadName or "").startswith("logweir")


_quiet = _QuietInOurThreads()
for _name in (
    "admin.client",
    "client",
    "cluster",
    "conn",
    "consumer.consumer",
    "consumer.fetcher",
    "consumer.group_coordinator",
    "consumer.subscription_state",
    "producer.message_accumulator",
    "producer.producer",
    "producer.sender",
):
    logging.getLogger(f"aiokafka.{_name}").addFilter(_quiet)


class Client:
    """Makes clients for one Kafka, and says what their errors mean."""

    def __init__(self, config: QueueConfig, name: str) -> None:
        self._config = config
        self._name = name
        sasl = config.sasl
        self._secrets = [sasl.password.get_secret_value()] if sasl else []
        self._options: dict[str, Any] | None = None

    async def options(self) -> dict[str, Any]:
        """What every client is made with.

        Raises:
            SinkRejected: A file of ``tls`` cannot be read.
        """
        if self._options is None:
            config, sasl = self._config, self._config.sasl
            options: dict[str, Any] = {
                "bootstrap_servers": list(config.brokers or ()),
                "client_id": self._name,
                "request_timeout_ms": int(ANSWER * 1000),
                "security_protocol": f"{'SASL_' if sasl else ''}{'SSL' if config.tls else 'PLAINTEXT'}",
            }
            if config.tls is not None:
                tls = config.tls
                try:
                    options["ssl_context"] = await in_thread(lambda: tls_context(tls))
                except OSError as error:
                    raise SinkRejected(f"Kafka: a file of tls cannot be read: {error}") from None
            if sasl is not None:
                options["sasl_mechanism"] = _MECHANISMS[sasl.mechanism]
                options["sasl_plain_username"] = sasl.username
                options["sasl_plain_password"] = sasl.password.get_secret_value()
            self._options = options
        return self._options

    async def producer(self, batch_size: int) -> AIOKafkaProducer:
        """A started producer, to be closed by :meth:`close`; batches have about so many bytes at most."""
        producer = AIOKafkaProducer(
            **await self.options(),
            enable_idempotence=True,
            acks="all",
            max_batch_size=batch_size,
            max_request_size=_MESSAGE,
        )
        _ask_with_pauses(producer.client)
        await self._start(producer)
        return producer

    async def consumer(self, **options: Any) -> AIOKafkaConsumer:
        """A consumer that is not started: :meth:`start` it, and stop it whatever becomes of that."""
        defaults: dict[str, Any] = {
            "enable_auto_commit": False,
            "auto_offset_reset": "none",
            "max_partition_fetch_bytes": _MESSAGE,
            "fetch_max_bytes": _FETCH,
            "metadata_max_age_ms": int(_KNOWN * 1000),
        }
        consumer = AIOKafkaConsumer(**{**await self.options(), **defaults, **options})
        _ask_with_pauses(consumer._client)  # noqa: SLF001 - as in close()
        return consumer

    async def start(self, consumer: AIOKafkaConsumer, patience: float = ANSWER) -> None:
        """Start a consumer; one that fails is stopped.

        Raises:
            SinkUnavailable: Kafka cannot be reached.
            SinkRejected: It refuses us.
        """
        await self._start(consumer, patience)

    @asynccontextmanager
    async def admin(self) -> AsyncIterator[AIOKafkaAdminClient]:
        """A client for questions, within a bounded time."""
        client = AIOKafkaAdminClient(**await self.options())
        try:
            async with asyncio.timeout(3 * ANSWER):
                await self._start(client)
                with self.errors():
                    yield client
        except TimeoutError:
            raise SinkUnavailable("Kafka: no answer") from None
        finally:
            await self.close(client)

    async def _start(self, client: Any, patience: float = ANSWER) -> None:
        try:
            with self.errors():
                async with asyncio.timeout(patience):
                    await client.start()
        except SinkUnavailable as error:
            await self.close(client)
            raise await self._why(error) from None
        except BaseException:
            await self.close(client)
            raise

    async def _why(self, error: SinkUnavailable) -> SinkError:
        """Why nothing could be started: the client says of all brokers together only that none let it in."""
        if "bootstrap" not in str(error):
            return error
        found: list[str] = []
        for address in self._config.brokers or ():
            host, port = address.rsplit(":", 1)
            options = dict(await self.options())
            del options["bootstrap_servers"]
            try:
                with self.errors():
                    async with asyncio.timeout(ANSWER / 2):
                        connection = await create_conn(host.strip("[]"), int(port), **options)
                        connection.close()
            except SinkRejected as refusal:
                return refusal
            except SinkUnavailable as failure:
                found.append(f"{address} ({str(failure).removeprefix('Kafka: ')})")
        return SinkUnavailable(f"Kafka: no broker can be reached: {', '.join(found)}") if found else error

    async def close(self, client: Any) -> None:
        """Close a client; never raises, and takes some seconds at most.

        What a producer has not sent is not sent: whoever gave it that sends it again.
        """
        if isinstance(client, AIOKafkaAdminClient):
            await _within_reason(client.close())
        elif isinstance(client, AIOKafkaConsumer):
            await _within_reason(client.stop())
        else:
            # Its own stop() waits until all of it is sent, which is never where Kafka is away.
            client._closed = True  # noqa: SLF001 - there is no other way, here and below
            await _within_reason(client._sender.close())  # noqa: SLF001
            await _within_reason(client.client.close())

    def reason(self, error: BaseException) -> str:
        """What an error says, for an operator."""
        text = str(error).split("\n", 1)[0] or type(error).__name__
        return f"Kafka: {mask(text, self._secrets)}"

    @contextmanager
    def errors(self) -> Iterator[None]:
        """Turn errors of the client into ours.

        Raises:
            SinkUnavailable: It may pass.
            SinkRejected: An operator has to change something.
        """
        try:
            yield
        except TimeoutError:
            raise SinkUnavailable("Kafka: no answer") from None
        except errors.InvalidSessionTimeoutError:
            raise SinkRejected(
                f"Kafka does not allow claim_after: {self._config.claim_after:g}s; it must lie within its "
                "group.min.session.timeout.ms (6 s by default) and group.max.session.timeout.ms"
            ) from None
        except (*_REFUSALS, ssl.SSLCertVerificationError) as error:
            raise SinkRejected(self.reason(error)) from None
        except (errors.KafkaError, errors.ConsumerStoppedError, OSError, AssertionError) as error:
            # The client asserts what may change under it, such as that a partition is assigned.
            raise SinkUnavailable(self.reason(error)) from None


def _ask_with_pauses(client: AIOKafkaClient) -> None:
    """Let a client pause before it asks again where a topic is.

    It asks as fast as it is answered while a partition is nowhere, which would take a processor from the
    application.
    """
    ask, asked = client._metadata_update, float("-inf")  # noqa: SLF001 - it has no setting for this

    async def ask_again(*args: Any) -> Any:
        nonlocal asked
        await asyncio.sleep(asked + _PAUSE - time.monotonic())
        asked = time.monotonic()
        return await ask(*args)

    client._metadata_update = ask_again  # noqa: SLF001


#: The most bytes of one message; a topic's own bound (`max.message.bytes`) is 1 MiB by default.
_MESSAGE = 1_000_000
#: The most bytes that are fetched ahead.
_FETCH = 8 * 2**20
_CLOSING = 5.0


async def _within_reason(closing: Any) -> None:
    task = asyncio.ensure_future(closing)
    await asyncio.wait([task], timeout=_CLOSING)
    if not task.done():
        task.cancel()
    elif not task.cancelled():
        task.exception()  # whatever it was, there is nothing left to do with that client
