"""Encryption between the sink and a MySQL server that insists on it."""

from typing import Any

import pytest
from pydantic import ValidationError

from logweir.errors import SinkUnavailable
from logweir.settings.tls import TlsConfig
from logweir.testing.contract import make_event
from servers import Server
from support.sql import make_sink, names, opened, table_name


async def test_a_connection_is_encrypted_and_its_certificate_verified(own_server: Any) -> None:
    server = own_server("mysql", tls=True)
    ca = server.data / "ca.pem"
    table = table_name()
    with pytest.raises(SinkUnavailable, match="require_secure_transport"):
        await make_sink("mysql", server.url, table).open()
    for wrong in ({}, {"ca": ca}):  # unknown to the system; made for no name
        with pytest.raises(SinkUnavailable, match=r"(?i)certificate|can't connect"):
            await make_sink("mysql", server.url, table, tls=wrong).open()
    for right in ({"ca": ca, "verify": "ca"}, {"verify": False}):
        async with opened(make_sink("mysql", server.url, table, tls=right)) as sink:
            await sink.write([make_event("kept")])
            async with sink._require_open().connect() as connection:
                cipher = await connection.exec_driver_sql("SHOW SESSION STATUS LIKE 'Ssl_cipher'")
                assert cipher.all()[0][1]
    assert await stored(server, table, ca) == ["kept", "kept"]


async def stored(server: Server, table: str, ca: Any) -> list[str]:
    async with opened(make_sink("mysql", server.url, table, tls={"ca": ca, "verify": "ca"})) as sink:
        return await names(sink)


async def test_a_certificate_that_cannot_be_read_is_reported(mysql: Server, tmp_path: Any) -> None:
    sink = make_sink("mysql", mysql.url, table_name(), tls={"ca": tmp_path / "absent.pem"})
    with pytest.raises(SinkUnavailable, match="No such file"):
        await sink.open()


def test_a_key_needs_its_certificate(tmp_path: Any) -> None:
    with pytest.raises(ValidationError, match="key belongs to certificate"):
        TlsConfig(key=tmp_path / "key.pem")
