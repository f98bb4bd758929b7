"""The one text of a JSON document, which is stored and hashed. Pure.

Its bytes are those of Python's ``json.dumps`` with sorted keys, no spaces and no escapes: a definition that
does not move with a library's version. msgspec writes the same bytes several times faster but for some
floats, which are recognised and left to ``json``.
"""

from __future__ import annotations

import json
import re
from typing import Any

import msgspec

__all__ = ["canonical", "decode_strictly"]

_encode = msgspec.json.Encoder(order="sorted").encode
#: Numbers that msgspec writes unlike Python: with an exponent, or with four zeros after the point.
_OTHER_FLOATS = re.compile(rb"[:,\[]-?(?:0\.0000|[0-9.]+e)")
#: What each of them has in it, and few documents have: found much faster, by its first character.
_ZEROS, _EXPONENT = b"0.0000", re.compile(rb"e[0-9-]")


def canonical(document: Any) -> bytes:
    """Return the one encoding of a JSON document that is stored, and that hashes are made of.

    Raises:
        TypeError: It is no JSON.
        ValueError: A text cannot be written in UTF-8.
    """
    encoded = _encode(document)
    if _ZEROS not in encoded and _EXPONENT.search(encoded) is None:
        return encoded
    if _OTHER_FLOATS.search(encoded) is None:
        return encoded
    return json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def decode_strictly(text: str) -> Any:
    """Return a JSON document of which every reader sees the same.

    Raises:
        ValueError: It is no JSON, or a name stands twice in one object, of which some read the first.
    """
    return json.loads(text, object_pairs_hook=_each_once)


def _each_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name stands twice in one object")
    return found
