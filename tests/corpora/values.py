"""Values for the shapes: secrets of every common form, and the harmless values that stand beside them.

A text names the values it wants: ``«password»`` is drawn once for a case, ``«password:new»`` is another, ``«password|url»``
is the first one percent-encoded, and ``«!host»`` should stay visible.
"""

from __future__ import annotations

import base64
import html
import json
import re
from collections.abc import Callable, Mapping
from random import Random
from typing import Any
from urllib.parse import quote, quote_plus

from corpora.tokens import TOKENS

__all__ = ["Values"]

_PLACE = re.compile(r"«(!)?(\w+)(?::(\w+))?(?:\|(\w+))?»")
_LETTERS = "abcdefghijkmnopqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ"
_DIGITS = "0123456789"
_SYLLABLES = [
    "ba",
    "ce",
    "di",
    "fo",
    "gu",
    "ka",
    "lo",
    "mi",
    "nu",
    "pe",
    "ra",
    "so",
    "ti",
    "vu",
    "wo",
    "xi",
    "ya",
    "zu",
    "ber",
    "lin",
    "mar",
    "ton",
]

_ENCODINGS: dict[str, Callable[[str], str]] = {
    "url": lambda text: quote(text, safe=""),
    "form": quote_plus,
    "json": lambda text: json.dumps(text)[1:-1],
    "json2": lambda text: json.dumps(json.dumps(text)[1:-1])[1:-1],
    "xml": html.escape,
    "b64": lambda text: base64.b64encode(text.encode()).decode(),
    "repr": repr,
    "nl": lambda text: text.replace("\n", "\\n"),
}


def _word(random: Random, syllables: int = 3) -> str:
    return "".join(random.choice(_SYLLABLES) for _ in range(syllables))


def _some(random: Random, alphabet: str, count: int) -> str:
    return "".join(random.choice(alphabet) for _ in range(count))


def _with_specials(specials: str, length: int = 14) -> Callable[[Random], str]:
    """Make passwords that begin and end with letters and have each special character somewhere between."""

    def make(random: Random) -> str:
        inner = [
            *specials,
            *_some(random, _LETTERS + _DIGITS, length - 4 - len(specials)),
            random.choice(_DIGITS),
        ]
        random.shuffle(inner)
        return _some(random, _LETTERS, 2) + "".join(inner) + _some(random, _LETTERS, 1)

    return make


def _luhn(digits: str) -> str:
    total = 0
    for place, digit in enumerate(reversed(digits)):
        number = int(digit) * (2 if place % 2 == 0 else 1)
        total += number - 9 if number > 9 else number
    return digits + str(-total % 10)


def _card(prefix: str, length: int) -> Callable[[Random], str]:
    return lambda random: _luhn(prefix + _some(random, _DIGITS, length - len(prefix) - 1))


def _pem_body(random: Random) -> str:
    alphabet = _LETTERS + _DIGITS + "+/"
    return "\n".join(["MII" + _some(random, alphabet, 61), *(_some(random, alphabet, 64) for _ in range(3))])


def _bytes_of(alphabet: str, count: int) -> Callable[[Random], str]:
    return lambda random: _some(random, alphabet, count)


_HEX = "0123456789abcdef"
_ALNUM = _LETTERS + _DIGITS

#: What must not be seen. A maker returns the secret; those of TOKENS return what stands before it too.
_SECRETS: dict[str, Callable[[Random], str]] = {
    "password": _with_specials("-_"),
    "strong": _with_specials("!#$^*"),
    "percent": _with_specials("%&+="),
    "odd": _with_specials("@:/", 16),
    "spaced": _with_specials("  ", 18),
    "quoted": _with_specials("'\"", 16),
    "comma": _with_specials(",;", 16),
    "umlaut": lambda random: "Ü" + _word(random) + "ß" + _some(random, _DIGITS, 3),
    "word": lambda random: _word(random) + _some(random, _DIGITS, 2),
    "plain": lambda random: _word(random, 4),
    "passphrase": lambda random: "-".join(_word(random, 2) for _ in range(4)),
    "numeric": lambda random: random.choice("123456789") + _some(random, _DIGITS, 7),
    "alnum": _bytes_of(_ALNUM, 16),
    "token": _bytes_of(_ALNUM, 32),
    "opaque": _bytes_of(_ALNUM + "-_", 43),
    "hex32": _bytes_of(_HEX, 32),
    "hex40": _bytes_of(_HEX, 40),
    "hex64": _bytes_of(_HEX, 64),
    "base64": lambda random: base64.b64encode(random.randbytes(32)).decode(),
    "base88": lambda random: base64.b64encode(random.randbytes(64)).decode(),
    "awssecret": _bytes_of(_ALNUM + "+/", 40),
    "guid": lambda random: "-".join(_some(random, _HEX, count) for count in (8, 4, 4, 4, 12)),
    "pem": _pem_body,
    "cvv": lambda random: str(random.randint(101, 998)),
    "pin": lambda random: str(random.randint(2101, 9898)),
    "otp": lambda random: str(random.randint(210_001, 989_998)),
    "recovery": lambda random: "-".join(_some(random, _HEX, 5) for _ in range(2)),
    "base32": _bytes_of("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", 32),
    "ssn": lambda random: f"{random.randint(131, 665)}-{random.randint(11, 98)}-{random.randint(1101, 9898)}",
    "visa": _card("4", 16),
    "mastercard": _card("53", 16),
    "amex": _card("37", 15),
    "diners": _card("36", 14),
    "discover": _card("6011", 16),
    "jcb": _card("3530", 16),
    "maestro": _card("6759", 19),
}

