"""Values as they are written in routing.yaml: ``30s`` and ``1MiB`` rather than numbers, in one line."""

import json
from typing import Any

import yaml

_SECONDS = {"d": 86_400, "h": 3600, "m": 60, "s": 1}
_BYTES = {"GiB": 2**30, "MiB": 2**20, "KiB": 2**10}


def quantity(rule: dict[str, Any]) -> str | None:
    """Whether a rule of the schema is for a duration or for a size."""
    shapes = [rule, *(each for each in rule.get("anyOf", ()) if "anyOf" in each)]
    for each in shapes:
        examples = each.get("examples")
        if examples == ["50ms"]:
            return "duration"
        if examples == ["1MiB"]:
            return "size"
    return None


def written(value: Any, kind: str | None = None) -> str:
    """A value as one writes it."""
    if kind == "duration":
        return _duration(value)
    if kind == "size":
        unit, size = next(((unit, size) for unit, size in _BYTES.items() if value % size == 0), ("", 1))
        return f"{value // size}{unit}"
    if isinstance(value, str) and value.startswith("${"):
        return value
    text = yaml.safe_dump(value, default_flow_style=True, sort_keys=False, width=10_000, allow_unicode=True)
    return text.removesuffix("\n").removesuffix("\n...")


def _duration(seconds: float) -> str:
    if seconds and seconds < 1:
        return f"{seconds * 1000:g}ms"
    for unit, size in _SECONDS.items():
        if seconds and seconds % size == 0:
            return f"{seconds / size:g}{unit}"
    return json.dumps(seconds)
