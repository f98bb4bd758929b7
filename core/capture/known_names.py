"""The names of fields that need no second look: nearly all that a program has, after its first events."""

from __future__ import annotations

__all__ = ["Known"]

_MOST = 4096  # more than a program has; only data that is logged as names fills it


class Known:
    """Names that were met before and are clean, short and harmless; bounded.

    Attributes:
        harmless: All of them, each under itself.
        plain: Those which also say nothing about other fields of the event.
    """

    __slots__ = ("harmless", "plain")

    def __init__(self) -> None:
        self.harmless: dict[str, str] = {}
        self.plain: dict[str, str] = {}

    def add(self, name: str, *, plain: bool) -> None:
        """Add a name. No lock: each step is one operation, and a name that is lost is learned again."""
        if len(self.harmless) >= _MOST:
            self.harmless.clear()
            self.plain.clear()
        self.harmless[name] = name
        if plain:
            self.plain[name] = name
