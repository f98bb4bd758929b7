"""Headers that a user adds to the requests of a sink."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping

from pydantic import SecretStr

__all__ = ["check_header_name", "check_headers"]

#: A token of RFC 9110, section 5.6.2.
_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
#: What every request says of itself, in lower case.
_FRAMING = ("content-length", "content-encoding", "content-type", "host", "transfer-encoding")


def check_header_name(value: str) -> str:
    """Return the name of a header as it is.

    Raises:
        ValueError: No header has such a name.
    """
    if not _NAME.fullmatch(value):
        raise ValueError(f"{value!r} is no name of a header; use letters, digits and hyphens")
    return value


def check_headers(headers: Mapping[str, SecretStr], ours: Collection[str] = ()) -> None:
    """Check that headers can be sent.

    Args:
        headers: By their names.
        ours: What the sink says itself in every request beside how it is framed, in lower case.

    Raises:
        ValueError: A name or a character cannot be sent, or the header is the sink's own; no value is shown.
    """
    for name, secret in headers.items():
        if check_header_name(name).lower() in {*_FRAMING, *ours}:
            raise ValueError(f"the header {name} is the sink's own; leave it out")
        if not secret.get_secret_value().isprintable() or not secret.get_secret_value().isascii():
            raise ValueError(f"the header {name} has a character that no header may have")
