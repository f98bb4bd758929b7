"""The character U+0000 where a database has none: hidden when written, restored when read.

PostgreSQL refuses it in text and in JSON. There it is written as ``␛0`` and the rare ``␛`` itself as ``␛␛``,
so that every text comes back as it was; all other text is untouched. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import msgspec

from logweir.event import Event

__all__ = ["hide_nul", "hide_nul_in", "restore_nul"]

_ESCAPE = "␛"
_IN_UTF8 = _ESCAPE.encode()
_NUL_OR_ESCAPE = re.compile(f"[\0{_ESCAPE}]")
_ESCAPED = re.compile(f"{_ESCAPE}(.)", re.DOTALL)

_encode = msgspec.json.Encoder().encode
T = TypeVar("T")


def hide_nul(value: T) -> T:
    """Return an event, or any JSON value, with each U+0000 written as something else."""
    return _changed(value, _hide) if _has_either(value) else value


def hide_nul_in(batch: Sequence[Event]) -> Sequence[Event]:
    """Return events as :func:`hide_nul` does each; asked of all at once, since nearly never one needs it."""
    return [hide_nul(event) for event in batch] if _has_either(batch) else batch


def restore_nul(value: T) -> T:
    """Return what :func:`hide_nul` was given."""
    return _changed(value, _show) if _has_either(value) else value


def _has_either(value: Any) -> bool:
    """Whether any text needs a change: nearly never, and its JSON shows it fast."""
    try:
        encoded = _encode(value)
    except (TypeError, ValueError):
        return False  # whoever encodes the value next reports what is wrong with it
    # A single byte is found many times faster than several, and most texts have neither of these.
    return (b"\\" in encoded and b"\\u0000" in encoded) or (_IN_UTF8[:1] in encoded and _IN_UTF8 in encoded)


def _changed(value: Any, change: Callable[[str], str]) -> Any:
    if isinstance(value, Event):
        parts = {name: getattr(value, name) for name in value.__struct_fields__ if name != "kind"}
        return msgspec.structs.replace(value, **_changed(parts, change))
    if isinstance(value, str):
        return change(value)
    if isinstance(value, Mapping):
        return {change(key): _changed(item, change) for key, item in value.items()}
    if isinstance(value, list):
        return [_changed(item, change) for item in value]
    return value


def _hide(text: str) -> str:
    return _NUL_OR_ESCAPE.sub(lambda match: _ESCAPE + (match[0] if match[0] == _ESCAPE else "0"), text)


def _show(text: str) -> str:
    return _ESCAPED.sub(lambda match: "\0" if match[1] == "0" else match[1], text)
