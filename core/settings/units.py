"""Sizes, durations and modes as people write them in routing.yaml: ``1MiB``, ``50ms``, ``"0640"``.

``ByteSize`` is an ``int`` of bytes, ``Seconds`` a ``float`` of seconds, ``Share`` a ``float`` of the whole
and ``FileMode`` a text of digits after validation.
"""

from __future__ import annotations

import math
import re
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, GetJsonSchemaHandler, WithJsonSchema
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from logweir.process.patience import LONGEST_ASKED

__all__ = [
    "ByteSize",
    "FileMode",
    "Seconds",
    "Share",
    "check_mode",
    "parse_duration",
    "parse_share",
    "parse_size",
]

_SIZES = {
    "": 1,
    "b": 1,
    "kb": 10**3,
    "mb": 10**6,
    "gb": 10**9,
    "tb": 10**12,
    "kib": 2**10,
    "mib": 2**20,
    "gib": 2**30,
    "tib": 2**40,
}
_DURATIONS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0}
#: The owner, who writes the file, may always read and write it.
_MODE = re.compile(r"0?[67][0-7]{2}")
_PERCENT = re.compile(r"\s*(\d+(?:\.\d+)?)\s*%\s*")
_QUANTITY = re.compile(r"\s*(\d+(?:\.\d+)?)\s*([A-Za-z]*)\s*")


def parse_size(value: Any) -> Any:
    """Turn ``"1MiB"`` or ``1048576`` into bytes.

    Raises:
        ValueError: If the text is not a number with a known unit.
    """
    if not isinstance(value, str):
        return value
    match = _QUANTITY.fullmatch(value)
    if match is None or match[2].lower() not in _SIZES:
        raise ValueError(
            f"not a size: {value!r}; write a number with B, KB, MB, GB, KiB, MiB or GiB, such as 1MiB"
        )
    size = float(match[1]) * _SIZES[match[2].lower()]
    if not math.isfinite(size):
        raise ValueError("not a size: the number is too large")
    return int(size)


def parse_duration(value: Any) -> Any:
    """Turn ``"50ms"`` or ``"10s"`` into seconds; a bare number is seconds.

    Raises:
        ValueError: If the text is not a number with a known unit.
    """
    if not isinstance(value, str):
        return value
    match = _QUANTITY.fullmatch(value)
    unit = match[2].lower() if match else ""
    if match is None or (unit and unit not in _DURATIONS):
        raise ValueError(f"not a duration: {value!r}; write a number with ms, s, m, h, d or w, such as 50ms")
    return float(match[1]) * _DURATIONS.get(unit, 1.0)


def _parse_seconds(value: Any) -> Any:
    """Turn a duration into seconds, as far as there are clocks that can wait for its end.

    Raises:
        ValueError: It is no duration, or longer than 100 years.
    """
    seconds = parse_duration(value)
    if isinstance(seconds, int | float) and LONGEST_ASKED < seconds < math.inf:
        raise ValueError(
            f"longer than 100 years: {value!r}; write at most {LONGEST_ASKED / _DURATIONS['d']:.0f}d"
        )
    return seconds


def parse_share(value: Any) -> Any:
    """Turn ``"80%"`` or ``0.8`` into a share of the whole.

    Raises:
        ValueError: If it is a text without a per cent sign.
    """
    if not isinstance(value, str):
        return value
    match = _PERCENT.fullmatch(value)
    if match is None:
        raise ValueError(f"not a share: {value!r}; write per cent, such as 80%")
    return float(match[1]) / 100


def check_mode(value: Any) -> str:
    """Return the permissions of a file if they are a text such as ``"0640"``.

    Raises:
        ValueError: It is no text of octal digits, or does not let the owner read and write.
    """
    # A number is refused: YAML reads 0640 as octal and 640 as decimal, and nobody could know which was meant.
    if not isinstance(value, str) or _MODE.fullmatch(value) is None:
        raise ValueError(
            f'not a mode: {value!r}; write it in quotes, such as "0640", with 6 or 7 for the owner'
        )
    return value


class _AlsoText:
    """Says in the JSON Schema how a number may be written as text, beside the number itself."""

    def __init__(self, pattern: str, example: str) -> None:
        self._text = {"type": "string", "pattern": pattern}
        self._example = example

    def __get_pydantic_json_schema__(
        self, core: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        return {"anyOf": [handler(core), self._text], "examples": [self._example]}


# The patterns are those of `_QUANTITY` and its units in the dialect of JSON Schema, which ignores no case.
ByteSize = Annotated[
    int,
    BeforeValidator(parse_size),
    Field(ge=0),
    _AlsoText(r"^\s*\d+(\.\d+)?\s*(([KkMmGgTt][Ii]?)?[Bb])?\s*$", "1MiB"),
]
Seconds = Annotated[
    float,
    BeforeValidator(_parse_seconds),
    Field(ge=0, le=LONGEST_ASKED, allow_inf_nan=False),
    _AlsoText(r"^\s*\d+(\.\d+)?\s*([Mm][Ss]|[SsMmHhDdWw])?\s*$", "50ms"),
]
Share = Annotated[
    float,
    BeforeValidator(parse_share),
    Field(gt=0, le=1, allow_inf_nan=False),
    _AlsoText(rf"^{_PERCENT.pattern}$", "80%"),
]
FileMode = Annotated[
    str,
    BeforeValidator(check_mode),
    WithJsonSchema({"type": "string", "pattern": f"^({_MODE.pattern})$", "examples": ["0640"]}),
]
