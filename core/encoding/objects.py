"""Objects that declare their fields: dataclasses, attrs, pydantic, msgspec. Pure.

Only what is stored is read: a property or a lazy column might compute, block or raise. What the author keeps
out of the object's ``repr`` is not to be shown; further names of a field (aliases, renames) are kept with its
value, for one of them may say that it is secret.
"""

from __future__ import annotations

import dataclasses
import types
from collections.abc import Iterable
from typing import Any

from logweir.encoding.parts import Entries, Hidden, Labelled

__all__ = ["encode_attrs", "encode_dataclass", "encode_pydantic", "encode_struct"]

_NOT_SHOWN = Hidden("repr=False")
_NOT_STORED = object()


def encode_dataclass(value: Any) -> Entries:
    """Return the fields of a dataclass's instance."""
    return _entries(value, ((field.name, field.repr, ()) for field in dataclasses.fields(value)))


def encode_attrs(value: Any) -> Entries:
    """Return the fields of an instance of an attrs class; an own ``repr`` of a field hides it too."""
    attributes = type(value).__attrs_attrs__
    return _entries(
        value, ((a.name, getattr(a, "repr", True) is True, (getattr(a, "alias", None),)) for a in attributes)
    )


def encode_struct(value: Any) -> Entries:
    """Return the fields of a msgspec structure."""
    kind = type(value)
    names = zip(kind.__struct_fields__, kind.__struct_encode_fields__, strict=True)
    return _entries(value, ((name, True, (renamed,)) for name, renamed in names))


def encode_pydantic(value: Any) -> Entries:
    """Return the fields and extras of a pydantic model, but those that are excluded."""
    fields = type(value).__pydantic_fields__
    entries = Entries()
    for name, item in {**value.__dict__, **(value.__pydantic_extra__ or {})}.items():
        field = fields.get(name)
        if field is None:
            entries.append((name, item))
        elif not field.exclude:
            aliases = (field.alias, field.serialization_alias, *_aliases(field.validation_alias))
            entries.append((name, _shown(name, item, field.repr, aliases)))
    return entries


def _aliases(alias: Any) -> tuple[str, ...]:
    """The names in a validation alias, which may be a path or a choice of aliases."""
    if alias is None or isinstance(alias, str):
        return (alias,) if alias else ()
    choices = getattr(alias, "choices", None) or [alias]
    paths = [[choice] if isinstance(choice, str) else choice.path for choice in choices]
    return tuple(part for path in paths for part in path[-1:] if isinstance(part, str))


def _entries(value: Any, fields: Iterable[tuple[str, bool, tuple[str | None, ...]]]) -> Entries:
    entries = Entries()
    for name, shown, aliases in fields:
        item = _stored(value, name)
        if item is not _NOT_STORED:
            entries.append((name, _shown(name, item, shown, aliases)))
    return entries


def _stored(value: Any, name: str) -> Any:
    stored = getattr(value, "__dict__", {})
    if name in stored:
        return stored[name]
    if isinstance(getattr(type(value), name, None), types.MemberDescriptorType):
        return getattr(value, name, None)
    return _NOT_STORED


def _shown(name: str, item: Any, shown: bool, aliases: Iterable[str | None]) -> Any:
    if not shown:
        return _NOT_SHOWN
    others = tuple({alias: None for alias in aliases if alias and alias != name})
    return Labelled(others, item) if others else item
