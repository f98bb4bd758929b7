"""The snapshot: one walk over what a caller logs that encodes, redacts and bounds it.

The result holds JSON's own types only and shares nothing with the caller, so that what was logged is
what is stored, whatever the caller changes later. The walk never raises (``KeyboardInterrupt`` and its
like pass), and its result is stable: the snapshot of a snapshot is equal to it.

This is the hottest code of the project. A field whose name is known to be harmless and whose value is a
plain small one is copied without a call of our own; everything else goes through :class:`_Walk`. An event
that is too large as a whole is cut afterwards, see :mod:`logweir.capture.truncation`.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice
from threading import RLock
from typing import Any

import msgspec

from logweir.capture.truncation import CUT_KEY, ENTRY_COST, ITEM_COST, fit, text_cost
from logweir.config.models import LimitsConfig
from logweir.encoding.cuts import is_cut, joined, kept_ends
from logweir.encoding.values import Description, Entries, clean_text, encode_value, unprintable
from logweir.redaction.pairs import secret_pair
from logweir.redaction.redactor import Redactor
from logweir.redaction.scan import MASK

__all__ = ["CYCLE", "MAX_DEPTH", "Snapshotter"]

#: What stands for a container inside itself.
CYCLE = "<cycle>"
#: What stands for a container that is nested too deeply.
MAX_DEPTH = "<max depth>"

_SMALL_INT = 10**12  # card numbers have more digits
_KNOWN_NAMES = 4096  # more than a program has; only data that is logged as names fills it
_KNOWN_NAME_LENGTH = 64
_STEPS = 8  # of encoding one value, such as an Enum whose value is an Enum
_SEAM = 4096  # how far beyond its cut a long text is searched for secrets

_WALK_FACTOR = 16  # how many times the size of an event all its fields are walked for, before the cut


class Snapshotter:
    """Takes snapshots of fields; safe to use from many threads at once.

    Args:
        redactor: Knows what is secret.
        limits: How large an event may be.
    """

    def __init__(self, redactor: Redactor, limits: LimitsConfig | None = None) -> None:
        self.redactor = redactor
        self.limits = limits or LimitsConfig()
        self._known: dict[str, str] = {}
        self._truncated = 0
        self._lock = RLock()  # re-entrant: a finaliser may log in the middle of anything

    @property
    def truncated(self) -> int:
        """How many events (and texts given to :meth:`text`) were cut so far, in any way."""
        return self._truncated

    def __call__(self, fields: dict[str, Any]) -> tuple[dict[str, Any], int]:
        """Return a redacted, bounded copy of the fields in JSON's own types, and its size in bytes (about).

        Never raises, whatever the fields hold.
        """
        # Everything that the loop needs is a local: an attribute look-up for each field would show.
        known = self._known.get
        suspicious = self.redactor.suspicious
        shortest = self.redactor.shortest
        longest = self.limits.max_string
        copy: dict[str, Any] = {}
        size = 0
        walk: _Walk | None = None
        try:
            for key, value in fields.items():
                # A known name has been through `_Walk._name` once: it is clean, short and not secret. (A key
                # that is no text may be equal to a known name; what is copied is the name, which is text.)
                name = known(key)
                if name is not None:
                    kind = type(value)
                    if kind is str:
                        length = len(value)
                        # ASCII has no surrogates to clean and its length is its size; a text that is shorter
                        # than the shortest secret cannot hold one, so that most texts skip the search.
                        if value.isascii() and (
                            length < shortest or (length <= longest and suspicious(value) is None)
                        ):
                            copy[name] = value
                            size += ENTRY_COST + len(name) + length
                            continue
                    elif (
                        (kind is int and -_SMALL_INT < value < _SMALL_INT)
                        or value is None
                        or kind is bool
                        or (kind is float and value - value == 0.0)  # neither infinite nor not a number
                    ):
                        copy[name] = value
                        size += ENTRY_COST + len(name)
                        continue
                if walk is None:
                    walk = _Walk(self.redactor, self.limits, self._known)
                walk.entry(copy, key, value, 1)
            # The event's bounds are checked once, behind the loop: hardly any event exceeds them.
            if walk is None and size <= self.limits.max_event_bytes and len(copy) <= self.limits.max_items:
                return copy, size
            return self._bounded(fields, copy, size, walk)
        except Exception:  # noqa: BLE001 - nothing that a caller logs makes the log call raise
            return self._salvaged(fields)

    def text(self, value: object) -> str:
        """Return one text cleaned, redacted and cut: an event's name, a traceback. Never raises."""
        if (
            type(value) is str
            and value.isascii()
            and len(value) <= self.limits.max_string
            and self.redactor.suspicious(value) is None
        ):
            return value
        walk = _Walk(self.redactor, self.limits, self._known)
        walk.make_room()
        plain = walk.value(value, 1)
        if walk.cut:
            self._count_truncated()
        return plain if type(plain) is str else _json_text(plain)

    def _bounded(
        self, fields: dict[str, Any], copy: dict[str, Any], size: int, walk: _Walk | None
    ) -> tuple[dict[str, Any], int]:
        """Finish a snapshot that was not plain: names that became alike, too many fields, too many bytes."""
        cut = False
        # Two names may become one when they are cleaned: only a walk from the start can number them.
        if len(copy) != len(fields) or len(copy) > self.limits.max_items:
            copy, size, walk = {}, 0, _Walk(self.redactor, self.limits, self._known)
            walk.entries(copy, fields.items(), len(fields), 0)
        if walk is not None:
            size += walk.size
            cut = walk.cut
        if size > self.limits.max_event_bytes:
            copy, size, shrunk = fit(copy, self.limits.max_event_bytes)
            cut = cut or shrunk
        if cut:
            self._count_truncated()
        return copy, size

    def _salvaged(self, fields: dict[str, Any]) -> tuple[dict[str, Any], int]:
        """Try again with what the dictionary really holds, in case it lies; at worst, say that it failed."""
        try:
            copy: dict[str, Any] = {}
            walk = _Walk(self.redactor, self.limits, self._known)
            walk.entries(copy, list(dict.items(fields)), dict.__len__(fields), 0)
            return self._bounded(copy, copy, 0, walk)
        except Exception:  # noqa: BLE001 - such as a MemoryError
            return {"logweir_error": unprintable(fields)}, 64

    def _count_truncated(self) -> None:
        with self._lock:
            self._truncated += 1


