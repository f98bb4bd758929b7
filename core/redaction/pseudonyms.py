"""Keyed pseudonyms: what stands for a value that must not be read and must still be joined.

Equal values have equal pseudonyms; without the key nobody can compute one, nor try out values. The text that
is hashed is the value itself, or its JSON: ``42`` and ``"42"`` are one. So it can be computed elsewhere:
``hmac.new(key, text.encode(), "sha256").hexdigest()[:32]``.
"""

from __future__ import annotations

import hmac
import json
import re
from typing import Any

from logweir.redaction.names import Secrecy
from logweir.redaction.values import is_kept

__all__ = ["PREFIX", "Pseudonyms", "is_pseudonym"]

#: What every pseudonym begins with.
PREFIX = "hmac:"
_DIGITS = 32
_PSEUDONYM = re.compile(rf"{PREFIX}[0-9a-f]{{{_DIGITS}}}")


def is_pseudonym(value: object) -> bool:
    """Return whether this has the form of a pseudonym."""
    return type(value) is str and _PSEUDONYM.fullmatch(value) is not None


class Pseudonyms:
    """Makes pseudonyms by HMAC-SHA-256; safe to use from many threads at once.

    Args:
        key: The secret key.

    Attributes:
        rule: How an explanation calls it.
    """

    rule = "hash"

    def __init__(self, key: bytes) -> None:
        self._begun = hmac.new(key, digestmod="sha256")

    def __call__(self, value: Any) -> Any:
        """Return a value of JSON's types in which each leaf is a pseudonym.

        What cannot be a secret (``None``, a boolean, an empty text) stays, and so does a pseudonym.
        """
        if type(value) is dict:
            return {name: self(item) for name, item in value.items()}
        if type(value) is list:
            return [self(item) for item in value]
        if is_kept(value, Secrecy.SECRET) or value == "":
            return value
        text = value if type(value) is str else _canonical(value)
        return text if is_pseudonym(text) else self._of(text)

    def _of(self, text: str) -> str:
        begun = self._begun.copy()
        begun.update(text.encode("utf-8", "backslashreplace"))
        return PREFIX + begun.hexdigest()[:_DIGITS]


def _canonical(number: float) -> str:
    """A number as JSON writes it; a whole one has no point, as RFC 8785 has it."""
    if type(number) is float and number.is_integer() and abs(number) < 2**53:
        number = int(number)
    return json.dumps(number)
