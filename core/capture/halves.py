"""Names in two halves: the key in ``{"api": {"key": "..."}}`` is an API key, as ``api_key`` is. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from logweir.encoding.parts import Entries, Labelled

__all__ = ["MOST_HALVES", "SECOND_HALVES", "joined_halves"]

#: Larger objects are data and no settings.
MOST_HALVES = 64

_FIRSTS_OF = {
    ("key", "keys"): """
        api access private encryption decryption signing master shared subscription license licence ssh tls
        ssl gpg pgp deploy fernet hmac aes
    """,
    ("code",): "mfa tfa 2fa verification",
    ("codes",): "mfa tfa 2fa verification recovery backup",
    ("phrase",): "seed recovery",
}
#: The second halves that make a secret of each first one.
SECOND_HALVES: dict[str, frozenset[str]] = {
    first: frozenset(
        second for seconds, firsts in _FIRSTS_OF.items() if first in firsts.split() for second in seconds
    )
    for first in " ".join(_FIRSTS_OF.values()).split()
}


def joined_halves(first: str, mapping: Mapping[Any, Any]) -> Entries:
    """Return the entries of what has the name ``first``; a second half has the joined name too."""
    seconds = SECOND_HALVES[first.lower()]
    return Entries(
        (key, Labelled((f"{first} {key}",), value) if type(key) is str and key.lower() in seconds else value)
        for key, value in list(mapping.items())
    )