class _Walk:
    """One walk over values that are not plain: what it has met and how much it has written.

    Attributes:
        size: The cost so far, in bytes (about).
        cut: Whether something was cut.
    """

    __slots__ = ("_known", "_limits", "_path", "_redactor", "_room", "cut", "size")

    def __init__(self, redactor: Redactor, limits: LimitsConfig, known: dict[str, str]) -> None:
        self._redactor = redactor
        self._limits = limits
        self._known = known
        self._room = 0
        self._path: set[int] = set()
        self.size = 0
        self.cut = False

    # --- any value -------------------------------------------------------------------------------------

    def value(self, value: object, depth: int) -> Any:
        """Return the value in JSON's own types; at worst a text that says what it was. Never raises."""
        try:
            plain: Any = value
            for _ in range(_STEPS):
                # By the exact type: a subclass may have methods of the caller's in place of the safe ones.
                kind = type(plain)
                if kind is str:
                    return self._text(plain)
                if plain is None or kind is bool:
                    return plain
                if kind is int and -(2**63) <= plain < 2**63:
                    return plain if -_SMALL_INT < plain < _SMALL_INT else self._large_int(plain)
                if kind is float and plain - plain == 0.0:
                    return plain
                if kind in _CONTAINERS:
                    # By the id of what was logged: its encoded form is new each time and shows no cycle.
                    return self._container(plain, id(value), depth)
                if kind is Description:
                    return self._text(self._redactor.redact_description(str(plain)))
                plain = encode_value(plain, self._limits.max_items)
        except Exception:  # noqa: BLE001, S110 - such as a RecursionError, which is answered one level up
            pass
        return self._written(unprintable(value))

    def _large_int(self, number: int) -> int | str:
        """A card number may have been logged as a number."""
        digits = str(number)
        return number if self._redactor.redact_text(digits) == digits else self._written(MASK)

    # --- containers ------------------------------------------------------------------------------------

    def _container(self, container: Any, identity: int, depth: int) -> Any:
        if identity in self._path:
            return self._written(CYCLE)
        if depth > self._limits.max_depth:
            self.cut = True
            return self._written(MAX_DEPTH)
        self._path.add(identity)
        try:
            kind = type(container)
            total = len(container)
            if kind is dict:
                return self.entries({}, container.items(), total, depth)
            if kind is Entries:
                return self.entries({}, container, total, depth)
            if kind is tuple and secret_pair(container, self._redactor.names):
                self.size += 2 * ITEM_COST
                return [self.value(container[0], depth + 1), self._written(MASK)]
            return self._items(container, total, depth)
        finally:
            # The path and not all that was met: an object that is logged twice, side by side, is no cycle.
            self._path.discard(identity)

    def _items(self, items: Any, total: int, depth: int) -> list[Any]:
        result: list[Any] = []
        for item in items[: self._kept(total)]:
            # Far beyond what an event may have: the final cut will share out what there is already.
            if self.size > self._room:
                break
            self.size += ITEM_COST
            result.append(self.value(item, depth + 1))
        if len(result) < total:
            self.size += ITEM_COST
            result.append(self._cut_mark(total - len(result)))
        return result

    def entries(
        self, target: dict[str, Any], entries: Iterable[tuple[Any, Any]], total: int, depth: int
    ) -> dict[str, Any]:
        """Add the entries of an object to ``target``, as many as the limits allow, and return it."""
        # list() first: another thread may add to the dictionary while we walk.
        for key, item in list(islice(entries, self._kept(total))):
            if depth and self.size > self._room:
                break
            self.entry(target, key, item, depth + 1)
        if len(target) < total:
            self.size += ENTRY_COST + len(CUT_KEY)
            target[CUT_KEY] = self._cut_mark(total - len(target))
        return target

    def entry(self, target: dict[str, Any], key: object, value: object, depth: int) -> None:
        """Add one entry of an object to ``target``; a name that is taken already gets a number."""
        if depth == 1:
            self.make_room()
        name = self._known.get(key) if type(key) is str else None
        secret = False
        if name is None:
            name, secret = self._name(key)
        if name in target:
            name = _numbered(name, target)
        self.size += ENTRY_COST + len(name)
        target[name] = self._written(MASK) if secret else self.value(value, depth)

    def make_room(self) -> None:
        """Let one field be as large as an event may be, and all of them a few times that."""
        whole = self._limits.max_event_bytes
        self._room = min(self.size + whole, _WALK_FACTOR * whole)

    def _kept(self, total: int) -> int:
        """How many members are kept: all, or one less than the limit, for the mark."""
        return total if total <= self._limits.max_items else self._limits.max_items - 1

    def _cut_mark(self, lost: int) -> str:
        self.cut = True
        return self._written(f"…[truncated {lost} items]")

    # --- names and texts -------------------------------------------------------------------------------

    def _name(self, key: object) -> tuple[str, bool]:
        """Return the name under which an entry is kept, and whether its value is secret."""
        if type(key) is str:
            text = key
        else:
            plain = self.value(key, self._limits.max_depth)
            text = plain if type(plain) is str else _json_text(plain)
        name = self._bounded_text(text)
        secret = self._redactor.is_secret_key(text) or (name != text and self._redactor.is_secret_key(name))
        if type(key) is str and name == key and not secret and len(key) <= _KNOWN_NAME_LENGTH:
            # No lock: each step is one operation on a dictionary, and a name that is lost is learned again.
            if len(self._known) >= _KNOWN_NAMES:
                self._known.clear()
            self._known[key] = key
        return name, secret

    def _text(self, text: str) -> str:
        return self._written(self._bounded_text(text))

    def _written(self, text: str) -> str:
        self.size += text_cost(text)
        return text

    def _bounded_text(self, text: str) -> str:
        """Return the text cleaned, redacted and cut: in this order, so that no half of a secret remains."""
        longest = self._limits.max_string
        redact = self._redactor.redact_text
        if len(text) <= longest + _SEAM or is_cut(text, longest):
            text = redact(clean_text(text))
            if len(text) <= longest or is_cut(text, longest):
                return text
        self.cut = True
        # Further than it is kept, for a secret may lie across the cut; but not all, for it may be huge.
        head, tail = kept_ends(text, longest)
        start = redact(clean_text(text[: head + _SEAM]))[:head]
        end = redact(clean_text(text[-tail - _SEAM :]))[-tail:] if tail else ""
        # Again, so that the snapshot of this snapshot is equal to it: cutting may have made a secret of what
        # was none, such as a number that is now short enough for a card's.
        return joined(redact(start)[:head], len(text) - longest, redact(end)[-tail:] if tail else "")


_CONTAINERS = frozenset({dict, list, tuple, Entries})


def _numbered(name: str, taken: dict[str, Any]) -> str:
    number = 2
    while f"{name}#{number}" in taken:
        number += 1
    return f"{name}#{number}"


def _json_text(plain: object) -> str:
    return msgspec.json.encode(plain).decode()
