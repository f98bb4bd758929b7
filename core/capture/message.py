"""Messages with arguments: ``"user %s logged in"`` and what was passed with it, formatted without raising.

Arguments that do not fit their message, and those whose text cannot be made, must not break the call that
logs them: the message is kept as it was written, the arguments become the field ``message_args``, the class
of the error ``message_error``. That it happened is reported, with the place of the call.
"""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping
from types import MappingProxyType
from typing import Any

from structlog.contextvars import get_contextvars

from logweir.capture.caller import calling_place
from logweir.diagnostics import report
from logweir.encoding.values import unprintable

__all__ = ["ARGUMENTS_FIELD", "ERROR_FIELD", "add_field", "formatted", "text_of"]

#: The fields of an event whose message could not be formatted.
ARGUMENTS_FIELD, ERROR_FIELD = "message_args", "message_error"

_NOTHING: Mapping[str, Any] = MappingProxyType({})


def formatted(message: Any, args: Any, fields: dict[str, Any], bound: Mapping[str, Any] = _NOTHING) -> str:
    """Return a message with its arguments filled in, or as it was written.

    Args:
        message: What was logged first; anything whose text can be made.
        args: What was logged behind it: a tuple, or the one mapping whose keys the message names.
        fields: Gets the arguments where they cannot be filled in.
        bound: Further fields that the event will have.
    """
    text = text_of(message)
    try:
        filled: str = text % _as_operand(text, args) if args else text
    except Exception as error:  # noqa: BLE001 - arguments that do not fit, or whose __str__ raises
        kind = type(error).__qualname__
    else:
        return filled
    taken = {**get_contextvars(), **bound}
    add_field(fields, ARGUMENTS_FIELD, args, taken)
    add_field(fields, ERROR_FIELD, kind, taken)
    place = calling_place()
    report(
        f"message {place}",
        "the arguments of the log call at %s do not fit its message (%s); they are kept as %s",
        place,
        kind,
        ARGUMENTS_FIELD,
    )
    return text


def _as_operand(text: str, args: Any) -> Any:
    """One mapping is named by its keys; where the message names none, ``%`` would drop it in silence."""
    if type(args) is tuple and (len(args) != 1 or not isinstance(args[0], Mapping)):
        return args
    mapping = args[0] if type(args) is tuple else args
    return mapping if "%(" in text else (mapping,)


def text_of(value: Any) -> str:
    """Return the text of anything that was logged as a message."""
    if type(value) is str:
        return value
    try:
        # Of a class derived from str, also as what another __str__ gives, only the characters are wanted.
        return str.__str__(value if issubclass(type(value), str) else str(value))
    except Exception:  # noqa: BLE001 - a hostile __str__ must not lose the event
        return unprintable(value)


def add_field(
    fields: MutableMapping[str, Any], name: str, value: Any, taken: Mapping[str, Any] = _NOTHING
) -> None:
    """Add a field beside the caller's; a name that is taken gets a number, as in the snapshot."""
    free, number = name, 1
    while free in fields or free in taken:
        number += 1
        free = f"{name}#{number}"
    fields[free] = value
