"""What has to be known of a kind of server in order to install, start and reach it."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from servers.guard import Guard
from servers.server import Program


@dataclass(frozen=True)
class Options:
    """What a test may want of a server of its own.

    Attributes:
        args: Further arguments of the server program (Elasticsearch, OpenSearch: settings, ``name=value``).
        auth: Clients must log in as ``u`` with password ``p``. MySQL and MariaDB always ask.
        brief: It serves tests and no benchmark: quick to start rather than fast (Elasticsearch, OpenSearch).
        tls: Connections without TLS are refused (MySQL; the CA is ``server.data / "ca.pem"``).
        size: Bytes of a disk of its own for the data, as ``mount`` reads them ("300m"); needs root.
    """

    args: tuple[str, ...] = ()
    auth: bool = False
    brief: bool = False
    tls: bool = False
    size: str | None = None


class ServerKind(ABC):
    """One kind of server; stateless."""

    name: ClassVar[str]
    abilities: ClassVar[frozenset[str]] = frozenset()  # which of the options auth and tls it has
    double: ClassVar[bool] = False
    """Whether what it starts is a double of the server, so that a real one is still to be named by its URL."""
    owner: str | None = None
    """The user who owns the data directory, where it is not the one who runs the tests."""

    @abstractmethod
    def prepare(self) -> str:
        """Install it unless that was done before; returns what will answer, or raises Unavailable."""

    def initialise(self, data: Path, guard: Guard) -> None:  # noqa: B027 - some start with an empty directory
        """Fill an empty data directory; done once in a session and copied for each server."""

    @abstractmethod
    def programs(self, data: Path, port: int, options: Options) -> list[Program]:
        """The programs that make the server on a port of loopback, in order of their start."""

    @abstractmethod
    def url(self, port: int, options: Options) -> str:
        """What a sink is configured with in order to use it."""
