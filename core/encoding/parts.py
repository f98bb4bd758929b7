"""What one step of encoding may return beside JSON's own types; the walk of the snapshot takes it further."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice
from typing import Any, Self, TypeVar

from logweir.redaction.scan import MASK

__all__ = ["Entries", "Excerpt", "Hidden", "Labelled", "excerpt", "first"]

_T = TypeVar("_T")
_READINGS = 10


class Entries(list[tuple[Any, Any]]):
    """The entries of what becomes a JSON object, in order; keys are not encoded yet and may become alike."""

    __slots__ = ()


class Excerpt(str):
    """A text whose middle may be missing already: it was far too long to be read.

    Attributes:
        lost: How many characters are missing, about.
    """

    __slots__ = ("lost",)
    lost: int

    def __new__(cls, text: str, lost: int = 0) -> Self:
        """Make one of a text of which so many characters are missing."""
        self = super().__new__(cls, text)
        self.lost = lost
        return self


class Hidden(str):
    """What is not to be shown, whatever its name is: ``***``.

    Attributes:
        rule: Who says so, such as ``repr=False``.
    """

    __slots__ = ("rule",)
    rule: str

    def __new__(cls, rule: str) -> Self:
        """Make one by its rule."""
        self = super().__new__(cls, MASK)
        self.rule = rule
        return self


class Labelled:
    """A value that has further names beside the one under which it is stored.

    Attributes:
        names: Those names; one that is secret makes the value secret.
        value: The value.
    """

    __slots__ = ("names", "value")

    def __init__(self, names: tuple[str, ...], value: object) -> None:
        self.names = names
        self.value = value


def excerpt(text: str, longest: int) -> Excerpt:
    """Return both ends of a text that is much longer than it may be, or all of it."""
    lost = len(text) - 2 * longest
    return Excerpt(text) if lost <= 0 else Excerpt(text[:longest] + text[-longest:], lost)


def first(members: Iterable[_T], limit: int) -> list[_T]:
    """Return the first members of a container, read anew where another thread changed it meanwhile.

    Not even ``list()`` over a dictionary's entries goes without interruption: it allocates, which may begin a
    garbage collection, and the finalizers that this runs let other threads in.

    Args:
        members: A container, or a view of one; an iterator is read once.
        limit: No more than this.

    Raises:
        RuntimeError: It changed each time.
    """
    for _ in range(_READINGS - 1):
        try:
            return list(islice(members, limit))
        except RuntimeError:
            if iter(members) is members:
                raise
    return list(islice(members, limit))
