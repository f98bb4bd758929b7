"""What is said about single fields by their paths, as the walk of the snapshot asks for it.

The walk goes down a tree of names beside the fields. Where nothing is said about any path there is no tree,
and an ordinary call pays nothing for it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, Protocol

__all__ = ["PathNode", "Verdict"]

#: What becomes of the value at a path: nothing special, it stays as it is, or what a function makes of it.
Verdict = Literal["keep"] | Callable[[Any], Any] | None


class PathNode(Protocol):
    """A place in the tree; the root stands for the event's fields. Lists are transparent."""

    @property
    def verdict(self) -> Verdict:
        """What becomes of the value here.

        ``keep``: it is stored unmasked and unsearched, with all that is below, but where a deeper node has a
        function. A function is given the value in JSON's own types, unmasked, and returns what is stored
        instead, which is not searched again; where it raises, ``***`` is stored.
        """
        ...

    def child(self, name: str) -> PathNode | None:
        """Return the place of a name below this one; None where nothing is said there or deeper.

        Must be fast and never raise.
        """
        ...
