"""Secret texts: card numbers, tokens and the like, found inside any text.

Each pattern has a cheap probe; the probes of all patterns are one regular expression whose first character
is a set, so that a text without secrets costs one scan. A pattern that could match by chance checks itself:
card numbers by issuer and Luhn, IBANs by their check digits. Everything here is pure.
"""

from __future__ import annotations

import base64
import binascii
import difflib
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import accumulate

from logweir.errors import ConfigError, ConfigProblem

__all__ = ["DEFAULT_PATTERNS", "MASK", "PATTERN_NAMES", "chosen_patterns", "mask_assignments", "probe_of"]

#: What a secret becomes, in events and in messages alike.
MASK = "***"
#: The patterns that apply where nothing else is said.
DEFAULT_PATTERNS = ("card_number", "bearer_token")


@dataclass(frozen=True, slots=True)
class _Pattern:
    """A kind of secret that can be found in a text.

    Attributes:
        start: The set of first characters of the probe, as inside ``[...]``.
        rest: What follows that character when the text is worth a closer look.
        shortest: No shorter text holds such a secret.
        redact: Masks every secret in a text; may ask whether a name is secret.
    """

    start: str
    rest: str
    shortest: int
    redact: Callable[[str, Callable[[str], bool]], str]


def _substitution(
    regex: str, replacement: str | Callable[[re.Match[str]], str] = MASK, flags: re.RegexFlag = re.ASCII
) -> Callable[[str, Callable[[str], bool]], str]:
    compiled = re.compile(regex, flags)
    return lambda text, _is_secret: compiled.sub(replacement, text)


_CARD = re.compile(
    r"4(?:\d{12}|\d{15}|\d{18})"  # Visa
    r"|(?:5[1-5]\d\d|222[1-9]|22[3-9]\d|2[3-6]\d\d|27[01]\d|2720)\d{12}"  # Mastercard
    r"|3[47]\d{13}"  # American Express
    r"|3(?:0[0-5]|[689]\d)\d{11}"  # Diners Club
    r"|(?:6011|64[4-9]\d|65\d\d|62\d\d|35(?:2[89]|[3-8]\d))\d{12}"  # Discover, UnionPay, JCB
    r"|(?:50[0-9]\d|5[6-9]\d\d|6[37]\d\d)\d{12}",  # Maestro
    re.ASCII,
)
_DIGIT_GROUPS = re.compile(r"(?<!\d)\d+(?:[ -]\d+)*", re.ASCII)
_DIGITS = re.compile(r"\d+", re.ASCII)
_SHORTEST_CARD = 13
_LONGEST_CARD = 19


def _mask_cards(match: re.Match[str]) -> str:
    """Mask the card numbers in a run of digit groups; they begin and end where groups do."""
    run = match.group()
    groups = [group.span() for group in _DIGITS.finditer(run)]
    digits = "".join([run[start:end] for start, end in groups])
    if len(digits) < _SHORTEST_CARD:
        return run
    ends = [0, *accumulate(end - start for start, end in groups)]  # of each group, among the digits
    luhn = _LuhnSums(digits)
    result, done, first = [], 0, 0
    while first < len(groups):
        last = _last_group_of_card(digits, ends, first, luhn)
        if last is not None:
            result += [run[done : groups[first][0]], MASK]
            done, first = groups[last][1], last
        first += 1
    return "".join([*result, run[done:]])


def _last_group_of_card(digits: str, ends: list[int], first: int, luhn: _LuhnSums) -> int | None:
    start = ends[first]
    for last in range(first, min(len(ends) - 1, first + _LONGEST_CARD)):
        end = ends[last + 1]
        if end - start > _LONGEST_CARD:
            return None
        if end - start >= _SHORTEST_CARD and luhn.holds(start, end) and _CARD.fullmatch(digits, start, end):
            return last
    return None


class _LuhnSums:
    """Luhn's check digit (ISO/IEC 7812-1) for any part of a long row of digits, each at the same small cost.

    From the last digit leftwards every second one is doubled. So there are two ways to double a row, and
    the sums of both up to each place give the sum of any part.
    """

    def __init__(self, digits: str) -> None:
        values = [int(digit) for digit in digits]
        doubled = [sum(divmod(2 * value, 10)) for value in values]
        self._sums = [
            [0, *accumulate(doubled[i] if i % 2 == parity else values[i] for i in range(len(values)))]
            for parity in (0, 1)
        ]

    def holds(self, start: int, end: int) -> bool:
        sums = self._sums[end % 2]
        return (sums[end] - sums[start]) % 10 == 0


def _mask_basic(match: re.Match[str]) -> str:
    """Mask Basic credentials, which decode to ``user:password``; plain English after *basic* does not."""
    scheme, token = match.groups()
    try:
        decoded = base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_")
    except (binascii.Error, ValueError):
        decoded = b""
    return f"{scheme}{MASK}" if b":" in decoded or token.endswith("=") else match.group()


