"""From TLS settings to the context that Python's ``ssl`` works with."""

from __future__ import annotations

import os
import ssl
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from logweir.diagnostics import report
from logweir.settings.tls import TlsConfig

__all__ = ["tls_context"]

_State = tuple[tuple[int, int, int] | None, ...]


def tls_context(tls: TlsConfig) -> ssl.SSLContext:
    """Read the files of the settings; call it in a thread.

    Where files are named, the context reads them again at the next connection after one has changed: a
    certificate that is renewed on disk needs neither a restart nor a reload.

    Raises:
        OSError: One cannot be read, or is not what it should be (``ssl.SSLError`` is an ``OSError``).
    """
    context = _Renewing(ssl.PROTOCOL_TLS_CLIENT)
    context.begin(tls)
    return context


class _Renewing(ssl.SSLContext):
    """A context whose connections are made by another one, which is made anew when the files have changed.

    asyncio makes each connection by :meth:`wrap_bio`, whichever client it is for. This context has the
    settings itself, for those who look at them.
    """

    def begin(self, tls: TlsConfig) -> None:
        """Take the settings."""
        self._tls = tls
        self._files = [path for path in (tls.ca, tls.certificate, tls.key) if path is not None]
        self._protocols: list[str] = []
        self._state = _state_of(self._files)
        _set_up(self, tls)
        self._current: ssl.SSLContext | None = None

    def set_alpn_protocols(self, alpn_protocols: Iterable[str]) -> None:
        """See :meth:`ssl.SSLContext.set_alpn_protocols`."""
        self._protocols = list(alpn_protocols)
        super().set_alpn_protocols(self._protocols)

    def wrap_bio(self, *arguments: Any, **options: Any) -> ssl.SSLObject:
        """Begin a connection, by the files as they are now."""
        if self._files and (state := _state_of(self._files)) != self._state:
            self._renew(state)
        if self._current is None:
            return super().wrap_bio(*arguments, **options)
        if self._protocols:
            self._current.set_alpn_protocols(self._protocols)
        return self._current.wrap_bio(*arguments, **options)

    def _renew(self, state: _State) -> None:
        try:
            renewed = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            _set_up(renewed, self._tls)
        except OSError as error:
            # Half written, or a key that belongs to another certificate: tried again at the next connection.
            places = ", ".join(str(path) for path in self._files)
            report(f"tls.{places}", "the files of tls changed and cannot be used: %s (%s)", error, places)
        else:
            self._current, self._state = renewed, state


def _set_up(context: ssl.SSLContext, tls: TlsConfig) -> None:
    # In this order: a context that checks names refuses to be set to CERT_NONE.
    context.check_hostname = tls.verify is True
    context.verify_mode = ssl.CERT_REQUIRED if tls.verify else ssl.CERT_NONE
    if tls.ca is not None:
        context.load_verify_locations(cafile=tls.ca)
    elif tls.verify:
        context.load_default_certs(ssl.Purpose.SERVER_AUTH)
    if tls.certificate is not None:
        context.load_cert_chain(tls.certificate, tls.key)


def _state_of(files: Sequence[Path]) -> _State:
    return tuple(_seen(path) for path in files)


def _seen(path: Path) -> tuple[int, int, int] | None:
    try:
        found = os.stat(path)  # noqa: PTH116 - of a loop's thread: a system call and no more
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino
