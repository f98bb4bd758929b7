"""How long a sink keeps its events, and where they go then: the key ``retention`` of a sink."""

from __future__ import annotations

import re
from datetime import time
from typing import Annotated, Any

from pydantic import (
    BeforeValidator,
    Field,
    Secret,
    ValidationInfo,
    WithJsonSchema,
    field_validator,
    model_validator,
)

from logweir.event import Kind
from logweir.redaction.reasons import masked
from logweir.settings.delivery import StrictModel, directory_of
from logweir.settings.units import parse_duration
from logweir.settings.urls import may_hold_credentials

__all__ = ["Age", "RetentionConfig", "check_archive_url", "check_rules", "parse_age"]

_AGE = re.compile(r"\s*\d+(?:\.\d+)?\s*[sShHdDwW]\s*")
_TIME_OF_DAY = re.compile(r"([01]?\d|2[0-3]):([0-5]\d)")
_MINUTES_OF_A_DAY = 24 * 60


def parse_age(value: Any) -> float:
    """Turn ``"90d"`` into seconds, and refuse what could be meant otherwise: it decides what is deleted.

    Raises:
        ValueError: There is no unit, or one that some read as minutes and others as months.
    """
    if not isinstance(value, str) or not _AGE.fullmatch(value):
        raise ValueError(f"not an age: {value!r}; write a number with s, h, d or w, such as 90d")
    return float(parse_duration(value))


#: Seconds, written with a unit.
Age = Annotated[
    float,
    BeforeValidator(lambda value: parse_age(value) if isinstance(value, str) else _bare_number(value)),
    Field(gt=0, allow_inf_nan=False),
    WithJsonSchema({"type": "string", "pattern": f"^{_AGE.pattern}$", "examples": ["90d"]}),
]


def _bare_number(value: Any) -> Any:
    raise ValueError(f"an age without a unit: {value!r}; write a number with s, h, d or w, such as 90d")


def _time_of_day(value: Any) -> Any:
    """YAML reads 13:30 as the number of minutes; it is understood all the same."""
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < _MINUTES_OF_A_DAY:
        return time(value // 60, value % 60)
    match = _TIME_OF_DAY.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        raise ValueError(f'not a time of day: {value!r}; write hours and minutes in UTC, such as "03:00"')
    return time(int(match[1]), int(match[2]))


def check_archive_url(url: str) -> str:
    """Return the URL of an archive if it is fit for messages.

    Raises:
        ValueError: It is empty, or holds credentials, which would be shown wherever it is.
    """
    if not url.strip():
        raise ValueError("the URL of the archive is empty; write one such as s3://bucket/audit")
    if may_hold_credentials(url) or masked(url) != url:
        raise ValueError(
            "the URL of an archive is shown in messages: put credentials into options or the environment"
        )
    return url


class RetentionConfig(StrictModel):
    """When events leave a sink."""

    after: Age
    """The age at which events leave the sink, such as `90d`."""
    archive: str | None = None
    """Where they are archived as Parquet before they are deleted: a folder or a URL that fsspec knows, such
    as `s3://bucket/audit`. Without it they are deleted."""
    options: dict[str, Secret[Any]] = Field(default_factory=dict)
    """What fsspec needs to reach the archive, such as `key`, `secret` and `endpoint_url`; never shown. By
    default the environment is asked, as always."""
    at: Annotated[
        time,
        BeforeValidator(lambda value: value if isinstance(value, time) else _time_of_day(value)),
        WithJsonSchema(
            {
                "anyOf": [
                    {"type": "string", "pattern": f"^({_TIME_OF_DAY.pattern})$"},
                    {"type": "integer", "minimum": 0, "exclusiveMaximum": _MINUTES_OF_A_DAY},
                ],
                "examples": ["03:00"],
            }
        ),
    ] = time(3, 0)
    """The time of day, in UTC, at which it is done."""
    kind: Kind | None = None
    """Only events of this kind; by default all."""

    @field_validator("archive")
    @classmethod
    def _archive_can_be_shown(cls, value: str | None, info: ValidationInfo) -> str | None:
        if value is None:
            return None
        check_archive_url(value)
        return value if "://" in value or "::" in value else str(directory_of(info) / value)

    @model_validator(mode="after")
    def _options_have_an_archive(self) -> RetentionConfig:
        if self.options and self.archive is None:
            raise ValueError("options say how to reach an archive; name one with archive, or remove options")
        return self


def check_rules(rules: list[RetentionConfig]) -> list[RetentionConfig]:
    """Return the rules of a sink if no event falls under two of them.

    Raises:
        ValueError: One does.
    """
    kinds = [rule.kind for rule in rules]
    if len(rules) > 1 and (None in kinds or len(set(kinds)) < len(kinds)):
        raise ValueError("several retention rules of one sink need a kind each: audit and tracing")
    return rules
