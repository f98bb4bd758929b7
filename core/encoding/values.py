"""Values as JSON: the one documented encoding of everything that JSON lacks.

:func:`encode_value` takes one step: it turns a value that JSON lacks into JSON's own types, or into a plain
container whose members are encoded in turn by the walk of the snapshot, the only caller that does so. It
never raises, never consumes an iterator and never trusts what an object says about itself. The table of
encodings is ``docs/reference/values.md``.
"""

from __future__ import annotations

import base64
import dataclasses
import math
import re
import types
from collections import deque
from collections.abc import Callable, ItemsView, Iterable, KeysView, Mapping, Sequence, ValuesView
from collections.abc import Set as AbstractSet
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from functools import lru_cache
from itertools import islice
from pathlib import PurePath
from typing import Any
from uuid import UUID

import msgspec

from logweir.redaction.scan import MASK

__all__ = ["Description", "Entries", "clean_text", "encode_value", "unprintable"]


class Description(str):
    """What an object without an encoding says about itself: text that may hold ``name=value`` pairs."""

    __slots__ = ()


class Entries(list[tuple[Any, Any]]):
    """The entries of what becomes a JSON object, in order; keys are not encoded yet and may become alike."""

    __slots__ = ()


_Encoder = Callable[[Any, int], Any]
_INT64 = range(-(2**63), 2**63)
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")


def encode_value(value: object, max_items: int = 10_000) -> Any:
    """Return one value as JSON's own type, or as a plain container of values to encode in turn.

    Args:
        value: Anything at all.
        max_items: No more members than this, and one, are taken from a container: one more says that there
            are more.

    Returns:
        ``None``, ``bool``, ``int`` (64 bit), ``float`` (finite), ``str`` (maybe with lone surrogates, see
        :func:`clean_text`), :class:`Description`, or a ``list``, ``tuple`` or :class:`Entries`. A few values
        (an Enum, a lying object) need more than one step.
    """
    try:
        kind: Any = type(value)
        return _encoder_for(kind)(value, max_items + 1)
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
    for base, encoder in _ENCODERS:
        if issubclass(kind, base):
            return encoder
    for attribute, encoder in _ENCODERS_BY_ATTRIBUTE:
        if hasattr(kind, attribute):
            return encoder
    return _encode_other


def _encode_int(value: int, _limit: int) -> int | str:
    number = int.__index__(value)
    if number in _INT64:
        return number
    try:
        return str(number)
    except ValueError:  # more digits than Python converts
        return hex(number)


def _encode_float(value: float, _limit: int) -> float | str:
    number = float.__float__(value)
    if math.isfinite(number):
        return number
    return "NaN" if math.isnan(number) else "Infinity" if number > 0 else "-Infinity"


def _encode_bytes(value: bytes | bytearray | memoryview, _limit: int) -> str:
    """Text if it is text, otherwise ``base64:...``."""
    data = memoryview(value).tobytes()
    try:
        text = data.decode()
    except UnicodeDecodeError:
        text = "\0"
    return "base64:" + base64.b64encode(data).decode() if _CONTROL.search(text) else text


def _encode_exception(value: BaseException, _limit: int) -> Entries:
    return Entries([("type", _qualified_name(type(value))), ("message", str(value))])


def _encode_definition(value: Any, _limit: int) -> str:
    return _qualified_name(value)


def _qualified_name(definition: Any) -> str:
    module, name = definition.__module__, definition.__qualname__
    return str(name) if module in {None, "builtins"} else f"{module}.{name}"


def _encode_tuple(value: tuple[Any, ...], limit: int) -> Any:
    names = getattr(type(value), "_fields", None)
    items = tuple.__getitem__(value, slice(limit))
    return Entries(zip(names, items, strict=False)) if names else items


def _encode_set(value: Iterable[Any], limit: int) -> list[Any]:
    members = list(islice(value, limit))
    try:
        return sorted(members)
    except Exception:  # noqa: BLE001 - members that cannot be compared keep the set's own order
        return members


def _encode_iterable(value: Iterable[Any], limit: int) -> list[Any]:
    return list(islice(value, limit))


def _encode_dict(value: dict[Any, Any], limit: int) -> Entries:
    return Entries(islice(dict.items(value), limit))


def _encode_mapping(value: Mapping[Any, Any], limit: int) -> Entries:
    return Entries((key, item) for key, item in islice(value.items(), limit))


