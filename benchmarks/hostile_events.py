"""Events that were made to cost as much as they can, and long ordinary ones beside them.

Each is what one log call is given. The texts repeat what some part of the redaction has to look at closely;
the containers have many members, names that were never met, or objects that say much about themselves.
"""

# ruff: noqa: E501 - a table of texts
from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator
from dataclasses import make_dataclass
from decimal import Decimal
from typing import Any

__all__ = ["LONG", "PIECES", "hostile_events", "ordinary_events", "repeated"]

#: The longest text that is kept by default.
LONG = 65_536
_FIELDS = 16

#: What texts are made of: signs, names with signs, beginnings of known forms, quotes that never close.
PIECES = (
    "a", "=", ":", "@", "/", "_", "-", ".", "$", "J", "~", "%", "<", "4", "4 ", "4444 ", "4111111111111112 ",
    "_a", "-a", ".a", "a=", "a:", "a= ", "a://", "://a:", "://a:b@", "a:b@c/d ", "u:p@h:80 ", "a/b@c:800/d ",
    "%3A%2F%2Fa%3A", "%3A%2F%2Fa%3Ab%40", "%70assword%3D", "password%3Dx%26", "a%3D", "?a=", "&token=b", "&a=b",
    "Bearer x1y2 ", "Token ", "bearer ", "key a1b2c3d4 ", "digest a=1 ", "Basic YTpi ", "ghp_", "_aaaaaaaa",
    "ghp_aaaaaaaaaaaaaaaaaaaa ", "ghp_aA1aA1aA1aA1aA1aA1aA1 ", "sk-", "glpat-aaaaaaaaaaaaaaa ", "eyJ", "eyJa.",
    "eyJhbGci.abc.d ", "SG.", "1/", "A1", "AIz", "AKIAAAAAAAAAAAAAAAAA ", "$2a$10$aaaaaaaaaaaaaaaa ",
    "-----BEGIN PRIVATE KEY", "-----BEGIN PRIVATE KEY-----\n-", "PuTTY-User-Key-File-2", "a@", "1.",
    "hooks.slack.com/services/", "'", '"', "\\", "password='", 'password="x" ', "password=[", "password={",
    "password: |\n", "token=['a", 'token="a\\', "cookie: a=1; ", "Cookie: a=1; b=2\n", "password=a,", "token=",
    'password=\\"a', '\\"password\\":\\"', "password='a'b", "token={token=", "passwords:\n - a\n", "password=x ",
    "password is hunter2x ", "password: x ", "mot de passe: x ", "the a b c d: x ", "пароль=ж ", "ж=ж ", "é:",
    "<password>", "<a>", "<password>x</password>", "<td>password</td><td>x</td>", '<a name="password">x</a>',
    "('password', ", "('password', 'x')", "('a','b'),", '"name":"password",', '{"name":"x","password":"y"},',
    '{"name":"password","value":"y"},', '{"value":"y","name":"password"},', '{"a":"b"},', "mysql -p", "mysql -px ",
    "curl -u a:b ", "--password ", "--password x ", "--pass-a ", "-p x ", "VALUES (", "[parameters: (", "password'",
    "''", "INSERT INTO t (password) VALUES ('x'); ", "identified by 'x' ", "Duplicate entry 'x' for key 'token' ",
    "SELECT ? ', (", "loc=('a','password') input=x ", 'name="password"\n\nx\n--', "login a password b ",
    "\npassword\n input_value=", "\\u0022password\\u0022:", "&quot;password&quot;:", "password：x ", "::", "->", "=>",
    "password=SecretStr('x') ", "password=b'x' ", "password=<T x> ", "(", "((((", "{{", "[(", "a b ", "\n", " ", "s", "p", "k", "t", "h",
)  # fmt: skip