_PUBLIC: dict[str, Callable[[Random], str]] = {
    "user": lambda random: "u" + _word(random),
    "host": lambda random: f"{_word(random, 2)}.{_word(random, 2)}.example",
    "email": lambda random: f"{_word(random, 2)}@{_word(random, 2)}.example",
    "db": lambda random: "db" + _word(random, 2),
    "ip": lambda random: f"192.0.2.{random.randint(2, 250)}",
    "id": lambda random: str(random.randint(10_000, 99_999)),
    "account": lambda random: str(random.randint(10**11, 10**12 - 1)),
    "uuid": lambda random: "-".join(_some(random, _HEX, count) for count in (8, 4, 4, 4, 12)),
    "akia": lambda random: "AKIA" + _some(random, "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", 16),
    "name": lambda random: _word(random, 2),
    "sid": _bytes_of(_HEX, 32),
}


class Values:
    """Draws the values of one case and notes which of them are secret, and which should stay visible."""

    def __init__(self, seed: str) -> None:
        self.random = Random(seed)
        self.secrets: list[str] = []
        self.visible: list[str] = []
        self._drawn: dict[tuple[str, str], tuple[str, str]] = {}

    def __call__(self, kind: str, label: str = "", *, encoding: str = "", keep: bool = False) -> str:
        """Return the value of this kind and label, noting it."""
        before, value = self._draw(kind, label)
        encode = _ENCODINGS[encoding] if encoding else str
        if kind in _PUBLIC:
            if keep:
                self.visible.append(encode(value))
            return encode(value)
        if encoding == "b64":  # no boundary of the text stays one in base64
            before, value = "", before + value
        self.mark(*encode(value).split("\n"))
        return encode(before) + encode(value)

    def mark(self, *secrets: str) -> None:
        """Note that these must not be seen."""
        self.secrets.extend(secrets)

    def keep(self, *pieces: str) -> None:
        """Note that these should stay visible."""
        self.visible.extend(pieces)

    def fill(self, value: Any) -> Any:
        """Put values into each text of nested dicts, lists and tuples; ``bytes:…`` becomes bytes."""
        if isinstance(value, str):
            filled = _PLACE.sub(self._filled, value.removeprefix("bytes:"))
            return filled.encode() if value.startswith("bytes:") else filled
        if isinstance(value, Mapping):
            return {self.fill(key): self.fill(inner) for key, inner in value.items()}
        if isinstance(value, list | tuple):
            return type(value)(self.fill(inner) for inner in value)
        return value

    def _filled(self, place: re.Match[str]) -> str:
        keep, kind, label, encoding = place.groups()
        return self(kind, label or "", encoding=encoding or "", keep=bool(keep))

    def _draw(self, kind: str, label: str) -> tuple[str, str]:
        """Return what stands before the secret part, and that part."""
        if (kind, label) not in self._drawn:
            if kind == "basic":
                pair = f"{_PUBLIC['user'](self.random)}:{_SECRETS['password'](self.random)}"
                drawn = "", base64.b64encode(pair.encode()).decode()
            elif kind in TOKENS:
                drawn = TOKENS[kind](self.random)
            else:
                drawn = "", (_SECRETS.get(kind) or _PUBLIC[kind])(self.random)
            self._drawn[kind, label] = drawn
        return self._drawn[kind, label]
