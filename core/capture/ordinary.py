"""What is ordinary, and needs no walk: short clean names, and values that are stored as they are.

A program logs the same names, and mostly the same texts, again and again. What was looked at once is known
afterwards: the names of a call with the call, those of context variables with the variable, texts by
themselves. The tables are bounded, and hold only what the snapshot stores unchanged; everything else is left
to its walk.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, MutableMapping
from contextvars import ContextVar
from functools import lru_cache
from typing import Any

from logweir.capture.snapshot import Snapshotter
from logweir.capture.truncation import ENTRY_COST, text_cost
from logweir.capture.walk import SMALL_INT
from logweir.context.binding import name_of
from logweir.context.trace import SPAN_VARIABLE
from logweir.encoding.values import clean_text

__all__ = [
    "ID",
    "IDS",
    "LONGEST_ID",
    "MEANT",
    "NOTHING_BOUND",
    "SPAN",
    "WALKED",
    "Bound",
    "Carried",
    "Ordinary",
    "is_plain_id",
    "keep",
    "named",
]

#: In the place of a cost: that a name has to be walked; that it means something to the capture itself; that
#: it is an id of a trace, which is no field of an event if it is a plain one; that it is the variable that
#: holds OpenTelemetry's span.
WALKED, MEANT, ID, SPAN = -1, -2, -3, -4
IDS = frozenset({"trace_id", "span_id"})
_MEANT = IDS | frozenset({"persist_db", "kind", "exc_info", "stack_info", "logger"})
_SMALL_INT = SMALL_INT  # a constant of this module is found faster
_MOST = 4096  # of each table
_KEPT_TEXT = 64  # characters
_LONG = 2048  # what is longer is walked, with an eye on what it costs
_PROBED = 4096  # and what is beyond so many bytes of an event
#: The most characters of a trace or span id; W3C's have 32 and 16.
LONGEST_ID = 64


def is_plain_id(value: Any) -> bool:
    """Whether this is an id that needs no second look: letters and digits alone."""
    return type(value) is str and value.isalnum() and len(value) <= LONGEST_ID


#: What a logger carries, as one capture sees it: who has looked, for another capture may redact otherwise;
#: the fields, without ids of a trace; what they cost an event, or :data:`WALKED` if they have to be walked at
#: each call, or :data:`MEANT`; the name of the logger; the ids. A plain tuple, which is taken apart fastest.
Carried = tuple[object, Mapping[str, Any], int, str | None, str | None, str | None]


class Bound:
    """What a logger carries: looked at by the first call of the logger, and not again by the next ones.

    Args:
        values: What is bound.
        logger: The logger's name, or whatever stands for it.

    Attributes:
        carried: What the last capture made of it.
        is_open: Whether somebody else may change the values, so that each call has to look.
    """

    __slots__ = ("carried", "is_open", "logger", "values")

    def __init__(self, values: MutableMapping[str, Any], logger: Any = None) -> None:
        self.values = values
        self.logger = logger
        self.is_open = False
        self.carried = _NOT_LOOKED_AT

    def opened(self) -> MutableMapping[str, Any]:
        """The values, for somebody who may change them at any time."""
        self.is_open = True
        self.carried = _NOT_LOOKED_AT
        return self.values

    def all_fields(self, fields: dict[str, Any]) -> dict[str, Any]:
        """The fields of a call with what is bound; those of the call win."""
        merged = {**self.values, **fields}
        if self.logger is not None and "logger" not in merged:
            merged["logger"] = self.logger
        return merged


_NOT_LOOKED_AT: Carried = (None, {}, WALKED, None, None, None)
#: Of callers that have nothing of the kind.
NOTHING_BOUND = Bound({})


@lru_cache(_MOST)
def named(logger: str) -> Bound:
    """Return what a logger carries that has a name, and nothing bound."""
    return Bound({}, logger)


class Ordinary:
    """Knows what was looked at before; safe to use from many threads at once.

    Args:
        snapshot: Decides about what was not.
        static: What every event carries, as if it was bound to its logger.

    Attributes:
        known_text: What a short text costs that is stored as it is; None for one that was not met.
        known_variable: What :meth:`variable` said about one; None where it was not asked.
        most_fields: More fields than this are walked with an eye on what they cost.
    """

    def __init__(self, snapshot: Snapshotter, static: Mapping[str, Any] | None = None) -> None:
        self._static = static or {}
        self._plain = snapshot.known.plain
        self._redactor = snapshot.redactor
        self._longest = min(_LONG, snapshot.limits.max_string)
        self.most_fields = min(snapshot.most_fields, snapshot.limits.max_items) if snapshot.is_final else -1
        self._most_bytes = snapshot.limits.max_event_bytes
        self._probed = min(_PROBED, self._most_bytes)
        self._texts: dict[str, int] = {}
        self._variables: dict[ContextVar[Any], tuple[str, int]] = {}
        self.known_text = self._texts.get
        self.known_variable = self._variables.get

    def shape(self, fields: Mapping[str, Any]) -> tuple[Mapping[str, None], int]:
        """Return the names of a call, each as the text that it is stored as, and what they cost an event.

        The cost is :data:`MEANT` if one of them means something to the capture, or else :data:`WALKED` if one
        has to be walked, which may change with the next walk.
        """
        if not _MEANT.isdisjoint(fields):
            return {}, MEANT
        cost = self._cost_of_names(fields)
        return ({} if cost < 0 else dict.fromkeys(fields)), cost

    def _cost_of_names(self, fields: Mapping[str, Any]) -> int:
        cost = 0
        for name in fields:
            # By the exact type: what is equal to a known name may be of a class of the caller's.
            if type(name) is not str or name not in self._plain:
                return WALKED
            cost += ENTRY_COST + len(name)
        return cost

    def variable(self, variable: ContextVar[Any]) -> tuple[str, int]:
        """Return the name of a context variable in an event, and its cost.

        The cost is :data:`WALKED`, :data:`MEANT`, :data:`ID` or :data:`SPAN` where it is none, and 0 for a
        variable that is not for events.
        """
        name = name_of(variable)
        if name is None:
            answer = "", SPAN if variable.name == SPAN_VARIABLE else 0
        elif name in _MEANT:
            answer = name, ID if name in IDS else MEANT
        else:
            answer = name, self._cost_of_names({name: None})
        if answer[1] != WALKED:  # which may change with the next walk
            keep(self._variables, variable, answer)
        return answer

    def _text(self, text: str) -> int:
        """Return what a text costs that is stored as it is; WALKED if it has to be walked."""
        if len(text) > self._longest:
            return WALKED
        cost = len(text)
        if text.isascii() and (cost < self._redactor.shortest or self._redactor.suspicious(text) is None):
            if cost <= _KEPT_TEXT:
                keep(self._texts, text, cost)
            return cost
        # It only looks suspicious, or is not ASCII: searched here once, so that the next call knows. This
        # call is walked all the same, for only the walk bounds what a whole event may cost.
        if cost <= _KEPT_TEXT and self._redactor.redact_text(clean_text(text)) == text:
            keep(self._texts, text, text_cost(text))
        return WALKED

    def cost(self, values: Iterable[Any], cost: int = 0) -> int:
        """Return ``cost`` and what values cost that are stored as they are; WALKED if one must be walked."""
        known = self.known_text
        for value in values:
            kind = type(value)
            if kind is str:
                of_text = known(value)
                if of_text is None:
                    of_text = self._text(value) if cost <= self._probed else WALKED
                    if of_text < 0:
                        return WALKED
                cost += of_text
            elif not (
                (kind is int and -_SMALL_INT < value < _SMALL_INT)
                or value is None
                or kind is bool
                or (kind is float and value - value == 0.0)  # neither infinite nor not a number
            ):
                return WALKED
        return cost if cost <= self._most_bytes else WALKED

    def carried(self, bound: Bound) -> Carried:
        """Look at what a logger carries, for all calls that follow."""
        fields = {**self._static, **bound.all_fields({})}
        trace_id, span_id = (
            fields.pop(name) if is_plain_id(fields.get(name)) else None for name in ("trace_id", "span_id")
        )
        logger = fields.get("logger")
        of_names = self._cost_of_names(fields)
        cost = of_names if of_names < 0 else self.cost(fields.values(), of_names)
        answer = (
            self,
            fields,
            cost if (_MEANT - {"logger"}).isdisjoint(fields) else MEANT,
            logger if type(logger) is str else None,
            trace_id,
            span_id,
        )
        # What changes with the next walk is looked at again.
        if of_names >= 0 and not bound.is_open:
            bound.carried = answer
        return answer


def keep(table: dict[Any, Any], key: Any, value: Any) -> None:
    """Keep an answer. No lock: each step is one operation, and an answer that is lost is found again."""
    if len(table) >= _MOST:
        table.clear()
    table[key] = value
