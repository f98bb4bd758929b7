"""Values as JSON: the one documented encoding of everything that JSON lacks.

:func:`encode_value` takes one step: it turns a value that JSON lacks into JSON's own types, or into a plain
container whose members are encoded in turn by the walk of the snapshot, the only caller that does so. It
never raises, never consumes an iterator and never trusts what an object says about itself. The table of
encodings is ``docs/reference/values.md``.
"""

from __future__ import annotations

import base64
import math
import re
import types
from collections import deque
from collections.abc import Callable, ItemsView, Iterable, KeysView, Mapping, Sequence, ValuesView
from collections.abc import Set as AbstractSet
from contextlib import suppress
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from functools import lru_cache
from pathlib import PurePath
from typing import Any, NamedTuple
from urllib.parse import (
    DefragResult,
    DefragResultBytes,
    ParseResult,
    ParseResultBytes,
    SplitResult,
    SplitResultBytes,
)
from uuid import UUID

import msgspec

from logweir.encoding.mappings import (
    encode_cookies,
    encode_mapping,
    encode_row,
    is_cookie_jar,
    is_header_table,
    is_row,
)
from logweir.encoding.objects import encode_attrs, encode_dataclass, encode_pydantic, encode_struct
from logweir.encoding.parts import Entries, Excerpt, Hidden, excerpt, first

__all__ = ["clean_text", "encode_value", "unprintable"]


class _Bounds(NamedTuple):
    """How much of a value is taken: members, and characters at either end of a text."""

    items: int
    text: int


_Encoder = Callable[[Any, _Bounds], Any]
_INT64 = range(-(2**63), 2**63)
#: No integer of more bits is written as its digits, which takes time that grows with their square.
_DECIMAL_BITS = 14_000
#: The most members of a set that are sorted whatever they are, and the most bytes of an array's members.
_SORTED = 1000
_SPLIT = 4  # bytes of a character that a cut may have split
_ARRAY_BYTES = 2**20
_COMPARED = 256
_ORDERED = frozenset({str, int, float, bytes})
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")


def encode_value(value: object, max_items: int = 10_000, max_text: int = 65_536) -> Any:
    """Return one value as JSON's own type, or as a plain container of values to encode in turn.

    Args:
        value: Anything at all.
        max_items: No more members than this, and one, are taken from a container: one more says that there
            are more.
        max_text: Of a text that is more than twice as long, so many characters of either end are taken.

    Returns:
        ``None``, ``bool``, ``int`` (64 bit), ``float`` (finite), ``str`` (maybe with lone surrogates, see
        :func:`clean_text`), ``list``, ``tuple``, or a class of :mod:`logweir.encoding.parts`. A few values
        (an Enum, a lying object) need more than one step.
    """
    try:
        kind: Any = type(value)
        return _encoder_for(kind)(value, _Bounds(max_items + 1, max_text))
    except Exception:  # noqa: BLE001 - whatever a caller's object raises, the log call goes on
        return unprintable(value)


def clean_text(text: str) -> str:
    """Return the text with each lone surrogate, which UTF-8 lacks, written as its escape, as in ``repr``."""
    if text.isascii():
        return text
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-8", "backslashreplace").decode()
    return text


def unprintable(value: object) -> str:
    """Return the mark for a value that could not be encoded; only the type is asked, and it cannot refuse."""
    name: str = type.__dict__["__name__"].__get__(type(value))
    return f"<unprintable {name}>"


@lru_cache(maxsize=512)
def _encoder_for(kind: type) -> _Encoder:
    """Choose by the real type: ``isinstance`` would ask the object, which may lie."""
    if is_row(kind):  # which are sequences too
        return lambda value, bounds: encode_row(value, bounds.items)
    for base, encoder in _ENCODERS:
        if issubclass(kind, base):
            return encoder
    for attribute, encoder in _ENCODERS_BY_ATTRIBUTE:
        if hasattr(kind, attribute):
            return encoder
    if is_cookie_jar(kind):
        return lambda value, bounds: encode_cookies(value, bounds.items)
    if is_header_table(kind):
        return lambda value, bounds: encode_mapping(value, bounds.items)
    return _encode_other


