"""TLS contexts from the settings of a sink; they read files, so they are made off the event loop."""

from __future__ import annotations

import ssl

from logweir.settings.tls import DatabaseTlsConfig, TlsConfig

__all__ = ["database_context", "https_context"]


def https_context(tls: TlsConfig) -> ssl.SSLContext:
    """The context of an HTTPS client; blocks.

    Raises:
        OSError: A file cannot be read, or is not what it should be (``ssl.SSLError`` is one).
    """
    context = ssl.create_default_context(cafile=tls.ca)
    if not tls.verify:
        context.check_hostname = False  # before the mode: a context that checks names must verify them
        context.verify_mode = ssl.CERT_NONE
    if tls.certificate is not None:
        context.load_cert_chain(tls.certificate, tls.key)
    return context


def database_context(tls: DatabaseTlsConfig) -> ssl.SSLContext:
    """The context of a connection to a relational server; blocks.

    Raises:
        OSError: A file cannot be read, or is not what it should be.
    """
    context = ssl.create_default_context(cafile=tls.ca)
    context.check_hostname = tls.verify is True
    context.verify_mode = ssl.CERT_REQUIRED if tls.verify else ssl.CERT_NONE
    if tls.cert is not None:
        context.load_cert_chain(tls.cert, tls.key)
    return context
