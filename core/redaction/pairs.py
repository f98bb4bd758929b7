"""Pairs: a name and its value that travel as members of a container, as headers, variables and changes do.

Two members of a list, ``["Authorization", "..."]``; entries of a mapping, ``{"name": "T", "value": "..."}``
as in HAR, Kubernetes, CloudFormation and Terraform, or ``{"field": "password", "old": "...", "new": "..."}``;
and options before their values, ``["--password", "..."]``. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from itertools import islice
from typing import Any

from logweir.redaction.names import Secrecy
from logweir.redaction.stored_texts import stored_text

__all__ = [
    "LABELS",
    "credentials_in",
    "is_value_key",
    "name_of_pair",
    "option_name",
    "private_members",
    "secret_label",
]

_PAIR = 2
#: Words in small letters, joined by signs.
_IDENTIFIER = re.compile(r"[a-z]{2,}(?:[._:][a-z]{2,}){1,8}")
#: No longer text is taken for a name.
_LONGEST_NAME = 128

_FOR_NAMES = frozenset(
    """
    name key k header field param parameter variable var env option property attribute setting label title id
    path loc
    """.split()  # noqa: SIM905 - a column of quoted words is harder to read
)
_FOR_KINDS = frozenset({"type", "kind"})
_PREFIXES = frozenset(
    """
    parameter option header field param env variable setting property attribute config output tag cookie
    """.split()  # noqa: SIM905 - the same
)
_FOR_VALUES = frozenset(
    """
    value values val v answer got material data stringdata content raw default input secretstring
    """.split()  # noqa: SIM905 - a column of quoted words is harder to read
)
#: What a statement is given; these are values only beside one that names a secret.
_FOR_STATEMENTS = frozenset(
    [
        "params",
        "parameters",
        "args",
        "arguments",
        "bindings",
        "binds",
        "bindparams",
        "variables",
        "bindvariables",
        "rows",
        "records",
    ]
)
_FOR_CHANGES = _FOR_STATEMENTS | frozenset(
    ["old", "new", "before", "after", "from", "to", "previous", "current", "fromstring", "tostring", "text"]
)
_BESIDE_KEYS = frozenset({"value", "values", "val", "v"})
#: Under a credential's name they are the credential itself.
_FOR_CREDENTIALS = frozenset(
    """
    plain plaintext cleartext encoded decoded encrypted decrypted hash hashed string str full old new previous
    prev original
    """.split()  # noqa: SIM905 - a column of quoted words is harder to read
)
_SINGLE = frozenset({"credentials", "creds", "access", "auths"})


def _spellings(words: Iterable[str], prefixes: Iterable[str] = ()) -> frozenset[str]:
    spelt = set()
    for word in words:
        spelt |= {word, word.capitalize(), word.upper()}
        for prefix in prefixes:
            spelt |= {f"{prefix}_{word}", f"{prefix}-{word}", prefix + word.capitalize()}
            spelt |= {prefix.capitalize() + word.capitalize(), f"{prefix}_{word}".upper()}
    return frozenset(spelt)


_KIND_LABELS = _spellings(_FOR_KINDS)
_COLUMNS = frozenset({"columns", "column_names", "columnNames"})
_STATEMENTS = _spellings(("sql", "query", "statement", "stmt", "operation"))
#: The keys whose values say what the entry beside them is, in their usual spellings.
LABELS = (
    _spellings(_FOR_NAMES)
    | _spellings(("name", "key"), _PREFIXES)
    | _KIND_LABELS
    | _STATEMENTS
    | _COLUMNS
    | {"kty"}
)
_STATEMENT = re.compile(
    r"(?i:\b(?:select|insert|update|delete|replace|call|exec|execute|merge|mutation|query|alter|create)\b)"
)
_PLACEHOLDER = re.compile(r"\?|%s|%\(|[$:@]\w")
_WORD = re.compile(r"[^\W\d]\w{2,63}")
_MOST_WORDS, _LONGEST_STATEMENT = 64, 4096
_KEY_TYPES = frozenset({"EC", "RSA", "OKP", "oct", "AKP"})
#: What is private of a JWK, RFC 7518.
_PRIVATE = frozenset({"d", "p", "q", "dp", "dq", "qi", "k", "oth", "priv"})


def name_of_pair(container: Sequence[object]) -> str | None:
    """Return what may be the name of two members, as in ``("Authorization", "Basic ...")``."""
    if len(container) != _PAIR:
        return None
    name = container[0]
    if type(name) is bytes and len(name) <= _LONGEST_NAME:
        return name.decode("latin-1")
    if type(name) is not str or len(name) > _LONGEST_NAME or _is_identifier(container[1]):
        return None
    return name


def _is_identifier(value: object) -> bool:
    """Whether the second of two is a name too, as in ``["client_secret_basic", "private_key_jwt"]``."""
    return type(value) is str and len(value) <= _LONGEST_NAME and _IDENTIFIER.fullmatch(value) is not None


def secret_label(
    entries: Sequence[tuple[Any, Any]], secrecy: Callable[[str], Secrecy]
) -> tuple[Secrecy, str, bool]:
    """Return how secret the value of a mapping is by what its label says, and the label.

    Also whether the label names a field, so that what it was and is may stand beside it.
    """
    found, said, names = Secrecy.HARMLESS, "", False
    for key_there, said_there in entries:
        key, label = stored_text(key_there), stored_text(said_there)
        if type(key) is not str or key not in LABELS:
            continue
        if key in _STATEMENTS:
            word = _secret_word(label, secrecy)
            if word:
                found, said, names = Secrecy.SECRET, word, True
            continue
        if key in _COLUMNS:
            label = _secret_column(label, secrecy)
        if key == "kty" and type(label) is str and label in _KEY_TYPES:
            return secrecy("private_jwk"), "private_jwk", False
        # A place, such as ("body", "password"), names its last step.
        name = stored_text(label[-1] if type(label) in {list, tuple} and label else label)
        if type(name) is str and 0 < len(name) <= _LONGEST_NAME:
            secret = secrecy(name)
            if secret > found:
                found, said = secret, name
            names = names or (secret is not Secrecy.HARMLESS and key not in _KIND_LABELS)
    return found, said, names


def _secret_word(statement: object, secrecy: Callable[[str], Secrecy]) -> str:
    """Return the name of a secret that a statement is given a value for; empty if there is none."""
    if type(statement) is not str or not _STATEMENT.search(statement, 0, _LONGEST_STATEMENT):
        return ""
    if not _PLACEHOLDER.search(statement, 0, _LONGEST_STATEMENT):
        return ""
    words = dict.fromkeys(_WORD.findall(statement, 0, _LONGEST_STATEMENT))
    return next((word for word in islice(words, _MOST_WORDS) if secrecy(word)), "")


def _secret_column(columns: object, secrecy: Callable[[str], Secrecy]) -> str:
    """Return the first secret name of some columns; empty if there is none."""
    if not isinstance(columns, list | tuple):
        return ""
    names = map(stored_text, islice(columns, _MOST_WORDS))
    return next((name for name in names if type(name) is str and secrecy(name)), "")


def private_members(entries: Sequence[tuple[Any, Any]]) -> Callable[[str], bool] | None:
    """Return what says which members of a mapping are private by what the mapping is: a JWK's are."""
    types = (stored_text(label) for key, label in entries if stored_text(key) == "kty")
    is_key = any(type(label) is str and label in _KEY_TYPES for label in types)
    return _PRIVATE.__contains__ if is_key else None