_mask_bearer_tokens = _substitution(
    r"\b(bearer\s+)(?!(?:tokens?|auth\w*|schemes?|headers?|realm|errors?|credentials?|is|was|not|required|missing"
    r"|invalid|expired|of|and|or|in|for|the|with|a)(?![\w.~+/-]))[\w.~+/=-]+",
    rf"\g<1>{MASK}",
    re.ASCII | re.IGNORECASE,
)
_mask_basic_tokens = _substitution(r"\b(basic\s+)([\w+/-]{4,}={0,2})", _mask_basic, re.ASCII | re.IGNORECASE)


def _mask_authorization(text: str, is_secret: Callable[[str], bool]) -> str:
    return _mask_basic_tokens(_mask_bearer_tokens(text, is_secret), is_secret)


def _mask_iban(match: re.Match[str]) -> str:
    text = match.group()
    ends = [i for i in range(len(text), 14, -1) if i == len(text) or text[i] == " "]
    for end in ends:
        compact = text[:end].replace(" ", "")
        moved = compact[4:] + compact[:4]
        if 15 <= len(compact) <= 34 and int("".join(str(int(c, 36)) for c in moved)) % 97 == 1:  # noqa: PLR2004 - the standard's numbers
            return MASK + text[end:]
    return text


_ASSIGNMENT = re.compile(
    r"([\w.-]{1,128})([\"']?\s*(?::|=>?)\s*)(\"(?:[^\"\\]|\\.)*\"?|'(?:[^'\\]|\\.)*'?|[^\s\"',;&)}\]]+)"
)


def mask_assignments(text: str, is_secret: Callable[[str], bool]) -> str:
    """Mask the values of ``name=value`` and ``name: value`` where the name is secret."""

    def masked(match: re.Match[str]) -> str:
        name, sign, value = match.groups()
        if not is_secret(name):
            return match.group()
        quote = value[0] if value[0] in "\"'" else ""
        return f"{name}{sign}{quote}{MASK}{quote}"

    return _ASSIGNMENT.sub(masked, text)


_OCTET = r"(?:25[0-5]|2[0-4]\d|1?\d?\d)"
_URL_PASSWORD = "url_password"  # noqa: S105 - the name of a pattern
_PATTERNS = {
    _URL_PASSWORD: _Pattern(
        ":", r"//[^\s/]*@", 7, _substitution(r"(://[^\s/?#:@]*:)[^\s/]*@", rf"\g<1>{MASK}@")
    ),
    "private_key": _Pattern(
        r"\-",
        "----BEGIN [A-Z0-9 ]*PRIVATE KEY",
        26,
        _substitution(
            r"-----BEGIN [A-Z0-9 ]*PRIVATE KEY.*?(?:-----END [A-Z0-9 ]*PRIVATE KEY-----|\Z)",
            flags=re.ASCII | re.DOTALL,
        ),
    ),
    "bearer_token": _Pattern("Bb", r"[Ee][Aa][Rr][Ee][Rr]\s|[Aa][Ss][Ii][Cc]\s", 8, _mask_authorization),
    "jwt": _Pattern(
        "e", r"yJ[\w-]{5,}\.", 15, _substitution(r"(?<![\w-])eyJ[\w-]{5,}\.[\w-]{3,}(?:\.[\w-]*)*")
    ),
    "aws_key": _Pattern(
        "A",
        r"(?:KIA|SIA)[A-Z0-9]{16}",
        20,
        _substitution(r"(?<![A-Z0-9])A(?:KIA|SIA)[A-Z0-9]{16}(?![A-Z0-9])"),
    ),
    "email": _Pattern(
        "@",
        r"[\w-]+\.",
        5,
        _substitution(r"(?<![\w.%+-])[\w.%+-]{1,64}@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+"),
    ),
    "iban": _Pattern(
        "A-Z",
        r"[A-Z]\d\d ?[A-Z0-9]",
        15,
        _substitution(r"(?<![A-Za-z0-9])[A-Z]{2}\d\d(?: ?[A-Z0-9]){11,30}(?![A-Za-z0-9])", _mask_iban),
    ),
    "card_number": _Pattern(
        "2-6",
        "[0-9 -]{12}",
        13,
        _substitution(_DIGIT_GROUPS.pattern, _mask_cards),
    ),
    "ipv4": _Pattern(
        "0-9",
        r"[0-9.]{5}",
        7,
        _substitution(rf"(?<![\d.])(?:{_OCTET}\.){{3}}{_OCTET}(?!\.?\d)"),
    ),
    "assignment": _Pattern("=:", "", 3, mask_assignments),
}

#: The names of the built-in patterns.
PATTERN_NAMES = tuple(sorted(_PATTERNS))


def chosen_patterns(names: Iterable[str]) -> tuple[tuple[_Pattern, ...], tuple[re.Pattern[str], ...]]:
    """Return the built-in patterns in their own order (URL passwords always) and the custom ones."""
    chosen, custom = {_URL_PASSWORD}, []
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


def probe_of(patterns: Iterable[_Pattern]) -> Callable[[str], object | None]:
    """Join the probes into one search that begins with a set of characters, which ``re`` scans fast.

    Any start may go with any rest: a false alarm costs a closer look, a precise answer would cost more.
    """
    patterns = tuple(patterns)
    starts = "".join(pattern.start for pattern in patterns)
    rests = "|".join(pattern.rest for pattern in patterns)
    return re.compile(f"[{starts}](?:{rests})", re.ASCII).search
