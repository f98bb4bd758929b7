"""One search for secrets: what a part of the model is given to work with, and what a secret becomes.

The parts ``shapes``, ``cards``, ``urls``, ``texts`` of the model are functions of a text and a :class:`Scan`.
Everything that a search does is paid for from the account of the call, at about what it takes: each character
that the patterns read, each name and value that needs a closer look in Python. So no text, however it was
made, takes longer than a call may.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from logweir.redaction.names import Secrecy
from logweir.redaction.vocabulary import LONG_TEXT, long_runs, runs, vocabulary

__all__ = ["MASK", "OF_LOOK", "OF_MATCH", "WORK", "Exhausted", "Masked", "Scan", "cost_of_probe", "is_latin"]

#: What a secret becomes, in events and in messages alike.
MASK = "***"
#: What one call may cost, in units of some 50 nanoseconds of a quiet processor: less than ten milliseconds.
WORK = 185_000
#: What a closer look costs, which reads a name or a value in Python.
OF_LOOK = 90
#: What it costs to make a vocabulary: for any text; for its characters, whose number is divided by two to the
#: power of this; and for each word. It is paid for as if each word were a different one, and most of that is
#: given back where they are not.
_OF_TEXT, _OF_READING, _OF_A_WORD = 400, 2, 6
#: Long runs are asked before the text itself while they are at most its length divided by two to the power of
#: this.
_FEW = 2
#: What it costs to ask a vocabulary for all terms, and what each of its first letters costs.
_OF_TERMS, _OF_A_LETTER, _FIRST = 4000, 2, 4096
#: What it costs that a pattern finds something, or begins to match.
OF_MATCH = 4


@dataclass(frozen=True, slots=True)
class Masked:
    """One secret that was found, for an explanation.

    Attributes:
        path: Where, such as ``items[3].password``; ``event`` is the event's name.
        rule: By which rule, such as ``name: password`` or ``shape: jwt``.
    """

    path: str
    rule: str


#: The characters at which probes stop: at these they look in many directions, at those in some.
_DEAR, _OTHERS = b"-/.(:phks", b">'\"?#&[%$*!|\\_~@0123456789ABGHJKNPRSTWbcgntw"
_OF_DEAR, _OF_OTHER = 14, 6
_SHORT = 64


def cost_of_probe(text: str) -> int:
    """Return what it costs to probe a text whether it must be searched."""
    length = len(text)
    if length <= _SHORT:
        return 2 * length
    plain = text.encode("ascii", "replace")
    others = plain.translate(None, _DEAR)
    dear = length - len(others)
    return length + _OF_DEAR * dear + _OF_OTHER * (length - dear - len(others.translate(None, _OTHERS))) >> 1


def is_latin(text: str) -> bool:
    """Whether a text is ASCII, but for the sign of a cut: no name in another script is in it."""
    return text.isascii() or text.replace("\u2026", "").isascii()


class Exhausted(Exception):
    """A text asked for more than is left of what a call may cost; it is masked as a whole."""


class Scan:
    """What one call's texts are searched with.

    Args:
        secrecy: How secret the value under a name is.
        left: What the search may cost, see :data:`WORK`.
        found: Is given the rule of each secret that is found, such as ``shape: jwt``; for explanations.
        may_name: Finds something in each text that holds the name of a secret, and in few others.
        may_be_named: The same of a text and its vocabulary.

    Attributes:
        left: What it may cost yet.
        explains: Whether anybody wants to know the rules.
        words: The vocabulary of the text in lower case, masked or not; ``None`` of a short one.
    """

    __slots__ = (
        "_found",
        "_long",
        "_may_be_named",
        "_may_hold_token",
        "_named",
        "_read",
        "_vocabulary",
        "explains",
        "left",
        "may_name",
        "secrecy",
        "words",
    )

    def __init__(
        self,
        secrecy: Callable[[str], Secrecy],
        left: int = WORK,
        found: Callable[[str], None] | None = None,
        may_name: Callable[[str], object] = bool,
        may_be_named: Callable[[str, str], bool] = lambda text, _words: bool(text),
    ) -> None:
        self.secrecy = secrecy
        self.left = left
        self.may_name = may_name
        self.words: str | None = None
        self._read = self._vocabulary = self._long = ""
        self._may_hold_token: bool | None = None
        self._may_be_named = may_be_named
        self._found = found
        self.explains = found is not None
        self._named = ("", False)

    def names(self, text: str) -> bool:
        """Return whether a text may hold the name of a secret; asked again for the same, it is known."""
        if self._named[0] != text:
            if self.words is None:
                self._named = text, bool(self.may_name(text))
            else:
                self._named = text, self._vocabulary_names(text)
        return self._named[1]

    def _vocabulary_names(self, text: str) -> bool:
        words = self._vocabulary
        first = words[:_FIRST]  # of random letters these say enough
        self.pay(_OF_TERMS + _OF_A_LETTER * len(first))
        if self._may_be_named(text, first):
            return True
        if len(first) == len(words):
            return False
        self.pay(_OF_A_LETTER * len(words))
        return self._may_be_named(text, words)

    def assume(self, text: str, *, named: bool) -> None:
        """Let a text hold the name of a secret, or none, whatever it holds."""
        self._named = text, named

    def read(self, text: str) -> None:
        """Make the vocabulary of the text that is searched next, if it is long; that of the same is known."""
        if len(text) < LONG_TEXT:
            self.words = None
            return
        self.pay(_OF_TEXT)
        if self._read != text:
            self.pay(len(text) + (len(text) >> _OF_READING))
            different = runs(text)
            self._read, self._vocabulary = text, vocabulary(text, different)
            self._long, self._may_hold_token = long_runs(different), None
            of_words = (len(self._long) >> 3) + len(self._vocabulary) + _OF_A_WORD * len(different)
            self.left += len(text) - min(len(text), of_words)
        self.words = self._vocabulary.lower()

    def may_hold_token(self, masked: Callable[[str, Scan], str]) -> bool:
        """Return whether the text may hold a token; of a long one its different long runs are asked, once.

        Args:
            masked: Masks the tokens of a text.
        """
        if self.words is None or self.explains:
            return True
        if self._may_hold_token is None:
            long = self._long
            self._may_hold_token = (
                "eyj" in self.words or len(long) > len(self._read) >> _FEW or masked(long, self) != long
            )
        return self._may_hold_token

    def may_hold(self, part: str) -> bool:
        """Return whether the text may hold something with this part, see ``vocabulary.part_of``."""
        return self.words is None or part in self.words

    def look(self) -> None:
        """Pay for one closer look.

        Raises:
            Exhausted: There is not enough left.
        """
        if self.left < OF_LOOK:
            raise Exhausted
        self.left -= OF_LOOK

    def pay(self, cost: int) -> None:
        """Pay for something else.

        Raises:
            Exhausted: There is not enough left.
        """
        if self.left < cost:
            raise Exhausted
        self.left -= cost

    def found(self, rule: str) -> str:
        """Note that a secret was found by a rule; returns what it becomes."""
        if self._found is not None:
            self._found(rule)
        return MASK
