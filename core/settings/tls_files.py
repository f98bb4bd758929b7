"""The files of TLS that settings name, and what stands in them: one that is renewed keeps its name."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote

from pydantic import BaseModel, SecretStr

__all__ = ["contents_of_files", "files_in", "files_read_once"]

_KEYS = {"ca", "certificate", "key"}
#: The ``type`` of settings whose driver reads the files when it is made, and not at each connection.
_READ_ONCE = {"mongodb", "redis"}
#: Options in the urls of drivers that name files: MongoDB's, Redis's and those of PostgreSQL's libpq.
_IN_URL = re.compile(
    r"[?&](?:tlsCAFile|tlsCertificateKeyFile|tlsCRLFile|ssl_ca_certs|ssl_certfile|ssl_keyfile|ssl_ca_path|"
    r"sslrootcert|sslcert|sslkey|sslcrl|ssl_ca|ssl_cert|ssl_key)=([^&#]+)",
    re.IGNORECASE,
)


def files_in(settings: BaseModel) -> Iterator[Path]:
    """Yield the files of TLS that settings, and settings in them, name."""
    for name, value in settings:
        if isinstance(value, BaseModel):
            yield from files_in(value)
        elif name in _KEYS and isinstance(value, Path):
            yield value
        elif name == "url" and isinstance(value, str | SecretStr):
            text = value.get_secret_value() if isinstance(value, SecretStr) else value
            yield from (Path(unquote(found)) for found in _IN_URL.findall(text))


def files_read_once(settings: BaseModel) -> Iterator[Path]:
    """Yield the files that are read again only where what uses them is made anew."""
    if getattr(settings, "type", None) in _READ_ONCE:
        yield from files_in(settings)
        return
    for _, value in settings:
        if isinstance(value, BaseModel):
            yield from files_read_once(value)


def contents_of_files(settings: BaseModel) -> tuple[str, ...]:
    """Read the files of TLS and return a digest of each; one that cannot be read has a word instead."""
    return tuple(_digest(path) for path in files_in(settings))


def _digest(path: Path) -> str:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        return f"unreadable: {error.errno}"
