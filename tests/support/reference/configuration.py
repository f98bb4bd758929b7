"""The page of routing.yaml, key by key, from its JSON Schema: which is made from the models, with their docstrings."""

import json
import re
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from logweir.config.schema import json_schema
from logweir.sinks import registry
from support.reference.written_values import quantity, written

HEAD = """\
# routing.yaml, key by key

Every key with its type, its default and an example. How they work together is in [routing.yaml](routing.md); the same for an editor is
[routing.schema.json](routing.schema.json). In any value `${NAME}`, `${NAME:-default}` and `${file:path}` may stand. A *duration* is
`50ms`, `10s`, `5m`, `2h`, `7d` or `1w`, or a number of seconds, and 100 years (`36500d`) at most; a *size* is `64KiB`, `1MiB` or `2GB`, or a number of bytes.
"""
EXAMPLES = Path(__file__).with_name("examples.yaml")
#: What may stand for a value that the page has already named.
_STAND_INS = {"Variable", "QuotedNumber", "WordOfSwitch"}
#: What every sink has.
_COMMON = ("type", "queue", "workers", "batch", "retry", "fallback", "retention")
#: Sections whose key alone would not say which one it is.
_TITLES = {
    "RouteConfig": "A route",
    "ClassifyRule": "A rule of classify",
    "FieldMatch": "A condition on a field",
    "LabelConfig": "A label of Loki",
    "DatabaseTlsConfig": "tls of a database",
    "LifecycleConfig": "lifecycle of Elasticsearch",
    "RotateConfig": "rotate of a file",
    "SaslConfig": "sasl of Kafka",
    "SignConfig": "sign of a webhook",
    "TtlConfig": "ttl of MongoDB",
}


@cache
def schema() -> dict[str, Any]:
    """The JSON Schema of the whole file, with all sink types of logweir's own."""
    return json_schema(registry.known_types())


def sections() -> dict[str, dict[str, Any]]:
    """The schema of each section, by the name of its model; that of a sink is ``sink.TYPE``."""
    sinks = {
        each["properties"]["type"]["const"]: each
        for each in schema()["properties"]["sinks"]["additionalProperties"]["oneOf"]
        if "const" in each["properties"]["type"]
    }
    found = {"RoutingConfig": schema()}
    _collect({key: value for key, value in schema()["properties"].items() if key != "sinks"}, found)
    some = next(iter(sinks.values()))
    common = {key: some["properties"][key] for key in _COMMON}
    common["type"] = {
        "type": "string",
        "description": f"Which sink this is: {_either(sinks)}, or one of your own.",
    }
    found["sink"] = {"properties": common, "description": "What every sink has.", "required": ["type"]}
    _collect(common, found)
    for name, each in sinks.items():
        own = {key: value for key, value in each["properties"].items() if key not in _COMMON}
        found[f"sink.{name}"] = {**each, "properties": own}
        _collect(own, found)
    return found


def _collect(part: Any, found: dict[str, dict[str, Any]]) -> None:
    """Add the models that a part of the schema refers to, each before what it refers to itself."""
    for name in re.findall(r"#/\$defs/(\w+)", json.dumps(part)):
        model = schema()["$defs"][name]
        if name not in found and "properties" in model:
            found[name] = model
            _collect(model["properties"], found)


def title(section: str) -> str:
    """The heading of a section."""
    if section == "RoutingConfig":
        return "The file"
    if section == "sink":
        return "Every sink"
    if section.startswith("sink."):
        return f"Sink {section.removeprefix('sink.')}"
    words = re.findall("[A-Z][a-z]+", section.removesuffix("Config"))
    return _TITLES.get(section, "_".join(words).lower())


def example(section: str, key: str, rule: dict[str, Any]) -> Any:
    """An example of a key's value, or None where its default is one."""
    if key in _examples().get(section, {}):
        return _examples()[section][key]
    if rule.get("default") not in (None, [], {}, ""):
        return None
    if key in _examples()["*"]:
        return _examples()["*"][key]
    return next((each["const"] if "const" in each else _sample(each) for each in _kinds(rule)), None)


@cache
def _examples() -> dict[str, dict[str, Any]]:
    """What is written by hand."""
    found: dict[str, dict[str, Any]] = yaml.safe_load(EXAMPLES.read_text(encoding="utf-8"))
    return found


