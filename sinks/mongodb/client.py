"""Making a client: motor's, or PyMongo's own asynchronous one. What else the sink asks, both answer alike."""

from __future__ import annotations

import asyncio
import inspect
from dataclasses import dataclass
from typing import Any

from pymongo import AsyncMongoClient, WriteConcern

from logweir.settings.tls import TlsConfig
from logweir.sinks.contract import SinkContext
from logweir.sinks.mongodb.config import MongoConfig
from logweir.sinks.mongodb.server import Server

__all__ = ["PAGE", "Connected", "close_client", "make_client", "write_concern"]

#: Documents fetched, or deleted, at once.
PAGE = 1000
#: Connections beyond one for each worker, so that a search never takes a writer's.
_READERS = 4
#: The share of ``retry.timeout`` after which the driver gives up by itself, and can say why.
_SOONER = 0.8


@dataclass(frozen=True, slots=True)
class Connected:
    """What an open sink works with; the driver's own objects, of either driver.

    Attributes:
        client: The client.
        database: The database.
        collection: The collection, with the write concern that the configuration asks for.
        raw_collection: The same, whose documents come as bytes.
        server: Who answered when the sink was opened.
    """

    client: Any
    database: Any
    collection: Any
    raw_collection: Any
    server: Server


async def make_client(config: MongoConfig, context: SinkContext) -> Any:
    """Return a client; nothing is connected yet.

    Raises:
        PyMongoError: The driver refuses the url or an option.
    """
    make = _make_motor_client if config.driver == "motor" else _make_pymongo_client
    # In a thread: both read files of the system, and motor resolves mongodb+srv at once.
    return await asyncio.to_thread(
        make, config.url.get_secret_value(), asyncio.get_running_loop(), _options(config, context)
    )


def _make_motor_client(url: str, loop: asyncio.AbstractEventLoop, options: dict[str, Any]) -> Any:
    from motor.motor_asyncio import AsyncIOMotorClient  # noqa: PLC0415 - needed by this driver alone

    return AsyncIOMotorClient(url, io_loop=loop, **options)


def _make_pymongo_client(url: str, _loop: asyncio.AbstractEventLoop, options: dict[str, Any]) -> Any:
    return AsyncMongoClient[dict[str, Any]](url, **options)


#: Clients that are being closed; the loop alone would not keep them.
_closing: set[asyncio.Task[None]] = set()


async def close_client(client: Any) -> None:
    """Close the connections, in the loop that made them; when cancelled, in the background."""
    closing = asyncio.get_running_loop().create_task(_close(client))
    _closing.add(closing)
    closing.add_done_callback(_closing.discard)
    await asyncio.shield(closing)


async def _close(client: Any) -> None:
    if inspect.iscoroutinefunction(client.close):
        await client.close()
    else:
        await asyncio.to_thread(client.close)  # motor's waits for its monitoring threads


def write_concern(config: MongoConfig) -> WriteConcern:
    """Return what must have happened before a batch counts as stored."""
    return WriteConcern(w=config.w, j=config.journal, wtimeout=int(config.retry.timeout * _SOONER * 1000))


def _options(config: MongoConfig, context: SinkContext) -> dict[str, Any]:
    """What the url does not say itself. The worker retries, and the driver does not do so too."""
    milliseconds = int(config.retry.timeout * 1000)
    sooner = int(milliseconds * _SOONER)
    options: dict[str, Any] = {
        "appName": "logweir",
        "retryWrites": False,
        "retryReads": False,
        "maxPoolSize": context.workers + _READERS,
        "serverSelectionTimeoutMS": sooner,
        "connectTimeoutMS": sooner,
        "socketTimeoutMS": milliseconds,
        "waitQueueTimeoutMS": sooner,
    }
    given = config.url_options
    if config.username is not None:
        options["username"] = config.username
    if config.password is not None:
        options["password"] = config.password.get_secret_value()
    options |= _of_tls(config.tls)
    return {name: value for name, value in options.items() if name.lower() not in given}


def _of_tls(tls: TlsConfig | None) -> dict[str, Any]:
    if tls is None:
        return {}
    options: dict[str, Any] = {"tls": True}
    if tls.ca is not None:
        options["tlsCAFile"] = str(tls.ca)
    if tls.certificate is not None:
        options["tlsCertificateKeyFile"] = str(tls.certificate)
    if tls.verify is not True:  # the driver takes one of the two
        options["tlsAllowInvalidHostnames" if tls.verify == "ca" else "tlsAllowInvalidCertificates"] = True
    return options
