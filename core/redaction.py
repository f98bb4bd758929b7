"""What is secret: by the name of a key, or by a pattern in a text. Both become ``***``.

**Names.** A name is split into words (``userPassword``, ``X-API-Key`` and ``user_password`` alike, in any
case). It is secret if consecutive words spell a secret term (``api key``), unless its last word only
describes the secret (``token_count``, ``password_changed_at``) or its first word asks about it
(``has_password``). Whole words count, so ``tokenizer`` and ``secretary`` are harmless. Terms from the
configuration follow the same rules, and a term that is the end of the name always wins.

**Texts.** Each pattern has a cheap probe; the probes of all patterns are one regular expression whose
first character is a set, so that a text without secrets costs one scan. A pattern that could match by
chance checks itself: card numbers by issuer and Luhn, IBANs by their check digits.

Everything here is pure; a :class:`Redactor` holds compiled tables and a bounded cache of names.
"""

from __future__ import annotations

import base64
import binascii
import difflib
import re
import unicodedata
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import accumulate

from logweir.config.models import RedactConfig
from logweir.errors import ConfigError, ConfigProblem

__all__ = ["MASK", "PATTERN_NAMES", "Redactor"]

#: What a secret becomes.
MASK = "***"

_SECRET_TERMS = (
    "password",
    "passwd",
    "passphrase",
    "passcode",
    "pwd",
    "secret",
    "secret id",
    "token",
    "credential",
    "cred",
    "api key",
    "access key",
    "account key",
    "auth key",
    "encryption key",
    "master key",
    "private key",
    "secret key",
    "shared key",
    "signing key",
    "ssh key",
    "authorization",
    "basic auth",
    "http auth",
    "cookie",
    "session key",
    "credit card",
    "debit card",
    "card number",
    "card no",
    "cc number",
    "card pin",
    "user pin",
    "pin code",
    "cvv",
    "cvc",
    "security code",
    "ssn",
    "social security",
    "otp",
    "totp",
)
_SECRET_ALONE = frozenset({"auth", "pin", "pan", "pw"})
_SECRET_AT_THE_END = frozenset({"pass"})
_SECRET_ENDINGS = ("password", "passwd", "passphrase", "secret", "token", "apikey")
_DESCRIBES = frozenset(
    """
    age algorithm at attempt attempts brand changed consent count counts created date domain enabled
    endpoint error errors exists expired expires expiry expiration field format id ids in invalid issuer
    kind last len length limit max min minute missing name names on path policy present provider required
    rotated rotation second set size source status strategy strength ttl type types updated usage used
    valid version
    """.split()  # noqa: SIM905 - sixty quoted words are harder to read
)
_ASKS = frozenset({"has", "is", "needs", "requires", "allow", "allows"})
_COUNTS = frozenset(
    {"cached", "completion", "count", "input", "max", "min", "n", "num", "number", "output", "prompt"}
    | {"reasoning", "total"}
)

_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_NOT_A_WORD = re.compile(r"[\W_]+|(?<=\d)(?=[^\W\d_])|(?<=[^\W\d_])(?=\d)")

_CACHED_NAMES = 4096
_CACHED_NAME_LENGTH = 128


class Redactor:
    """Finds secrets by name and by pattern, as configured.

    Safe to use from many threads at once.

    Args:
        config: The ``redact`` section of routing.yaml.

    Raises:
        ConfigError: If a pattern is neither the name of a built-in one nor a regular expression.
    """

    def __init__(self, config: RedactConfig | None = None) -> None:
        config = config or RedactConfig()
        terms = [*(_SECRET_TERMS if config.defaults else ()), *config.keys]
        self._terms = frozenset("".join(words) for words in map(_words, terms) if words)
        self._longest_term = max((len(_words(term)) for term in terms), default=0)
        self._defaults = config.defaults
        self._verdicts: dict[str, bool] = {}
        self._patterns, self._custom = _chosen_patterns(config.patterns)
        probe = _probe(self._patterns)
        #: Returns ``None`` for an ASCII text that surely holds no secret; anything else means: redact it.
        self.suspicious: Callable[[str], object | None] = str if self._custom else probe
        #: A shorter text surely holds no secret.
        self.shortest = 0 if self._custom else min(pattern.shortest for pattern in self._patterns)

    def is_secret_key(self, name: str) -> bool:
        """Return whether the value under this name is secret, whatever it is."""
        verdict = self._verdicts.get(name)
        if verdict is None:
            verdict = self._judge(_words(name))
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
        return self.redact_text(_mask_assignments(text, self.is_secret_key))

    def _judge(self, words: list[str]) -> bool:
        if not words:
            return False
        for start in range(len(words)):
            term = ""
            for end in range(start, min(start + self._longest_term, len(words))):
                term += words[end]
                if self._is_term(term) and (end == len(words) - 1 or not _only_describes(words)):
                    return not _asks_about(words)
        return self._defaults and (words[-1] in _SECRET_AT_THE_END or "".join(words) in _SECRET_ALONE)

    def _is_term(self, word: str) -> bool:
        if word in self._terms or (word.endswith("s") and word[:-1] in self._terms):
            return True
        return self._defaults and word.removesuffix("s").endswith(_SECRET_ENDINGS)


def _words(name: str) -> list[str]:
    """Split a name into its words: at separators, at camelCase humps and around digits."""
    separated = _CAMEL.sub("_", unicodedata.normalize("NFKC", name)).casefold()
    return [word for word in _NOT_A_WORD.split(separated) if word]


def _last_word(words: list[str]) -> str:
    return next((word for word in reversed(words) if not word.isdigit()), "")


def _only_describes(words: list[str]) -> bool:
    """Whether the last word, digits aside, tells something about a secret and is not the secret."""
    return _last_word(words) in _DESCRIBES


def _asks_about(words: list[str]) -> bool:
    """Whether the name asks about a secret (``has_password``) or counts (``max_new_tokens``)."""
    if len(words) == 1:
        return False
    return words[0] in _ASKS or (words[0] in _COUNTS and _last_word(words) == "tokens")


def _mask_unless_empty(match: re.Match[str]) -> str:
    return MASK if match.group() else ""


# --- patterns in texts ---------------------------------------------------------------------------------


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


def _mask_assignments(text: str, is_secret: Callable[[str], bool]) -> str:
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
    "assignment": _Pattern("=:", "", 3, _mask_assignments),
}

#: The names of the built-in patterns.
PATTERN_NAMES = tuple(sorted(_PATTERNS))


def _chosen_patterns(names: Iterable[str]) -> tuple[tuple[_Pattern, ...], tuple[re.Pattern[str], ...]]:
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


def _probe(patterns: Iterable[_Pattern]) -> Callable[[str], object | None]:
    """Join the probes into one search that begins with a set of characters, which ``re`` scans fast.

    Any start may go with any rest: a false alarm costs a closer look, a precise answer would cost more.
    """
    patterns = tuple(patterns)
    starts = "".join(pattern.start for pattern in patterns)
    rests = "|".join(pattern.rest for pattern in patterns)
    return re.compile(f"[{starts}](?:{rests})", re.ASCII).search
