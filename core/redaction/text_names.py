"""What the searches of texts share: judging the names that were found, and masking what stands behind them.

A search finds all its names by one regular expression; each different name is judged once, and only behind a
secret one is a value read in Python. What lies within a masked value is not searched again.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

from logweir.redaction.names import Secrecy
from logweir.redaction.prose import is_hidden_at
from logweir.redaction.scan import Scan
from logweir.redaction.text_places import Place, Span
from logweir.redaction.text_values import secret_span

__all__ = ["judged", "mask_behind", "value_behind"]

_OF_A_NAME = 20
_Reader = Callable[[re.Match[str], Secrecy, Scan], "Span | None"]


def judged(names: Iterable[str], scan: Scan) -> dict[str, Secrecy]:
    """Return the secret ones among names, and how secret they are."""
    verdicts: dict[str, Secrecy] = {}
    for name in set(names):
        scan.pay(_OF_A_NAME)
        if name.isascii() and not scan.may_name(name):
            continue
        scan.look()
        secrecy = scan.secrecy(name)
        if secrecy is not Secrecy.HARMLESS:
            verdicts[name] = secrecy
    return verdicts


def value_behind(match: re.Match[str], secrecy: Secrecy, scan: Scan) -> Span | None:
    """Read the value that begins where the match ends."""
    if is_hidden_at(match.string, match.end()):
        return None  # a text with a secret is searched again
    return secret_span(Place(match.string, match.end(), secrecy), scan)


def mask_behind(text: str, pattern: re.Pattern[str], scan: Scan, read: _Reader = value_behind) -> str:
    """Mask the values of secret names.

    Args:
        text: The text.
        pattern: Finds names, in its only group, up to where the value begins.
        scan: The search.
        read: Returns where the value behind a match begins and ends, or ``None``.
    """
    secret = judged(pattern.findall(text), scan)
    if not secret:
        return text
    parts, done = [], 0
    for match in pattern.finditer(text):
        name = match[1]
        if name not in secret or match.start(1) < done:
            continue
        scan.look()
        span = read(match, secret[name], scan)
        if span is not None and span[0] >= done:
            parts += [text[done : span[0]], scan.found(f"text: {name}")]
            done = span[1]
    return "".join([*parts, text[done:]]) if parts else text
