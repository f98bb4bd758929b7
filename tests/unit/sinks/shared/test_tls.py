"""TLS settings become contexts: whom to trust, how strictly, what cannot be read, and what is renewed."""

import logging
import socket
import ssl
import threading
from pathlib import Path
from typing import Any, Literal

import pytest
from pydantic import ValidationError

from logweir.settings.redis_urls import with_tls
from logweir.settings.tls import TlsConfig
from logweir.settings.tls_files import contents_of_files, files_in
from logweir.sinks import registry
from logweir.sinks.elasticsearch.config import ElasticsearchConfig
from logweir.sinks.mongodb.config import MongoConfig
from logweir.sinks.shared.tls import tls_context
from support.tls import make_certificate


@pytest.mark.parametrize(
    ("verify", "mode", "names"),
    [
        (True, ssl.CERT_REQUIRED, True),
        ("ca", ssl.CERT_REQUIRED, False),
        (False, ssl.CERT_NONE, False),
    ],
)
def test_a_server_is_verified_wholly_by_its_authority_or_not(
    verify: bool | Literal["ca"], mode: ssl.VerifyMode, names: bool
) -> None:
    context = tls_context(TlsConfig(verify=verify))
    assert (context.verify_mode, context.check_hostname) == (mode, names)


@pytest.mark.parametrize("name", ["ca", "certificate"])
def test_what_cannot_be_read_is_an_oserror(tmp_path: Path, name: str) -> None:
    nonsense = tmp_path / "nonsense.pem"
    for path in (tmp_path / "absent.pem", nonsense):
        with pytest.raises(OSError):
            tls_context(TlsConfig.model_validate({name: path}))
        nonsense.write_text("no certificate")


SINKS: dict[str, dict[str, Any]] = {
    "mysql": {"url": "mysql+aiomysql://h/d"},
    "postgresql": {"url": "postgresql+asyncpg://h/d"},
    "mongodb": {"url": "mongodb://h/d"},
    "elasticsearch": {"url": "https://h:9200"},
    "loki": {"url": "https://h:3100"},
    "victorialogs": {"url": "https://h:9428"},
    "http": {"url": "https://h/logs"},
    "otlp": {"url": "https://h:4318"},
}


@pytest.mark.parametrize("sink", [*SINKS, "redis", "kafka"])
def test_b4_every_sink_and_broker_has_one_spelling_and_refuses_a_key_without_its_certificate(
    sink: str,
) -> None:
    brokers = {"redis": {"url": "rediss://h"}, "kafka": {"brokers": ["h:9092"]}}

    def given(tls: dict[str, Any]) -> Any:
        if sink in brokers:
            queue = {"type": sink, **brokers[sink], "tls": tls}
            return registry.resolve("null").Config.model_validate({"type": "null", "queue": queue})
        return registry.resolve(sink).Config.model_validate({"type": sink, **SINKS[sink], "tls": tls})

    given({"ca": "ca.pem", "certificate": "c.pem", "verify": "ca"})
    given({"ca": "ca.pem", "cert": "c.pem"})
    with pytest.raises(ValidationError, match="key belongs to certificate"):
        given({"key": "key.pem"})


def test_b4_earlier_spellings_are_taken_and_noted(caplog: pytest.LogCaptureFixture) -> None:
    flat = {"url": "https://h", "ca": "a", "verify_tls": False, "client_certificate": "c", "client_key": "k"}
    with caplog.at_level(logging.WARNING, "logweir"):
        found = ElasticsearchConfig.model_validate(flat).tls
    assert found == TlsConfig.model_validate({"ca": "a", "verify": False, "certificate": "c", "key": "k"})
    assert "now stand under tls" in caplog.text
    with pytest.raises(ValidationError, match="earlier spellings"):
        ElasticsearchConfig.model_validate({**flat, "tls": {}})
    with pytest.raises(ValidationError, match="earlier spelling"):
        TlsConfig.model_validate({"cert": "c", "certificate": "d"})


def test_b4_a_file_that_is_renewed_counts_from_the_next_connection_on(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (old := tmp_path / "old").mkdir()
    (new := tmp_path / "new").mkdir()
    ca = tmp_path / "ca.pem"
    certificate, key = make_certificate(old)
    ca.write_bytes(certificate.read_bytes())
    context = tls_context(TlsConfig(ca=ca))
    assert shakes_hands(context, certificate, key)
    renewed, its_key = make_certificate(new)
    assert not shakes_hands(context, renewed, its_key)
    ca.write_text("half written")
    assert shakes_hands(context, certificate, key)
    assert "cannot be used" in caplog.text
    (tmp_path / "written.pem").write_bytes(renewed.read_bytes())
    (tmp_path / "written.pem").replace(ca)
    assert shakes_hands(context, renewed, its_key)
    assert not shakes_hands(context, certificate, key)


def shakes_hands(context: ssl.SSLContext, certificate: Path, key: Path) -> bool:
    """Whether a client of this context, made as asyncio makes it, trusts a server."""
    ours, theirs = socket.socketpair()
    serving = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    serving.load_cert_chain(certificate, key)

    def serve() -> None:
        try:
            serving.wrap_socket(theirs, server_side=True).close()
        except OSError:
            theirs.close()

    thread = threading.Thread(target=serve)
    thread.start()
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = context.wrap_bio(incoming, outgoing, server_hostname="127.0.0.1")
    try:
        while True:
            try:
                client.do_handshake()
            except ssl.SSLWantReadError:
                ours.sendall(outgoing.read())
                incoming.write(ours.recv(2**16))
            else:
                ours.sendall(outgoing.read())
                return True
    except OSError:
        return False
    finally:
        ours.close()
        thread.join()
        theirs.close()


def test_b4_the_files_that_a_reload_compares_are_those_of_tls_wherever_they_stand(tmp_path: Path) -> None:
    ca = tmp_path / "a b.pem"
    ca.write_text("one")
    sink = MongoConfig.model_validate({"url": f"mongodb://u:p@h/d?tls=true&tlsCAFile={tmp_path}/a%20b.pem"})
    queue = {"type": "kafka", "brokers": ["h:9092"], "tls": {"ca": str(ca), "certificate": "c.pem"}}
    null = registry.resolve("null").Config.model_validate({"type": "null", "queue": queue})
    assert [*files_in(sink)] == [ca]
    assert ca in [*files_in(null)]
    before = contents_of_files(sink), contents_of_files(null)
    assert (contents_of_files(sink), contents_of_files(null)) == before
    ca.write_text("two")
    assert contents_of_files(sink) != before[0]
    assert contents_of_files(null) != before[1]


def test_b4_redis_is_told_of_tls_in_the_words_of_its_url() -> None:
    tls = TlsConfig.model_validate({"ca": "/a b.pem", "verify": "ca"})
    expected = "rediss://u:p@h/0?ssl_ca_certs=%2Fa+b.pem&ssl_cert_reqs=required&ssl_check_hostname=false"
    assert with_tls("rediss://u:p@h/0", tls) == expected
    assert with_tls("redis://h", None) == "redis://h"