def _sample(rule: dict[str, Any]) -> Any:
    if "enum" in rule:
        return rule["enum"][0]
    if quantity(rule):
        return {"size": "1MiB", "duration": "10s"}[quantity(rule) or ""]
    return {"boolean": True, "integer": max(rule.get("minimum", 1), 1)}.get(rule.get("type", ""))


def page() -> str:
    """The text of the page."""
    return "\n".join([HEAD, *("\n".join(_section(name, each)) for name, each in sections().items())])


def _section(name: str, rules: dict[str, Any]) -> Iterator[str]:
    yield from (f"## {title(name)}", "", _prose(rules.get("description", "")), "")
    for key, rule in rules["properties"].items():
        required = key in rules.get("required", ())
        yield f"- **`{key}`**: {_type(rule)}{_default(rule, required=required)}."
        yield f"  {_prose(rule.get('description', ''))}"
        shown = example(name, key, rule)
        if shown is not None:
            yield f"  Example: `{key}: {written(shown)}`"
    if not rules["properties"]:
        yield "No keys but [those of every sink](#every-sink)."
    elif name.startswith("sink."):
        yield from ("", "And [what every sink has](#every-sink).")
    yield ""


def _default(rule: dict[str, Any], *, required: bool) -> str:
    if required:
        return ", required"
    value = rule.get("default")
    if value is None or (isinstance(value, dict | list) and not value) or value == "":
        return ""
    if ("$ref" in rule and isinstance(value, dict)) or re.fullmatch(
        r"\*+", str(value)
    ):  # a secret is not shown
        return ""
    if isinstance(value, list):
        value = [one["name"] if isinstance(one, dict) and "name" in one else one for one in value]
    return f", `{written(value, quantity(rule))}` by default"


def _kinds(rule: dict[str, Any]) -> list[dict[str, Any]]:
    """What a value may be, without variables and null."""
    if quantity(rule):
        return [{key: value for key, value in rule.items() if key != "description"}]
    if "$ref" in rule:
        name = rule["$ref"].rpartition("/")[2]
        model = schema()["$defs"][name]
        return [] if name in _STAND_INS else [{"$ref": name}] if "properties" in model else _kinds(model)
    if "anyOf" in rule:
        return [kind for each in rule["anyOf"] for kind in _kinds(each)]
    return [] if rule.get("type") == "null" else [rule]


def _type(rule: dict[str, Any]) -> str:
    return " or ".join(dict.fromkeys(map(_word, _kinds(rule)))) or "anything"


def _word(rule: dict[str, Any]) -> str:
    if found := quantity(rule):
        return f"a {found}"
    if "$ref" in rule:
        heading = title(rule["$ref"])
        slug = re.sub(r"[^a-z_ ]", "", heading.lower()).replace(" ", "-")
        return f"[{heading[0].lower()}{heading[1:]}](#{slug})"
    if "const" in rule or "enum" in rule:
        return _either(rule.get("enum") or [rule["const"]])
    return _PLAIN.get(rule.get("type", ""), lambda _: "anything")(rule)


def _names(rule: dict[str, Any]) -> str:
    values = rule.get("additionalProperties")
    if not isinstance(values, dict):
        return "names and their values"
    return f"names, each with {'[a sink](#every-sink)' if 'oneOf' in values else _type(values)}"


_PLAIN: dict[str, Callable[[dict[str, Any]], str]] = {
    "array": lambda rule: f"a list of {_type(rule.get('items', {}))}",
    "object": _names,
    "integer": lambda rule: f"a whole number{_range(rule)}",
    "number": lambda rule: f"a number{_range(rule)}",
    "boolean": lambda _: "`true` or `false`",
    "string": lambda rule: {"password": "a secret text", "path": "a path"}.get(
        rule.get("format", ""), "text"
    ),
}


def _either(values: Iterable[Any]) -> str:
    *first, last = [f"`{written(each)}`" for each in values]
    return f"{', '.join(first)} or {last}" if first else last


def _range(rule: dict[str, Any]) -> str:
    low, high = rule.get("minimum"), rule.get("maximum")
    if low is not None and high is not None:
        return f" from {_number(low)} to {_number(high)}"
    return f" of at least {_number(low)}" if low else ""


def _number(value: float) -> str:
    return f"{value:,}" if isinstance(value, int) else f"{value:g}"


def _prose(text: str) -> str:
    """A docstring as a paragraph of Markdown."""
    text = re.sub(r":\w+:`~?(?:[\w.]+\.)?(\w+)`", r"`\1`", text).replace("``", "`")
    return re.sub(r"\s*\n\s*", " ", text).strip()
