"""From TLS settings to the context that Python's ``ssl`` works with."""

from __future__ import annotations

import ssl

from logweir.settings.tls import DatabaseTlsConfig, TlsConfig

__all__ = ["tls_context"]


def tls_context(tls: TlsConfig | DatabaseTlsConfig) -> ssl.SSLContext:
    """Read the files of the settings; call it in a thread.

    Raises:
        OSError: One cannot be read, or is not what it should be (``ssl.SSLError`` is an ``OSError``).
    """
    context = ssl.create_default_context(cafile=tls.ca)
    # In this order: a context that checks names refuses to be set to CERT_NONE.
    context.check_hostname = tls.verify is True
    context.verify_mode = ssl.CERT_REQUIRED if tls.verify else ssl.CERT_NONE
    if tls.certificate is not None:
        context.load_cert_chain(tls.certificate, tls.key)
    return context
