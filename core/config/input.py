"""The key ``input`` of routing.yaml: how ``logweir run`` reads lines that other loggers wrote."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from typing import Literal
from zoneinfo import ZoneInfo

from pydantic import Field, field_validator

from logweir.config.regexes import compiled
from logweir.event import LEVELS
from logweir.settings.delivery import StrictModel
from logweir.settings.one_or_many import AnyNumber

__all__ = ["InputConfig", "LineFormat"]

LineFormat = Literal[
    "auto", "logweir", "json", "ecs", "otlp", "pino", "bunyan", "zap", "zerolog", "logrus", "slog",
    "python-json-logger", "gelf", "clef", "cloudtrail", "k8s-audit", "journald", "docker", "cri", "nginx",
    "apache", "syslog", "plain",
]  # fmt: skip

_OFFSET = re.compile(r"([+-])(\d\d):?(\d\d)")


class InputConfig(StrictModel):
    """How `logweir run` reads lines; what is not said is found by the format's own names."""

    format: LineFormat = "auto"
    """The format of the lines, as `--format` says it; `auto` recognises each line."""
    message_key: AnyNumber[str] = Field(default_factory=list)
    """Where the event's name is, such as `text` or `payload.title`; of several the first that is there."""
    time_key: AnyNumber[str] = Field(default_factory=list)
    """Where the time is."""
    level_key: AnyNumber[str] = Field(default_factory=list)
    """Where the level is."""
    trace_key: AnyNumber[str] = Field(default_factory=list)
    """Where the id of the trace is; text that is no id of a known form is taken as it stands."""
    span_key: AnyNumber[str] = Field(default_factory=list)
    """Where the id of the span is."""
    time_format: str | None = None
    """How `time_key` is written, as `strptime` says it, as in `%d.%m.%Y %H:%M:%S.%L` (`%L`: fractions of a
    second)."""
    timezone: str = "UTC"
    """The zone of times without an offset: a name such as `Europe/Berlin`, or an offset such as `+02:00`."""
    levels: dict[str, str] = Field(default_factory=dict)
    """Levels of your own, as in `{"35": warning, AUDIT: info}`."""
    regex: str | None = None
    """For lines of text: a regular expression for the whole line, whose named groups (`(?P<name>…)`) become
    fields; `time`, `level`, `message` and `trace_id` are understood by their names."""

    multiline: bool = False
    """Whether lines that go on with the one before, such as those of a traceback, are one event with it."""
    multiline_start: str | None = None
    """A regular expression for the beginning of each event's first line; all other lines go on with it."""

    @field_validator("levels")
    @classmethod
    def _levels_are_known(cls, value: dict[str, str]) -> dict[str, str]:
        for level in value.values():
            if level not in LEVELS:
                raise ValueError(f"unknown level {level!r}; write one of {', '.join(LEVELS)}")
        return value

    @field_validator("timezone")
    @classmethod
    def _zone_is_known(cls, value: str) -> str:
        try:
            zone_of(value)
        except (KeyError, OSError, ValueError):
            raise ValueError(
                f"unknown time zone {value!r}; write a name such as Europe/Berlin, or an offset as +02:00"
            ) from None
        return value

    @field_validator("time_format")
    @classmethod
    def _format_can_be_read(cls, value: str | None) -> str | None:
        if value is not None:
            try:
                form = value.replace("%L", "%f")
                datetime.strptime(datetime.now(UTC).strftime(form), form)  # noqa: DTZ007 - only whether it can
            except (ValueError, re.error) as error:
                raise ValueError(f"not a format of strptime: {error}") from None
        return value

    @field_validator("multiline_start")
    @classmethod
    def _start_compiles(cls, value: str | None) -> str | None:
        if value is not None:
            compiled(value.encode())
        return value

    @field_validator("regex")
    @classmethod
    def _regex_names_groups(cls, value: str | None) -> str | None:
        if value is not None and not compiled(value).groupindex:
            raise ValueError("the expression has no named group, as in (?P<message>.*); name what it finds")
        return value


def zone_of(name: str) -> tzinfo:
    """The time zone of a name or an offset.

    Raises:
        ValueError, KeyError, OSError: There is no such zone, or the name is none.
    """
    if name == "UTC":
        return UTC
    match = _OFFSET.fullmatch(name)
    if match is None:
        return ZoneInfo(name)
    minutes = int(match[2]) * 60 + int(match[3])
    return timezone(timedelta(minutes=-minutes if match[1] == "-" else minutes))
