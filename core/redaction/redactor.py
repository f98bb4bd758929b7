"""The redactor: finds what is secret, by the name of a key or by a pattern in a text. Both become ``***``.

Which names are secret is said in :mod:`logweir.redaction.names`, which of their values stay in ``values``,
which texts are secret in ``shapes``, ``cards``, ``urls`` and ``texts``; a :class:`Redactor` joins them as its
arguments ask. It holds compiled tables and a bounded cache of names; many threads may use it at once.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from logweir.redaction.names import Names, Secrecy
from logweir.redaction.patterns import DEFAULT_PATTERNS, chosen_patterns, probe_of
from logweir.redaction.scan import MASK, Exhausted, Scan
from logweir.redaction.texts import mask_assignments

__all__ = ["Redactor"]


class Redactor:
    """Finds secrets by name and by pattern, as configured.

    Safe to use from many threads at once.

    Args:
        keys: Names whose values are secret, added to the built-in ones.
        patterns: What is secret inside a text: names of built-in patterns, or regular expressions.
        defaults: Whether the built-in names apply.

    Raises:
        ConfigError: If a pattern is neither the name of a built-in one nor a regular expression.
    """

    def __init__(
        self,
        keys: Sequence[str] = (),
        patterns: Sequence[str] = DEFAULT_PATTERNS,
        *,
        defaults: bool = True,
    ) -> None:
        self.names = Names(keys, defaults=defaults)
        self._patterns, self._custom = chosen_patterns(patterns)
        probe = probe_of(self._patterns)
        #: Returns ``None`` for an ASCII text that surely holds no secret; anything else means: redact it.
        self.suspicious: Callable[[str], object | None] = str if self._custom else probe
        #: A shorter text surely holds no secret.
        self.shortest = 0 if self._custom else min(pattern.shortest for pattern in self._patterns)

    def scan(self, found: Callable[[str], None] | None = None) -> Scan:
        """Return what one call's texts are searched with."""
        return Scan(self.names.secrecy, found=found)

    def is_secret_key(self, name: str) -> bool:
        """Return whether the value under this name may be secret."""
        return self.names.secrecy(name) is not Secrecy.HARMLESS

    def redact_text(self, text: str, scan: Scan | None = None) -> str:
        """Return the text with every secret part replaced by ``***``.

        Args:
            text: Any text.
            scan: Of the call that the text belongs to; a new one by default.
        """
        if len(text) < self.shortest or self.suspicious(text) is None:
            return text
        scan = scan or self.scan()
        try:
            for pattern in self._patterns:
                text = pattern.redact(text, scan)
            for custom in self._custom:
                text = custom.sub(_mask_unless_empty, text)
        except Exhausted:
            return MASK
        return text

    def redact_description(self, text: str) -> str:
        """Return what an object says about itself, as in ``User(password='x')``, without its secrets."""
        return self.redact_text(mask_assignments(text, self.scan()))


def _mask_unless_empty(match: re.Match[str]) -> str:
    return MASK if match.group() else ""