def _encode_int(value: int, bounds: _Bounds) -> int | str:
    number = int.__index__(value)
    if number in _INT64:
        return number
    excess = number.bit_length() - 8 * bounds.text
    if excess > 0:  # its first digits; the others would be cut
        return Excerpt(hex(number >> excess), excess // 4)
    if number.bit_length() <= _DECIMAL_BITS:
        with suppress(ValueError):  # more digits than Python converts
            return str(number)
    return hex(number)


def _encode_float(value: float, _bounds: _Bounds) -> float | str:
    number = float.__float__(value)
    if math.isfinite(number):
        return number
    return "NaN" if math.isnan(number) else "Infinity" if number > 0 else "-Infinity"


def _encode_bytes(value: bytes | bytearray | memoryview, bounds: _Bounds) -> str:
    """Text if it is text, otherwise ``base64:...``; of very many bytes the ends only."""
    view = memoryview(value)
    if view.ndim != 1 or view.itemsize != 1:
        view = view.cast("B") if view.c_contiguous else memoryview(view.tobytes())
    longest = 4 * bounds.text  # as many bytes as the characters may have
    lost = len(view) - 2 * longest
    if lost <= 0:
        return _text_of_bytes(view.tobytes(), "strict") or _base64(view)
    head = _text_of_bytes(view[:longest].tobytes(), "ignore")
    tail = _text_of_bytes(view[-longest:].tobytes(), "ignore")
    if head and tail:
        return Excerpt(head + tail, lost)
    shown = 3 * bounds.text  # a multiple of three ends where a group of base64 does
    return Excerpt(_base64(view[:shown]), (len(view) - shown) * 4 // 3)


def _text_of_bytes(data: bytes, errors: str) -> str:
    """Return the text that bytes are; empty if they are none. To ``ignore`` is for a split character."""
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        inside = error.start >= _SPLIT and error.end <= len(data) - _SPLIT
        if errors == "strict" or inside:
            return ""
        text = data.decode(errors="ignore")
    return "" if _CONTROL.search(text) else text


def _base64(view: memoryview) -> str:
    return "base64:" + base64.b64encode(view).decode() if view else ""


def _encode_exception(value: BaseException, bounds: _Bounds) -> Entries:
    return Entries([("type", _qualified_name(type(value))), ("message", excerpt(str(value), bounds.text))])


def _encode_definition(value: Any, _bounds: _Bounds) -> str:
    return _qualified_name(value)


def _qualified_name(definition: Any) -> str:
    module, name = definition.__module__, definition.__qualname__
    return str(name) if module in {None, "builtins"} else f"{module}.{name}"


def _encode_tuple(value: tuple[Any, ...], bounds: _Bounds) -> Any:
    names = getattr(type(value), "_fields", None)
    items = tuple.__getitem__(value, slice(bounds.items))
    return Entries(zip(names, items, strict=False)) if names else items


def _encode_set(value: Iterable[Any], bounds: _Bounds) -> list[Any]:
    members = first(value, bounds.items)
    # Comparing may take long: many members of any kind, or long texts that begin alike.
    if len(members) > _SORTED and not {*map(type, members)} <= _ORDERED:
        return members
    try:
        return sorted(members, key=_sort_key)
    except Exception:  # noqa: BLE001 - members that cannot be compared keep the set's own order
        return members


def _sort_key(member: Any) -> Any:
    return member[:_COMPARED] if type(member) in {str, bytes} else member


def _encode_iterable(value: Iterable[Any], bounds: _Bounds) -> list[Any]:
    return first(value, bounds.items)


def _encode_dict(value: dict[Any, Any], bounds: _Bounds) -> Entries:
    return Entries(first(dict.items(value), bounds.items))


def _encode_mapping(value: Mapping[Any, Any], bounds: _Bounds) -> Any:
    return encode_mapping(value, bounds.items)


def _encode_namespace(value: types.SimpleNamespace, bounds: _Bounds) -> Entries:
    return _encode_dict(value.__dict__, bounds)


def _encode_array(value: Any, bounds: _Bounds) -> Any:
    """Encode what looks like numpy: scalars as their value, arrays as lists, large ones flat and cut."""
    if not isinstance(value.size, int):
        return _describe(value, bounds)
    if str(value.dtype).startswith(("datetime64", "timedelta64")) and not value.shape:
        return str(value)
    limit = max(1, min(bounds.items, _ARRAY_BYTES // max(1, getattr(value, "itemsize", 1))))
    if value.size >= limit:
        value = value.reshape(-1)[:limit] if hasattr(value, "reshape") else value[:limit]
    plain = value.tolist()
    return str(value) if type(plain) is type(value) else plain


def _encode_other(value: Any, bounds: _Bounds) -> Any:
    """Resolve a proxy, which names another class as its own; describe anything else."""
    claimed = value.__class__
    if claimed is type(value) or not isinstance(claimed, type):
        return _describe(value, bounds)
    try:
        return _encoder_of_proxied(claimed)(value, bounds)
    except Exception:  # noqa: BLE001 - such as an unbound method of str, which refuses a proxy
        return _describe(value, bounds)


def _encoder_of_proxied(claimed: Any) -> _Encoder:
    if issubclass(claimed, Mapping):
        return _encode_mapping
    if issubclass(claimed, (list, tuple)):
        return _encode_iterable
    encoder = _encoder_for(claimed)
    return _describe if encoder is _encode_other else encoder


def _describe(value: object, bounds: _Bounds) -> Excerpt:
    return excerpt(str(value), bounds.text)


def _text(value: str, bounds: _Bounds) -> str:
    """Return the characters of a text of a derived class, whose own methods are not asked."""
    lost = str.__len__(value) - 2 * bounds.text
    if lost <= 0:
        return str.__str__(value)
    longest = bounds.text
    return Excerpt(
        str.__getitem__(value, slice(longest)) + str.__getitem__(value, slice(-longest, None)), lost
    )


_WRAPPED = Hidden("SecretStr")
_URLS = (SplitResult, ParseResult, DefragResult, SplitResultBytes, ParseResultBytes, DefragResultBytes)
_ENCODERS: tuple[tuple[Any, _Encoder], ...] = (
    (types.NoneType, lambda _value, _bounds: None),
    (bool, lambda value, _bounds: value),
    (Enum, lambda value, _bounds: value._value_),
    (str, _text),
    (int, _encode_int),
    (float, _encode_float),
    (dict, _encode_dict),
    (list, lambda value, bounds: list.__getitem__(value, slice(bounds.items))),
    (_URLS, lambda value, _bounds: value.geturl()),
    (tuple, _encode_tuple),
    ((datetime, date, time), lambda value, _bounds: value.isoformat()),
    (timedelta, lambda value, _bounds: timedelta.total_seconds(value)),
    ((Decimal, UUID, PurePath), lambda value, _bounds: str(value)),
    ((bytes, bytearray, memoryview), _encode_bytes),
    (BaseException, _encode_exception),
    ((types.FunctionType, types.BuiltinFunctionType, types.MethodType, type), _encode_definition),
    (range, lambda value, _bounds: str(value)),
    (types.SimpleNamespace, _encode_namespace),
    (msgspec.Struct, lambda value, _bounds: encode_struct(value)),
    (Mapping, _encode_mapping),
    ((KeysView, ItemsView, ValuesView, deque, Sequence), _encode_iterable),
    (AbstractSet, _encode_set),
)
_ENCODERS_BY_ATTRIBUTE: tuple[tuple[str, _Encoder], ...] = (
    ("get_secret_value", lambda _value, _bounds: _WRAPPED),
    ("__pydantic_fields__", lambda value, _bounds: encode_pydantic(value)),
    ("__dataclass_fields__", lambda value, _bounds: encode_dataclass(value)),
    ("__attrs_attrs__", lambda value, _bounds: encode_attrs(value)),
    ("dtype", _encode_array),
)