def is_value_key(key: str, *, changes: bool) -> bool:
    """Whether an entry is the value that a label beside it names.

    Args:
        key: Of the entry.
        changes: Whether ``old``, ``new``, ``before``, ``from`` and their like are values too.
    """
    word = _word(key)
    if word in _FOR_VALUES or word.endswith("value"):
        return True
    return changes and word in _FOR_CHANGES


def _word(key: str) -> str:
    return key.lower().replace("_", "").replace("-", "") if len(key) <= _LONGEST_NAME else ""


def option_name(item: object) -> str | None:
    """Return the name of a command's option that stands alone, as ``--password`` does before its value."""
    if type(item) is str and item[:1] == "-" and "=" not in item and 2 < len(item) <= _LONGEST_NAME:  # noqa: PLR2004 - more than "-p"
        return item.lstrip("-")
    return None


def credentials_in(name: str, entries: Sequence[tuple[Any, Any]]) -> Callable[[str], bool]:
    """Return what says which entries of a mapping under a credential's name are the credential itself.

    In ``cookies`` each entry is one. A ``key`` is it unless it names what stands beside it, the ``id`` of a
    session opens the session, and where there is nothing else, ``from`` and ``to`` are what it was and is.
    """
    lowered = name.lower()
    if lowered.endswith(("s", "cookie")) and lowered not in _SINGLE:
        return lambda _key: True
    words = {_word(text) for key, _ in entries if type(text := stored_text(key)) is str}
    own = _FOR_CREDENTIALS
    if words.isdisjoint(_BESIDE_KEYS):
        own |= {"key"}
    if "session" in lowered:
        own |= {"id"}
    if words <= _FOR_CHANGES:
        own |= words
    return lambda key: (word := _word(key)) in own or word in _FOR_VALUES or word.endswith("value")
