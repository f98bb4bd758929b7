"""Secret names: which keys hold a secret, whatever their value is.

A name is split into words (``userPassword``, ``X-API-Key`` and ``user_password`` alike, in any case). It is
secret if consecutive words spell a secret term (``api key``), unless its last word only describes the secret
(``token_count``, ``password_changed_at``) or its first word asks about it (``has_password``). Whole words
count, so ``tokenizer`` and ``secretary`` are harmless. Terms from the configuration follow the same rules,
and a term that is the end of the name always wins.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from enum import IntEnum

__all__ = ["Names", "Secrecy", "words_of"]

_CACHED_NAMES = 4096
_CACHED_NAME_LENGTH = 128

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


class Secrecy(IntEnum):
    """How secret the value under a name is.

    Attributes:
        HARMLESS: Not at all.
        CREDENTIAL: It may be a secret, or say how things stand with one: ``auth``, ``token``, ``session``.
            What cannot be a secret is kept, and containers are walked.
        SECRET: It is a secret, whatever it is: ``password``, ``cvv``. A container is masked as a whole.
    """

    HARMLESS = 0
    CREDENTIAL = 1
    SECRET = 2


_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_NOT_A_WORD = re.compile(r"[\W_]+|(?<=\d)(?=[^\W\d_])|(?<=[^\W\d_])(?=\d)")


def words_of(name: str) -> list[str]:
    """Split a name into its words: at separators, at camelCase humps and around digits."""
    separated = _CAMEL.sub("_", unicodedata.normalize("NFKC", name)).casefold()
    return [word for word in _NOT_A_WORD.split(separated) if word]


def _last_word(words: list[str]) -> str:
    return next((word for word in reversed(words) if not word.isdigit()), "")


def _only_describes(words: list[str]) -> bool:
    """Whether the last word, digits aside, describes a secret and is not the secret."""
    return _last_word(words) in _DESCRIBES


def _asks_about(words: list[str]) -> bool:
    """Whether the name asks about a secret (``has_password``) or counts (``max_new_tokens``)."""
    if len(words) == 1:
        return False
    return words[0] in _ASKS or (words[0] in _COUNTS and _last_word(words) == "tokens")


class Names:
    """Judges names; keeps what it said in a bounded table, and may be used from many threads at once.

    Args:
        keys: Terms that are secret beside the built-in ones.
        defaults: Whether the built-in ones apply.
    """

    def __init__(self, keys: Sequence[str] = (), *, defaults: bool = True) -> None:
        terms = [*(_SECRET_TERMS if defaults else ()), *keys]
        self._terms = frozenset("".join(words) for words in map(words_of, terms) if words)
        self._longest_term = max((len(words_of(term)) for term in terms), default=0)
        self._defaults = defaults
        self._verdicts: dict[str, Secrecy] = {}

    def secrecy(self, name: str) -> Secrecy:
        """Return how secret the value under this name is."""
        verdict = self._verdicts.get(name)
        if verdict is None:
            verdict = Secrecy.SECRET if self._judge(words_of(name)) else Secrecy.HARMLESS
            if len(name) <= _CACHED_NAME_LENGTH:
                if len(self._verdicts) >= _CACHED_NAMES:
                    self._verdicts.clear()
                self._verdicts[name] = verdict
        return verdict

    def rule_of(self, name: str) -> str:
        """Return the rule by which a name is secret, such as ``name: password``; empty for a harmless one."""
        return f"name: {name}" if self.secrecy(name) else ""

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
