"""The patterns by their names: what a configuration may choose, and the one probe that all of them share.

The probes of all patterns are one regular expression whose first character is a set, so that a text without
secrets costs one scan. Everything here is pure.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import lru_cache

from logweir.errors import ConfigError, ConfigProblem
from logweir.redaction.calls import CALL_PROBES
from logweir.redaction.cards import mask_cards
from logweir.redaction.command_places import COMMAND_PROBES
from logweir.redaction.directives import DIRECTIVE_PROBES
from logweir.redaction.documents import DOCUMENT_PROBES
from logweir.redaction.logins import LOGIN_PROBES
from logweir.redaction.sentences import SENTENCE_PROBES
from logweir.redaction.shapes import SHAPES, Pattern
from logweir.redaction.sql_parameters import mask_sql_parameters
from logweir.redaction.texts import mask_assignments
from logweir.redaction.urls import mask_urls

__all__ = ["DEFAULT_PATTERNS", "GROUPS", "PATTERN_NAMES", "chosen_patterns", "nameless", "probe_of"]

#: The patterns that apply where nothing else is said.
DEFAULT_PATTERNS = (
    "bearer_token",
    "token",
    "aws_key_in_text",
    "private_key",
    "card_number",
    "sql",
    "assignment",
)

#: A sign between a name and a value, or what stands for one; no time of day, and no URL without user, port
#: and parameters.
_SIGN_PROBES = (
    ("=\uff1a\uff1d", ""),
    (":", r"(?!//[^\s@?#=:]*+(?:\s|\Z))(?!(?<=\d:)\d\d(?!\d))"),
    ("%", "(?:25){0,4}3[AaDd]"),
    ("&", "lt;[A-Za-z]"),
    ("<", "[A-Za-z]"),
    ("Ww", r"(?<=(?i:pass)[Ww])(?i:(?:or)?d)['\"\s]"),
    ("'\"", r"\\?, ?[bBuU]?\\{0,16}['\"]|(?<=\w,['\"])|(?<=\w, ['\"])"),
)
#: What secrets stand behind that have no name of a secret beside them.
_NAMELESS_PROBES = (
    (r"\-", r"[->][ A-Za-z]|(?<![\w.\-]-)[A-Za-z]{2}|(?<=[\s'\"]-)[A-Za-z][\S ]"),
    (":", r"(?<=assword:)|(?<= :) (?:EAP|XAUTH|NTLM|RSA) |(?<=\]:)\d{1,5} "),
    ("t", r"(?<=relayhost) "),
    *LOGIN_PROBES,
    *COMMAND_PROBES,
    *DIRECTIVE_PROBES,
    *CALL_PROBES,
    *DOCUMENT_PROBES,
    *SENTENCE_PROBES,
)
#: Only rare characters begin one, such as the parenthesis of ``VALUES (`` and the quote of ``PASSWORD '``.
_SQL_PROBES = (
    (
        r"\(",
        (
            r"(?<=[ysS] \()(?:(?<=[Kk]ey \()|(?<=contains \()|(?<=(?i:values) \())"
            r"|(?<=[sSdD]\()(?:(?<=(?i:values)\()|(?<=(?i:assword)\())"
        ),
    ),
    ("'\"", r"(?<=[ysdYSD] ['\"])(?:(?<=entry ['\"])|(?<= (?i:by|as) ['\"])|(?<=(?i:assword) ['\"]))"),
    (":", r" [\[(]"),
    ("'\"", r"(?<=[s?\d )]['\"]),\s?[\[(]"),
    ("Bb", r"(?<=(?i:ied )[Bb])[yY]\s"),
    ("_", r"(?<=(?i:sp)_)(?i:addlogin|password)"),
    ("=", r"\s?['\"(\[]"),
)

#: Credentials before a host, with and without ``//`` or encoded; parameters; paths of webhooks.
_URL_PROBES = (
    (":", r"//[^\s:@]*[:@]|(?<=\w:)[^\s:@/\"'<>]{1,128}@"),
    ("?&#", r"(?:amp;)?[\w.%\[\]-]{1,64}="),
    (
        "/",
        r"(?<=\w/)[^\s:@/\"'<>]{1,128}@|(?:services|workflows|triggers|webhooks?|webhookb2|hooks?|integration|with/key)/",
    ),
    (
        "/",
        r"(?:reset|passwords?|invit\w{1,6}|confirm\w{0,5}|verify|activat\w{1,3}|magic|unlock|sso|share|login)[/_-][\w/-]{20}",
    ),
    ("%", "40"),
    (":", r"(?<=(?:an|ss|sr|ic|a2|ia):)//[\w+/=.~-]{6}"),
)
_CARD_PROBES = (("2-6", r"\d\d\d[\d \t\xa0\u2007\u2009\u202f._\-\u2010-\u2015]{9}"),)

#: In the order in which they apply: shapes first, while what stands around a name and value is whole.
_PATTERNS = {
    "url_password": Pattern(_URL_PROBES, 6, mask_urls),
    **SHAPES,
    "card_number": Pattern(_CARD_PROBES, 13, mask_cards),
    "sql": Pattern(_SQL_PROBES, 12, mask_sql_parameters),
    "assignment": Pattern((*_SIGN_PROBES, *_NAMELESS_PROBES), 4, mask_assignments),
}

#: The patterns of each group of ``redact.defaults``; names are read in texts where there are any.
GROUPS = {
    "credentials": ("bearer_token", "assignment"),
    "codes": ("assignment",),
    "cards": ("card_number", "assignment"),
    "identity": ("assignment",),
    "tokens": ("token", "aws_key_in_text"),
    "private_keys": ("private_key", "assignment"),
    "sql": ("sql",),
}

#: What may begin a probe.
_CHARACTERS = [*map(chr, range(128)), "\uff1a", "\uff1d"]

#: The names of the built-in patterns.
PATTERN_NAMES = tuple(sorted(_PATTERNS))


def chosen_patterns(names: Iterable[str]) -> tuple[tuple[Pattern, ...], tuple[re.Pattern[str], ...]]:
    """Return the built-in patterns in their own order (URL passwords always) and the custom ones."""
    chosen, custom = {"url_password"}, []
    for name in names:
        if name in _PATTERNS:
            chosen.add(name)
        else:
            custom.append(_custom_pattern(name))
    return tuple(pattern for name, pattern in _PATTERNS.items() if name in chosen), tuple(custom)


def _custom_pattern(text: str) -> re.Pattern[str]:
    nearest = difflib.get_close_matches(text, PATTERN_NAMES, 1, 0.8)
    if nearest and text.replace("_", "").isalnum():
        raise _bad_pattern(f"unknown pattern {text!r}; did you mean {nearest[0]!r}?")
    try:
        return re.compile(text)
    except re.error as error:
        names = ", ".join(PATTERN_NAMES)
        raise _bad_pattern(
            f"{text!r} is not a regular expression ({error}); write one, or one of {names}"
        ) from None


def _bad_pattern(message: str) -> ConfigError:
    return ConfigError([ConfigProblem(message, path="redact.patterns")])


def nameless(patterns: Iterable[Pattern]) -> list[Pattern]:
    """Return the patterns, with the probes of what is secret in a text that holds no name of a secret."""
    return [
        replace(pattern, probes=_NAMELESS_PROBES) if pattern.redact is mask_assignments else pattern
        for pattern in patterns
    ]


def probe_of(patterns: Iterable[Pattern]) -> Callable[[str], object | None]:
    """Join the probes into one search, which tries at each character only what can begin with it.

    Every alternative begins with one plain character: so ``re`` skips what none begins with by a set, and the
    alternatives of other characters by one comparison.
    """
    return _joined(tuple(probe for pattern in patterns for probe in pattern.probes))


@lru_cache(maxsize=32)  # every load of a routing.yaml asks for the same
def _joined(probes: tuple[tuple[str, str], ...]) -> Callable[[str], object | None]:
    rests: dict[str, list[str]] = {}
    for starts, rest in probes:
        for character in filter(re.compile(f"[{starts}]").match, _CHARACTERS):
            rests.setdefault(character, []).append(rest)
    found = [f"{re.escape(character)}(?:{'|'.join(rest)})" for character, rest in rests.items()]
    return re.compile("|".join(found), re.ASCII).search
