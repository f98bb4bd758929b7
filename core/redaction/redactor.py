"""The redactor: finds what is secret, by the name of a key or by a pattern in a text. Both become ``***``.

Which names are secret is said in :mod:`logweir.redaction.names`, which of their values stay in ``values``,
which texts are secret in ``shapes``, ``cards``, ``urls`` and ``texts``; a :class:`Redactor` joins them as its
arguments ask. It holds compiled tables and a bounded cache of names; many threads may use it at once.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Sequence
from functools import partial

from logweir.redaction.names import NAME_GROUPS, Names, Secrecy, words_of
from logweir.redaction.paths import PathNode
from logweir.redaction.patterns import DEFAULT_PATTERNS, chosen_patterns, nameless, probe_of
from logweir.redaction.scan import Exhausted, Scan, cost_of_probe, is_latin

__all__ = ["UNMASKED", "Redactor"]


class Redactor:
    """Finds secrets by name and by pattern, as configured.

    Safe to use from many threads at once.

    Args:
        keys: Names whose values are secret, added to the built-in ones.
        patterns: What is secret inside a text: names of built-in patterns, or regular expressions.
        defaults: Whether the built-in names apply, or the groups of them that do.
        exempt: Names whose values are not secret, wherever they stand.
        paths: What is said about single fields by their paths.

    Attributes:
        names: The judge of names.
        paths: As given; None costs an ordinary call nothing.

    Raises:
        ConfigError: If a pattern is neither the name of a built-in one nor a regular expression.
    """

    def __init__(
        self,
        keys: Sequence[str] = (),
        patterns: Sequence[str] = DEFAULT_PATTERNS,
        *,
        defaults: bool | Collection[str] = True,
        exempt: Collection[str] = (),
        paths: PathNode | None = None,
    ) -> None:
        groups = defaults if not isinstance(defaults, bool) else NAME_GROUPS if defaults else ()
        self.names = Names(keys, groups=groups)
        self.paths = paths
        self._exempt = frozenset("".join(words_of(name)) for name in exempt)
        #: How secret the value under a name is.
        self.secrecy: Callable[[str], Secrecy] = self._unless_exempt if self._exempt else self.names.secrecy
        self._patterns, self._custom = chosen_patterns(patterns)
        probe = probe_of(self._patterns)
        #: Returns ``None`` for an ASCII text that surely holds no secret; anything else means: redact it.
        self.suspicious: Callable[[str], object | None] = str if self._custom else probe
        self._nameless: Callable[[str], object] = str if self._custom else probe_of(nameless(self._patterns))
        #: A shorter text surely holds no secret.
        self.shortest = 0 if self._custom else min(pattern.shortest for pattern in self._patterns)

    def _unless_exempt(self, name: str) -> Secrecy:
        secrecy = self.names.secrecy(name)
        if secrecy is not Secrecy.HARMLESS and "".join(words_of(name)) in self._exempt:
            return Secrecy.HARMLESS
        return secrecy

    def scan(self, found: Callable[[str], None] | None = None) -> Scan:
        """Return what one call's texts are searched with."""
        return Scan(
            self.secrecy, found=found, may_name=self.names.may_name, may_be_named=self.names.may_be_named
        )

    def rule_of(self, name: str) -> str:
        """Return the rule by which the value under a name is secret."""
        return self.names.rule_of(name)

    def redact_text(self, text: str, scan: Scan | None = None) -> str:
        """Return the text with every secret part replaced by ``***``.

        Args:
            text: Any text.
            scan: Of the call that the text belongs to; a new one by default.
        """
        if len(text) < self.shortest or self.suspicious(text) is None:
            return text
        return self.searched(text, scan or self.scan())

    def means_none(self, text: str) -> bool:
        """Return whether a short suspicious ASCII text surely holds no secret: nothing in it names one."""
        if "\\" in text or "\x1b" in text:
            return False  # what is hidden so is seen by a search
        return self.names.may_name(text) is None and self._nameless(text) is None

    def searched(self, text: str, scan: Scan) -> str:
        """Return a text that is suspicious without its secrets; ``***`` if it asks for too much."""
        try:
            masked = self._searched_once(text, scan)
            if masked == text:
                return text
            # What was masked may have made a secret of what stands around it: masking twice changes nothing.
            for _ in range(_ROUNDS):
                before, masked = masked, self._searched_once(masked, scan)
                if masked == before:
                    return masked
        except Exhausted:
            pass
        return scan.found("too long to be searched")

    def _searched_once(self, text: str, scan: Scan) -> str:
        scan.pay(_OF_TEXT + (len(text) >> 2))
        # Colours stand between a name and its value: a text that has a secret is stored without them.
        coloured = ("\x1b" in text or "\\" in text) and any(sign in text for sign in _COLOURS)
        plain = _COLOUR.sub("", text) if coloured else text
        scan.read(plain)
        # Of a long text it costs half of what searching does, and there is nearly always a sign.
        if len(plain) <= _LONG and is_latin(plain):
            if scan.names(plain):
                scan.pay(_OF_NAMED)
            else:
                scan.pay(cost_of_probe(plain))
                if self._nameless(plain) is None:
                    return text
        scan.pay(_cost_of_reading(plain, scan))
        masked = self._by_patterns(plain, scan)
        return text if masked == plain else masked

    def _by_patterns(self, text: str, scan: Scan) -> str:
        for pattern in self._patterns:
            text = pattern.redact(text, scan)
        for custom in self._custom:
            text = custom.sub(partial(_mask_unless_empty, scan), text)
        return text

    def estimated(self, text: str, scan: Scan) -> int:
        """Return about what it costs to search a long text, judged by some pieces of it, which are paid for.

        Raises:
            Exhausted: There is not even enough left for these.
        """
        scan.read(text)
        cost = _OF_READING + (len(text) >> 2) + _cost_of_reading(text, scan)
        named = not is_latin(text) or scan.names(text)
        if scan.words is not None and len(scan.words) > len(text) // _PIECES:
            scan.words = None  # to ask these for each piece would cost more than to search it
        scan.assume("", named=named)
        before = scan.left
        self._by_patterns("", scan)
        masks, paid, of_any = False, 0, before - scan.left
        # Where names stand close together, a small piece says as much, and costs less.
        dense = _DENSE * (text.count("=") + text.count(":")) > len(text)
        length = _PIECE if dense else max(2 * _PIECE, len(text) // _PART)
        for number in range(_PIECES):
            scan.pay(_OF_PIECE + (6 if named else 2) * length)
            start, before = number * (len(text) - length) // (_PIECES - 1), scan.left
            piece = text[start : start + length]
            scan.assume(piece, named=named)
            masked = self._by_patterns(piece, scan)
            if masked != piece:  # a text with a secret is searched once more
                masks = True
                scan.assume(masked, named=named)
                self._by_patterns(masked, scan)
            paid += max(0, before - scan.left - of_any)
            if paid > scan.left // _DEAR:
                break  # one piece says enough, and what is left is needed
        searched = paid * len(text) // ((number + 1) * length)
        # What is masked is read anew, and this text is not.
        return searched + (2 * (cost + of_any) + (len(text) >> 2) if masks else cost + of_any)


#: What it costs to search a text at all, and each of its characters.
_OF_TEXT, _OF_PATTERNS, _OF_NAMED, _OF_PIECE = 120, 350, 350, 1000
_LONG = 2048
#: The pieces by which a long text is judged, and the least part of it that each is.
_PIECES, _PIECE, _PART = 3, 128, 128
#: What it costs to read a long text beside each of its characters.
_OF_READING = 5000
#: How far apart signs are at least on average where they do not stand close together.
_DENSE = 24
#: What part of the account a piece takes that says enough.
_DEAR = 8
#: How often a text is searched again that had a secret.
_ROUNDS = 4

#: The signs by which terminals change colours, as they are and as written in JSON, Python and shells.
_COLOURS = ("\x1b[", "1b[", "1B[", "033[", "e[")
_COLOUR = re.compile(r"(?:\x1b|\\{1,8}+(?:u001[bB]|x1[bB]|033|e))\[[0-9;]{0,16}+m")


def _cost_of_reading(text: str, scan: Scan) -> int:
    if scan.words is None:
        return _OF_PATTERNS + 2 * len(text)
    # A long text's words are asked instead of it; those of random signs are as long as it is.
    return _OF_PATTERNS + len(text) * (1 if text.isascii() else 2) + len(scan.words)


def _mask_unless_empty(scan: Scan, match: re.Match[str]) -> str:
    return scan.found(f"pattern: {match.re.pattern}") if match.group() else ""


class _Unmasked(Redactor):
    """Finds nothing, for what is exempt."""

    def __init__(self) -> None:
        super().__init__((), (), defaults=False)
        self.secrecy = lambda _name: Secrecy.HARMLESS
        self.suspicious = lambda _text: None
        self.shortest = 0

    def redact_text(self, text: str, scan: Scan | None = None) -> str:
        """Return the text as it is."""
        return text


#: What finds nothing, for what is exempt from masking.
UNMASKED: Redactor = _Unmasked()
