"""Who calls an audited function that does not say where its user is: looked for where people put it. Pure.

What names the one who acts comes first: ``current_user``, as an argument or of ``self``. Then comes the
``user_id`` that is bound to the context, which a middleware has put there. An argument ``user_id``, or that
of ``self``, comes last: it may as well be the one to whom something is done.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from contextlib import suppress
from typing import Any, NamedTuple
from uuid import UUID

__all__ = ["Likely", "likely_user"]

#: Where the id of a user is, in an object or a mapping.
_IDS = ("id", "user_id", "sub")
_NO_IDS = (bool, Mapping, list, tuple, set, frozenset)


class Likely(NamedTuple):
    """Who calls, as far as a call shows it.

    Attributes:
        acting: Counts before the bound context.
        named: Counts after it.
    """

    acting: Any
    named: Any


def likely_user(arguments: Mapping[str, Any], receiver: Any, exclude: Collection[str]) -> Likely:
    """Look for who calls; never raises, and finds ids alone.

    Args:
        arguments: By name.
        receiver: ``self``, if it is a method.
        exclude: Arguments that are not to be looked at.
    """
    given = {name: arguments.get(name) for name in ("current_user", "user_id") if name not in exclude}
    return Likely(
        _first(_id_of(user) for user in (given.get("current_user"), _attribute(receiver, "current_user"))),
        _first(_identifier(value) for value in (given.get("user_id"), _attribute(receiver, "user_id"))),
    )


def _id_of(user: Any) -> Any:
    """The id of a user, which may be the id itself."""
    found = None
    with suppress(Exception):  # a lazy user of Django's does not even say its class on an event loop
        if isinstance(user, int | str | UUID):
            found = _identifier(user)
        elif isinstance(user, dict):
            found = _first(_identifier(dict.get(user, name)) for name in _IDS)
        else:
            found = _first(_identifier(_attribute(user, name)) for name in _IDS)
    return found


def _attribute(of: Any, name: str) -> Any:
    value = None
    with suppress(Exception):  # a property of the application's; nobody asked for it
        value = getattr(of, name, None)
    return value


def _identifier(value: Any) -> Any:
    """The value if it can be an id: a number, a text, a UUID and the like."""
    found = None
    with suppress(Exception):  # as above
        found = None if value is None or isinstance(value, _NO_IDS) or callable(value) else value
    return found


def _first(values: Iterable[Any]) -> Any:
    return next((value for value in values if value is not None), None)
