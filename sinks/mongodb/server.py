"""What a server says of itself: name and version, limits, clock, our rights, and what a collection is."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

__all__ = ["Server", "may", "server_of", "type_of"]

_DEFAULT_LARGEST = 16 * 2**20


@dataclass(frozen=True, slots=True)
class Server:
    """The server as it was when we asked.

    Attributes:
        name: Its name and version, such as ``MongoDB 8.0.4``.
        protocol: The version of MongoDB that it is, or whose protocol it speaks.
        largest: The most bytes of a document.
        asked_at: Its clock, in milliseconds since 1970-01-01 UTC.
        since: Our steady clock at that moment, in seconds.
        steady: That clock.
    """

    name: str
    protocol: tuple[int, ...]
    largest: int
    asked_at: int
    since: float
    steady: Callable[[], float] = time.monotonic

    def now(self) -> int:
        """The server's time in milliseconds, whatever became of our own clock."""
        return self.asked_at + int((self.steady() - self.since) * 1000)


async def server_of(client: Any) -> Server:
    """Ask a server who it is.

    Raises:
        PyMongoError: It cannot be reached, or refuses us.
    """
    hello = await client.admin.command("hello")
    since = time.monotonic()
    build = await client.admin.command("buildInfo")
    return Server(
        _name(build),
        _protocol(build),
        int(hello.get("maxBsonObjectSize", _DEFAULT_LARGEST)),
        _clock(hello),
        since,
    )


async def type_of(database: Any, collection: str) -> str | None:
    """Return the server's word for what a collection is, or None if there is none.

    Raises:
        PyMongoError: The server cannot be asked.
    """
    listed = await database.command({"listCollections": 1, "filter": {"name": collection}})
    found = listed["cursor"]["firstBatch"]
    return str(found[0].get("type", "collection")) if found else None


def may(rights: Mapping[str, Any], action: str, database: str, collection: str) -> bool:
    """Whether our user may do something, by the answer of ``connectionStatus``; yes if it does not say."""
    privileges = rights.get("authInfo", {}).get("authenticatedUserPrivileges")
    if not privileges:
        return True
    return any(
        action in privilege.get("actions", ())
        and _covers(privilege.get("resource", {}), database, collection)
        for privilege in privileges
    )


def _covers(resource: Mapping[str, Any], database: str, collection: str) -> bool:
    return bool(resource.get("anyResource")) or (
        resource.get("db") in {"", database} and resource.get("collection") in {"", collection}
    )


def _name(build: Mapping[str, Any]) -> str:
    version = str(build.get("version", "of unknown version"))
    ferretdb = build.get("ferretdb")
    if isinstance(ferretdb, Mapping):
        return f"FerretDB {ferretdb.get('version', 'of unknown version')} (protocol of MongoDB {version})"
    return f"MongoDB {version}"


def _protocol(build: Mapping[str, Any]) -> tuple[int, ...]:
    return tuple(int(part) for part in build.get("versionArray", ()))


def _clock(hello: Mapping[str, Any]) -> int:
    reported = hello.get("localTime")
    moment = reported.replace(tzinfo=UTC) if isinstance(reported, datetime) else datetime.now(UTC)
    return int(moment.timestamp() * 1000)
