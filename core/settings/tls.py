"""TLS as routing.yaml says it: whom to trust, and how we identify ourselves.

Two models, because two kinds of sink were given different keys: servers of HTTP have ``certificate``, and
``verify`` is a switch; databases have ``cert``, and ``verify`` has a third value. Both are read by
``logweir.sinks.shared.tls``. Elasticsearch's flat keys (``ca``, ``verify_tls``, ``client_certificate``) go to
its own client, and MongoDB's are options of its url.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import model_validator

from logweir.settings.strict import StrictModel

__all__ = ["DatabaseTlsConfig", "TlsConfig"]


class TlsConfig(StrictModel):
    """How an `https` server is verified, and how we identify ourselves to it."""

    ca: Path | None = None
    """A file of certificate authorities to trust instead of the system's."""
    certificate: Path | None = None
    """Our own certificate (PEM), where the server asks for one."""
    key: Path | None = None
    """The private key of our certificate, if it is in a file of its own."""
    verify: bool = True
    """Whether the server's certificate is verified; `false` is for experiments alone."""


class DatabaseTlsConfig(StrictModel):
    """Encryption between the sink and its server; `tls: {}` trusts what the system trusts."""

    ca: Path | None = None
    """The certificates (PEM) that may have signed the server's; the system's own by default."""
    cert: Path | None = None
    """The client's certificate (PEM), where the server asks for one."""
    key: Path | None = None
    """The private key (PEM) of `cert`, if it is not in the same file."""
    verify: bool | Literal["ca"] = True
    """`true` verifies the server's certificate and name, `ca` the certificate alone, `false` nothing."""

    @model_validator(mode="after")
    def _key_has_its_certificate(self) -> DatabaseTlsConfig:
        if self.key is not None and self.cert is None:
            raise ValueError("key belongs to cert; give both")
        return self

    @property
    def certificate(self) -> Path | None:
        """The client's certificate, by the name that :class:`TlsConfig` has for it."""
        return self.cert
