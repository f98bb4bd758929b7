"""What a message about a configuration must not show, and how it is masked.

Configuration holds secrets before any redaction is configured, so this is deliberately simple and
strict: where a part of a secret may still be readable, the whole message gives way.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any
from urllib.parse import unquote

from logweir.redaction.reasons import masked
from logweir.redaction.scan import MASK

__all__ = ["mask", "mask_quoted", "names_a_secret", "secrets_in"]

_SECRET_NAME = re.compile(
    r"passw(or)?d|passphrase|pwd|secret|token|api[-_]?key|access[-_]?key|private[-_]?key|credential|authorization|cookie|dsn",
    re.IGNORECASE,
)
#: To the last @: what a password must not hold is in it where it was not written as %XX.
_USER_AND_PASSWORD = re.compile(r"(?:://|^[\w+.-]+:?/+|^)[^/@\s:]*:(.+)@", re.DOTALL)
_WITHHELD = (
    "this value is refused; why is not shown, because that would show a secret or the value of a variable"
)

#: Shorter texts occur in sentences by chance; they are only masked where they are quoted.
_SHORTEST = 4
#: A part of a secret that is as long as this gives it away.
_REVEALING = 6
_PIECES = re.compile(rf"[^\s:/@?&=,;'\"]{{{_SHORTEST},}}")


def names_a_secret(key: str) -> bool:
    """Whether the values under a key are secret."""
    return _SECRET_NAME.search(key) is not None


def secrets_in(value: Any) -> list[str]:
    """Return what is secret in a configuration's text: a password in a URL, or what redaction would mask."""
    if not isinstance(value, str):
        return []
    match = _USER_AND_PASSWORD.search(value)
    if match:
        return [match[1], *secrets_in(value[match.end() :])]
    around = [re.escape(part) for part in masked(value).split(MASK)]
    found = re.fullmatch("(.+?)".join(around), value, re.DOTALL)
    return [*found.groups()] if found else [value]


def mask_quoted(message: str, secrets: Iterable[str]) -> str:
    """Mask the secrets that a message quotes in full."""
    for secret in secrets:
        message = message.replace(repr(secret), repr(MASK))
    return message


def mask(message: str, secrets: Iterable[str]) -> str:
    """Mask secrets wherever a message has them; where it has a part of one, withhold the message."""
    known = sorted({*secrets}, key=len, reverse=True)
    message = mask_quoted(message, known)
    for secret in known:
        if len(secret) >= _SHORTEST:
            message = message.replace(secret, MASK)
    return _WITHHELD if any(_gives_away(message, secret) for secret in known) else message


def _gives_away(message: str, secret: str) -> bool:
    """Whether a message shows a part of a secret: a piece of a URL, or a revealing stretch of anything."""
    pieces = [piece for text in (secret, unquote(secret)) for piece in _PIECES.findall(text)]
    stretches = (secret[start : start + _REVEALING] for start in range(len(secret) - _REVEALING + 1))
    return any(part in message for part in (*pieces, *stretches))
