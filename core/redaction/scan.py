"""One search for secrets: what a part of the model is given to work with, and what a secret becomes.

The parts ``shapes``, ``cards``, ``urls``, ``texts`` of the model are functions of a text and a :class:`Scan`.
Patterns are searched by ``re`` at a cost linear in the text; each place that needs a closer look in Python is
paid for with :meth:`Scan.look`, so that no text, however it was made, takes longer than a call may.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from logweir.redaction.names import Secrecy

__all__ = ["LOOKS", "MASK", "Exhausted", "Masked", "Scan"]

#: What a secret becomes, in events and in messages alike.
MASK = "***"
#: How many closer looks one call may take, some milliseconds' worth.
LOOKS = 2_000


@dataclass(frozen=True, slots=True)
class Masked:
    """One secret that was found, for an explanation.

    Attributes:
        path: Where, such as ``items[3].password``; ``event`` is the event's name.
        rule: By which rule, such as ``name: password`` or ``shape: jwt``.
    """

    path: str
    rule: str


class Exhausted(Exception):
    """A text asked for more closer looks than a call may take; it is masked as a whole."""


class Scan:
    """What one call's texts are searched with.

    Args:
        secrecy: How secret the value under a name is.
        looks: How many closer looks may be taken, in all of the call's texts.
        found: Is given the rule of each secret that is found, such as ``shape: jwt``; for explanations.

    Attributes:
        reserved: How many looks are not for the text at hand.
        explains: Whether anybody wants to know the rules.
    """

    __slots__ = ("_found", "explains", "left", "reserved", "secrecy")

    def __init__(
        self,
        secrecy: Callable[[str], Secrecy],
        looks: int = LOOKS,
        found: Callable[[str], None] | None = None,
    ) -> None:
        self.secrecy = secrecy
        self.left = looks
        self.reserved = 0
        self._found = found
        self.explains = found is not None

    def look(self) -> None:
        """Pay for one closer look.

        Raises:
            Exhausted: None is left.
        """
        if self.left <= self.reserved:
            raise Exhausted
        self.left -= 1

    def found(self, rule: str) -> str:
        """Note that a secret was found by a rule; returns what it becomes."""
        if self._found is not None:
            self._found(rule)
        return MASK
