"""The redactor: finds what is secret, by the name of a key or by a pattern in a text. Both become ``***``.

Which names are secret is said in :mod:`logweir.redaction.names`, which texts in
:mod:`logweir.redaction.patterns`; a :class:`Redactor` joins both as its arguments ask. It holds compiled
tables and a bounded cache of names, and may be used from many threads at once.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from logweir.redaction.names import (
    SECRET_ALONE,
    SECRET_AT_THE_END,
    SECRET_ENDINGS,
    SECRET_TERMS,
    asks_about,
    only_describes,
    words_of,
)
from logweir.redaction.patterns import DEFAULT_PATTERNS, MASK, chosen_patterns, mask_assignments, probe_of

__all__ = ["Redactor"]

_CACHED_NAMES = 4096
_CACHED_NAME_LENGTH = 128


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
        terms = [*(SECRET_TERMS if defaults else ()), *keys]
        self._terms = frozenset("".join(words) for words in map(words_of, terms) if words)
        self._longest_term = max((len(words_of(term)) for term in terms), default=0)
        self._defaults = defaults
        self._verdicts: dict[str, bool] = {}
        self._patterns, self._custom = chosen_patterns(patterns)
        probe = probe_of(self._patterns)
        #: Returns ``None`` for an ASCII text that surely holds no secret; anything else means: redact it.
        self.suspicious: Callable[[str], object | None] = str if self._custom else probe
        #: A shorter text surely holds no secret.
        self.shortest = 0 if self._custom else min(pattern.shortest for pattern in self._patterns)

    def is_secret_key(self, name: str) -> bool:
        """Return whether the value under this name is secret, whatever it is."""
        verdict = self._verdicts.get(name)
        if verdict is None:
            verdict = self._judge(words_of(name))
            if len(name) <= _CACHED_NAME_LENGTH:
                if len(self._verdicts) >= _CACHED_NAMES:
                    self._verdicts.clear()
                self._verdicts[name] = verdict
        return verdict

    def redact_text(self, text: str) -> str:
        """Return the text with every secret part replaced by ``***``."""
        if len(text) < self.shortest or self.suspicious(text) is None:
            return text
        for pattern in self._patterns:
            text = pattern.redact(text, self.is_secret_key)
        for custom in self._custom:
            text = custom.sub(_mask_unless_empty, text)
        return text

    def redact_description(self, text: str) -> str:
        """Return what an object says about itself, as in ``User(password='x')``, without its secrets."""
        return self.redact_text(mask_assignments(text, self.is_secret_key))

    def _judge(self, words: list[str]) -> bool:
        if not words:
            return False
        for start in range(len(words)):
            term = ""
            for end in range(start, min(start + self._longest_term, len(words))):
                term += words[end]
                if self._is_term(term) and (end == len(words) - 1 or not only_describes(words)):
                    return not asks_about(words)
        return self._defaults and (words[-1] in SECRET_AT_THE_END or "".join(words) in SECRET_ALONE)

    def _is_term(self, word: str) -> bool:
        if word in self._terms or (word.endswith("s") and word[:-1] in self._terms):
            return True
        return self._defaults and word.removesuffix("s").endswith(SECRET_ENDINGS)


def _mask_unless_empty(match: re.Match[str]) -> str:
    return MASK if match.group() else ""
