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

__all__ = [
    "SECRET_ALONE",
    "SECRET_AT_THE_END",
    "SECRET_ENDINGS",
    "SECRET_TERMS",
    "asks_about",
    "only_describes",
    "words_of",
]

SECRET_TERMS = (
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
SECRET_ALONE = frozenset({"auth", "pin", "pan", "pw"})
SECRET_AT_THE_END = frozenset({"pass"})
SECRET_ENDINGS = ("password", "passwd", "passphrase", "secret", "token", "apikey")
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


def words_of(name: str) -> list[str]:
    """Split a name into its words: at separators, at camelCase humps and around digits."""
    separated = _CAMEL.sub("_", unicodedata.normalize("NFKC", name)).casefold()
    return [word for word in _NOT_A_WORD.split(separated) if word]


def _last_word(words: list[str]) -> str:
    return next((word for word in reversed(words) if not word.isdigit()), "")


def only_describes(words: list[str]) -> bool:
    """Whether the last word, digits aside, describes a secret and is not the secret."""
    return _last_word(words) in _DESCRIBES


def asks_about(words: list[str]) -> bool:
    """Whether the name asks about a secret (``has_password``) or counts (``max_new_tokens``)."""
    if len(words) == 1:
        return False
    return words[0] in _ASKS or (words[0] in _COUNTS and _last_word(words) == "tokens")
