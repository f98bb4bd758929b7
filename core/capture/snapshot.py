"""The snapshot: one walk over what a caller logs that encodes, redacts and bounds it.

The result holds JSON's own types only and shares nothing with the caller, so that what was logged is
what is stored, whatever the caller changes later. The walk never raises (``KeyboardInterrupt`` and its
like pass), and its result is stable: the snapshot of a snapshot is equal to it.

This is the hottest code of the project. A field whose name is known to be harmless and whose value is a
plain small one is copied without a call of our own; everything else goes through :class:`Walk`. An event
that is too large as a whole is cut afterwards, see :mod:`logweir.capture.truncation`.
"""

from __future__ import annotations

from threading import RLock
from typing import Any

from logweir.capture.explaining import ExplainingWalk
from logweir.capture.known_names import Known
from logweir.capture.truncation import ENTRY_COST, TRUNCATED_FIELD, fit
from logweir.capture.walk import CYCLE, MAX_DEPTH, SMALL_INT, Walk, json_text
from logweir.config.models import LimitsConfig
from logweir.encoding.values import unprintable
from logweir.process.reentry import registered
from logweir.redaction.redactor import Redactor
from logweir.redaction.scan import Masked

__all__ = ["CYCLE", "MAX_DEPTH", "Snapshotter"]

_SMALL_INT = SMALL_INT  # a constant of this module is found faster
_LONG = 2048  # what is longer is probed by the walk, which counts what it costs
_SHORT = 64  # the same, beside a walk
_PROBED = 8192  # how many bytes are copied without one
_MANY = 500  # fields that are walked with an eye on what they cost


class Snapshotter:
    """Takes snapshots of fields; safe to use from many threads at once.

    Args:
        redactor: Knows what is secret.
        limits: How large an event may be.
    """

    def __init__(self, redactor: Redactor, limits: LimitsConfig | None = None) -> None:
        self.redactor = redactor
        self.limits = limits or LimitsConfig()
        self._known = Known()
        self._longest = min(_LONG, self.limits.max_string)
        self._probed = min(_PROBED, self.limits.max_event_bytes)
        self._many = min(_MANY, self.limits.max_items)
        self._truncated = 0
        self._lock = registered(RLock())  # re-entrant: a finaliser may log in the middle of anything

    #: Whether nobody changes a snapshot afterwards.
    is_final = True

    @property
    def known(self) -> Known:
        """The names that need no second look."""
        return self._known

    @property
    def most_fields(self) -> int:
        """More fields than this are walked with an eye on what they cost."""
        return self._many

    @property
    def truncated(self) -> int:
        """How many events (and texts given to :meth:`text`) were cut so far, in any way."""
        return self._truncated

    def __call__(  # noqa: C901 - written out and in locals, for a call or a look-up for each field would show
        self, fields: dict[str, Any]
    ) -> tuple[dict[str, Any], int]:
        """Return a redacted, bounded copy of the fields in JSON's own types, and about its size in bytes."""
        known = self._known.plain.get
        suspicious = self.redactor.suspicious
        shortest = self.redactor.shortest
        longest = self._longest
        copy: dict[str, Any] = {}
        size = 0
        walk: Walk | None = None
        try:
            if len(fields) > self._many:
                return self._walked(fields)
            most = self._probed
            for key, value in fields.items():
                # A known name is clean, short and not secret; a key that is no text may be equal to one.
                name = known(key)
                if name is not None:
                    kind = type(value)
                    if kind is str:
                        length = len(value)
                        # ASCII has no surrogates to clean and its length is its size; most texts are shorter
                        # than any secret, and skip the search.
                        if value.isascii() and (
                            length < shortest
                            or (length <= longest and size <= most and suspicious(value) is None)
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
                    walk = Walk(self.redactor, self.limits, self._known, fields, probed=size)
                    longest = min(longest, _SHORT)
                if not walk.field(copy, key, value, len(fields)):
                    return self._fitting(copy, size + walk.size, cut=True, spent=True)
            if walk is None and size <= most:  # hardly any event exceeds its bounds
                return copy, size
            return self._bounded(fields, copy, size, walk)
        except Exception:  # noqa: BLE001 - nothing that a caller logs makes the log call raise
            return self._salvaged(fields)

    def text(self, value: object) -> str:
        """Return one text cleaned, redacted and cut: an event's name, a traceback. Never raises."""
        if (
            type(value) is str
            and value.isascii()
            and len(value) <= self._longest
            and self.redactor.suspicious(value) is None
        ):
            return value
        walk = Walk(self.redactor, self.limits, self._known)
        walk.make_room()
        plain = walk.value(value, 1)
        if walk.cut:
            self._count_truncated()
        return plain if type(plain) is str else json_text(plain)

    def explain(self, fields: dict[str, Any], name: str | None = None) -> tuple[dict[str, Any], list[Masked]]:
        """Return the snapshot of the fields, and each secret in them: its place and the rule that masks it.

        Args:
            fields: The event's fields.
            name: The event's name, whose place is ``event``.
        """
        walk = ExplainingWalk(self.redactor, self.limits, fields)
        copy = walk.entries({}, fields.items(), len(fields), 0)
        of_name = ExplainingWalk(self.redactor, self.limits, place=["event"])
        of_name.make_room()
        if name is not None:
            of_name.value(name, 1)
        copy = self._fitting(copy, walk.size, cut=False, spent=walk.spent)[0]
        return copy, [*of_name.masked, *walk.masked]

    def _bounded(
        self, fields: dict[str, Any], copy: dict[str, Any], size: int, walk: Walk | None
    ) -> tuple[dict[str, Any], int]:
        """Finish a snapshot that was not plain: names that became alike, a label, too many bytes."""
        # Two names may become one when they are cleaned: only a walk from the start can number them.
        if len(copy) != len(fields):
            return self._walked(fields)
        cut = False
        if walk is not None:
            size += walk.size
            cut = walk.cut
        return self._fitting(copy, size, cut=cut, spent=walk is not None and walk.spent)

    def _walked(self, fields: dict[str, Any]) -> tuple[dict[str, Any], int]:
        """Take the snapshot in one walk from the start."""
        walk = Walk(self.redactor, self.limits, self._known, fields)
        copy = walk.entries({}, fields.items(), len(fields), 0)
        return self._fitting(copy, walk.size, cut=walk.cut, spent=walk.spent)

    def _fitting(
        self, copy: dict[str, Any], size: int, *, cut: bool, spent: bool
    ) -> tuple[dict[str, Any], int]:
        if spent:
            copy[TRUNCATED_FIELD] = True
            size += ENTRY_COST + len(TRUNCATED_FIELD)
        if size > self.limits.max_event_bytes:
            copy, size, shrunk = fit(copy, self.limits.max_event_bytes)
            cut = cut or shrunk
        if cut:
            self._count_truncated()
        return copy, size

    def _salvaged(self, fields: dict[str, Any]) -> tuple[dict[str, Any], int]:
        """Try again with what the dictionary really holds, in case it lies; at worst, say that it failed."""
        try:
            return self._walked(dict(dict.items(fields)))
        except Exception:  # noqa: BLE001 - such as a MemoryError
            return {"logweir_error": unprintable(fields)}, 64

    def _count_truncated(self) -> None:
        with self._lock:
            self._truncated += 1
