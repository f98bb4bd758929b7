"""``logweir demo`` where its service is of no help."""

import asyncio
import socket

import pytest

from logweir.cli.demo import _drive
from logweir.errors import LogweirError


def test_a_service_that_does_not_answer_is_said_in_one_sentence() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
    with pytest.raises(
        LogweirError, match=r"the order service does not answer \(ConnectError\); .*service\.err"
    ):
        asyncio.run(_drive(f"http://127.0.0.1:{port}", 10))
