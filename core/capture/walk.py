"""One walk over values that are not plain: it encodes, redacts and bounds in one go. Never raises.

Names decide first: what is under a strong one (``password``) is masked as a whole and not read; under a weak
one (``auth``) what cannot be a secret stays and containers are walked; pairs and labels name what is beside
them. What the walk may cost is counted in :mod:`logweir.capture.budget`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

import msgspec

from logweir.capture.budget import (
    OF_CONTAINER,
    OF_ENTRY,
    OF_KEY,
    OF_MEMBER,
    OF_NEW_NAME,
    OF_OBJECT,
    OF_SECRET,
    SEAM,
)
from logweir.capture.halves import joined_halves
from logweir.capture.known_names import Known
from logweir.capture.lists import SMALL_INT, SMALL_TEXT, Lists
from logweir.capture.truncation import CUT_KEY, ENTRY_COST, ITEM_COST, TRUNCATED_FIELD, is_item_mark
from logweir.config.models import LimitsConfig
from logweir.encoding.parts import Entries, Excerpt, Hidden, Labelled, first
from logweir.encoding.values import encode_value, unprintable
from logweir.redaction.argument_lists import is_command, masked_arguments
from logweir.redaction.halves import MOST_HALVES, SECOND_HALVES
from logweir.redaction.header_lists import is_header_list, is_secret_header
from logweir.redaction.names import Secrecy
from logweir.redaction.pairs import (
    LABELS,
    credentials_in,
    is_value_key,
    name_of_pair,
    private_members,
    secret_label,
)
from logweir.redaction.redactor import UNMASKED, Redactor
from logweir.redaction.scan import MASK, Scan
from logweir.redaction.stored_texts import stored_text, stored_texts
from logweir.redaction.values import is_kept

__all__ = ["CYCLE", "MAX_DEPTH", "SMALL_INT", "Walk", "json_text"]

#: What stands for a container inside itself.
CYCLE = "<cycle>"
#: What stands for a container that is nested too deeply.
MAX_DEPTH = "<max depth>"

NO_FIELDS: Mapping[Any, Any] = MappingProxyType({})
_KNOWN_NAME_LENGTH = 64
_READ = 4  # making a text costs its number of characters divided by two to the power of this
_DIGITS = 5000  # the most digits of a number; to write one costs as much as a search
_MARKS = (MAX_DEPTH, CYCLE)  # in place of a container, also under a secret's name
_OF_PROBED = 2  # about what a byte costs that is copied without a walk
_STEPS = 8  # the most steps of encoding one value, such as an Enum whose value is an Enum


class Walk(Lists):
    """What one walk has met, and how much it has written.

    Args:
        redactor: Knows what is secret.
        limits: How large an event may be.
        known: Names that were met before and are clean, short and harmless; gets those that are met now.
        event: The event's fields.
        scan: What the texts are searched with.
        probed: How many bytes of the event were copied before, which is paid for here.

    Attributes:
        size: The cost so far, in bytes (about).
        cut: Whether something was cut.
    """

    def __init__(
        self,
        redactor: Redactor,
        limits: LimitsConfig,
        known: Known,
        event: Mapping[Any, Any] = NO_FIELDS,
        scan: Scan | None = None,
        *,
        probed: int = 0,
    ) -> None:
        super().__init__(redactor, limits, scan, len(event) - (TRUNCATED_FIELD in event))
        self._work = probed * _OF_PROBED
        self._known = known
        self._node = redactor.paths
        self._path: set[int] = set()
        self._event = event

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
                    return plain if -SMALL_INT < plain < SMALL_INT else self._large_int(plain)
                if kind is float and plain - plain == 0.0:
                    return plain
                if kind in _CONTAINERS:
                    # By the id of what was logged: its encoded form is new each time and shows no cycle.
                    return self._container(plain, id(value), depth)
                if kind in _PARTS:
                    return self._part(plain, depth)
                plain = self._encoded(plain)
        except Exception:  # noqa: BLE001, S110 - such as a RecursionError, which is answered one level up
            pass
        return self._written(unprintable(value))

    def _encoded(self, value: object) -> Any:
        self._work += OF_OBJECT
        left = max(0, self._work_room - self._work)
        items = min(self._limits.max_items, left // 8 + 1)
        plain = encode_value(value, items, min(self._limits.max_string, left) + SEAM)
        if type(plain) is list:
            self._work += OF_MEMBER * len(plain)  # which may have been sorted
        elif type(plain) is str:
            self._work += min(len(plain), _DIGITS) + (len(plain) >> _READ)  # which may be those of a number
        return plain

    def _part(self, part: Any, depth: int) -> Any:
        """Take what a step of encoding returned."""
        if type(part) is Hidden:
            return self._mask(part.rule)
        if type(part) is Labelled:
            rule, secrecy = "", Secrecy.HARMLESS
            for name in part.names:
                if self._redactor.secrecy(name) > secrecy:
                    rule, secrecy = name, self._redactor.secrecy(name)
            return self.secret(part.value, secrecy, rule, depth) if secrecy else self.value(part.value, depth)
        return self._written(self._bounded_text(str(part), part.lost))

    def _large_int(self, number: int) -> int | str:
        """A card number may have been logged as a number."""
        digits = str(number)
        return number if self._redacted(digits) == digits else self._written(MASK)

    # --- secrets ---------------------------------------------------------------------------------------

    def secret(self, value: object, secrecy: Secrecy, name: str, depth: int) -> Any:
        """Return what is stored of a value whose name says that it is secret, or may be.

        Args:
            value: The value.
            secrecy: What the name says.
            name: The name.
            depth: Of the value.
        """
        plain: Any = value
        self._work += OF_SECRET
        for _ in range(_STEPS):
            kind = type(plain)
            if plain is None or kind is bool:
                return plain
            if kind in _SCALARS:
                kept = is_kept(plain, secrecy) or plain in _MARKS or is_item_mark(plain)
                return self.value(plain, depth) if kept else self._mask_named(name)
            if kind in _CONTAINERS and not plain:
                return self.value(plain, depth)
            # A strong name's container is not even read.
            if secrecy is Secrecy.SECRET or kind in _PARTS:
                break
            if kind in _CONTAINERS:
                return self._container(plain, id(value), depth, secrecy, name)
            plain = self._encoded(plain)
        return self._mask_named(name)

    def _mask(self, rule: str) -> str:
        return self._written(self._scan.found(rule))

    def _mask_named(self, name: str) -> str:
        return self._mask(self._redactor.rule_of(name) if self._scan.explains else "")

    # --- containers ------------------------------------------------------------------------------------

    def _container(
        self,
        container: Any,
        identity: int,
        depth: int,
        under: Secrecy = Secrecy.HARMLESS,
        name: str = "",
    ) -> Any:
        """Walk a container; ``under`` says how secret what is in it is by the name that it has."""
        if identity in self._path:
            return self._written(CYCLE)
        if depth > self._limits.max_depth:
            self.cut = True
            return self._written(MAX_DEPTH)
        self._path.add(identity)
        self._work += OF_CONTAINER
        try:
            kind = type(container)
            total = len(container)
            if kind is dict:
                return self.entries({}, container.items(), total, depth, under, name)
            if kind is Entries:
                return self.entries({}, container, total, depth, under, name)
            if under:
                return self._credentials(container, total, depth, name)
            items = stored_texts(container)
            if total > 1 and is_command(items[0]):
                return self._items(masked_arguments(items, self._redacted), total, depth)
            if total == 2 and (pair := self._pair(items, depth)):  # noqa: PLR2004 - a pair
                return pair
            if is_header_list(items):
                items = self._labelled(items)
            return self._items(items, total, depth)
        finally:
            # The path and not all that was met: an object that is logged twice, side by side, is no cycle.
            self._path.discard(identity)

    def _pair(self, container: Sequence[Any], depth: int) -> list[Any] | None:
        name = name_of_pair(container)
        if not name or name in self._known.harmless:
            return None
        secrecy = self._judged(name)
        if not secrecy:
            return None
        self.size += 2 * ITEM_COST
        first = self.value(container[0], depth + 1)
        return [first, self.secret(container[1], secrecy, name, depth + 1)]

    def _labelled(self, headers: Sequence[Any]) -> list[Any]:
        """Give the values of secret headers their names."""
        self._work += OF_ENTRY * len(headers)
        labelled = [*headers]
        for at in range(0, len(headers), 2):
            if is_secret_header(headers[at]):
                labelled[at + 1] = Labelled((headers[at],), headers[at + 1])
        return labelled

    def _credentials(self, items: Sequence[Any], total: int, depth: int, name: str) -> Any:
        """Walk a list under a credential's name: texts in it are credentials, two or more are as a whole."""
        walked = self._items(items, total, depth, Secrecy.CREDENTIAL, name)
        # Counted as they are stored: what is no text yet, such as a Decimal, becomes one.
        return self._mask_named(name) if sum(type(item) is str for item in walked) > 1 else walked

    def entries(
        self,
        target: dict[str, Any],
        entries: Iterable[tuple[Any, Any]],
        total: int,
        depth: int,
        under: Secrecy = Secrecy.HARMLESS,
        name: str = "",
    ) -> dict[str, Any]:
        """Add the entries of an object to ``target``, as many as the limits allow, and return it."""
        # All at once: another thread may add to the dictionary while we walk.
        kept = first(entries, self._kept(total))
        label = under, name, False
        self._work += OF_KEY * len(kept)
        others = [stored_text(key) for key, _ in kept if type(key) is not str]
        self._work += OF_KEY * len(others)
        names = [key for key in (*(key for key, _ in kept), *others) if type(key) is str]
        if not LABELS.isdisjoint(names):
            label = max(label, secret_label(kept, self._judged))
        holds = credentials_in(name, kept) if under else private_members(kept) if label[0] else None
        for key, item in kept:
            full = self._is_full() if depth else self._is_overdrawn()
            # Only the last entry may be the mark of an earlier cut: many that look like one would cost as
            # much as what the cut is to keep out. In `field` there are too few fields for that.
            if full and not (len(target) == total - 1 and is_item_mark(item)):
                break
            self.entry(target, key, item, depth + 1, label if label[0] else None, holds)
        if len(target) < total:
            self._cut_rest(target, total)
        return target

    def field(self, target: dict[str, Any], key: object, value: object, total: int) -> bool:
        """Add one of the event's fields; false if the call has cost too much, which is marked then."""
        # The marks of an earlier cut are no fields of their own.
        if self._is_overdrawn() and value is not True and not is_item_mark(value):
            self._cut_rest(target, total)
            return False
        self.entry(target, key, value, 1)
        return True

    def _cut_rest(self, target: dict[str, Any], total: int) -> None:
        self.size += ENTRY_COST + len(CUT_KEY)
        target[CUT_KEY] = self._cut_mark(total - len(target))

    def entry(
        self,
        target: dict[str, Any],
        key: object,
        value: object,
        depth: int,
        label: tuple[Secrecy, str, bool] | None = None,
        holds: Callable[[str], bool] | None = None,
    ) -> None:
        """Add one entry of an object to ``target``; a name that is taken already gets a number.

        Args:
            target: Where to.
            key: Of the entry; anything.
            value: Of the entry.
            depth: Of the value; 1 for a field of the event.
            label: How secret the mapping's value is by what stands beside it or above, and by which name.
            holds: Says which other entries are such values, in a mapping under a credential's name.
        """
        if depth == 1:
            self.make_room()
        self._work += OF_ENTRY
        name = self._known.harmless.get(key) if type(key) is str else None
        secrecy = Secrecy.HARMLESS
        if name is None:
            name, secrecy = self._name(key)
        named = name
        if (
            label is not None
            and not secrecy
            and ((holds and holds(name)) or is_value_key(name, changes=label[2]))
        ):
            secrecy, named = label[:2]
        elif depth == 1 and not secrecy and name not in self._known.plain:
            secrecy, named = self._label_of_event(name) or (secrecy, named)
        if name in target:
            name = _numbered(name, target)
        self.size += ENTRY_COST + len(name)
        if self._node is None:
            target[name] = self._judged_value(value, secrecy, named, depth)
        else:
            self._placed(target, name, value, (secrecy, named), depth)

    def _judged_value(self, value: object, secrecy: Secrecy, named: str, depth: int) -> Any:
        if secrecy:
            return self.secret(value, secrecy, named, depth)
        if type(value) is dict and named.lower() in SECOND_HALVES and len(value) <= MOST_HALVES:
            return self._container(joined_halves(named, value), id(value), depth)
        return self.value(value, depth)

    def _label_of_event(self, name: str) -> tuple[Secrecy, str] | None:
        """Return how secret the event's field ``value`` or the like is by its field ``name`` or the like."""
        if not is_value_key(name, changes=True):
            return None
        secrecy, said, changes = secret_label([*self._event.items()], self._judged)
        return (secrecy, said) if secrecy and is_value_key(name, changes=changes) else None

    # --- what is said about paths ----------------------------------------------------------------------

    def _placed(
        self, target: dict[str, Any], name: str, value: object, judged: tuple[Secrecy, str], depth: int
    ) -> None:
        above = self._node
        self._node = node = above.child(name) if above is not None else None
        try:
            verdict = None if node is None else node.verdict
            if verdict is None:
                target[name] = self._judged_value(value, *judged, depth)
            elif verdict == "keep":
                target[name] = self._unmasked(value, depth)
            else:
                target[name] = self._replaced(value, verdict, depth)
        finally:
            self._node = above

    def _unmasked(self, value: object, depth: int) -> Any:
        redactor, known, self._redactor, self._known = self._redactor, self._known, UNMASKED, Known()
        try:
            return self.value(value, depth)
        finally:
            self._redactor, self._known = redactor, known

    def _replaced(self, value: object, verdict: Callable[[Any], Any], depth: int) -> Any:
        size = self.size
        try:
            replaced = verdict(self._unmasked(value, depth))
        except Exception:  # noqa: BLE001 - code of the user's, which reports for itself
            replaced = MASK
        self.size = size
        self._scan.found(f"path: {getattr(verdict, 'rule', 'function')}")
        return self._unmasked(replaced, depth)

    # --- names and texts -------------------------------------------------------------------------------

    def _name(self, key: object) -> tuple[str, Secrecy]:
        """Return the name under which an entry is kept, and how secret its value is."""
        if type(key) is str:
            text = key
        else:
            self._work += OF_NEW_NAME
            plain = self.value(key, self._limits.max_depth)
            text = plain if type(plain) is str else json_text(plain)
        name = self._bounded_text(text)
        secrecy = self._judged(text)
        if name != text:
            secrecy = max(secrecy, self._judged(name))
        if type(key) is str and name == key and not secrecy and len(key) <= _KNOWN_NAME_LENGTH:
            self._remember(key)
        return name, secrecy

    def _remember(self, name: str) -> None:
        """Keep a harmless name, unless something else is asked of the fields that have it."""
        paths = self._redactor.paths
        if paths is None or paths.child(name) is None:
            self._known.add(name, plain=not is_value_key(name, changes=True))

    def _text(self, text: str) -> str:
        if len(text) < SMALL_TEXT and self._is_plain(text):
            self.size += len(text)
            return text
        return self._written(self._bounded_text(text))


_SCALARS = frozenset({str, int, float})
_CONTAINERS = frozenset({dict, list, tuple, Entries})
_PARTS = frozenset({Excerpt, Hidden, Labelled})


def _numbered(name: str, taken: dict[str, Any]) -> str:
    number = 2
    while f"{name}#{number}" in taken:
        number += 1
    return f"{name}#{number}"


def json_text(plain: object) -> str:
    """Return JSON's own types as text."""
    return msgspec.json.encode(plain).decode()
