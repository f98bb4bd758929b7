"""The records of the standard library that became events and still live: each becomes one, whoever meets it.

It is not noted on the record itself, where other handlers' formatters would show it.
"""

from __future__ import annotations

import logging
import threading
import weakref
from contextlib import suppress

__all__ = ["is_taken", "note_taken", "was_just_taken"]

#: By their id().
_taken: dict[int, weakref.ref[logging.LogRecord]] = {}
_last = threading.local()


def is_taken(record: logging.LogRecord) -> bool:
    """Whether the record has become an event."""
    taken = _taken.get(id(record))
    return taken is not None and taken() is record


def note_taken(record: logging.LogRecord) -> None:
    """Note that the record becomes an event."""
    _last.created = getattr(record, "created", None)
    key = id(record)
    with suppress(TypeError):  # a record of a class that allows no weak reference may become two events
        _taken[key] = weakref.ref(record, lambda _gone: _taken.pop(key, None))


def was_just_taken(record: logging.LogRecord) -> bool:
    """Whether the last record that this thread took was this one, or another copy of it.

    Formatters make copies, each handler's its own; the object that says when it was made is that of the
    first.
    """
    return getattr(_last, "created", _last) is getattr(record, "created", None)
