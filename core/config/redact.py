"""What may be written under ``redact``: the defaults that apply, what is added, excepted, or replaced."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Annotated, Any, Literal, get_args

from pydantic import AfterValidator, Field, SecretStr, field_validator

from logweir.config.user_modules import FunctionPath, find_function
from logweir.redaction.exemptions import is_name, parse_path, place_tree
from logweir.redaction.names import Secrecy
from logweir.redaction.own_function import OwnFunction
from logweir.redaction.patterns import DEFAULT_PATTERNS, GROUPS
from logweir.redaction.pseudonyms import Pseudonyms
from logweir.redaction.redactor import Redactor
from logweir.settings.delivery import StrictModel
from logweir.settings.suggestions import instead_of

__all__ = ["Group", "HashConfig", "RedactConfig"]

#: The groups of what is masked by default.
Group = Literal["credentials", "codes", "cards", "identity", "tokens", "private_keys", "sql"]


def _place(text: str) -> str:
    parse_path(text)
    return text


#: A path, or a name at any depth.
Place = Annotated[str, AfterValidator(_place)]

_SHORTEST_KEY = 16


class HashConfig(StrictModel):
    """What becomes a keyed pseudonym instead of `***`, so that equal values can still be joined."""

    key: SecretStr = SecretStr("")
    """The key (HMAC-SHA-256) of at least 16 characters, as in `${HASH_KEY}`; with another key the same value
    becomes another pseudonym."""
    paths: list[Place] = Field(min_length=1)
    """Paths such as `user.email`, and names at any depth such as `client_ip`; each value below has one."""

    @field_validator("key", mode="before")
    @classmethod
    def _key_is_long_enough(cls, value: Any) -> Any:
        """Say what is wrong in words of our own: others would show a part of the key."""
        text = value.get_secret_value() if isinstance(value, SecretStr) else value
        if not isinstance(text, str) or not text:
            raise ValueError(
                "redact.hash needs a key that is text: write key: ${HASH_KEY}, and set that variable"
            )
        if len(text) < _SHORTEST_KEY:
            raise ValueError(f"the key of redact.hash must have at least {_SHORTEST_KEY} characters")
        return value


class RedactConfig(StrictModel):
    """What becomes `***` before an event leaves the caller."""

    keys: list[str] = Field(default_factory=list)
    """Names of fields, at any depth, whose values are secret; added to the defaults."""
    patterns: list[str] = Field(default_factory=list)
    """Parts of text that are secret, beside the defaults: names of built-in patterns, regular expressions."""
    defaults: bool | list[Group] = True
    """Which of the built-in rules apply: all, none, or groups of them (`[credentials, cards]`). Passwords in
    URLs are masked always."""
    except_: list[Place] = Field(default_factory=list, alias="except")
    """What is no secret: paths (`requestParameters.secretId`, `items[].token`, `headers.*.etag`), whose
    values are stored as they are, and names (`session_id`), which are harmless at any depth."""
    hash: HashConfig | None = None
    """What becomes a keyed pseudonym instead of `***`."""
    function: FunctionPath | None = None
    """Dotted path (`package.module:function`) of a function that is asked about each value that is left, with
    its path, and returns what is stored."""

    @field_validator("patterns")
    @classmethod
    def _patterns_can_be_compiled(cls, value: list[str]) -> list[str]:
        for pattern in value:
            try:
                re.compile(pattern)
            except (OverflowError, RecursionError) as error:
                raise ValueError(f"not a regular expression: {error}") from None
            except re.error:
                continue  # redaction reports this better: it knows the names that were meant
        return value

    @field_validator("defaults", mode="before")
    @classmethod
    def _groups_are_known(cls, value: Any) -> Any:
        """Say so in one sentence: pydantic would write one for each branch of the type."""
        known = get_args(Group)
        if not isinstance(value, list):
            if isinstance(value, bool):
                return value
            raise ValueError(f"defaults must be true, false or a list of {', '.join(known)}")
        for group in value:
            if group not in known:
                raise ValueError(f"unknown group {str(group)[:40]!r}; {instead_of(str(group), known)}")
        return value

    def redactor(self) -> Redactor:
        """Return what masks by these settings.

        Raises:
            ConfigError: A pattern is neither the name of a built-in one nor a regular expression.
        """
        pseudonyms = Pseudonyms(self.hash.key.get_secret_value().encode()) if self.hash else None
        return Redactor(
            self.keys,
            [*self._default_patterns(), *self.patterns],
            defaults=self.defaults,
            exempt=[entry for entry in self.except_ if is_name(entry)],
            paths=place_tree(
                [entry for entry in self.except_ if not is_name(entry)],
                self.hash.paths if self.hash else (),
                pseudonyms,
            ),
        )

    def _default_patterns(self) -> Iterable[str]:
        if self.defaults is True:
            return DEFAULT_PATTERNS
        chosen = [name for group in self.defaults or () for name in GROUPS[group]]
        return [*chosen, "assignment"] if self.keys else chosen

    def needless_exceptions(self) -> list[str]:
        """Return the names under ``except`` that are harmless in any case."""
        names = self.redactor().names
        return [name for name in self.except_ if is_name(name) and names.secrecy(name) is Secrecy.HARMLESS]

    def own_function(self) -> OwnFunction | None:
        """Return the function of the user's, guarded; ``None`` if none is named."""
        return OwnFunction(self.function, find_function(self.function)) if self.function else None
