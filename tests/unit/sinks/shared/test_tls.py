"""TLS settings become contexts: whom to trust, how strictly, and what cannot be read."""

import ssl
from pathlib import Path
from typing import Literal

import pytest
from pydantic import ValidationError

from logweir.settings.tls import DatabaseTlsConfig, TlsConfig
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
def test_a_database_is_verified_wholly_by_its_authority_or_not(
    verify: bool | Literal["ca"], mode: ssl.VerifyMode, names: bool
) -> None:
    context = tls_context(DatabaseTlsConfig(verify=verify))
    assert (context.verify_mode, context.check_hostname) == (mode, names)


@pytest.mark.parametrize("verify", [True, False])
def test_a_server_of_http_is_verified_or_not(verify: bool) -> None:
    context = tls_context(TlsConfig(verify=verify))
    assert context.check_hostname is verify
    assert (context.verify_mode is ssl.CERT_REQUIRED) is verify


def test_files_are_read_by_either_name(tmp_path: Path) -> None:
    certificate, key = make_certificate(tmp_path)
    tls_context(TlsConfig(ca=certificate, certificate=certificate, key=key))
    tls_context(DatabaseTlsConfig(ca=certificate, cert=certificate, key=key))


@pytest.mark.parametrize("name", ["ca", "certificate"])
def test_what_cannot_be_read_is_an_oserror(tmp_path: Path, name: str) -> None:
    nonsense = tmp_path / "nonsense.pem"
    for path in (tmp_path / "absent.pem", nonsense):
        with pytest.raises(OSError):
            tls_context(TlsConfig.model_validate({name: path}))
        nonsense.write_text("no certificate")


def test_a_databases_key_needs_its_certificate() -> None:
    with pytest.raises(ValidationError, match="key belongs to cert"):
        DatabaseTlsConfig(key=Path("key.pem"))
