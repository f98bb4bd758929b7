"""How a server is asked whether it is ready: the first bytes of its protocol, without a driver.

Each function raises OSError as long as the server does not answer as it will answer a client.
"""

import socket
import struct
import urllib.error
import urllib.request
from pathlib import Path

_TIMEOUT = 5.0


def mysql(port: int) -> None:
    """MySQL and MariaDB greet, after their start-up file was run."""
    with socket.create_connection(("127.0.0.1", port), _TIMEOUT) as connection:
        greeting = connection.recv(5)
    if len(greeting) < 5 or greeting[4] != 10:  # a greeting of protocol 10; 255 would be an error
        raise ConnectionError("no greeting yet")


def postgresql(address: int | Path, database: str) -> None:
    """PostgreSQL lets ``postgres`` in."""
    family = socket.AF_UNIX if isinstance(address, Path) else socket.AF_INET
    with socket.socket(family) as connection:
        connection.settimeout(_TIMEOUT)
        connection.connect(str(address) if isinstance(address, Path) else ("127.0.0.1", address))
        body = struct.pack(">i", 196608) + f"user\0postgres\0database\0{database}\0\0".encode()
        connection.sendall(struct.pack(">i", len(body) + 4) + body)
        if connection.recv(1) != b"R":
            raise ConnectionError("starting up")
        connection.sendall(b"X\0\0\0\4")


def mongodb(port: int) -> None:
    """The MongoDB protocol's ``hello``, which needs no login."""
    hello = b"\x10hello\x00\x01\x00\x00\x00\x02$db\x00\x06\x00\x00\x00admin\x00\x00"
    document = struct.pack("<i", len(hello) + 4) + hello
    message = struct.pack("<iiiiiB", 21 + len(document), 1, 0, 2013, 0, 0) + document
    with socket.create_connection(("127.0.0.1", port), _TIMEOUT) as connection:
        connection.settimeout(_TIMEOUT)
        connection.sendall(message)
        if not connection.recv(16):
            raise ConnectionError("no answer to hello yet")


def redis(port: int) -> None:
    """Redis answers a ping, if only by asking for a password; while it loads its file it says so."""
    with socket.create_connection(("127.0.0.1", port), _TIMEOUT) as connection:
        connection.sendall(b"PING\r\n")
        if not connection.recv(8).startswith((b"+PONG", b"-NOAUTH")):
            raise ConnectionError("loading")


def kafka(port: int) -> None:
    """Kafka names the coordinator of a group, as it does some seconds after it answers anything else."""
    group, client = b"readiness", b"tests"
    body = struct.pack(">hhih", 10, 1, 1, len(client)) + client  # FindCoordinator, version 1
    body += struct.pack(">h", len(group)) + group + b"\0"
    with socket.create_connection(("127.0.0.1", port), _TIMEOUT) as connection:
        connection.settimeout(_TIMEOUT)
        connection.sendall(struct.pack(">i", len(body)) + body)
        answer = connection.recv(14)  # size, correlation, throttle time, error
    if len(answer) < 14 or answer[12:14] != b"\0\0":
        raise ConnectionError("no coordinator of groups yet")


def http(port: int, path: str) -> None:
    """An HTTP server answers the path with a status of success."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=_TIMEOUT) as answer:
            answer.read()
    except urllib.error.HTTPError as error:
        error.close()
        raise ConnectionError(f"{path} answers {error.code}") from None