def repeated(piece: str, length: int = LONG) -> str:
    """Return a text of this length made of one piece."""
    return (piece * (length // len(piece) + 1))[:length]


class _Says:
    def __init__(self, text: str) -> None:
        self._text = text

    def __str__(self) -> str:
        return self._text


def _mixed(seed: int, length: int = LONG) -> str:
    choice = random.Random(seed)
    parts: list[str] = []
    while (sum(map(len, parts[-100:])) and sum(map(len, parts)) < length) or not parts:
        parts += choice.choices(PIECES, k=500)
    return "".join(parts)[:length]


def _chained(text: str) -> BaseException:
    error: BaseException = ValueError(text)
    for number in range(100):
        outer = KeyError(f"{number} {text[:1000]}")
        outer.__cause__ = error
        error = outer
    return error


def _nested(depth: int, width: int) -> Any:
    value: Any = "x"
    for _ in range(depth):
        value = [value] * width if width > 1 else {"a": value}
    return value


def hostile_events() -> Iterator[tuple[str, Callable[[], dict[str, Any]]]]:
    """Yield names, and what makes an event's fields."""
    for piece in PIECES:
        yield f"{piece!r}", lambda piece=piece: {"t": repeated(piece)}  # type: ignore[misc]
        yield f"16 × {piece!r}", lambda piece=piece: _fields(repeated(piece))  # type: ignore[misc]
    for seed in range(8):
        yield f"mixed {seed}", lambda seed=seed: {"t": _mixed(seed)}  # type: ignore[misc]
        yield (
            f"16 × mixed {seed}",
            lambda seed=seed: {  # type: ignore[misc]
                f"f{index}": _mixed(seed * 100 + index) for index in range(_FIELDS)
            },
        )
    yield from _CONTAINERS.items()


def _fields(value: Any, count: int = _FIELDS) -> dict[str, Any]:
    return {f"f{index}": value for index in range(count)}


_Wide = make_dataclass("_Wide", [(f"field_{index}", str) for index in range(500)])

_CONTAINERS: dict[str, Callable[[], dict[str, Any]]] = {
    "16 fields of 4 texts": lambda: _fields([repeated("4 ")] * 4),
    "16 fields of 4 texts with signs": lambda: _fields([repeated("a=b ")] * 4),
    "10,000 names": lambda: {f"name_{index}_x": index for index in range(10_000)},
    "10,000 names in a mapping": lambda: {"m": {f"name_{index}_x": index for index in range(10_000)}},
    "10,000 long names": lambda: {"m": {f"{'name_' * 40}{index}": index for index in range(10_000)}},
    "10,000 names with stems": lambda: {f"token_{index}_count": index for index in range(10_000)},
    "10,000 names with stems in a mapping": lambda: {
        "m": {f"token_{index}_count": "x" for index in range(10_000)}
    },
    "10,000 secret names": lambda: {f"password_{index}": "x" for index in range(10_000)},
    "10,000 secret names in a mapping": lambda: {"m": {f"password_{index}": "x" for index in range(10_000)}},
    "10,000 names of many words": lambda: {"m": {f"{'aB' * 60}{index}": 1 for index in range(10_000)}},
    "10,000 names of stems": lambda: {"m": {f"{'token_pass_' * 11}{index}": 1 for index in range(10_000)}},
    "10,000 names in another script": lambda: {"m": {f"пароль{index}": "ж" for index in range(10_000)}},
    "names of 64 KiB": lambda: {f"{repeated('token_', LONG - 9)}{index}": 1 for index in range(16)},
    "names that are numbers": lambda: {"m": {index * 10**12: "x" for index in range(10_000)}},
    "names that are tuples": lambda: {"m": {(index, "password"): "x" for index in range(10_000)}},
    "10,000 short texts": lambda: {"l": [f"abc{index}" for index in range(10_000)]},
    "10,000 texts": lambda: {"l": [f"order number {index} is here" for index in range(10_000)]},
    "10,000 texts with a sign": lambda: {"l": [f"a{index}=b" for index in range(10_000)]},
    "10,000 texts with a secret": lambda: {"l": [f"password{index}=b" for index in range(10_000)]},
    "10,000 texts in other scripts": lambda: {"l": [f"заказ {index}" for index in range(10_000)]},
    "100 fields of 100 texts": lambda: _fields(["order number 17: it is here"] * 100, 100),
    "500 fields with a sign": lambda: {f"f{index}": f"a{index}=b{index} " * 20 for index in range(500)},
    "10,000 options": lambda: {"l": [f"--opt-{index}" for index in range(10_000)]},
    "10,000 secret options": lambda: {"l": [f"--password-{index}" for index in range(10_000)]},
    "10,000 large integers": lambda: {"l": [4_111_111_111_111_112 + index for index in range(10_000)]},
    "10,000 floats": lambda: {"l": [index / 7 for index in range(10_000)]},
    "10,000 decimals": lambda: {"l": [Decimal(index) for index in range(10_000)]},
    "10,000 mappings": lambda: {"l": [{"a": 1} for _ in range(10_000)]},
    "10,000 labelled mappings": lambda: {"l": [{"name": "password", "value": "x"} for _ in range(10_000)]},
    "10,000 mappings of new names": lambda: {"l": [{f"a{index}": 1} for index in range(10_000)]},
    "10,000 pairs": lambda: {"l": [("a", "b") for _ in range(10_000)]},
    "10,000 pairs of new names": lambda: {"l": [(f"a{index}", "b") for index in range(10_000)]},
    "10,000 secret pairs": lambda: {"l": [(f"token {index}", "b") for index in range(10_000)]},
    "10,000 nested lists": lambda: {"l": [[[index]] for index in range(10_000)]},
    "10,000 empty lists": lambda: {"l": [[] for _ in range(10_000)]},
    "10,000 tokens in a list": lambda: {"tokens": [f"a{index}" for index in range(10_000)]},
    "10,000 tokens in mappings": lambda: {"tokens": [{"value": f"a{index}"} for index in range(10_000)]},
    "10,000 long values under a token": lambda: {"token": [repeated("a1 ", 2000) for _ in range(100)]},
    "100 lists of 10,000": lambda: _fields(list(range(10_000)), 100),
    "10,000 fields of lists": lambda: {f"f{index}": [index] for index in range(10_000)},
    "30 levels of mappings": lambda: _fields(_nested(30, 1), 200),
    "lists of lists, doubled at 30 levels": lambda: {"l": _nested(30, 2)},
    "1,000 levels": lambda: {"l": _nested(1000, 1)},
    "bytes of 50 MB": lambda: {"b": b"\xff" * 50_000_000},
    "text in bytes of 50 MB": lambda: {"b": b"a=b " * 12_500_000},
    "16 × bytes": lambda: _fields(b"\xff\x00" * 100_000),
    "10,000 bytes": lambda: {"l": [b"\xff%d" % index for index in range(10_000)]},
    "an integer of 4,000 digits": lambda: {"i": 10**4000},
    "100 integers of 4,000 digits": lambda: {"l": [10**4000 + index for index in range(100)]},
    "an integer of a million bits": lambda: {"i": 1 << 1_000_000},
    "a set of 10,000": lambda: {"s": set(range(10_000))},
    "a set of 10,000 texts": lambda: {"s": {f"text {index}" for index in range(10_000)}},
    "100 sets": lambda: _fields(frozenset(f"text {index}" for index in range(1000)), 100),
    "str() of 1 MB": lambda: {"o": _Says("a=b " * 250_000)},
    "str() of 20 MB": lambda: {"o": _Says("4 " * 10_000_000)},
    "16 × str() of 1 MB": lambda: _fields(_Says("a=b " * 250_000)),
    "10,000 × str()": lambda: {"l": [_Says(f"User(token={index})") for index in range(10_000)]},
    "10,000 × str(), long": lambda: {"l": [_Says("User(token=1, a=2) " * 10) for _ in range(10_000)]},
    "wide objects": lambda: {"l": [_Wide(*["a=b"] * 500) for _ in range(20)]},
    "a long exception": lambda: {"e": ValueError(repeated("token=x "))},
    "a chain of exceptions": lambda: {"e": _chained(repeated("a=b ")), "l": [_chained("x=1")] * 50},
    "JSON within JSON": lambda: {"t": _json_within_json()},
    "JSON of new names": lambda: {
        "t": json.dumps({f"name_{index}_x": {"v": index} for index in range(4200)})[:LONG]
    },
    "JSON of secret names": lambda: {
        "t": json.dumps({f"token_{index}": str(index) for index in range(4200)})[:LONG]
    },
}


def _json_within_json() -> str:
    text = json.dumps([{"name": "x", "token": "y"}] * 50)
    while len(text) < LONG // 3:
        text = json.dumps({"body": text, "token": "x"})
    return text


# --- ordinary ----------------------------------------------------------------------------------------------

_WORDS = (
    "the order was placed by a user and shipped to another warehouse after a review because it is late; "
    "nobody has paid for two of the items, so they wait until somebody does, as was agreed last week."
)
_ACCESS = (
    '203.0.113.7 - - [26/Nov/2026:08:56:10 +0000] "GET /api/v1/orders?page=3&sort=asc HTTP/1.1" 200 5123'
    ' "https://shop.example/cart" "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36"\n'
)
_FRAMES = (
    '  File "/srv/app/lib/python3.11/site-packages/starlette/middleware/base.py", line 189, in __call__\n'
    "    response = await self.dispatch_func(request, call_next)\n"
    '  File "/srv/app/orders/service.py", line 42, in place\n'
    "    total = sum(item.price for item in items if item.amount > 0)\n"
)


def _json_body(items: int) -> str:
    address = {"street": "Main St 7", "city": "Bonn", "zip": "53111"}
    return json.dumps(
        [
            {
                "id": index, "name": f"item {index}", "price": index * 1.5, "tags": ["a", "b"], "ok": True,
                "address": address, "created_at": "2026-11-26T08:56:10Z", "note": "it's late",
            }
            for index in range(items)
        ]
    )  # fmt: skip


def _prose(length: int) -> str:
    choice, words = random.Random(1), _WORDS.split()
    return " ".join(choice.choices(words, k=length // 4))[:length]


def ordinary_events() -> dict[str, dict[str, Any]]:
    """Return long events of an ordinary kind, without secrets, by name: they are stored as they are."""
    return {
        "64 KiB of prose": {"t": _prose(LONG)},
        "a traceback of 30 KiB": {"t": f"Traceback (most recent call last):\n{repeated(_FRAMES, 30_000)}"},
        "a traceback of 64 KiB": {"t": repeated(_FRAMES)},
        "64 KiB of JSON": {"t": _json_body(1000)[:LONG]},
        "64 KiB of an access log": {"t": repeated(_ACCESS)},
        "64 KiB of base64": {"t": repeated("QUJDRA" * 7 + "x9")},
        "two long texts": {"a": _prose(LONG // 2), "b": repeated(_FRAMES, LONG // 2)},
        "100 rows": {"rows": json.loads(_json_body(100))},
        "a list of 10,000 numbers": {"l": list(range(10_000))},
        "1,000 short texts": {"l": [f"order {index} of the shop: paid" for index in range(1000)]},
    }
