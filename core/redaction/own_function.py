"""A function of the user's that is asked about each value which the model has left.

It gets the path of a value (``user.email``, ``items[3].note``) and the value in JSON's types, and returns
what is stored. Nobody knows what it does: one that raises an error, or takes longer than :data:`LONGEST`, is
reported, and its value is masked. Its answers are given to the model once more by whoever asks.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from threading import local
from typing import Any

from logweir.diagnostics import report
from logweir.redaction.pseudonyms import is_pseudonym
from logweir.redaction.scan import MASK

__all__ = ["LONGEST", "OwnFunction"]

#: How many seconds one question may take.
LONGEST = 0.001
_TRIES = 2
_LONGEST_SHOWN = 100

_asking = local()


class OwnFunction:
    """A function of the user's, guarded; safe to use from many threads at once.

    Args:
        path: Its dotted path, for messages.
        function: Is given a path and a value; returns what is stored.
        clock: Seconds.

    Attributes:
        rule: How an explanation calls it.
    """

    def __init__(
        self, path: str, function: Callable[[str, Any], Any], clock: Callable[[], float] = time.perf_counter
    ) -> None:
        self._path = path
        self._function = function
        self._clock = clock
        self.rule = f"function: {path}"

    def ask(self, fields: dict[str, Any], found: Callable[[str], None] | None = None) -> bool:
        """Put the function's answers into a finished snapshot, in place; returns whether one differs.

        An event waits for the function once: where it was slow, the rest is masked and not asked about. So is
        an event that the function logs itself, which would never end.

        Args:
            fields: JSON's own types, which nobody else has.
            found: Is given the path of each value that was replaced.
        """
        nested = getattr(_asking, "now", False)
        asks, changed = not nested, False
        _asking.now = True
        try:
            for path, holder, place in _leaves(fields, ""):
                value = holder[place]
                answer = MASK
                if asks:
                    answer, asks = self._answer(path, value)
                if type(answer) is not type(value) or answer != value:
                    holder[place] = answer
                    changed = True
                    if found is not None:
                        found(path)
        finally:
            _asking.now = nested
        return changed

    def _answer(self, path: str, value: Any) -> tuple[Any, bool]:
        """Return what stands for a value, and whether the function may be asked again."""
        try:
            # Twice before it counts as slow: another thread, or a busy machine, may have held it up.
            for _ in range(_TRIES):
                begun = self._clock()
                answer = self._function(path, value)
                if self._clock() - begun <= LONGEST:
                    return answer, True
        except Exception as error:  # noqa: BLE001 - the user's code must not break a log call
            # Not what it says: it was given a value that may be secret.
            self._report(f"raised {type(error).__qualname__}", path, "this value is masked")
            return MASK, True
        self._report("takes longer than a millisecond", path, "this and what follows in the event is masked")
        return MASK, False

    def _report(self, what: str, path: str, so: str) -> None:
        report(f"redact.{self._path}", "%s %s for %r; %s", self._path, what, path[:_LONGEST_SHOWN], so)


def _leaves(container: dict[str, Any] | list[Any], path: str) -> Iterator[tuple[str, Any, Any]]:
    """Yield the path of each value that the model has left, with its container and its place in there."""
    named = type(container) is dict
    # Whoever asks puts other values in, and no other names.
    for place, value in container.items() if type(container) is dict else enumerate(container):
        below = f"{path}.{place}" if named and path else f"{path}[{place}]" if not named else str(place)
        if type(value) is dict or type(value) is list:
            yield from _leaves(value, below)
        elif value != MASK and not is_pseudonym(value):
            yield below, container, place