def _encode_namespace(value: types.SimpleNamespace, limit: int) -> Entries:
    return _encode_dict(value.__dict__, limit)


def _encode_dataclass(value: Any, _limit: int) -> Entries:
    return _stored_attributes(value, [field.name for field in dataclasses.fields(value)])


def _encode_pydantic(value: Any, _limit: int) -> Entries:
    fields = type(value).__pydantic_fields__
    stored = {**value.__dict__, **(value.__pydantic_extra__ or {})}
    return Entries(
        (name, item) for name, item in stored.items() if name not in fields or not fields[name].exclude
    )


def _encode_struct(value: Any, _limit: int) -> Entries:
    return _stored_attributes(value, type(value).__struct_fields__)


def _encode_attrs(value: Any, _limit: int) -> Entries:
    return _stored_attributes(value, [attribute.name for attribute in type(value).__attrs_attrs__])


def _stored_attributes(value: Any, names: Iterable[str]) -> Entries:
    """Read only what is stored: a property or a lazy column might compute, block or raise."""
    stored = getattr(value, "__dict__", {})
    entries = Entries()
    for name in names:
        if name in stored:
            entries.append((name, stored[name]))
        elif isinstance(getattr(type(value), name, None), types.MemberDescriptorType):
            entries.append((name, getattr(value, name, None)))
    return entries


def _encode_array(value: Any, limit: int) -> Any:
    """Encode what looks like numpy: scalars as their value, arrays as lists, large ones flat and cut."""
    if not isinstance(value.size, int):
        return _describe(value)
    if str(value.dtype).startswith(("datetime64", "timedelta64")) and not value.shape:
        return str(value)
    if value.size >= limit:
        value = value.reshape(-1)[:limit] if hasattr(value, "reshape") else value[:limit]
    plain = value.tolist()
    return str(value) if type(plain) is type(value) else plain


def _encode_other(value: Any, limit: int) -> Any:
    """Resolve a proxy, which names another class as its own; describe anything else."""
    claimed = value.__class__
    if claimed is type(value) or not isinstance(claimed, type):
        return _describe(value)
    try:
        return _encoder_of_proxied(claimed)(value, limit)
    except Exception:  # noqa: BLE001 - such as an unbound method of str, which refuses a proxy
        return _describe(value)


def _encoder_of_proxied(claimed: Any) -> _Encoder:
    if issubclass(claimed, Mapping):
        return _encode_mapping
    if issubclass(claimed, (list, tuple)):
        return _encode_iterable
    encoder = _encoder_for(claimed)
    return _encode_described if encoder is _encode_other else encoder


def _encode_described(value: object, _limit: int) -> Description:
    return _describe(value)


def _describe(value: object) -> Description:
    return Description(str(value))


_ENCODERS: tuple[tuple[Any, _Encoder], ...] = (
    (types.NoneType, lambda _value, _limit: None),
    (bool, lambda value, _limit: value),
    (Enum, lambda value, _limit: value._value_),
    (str, lambda value, _limit: str.__str__(value)),
    (int, _encode_int),
    (float, _encode_float),
    (dict, _encode_dict),
    (list, lambda value, limit: list.__getitem__(value, slice(limit))),
    (tuple, _encode_tuple),
    ((datetime, date, time), lambda value, _limit: value.isoformat()),
    (timedelta, lambda value, _limit: timedelta.total_seconds(value)),
    ((Decimal, UUID, PurePath), lambda value, _limit: str(value)),
    ((bytes, bytearray, memoryview), _encode_bytes),
    (BaseException, _encode_exception),
    ((types.FunctionType, types.BuiltinFunctionType, types.MethodType, type), _encode_definition),
    (range, lambda value, _limit: str(value)),
    (types.SimpleNamespace, _encode_namespace),
    (msgspec.Struct, _encode_struct),
    (Mapping, _encode_mapping),
    ((KeysView, ItemsView, ValuesView, deque, Sequence), _encode_iterable),
    (AbstractSet, _encode_set),
)
_ENCODERS_BY_ATTRIBUTE: tuple[tuple[str, _Encoder], ...] = (
    ("get_secret_value", lambda _value, _limit: MASK),
    ("__pydantic_fields__", _encode_pydantic),
    ("__dataclass_fields__", _encode_dataclass),
    ("__attrs_attrs__", _encode_attrs),
    ("dtype", _encode_array),
)
