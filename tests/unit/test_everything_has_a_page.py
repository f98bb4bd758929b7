"""What exists is in the documentation: keys of routing.yaml, public names, commands and options.

That every metric is there is tested beside the metrics, in ``telemetry/test_prometheus.py``.
"""

import ast
import importlib
import json
import re
from pathlib import Path
from typing import Any

from support.code_blocks import blocks
from support.public_api import public_paths
from support.reference.commands import leaves

REFERENCE = Path(__file__).parents[2] / "docs" / "reference"
SCHEMA = json.loads((REFERENCE / "routing.schema.json").read_text())


def page(name: str) -> str:
    return (REFERENCE / name).read_text(encoding="utf-8")


def models() -> dict[str, dict[str, Any]]:
    sinks = SCHEMA["properties"]["sinks"]["additionalProperties"]["oneOf"]
    return {"the file": SCHEMA, **SCHEMA["$defs"], **{each["title"]: each for each in sinks}}


def test_every_key_of_the_schema_is_on_the_page_of_the_configuration() -> None:
    named = set(re.findall(r"^- \*\*`(\w+)`\*\*: .+\.\n  \S", page("configuration.md"), re.MULTILINE))
    missing = {
        f"{name}: {key}"
        for name, each in models().items()
        for key in each.get("properties", {})
        if key not in named
    }
    assert not missing


def test_every_sink_type_has_its_section_with_all_its_own_keys() -> None:
    sections = dict(
        re.findall(r"^## Sink (\w+)\n(.*?)(?=^## |\Z)", page("configuration.md"), re.DOTALL | re.MULTILINE)
    )
    common = {"type", "queue", "workers", "batch", "retry", "fallback", "retention"}
    for name, each in models().items():
        if name.startswith("Sink "):
            keys = set(re.findall(r"^- \*\*`(\w+)`", sections[name.removeprefix("Sink ")], re.MULTILINE))
            assert keys == set(each["properties"]) - common, name


def test_every_public_name_is_on_the_page_of_its_module() -> None:
    for path in (REFERENCE / "api").glob("logweir*.md"):
        text = path.read_text(encoding="utf-8")
        here = set(re.findall(rf"^\.\. auto\w+:: {re.escape(path.stem)}\.(\w+)$", text, re.MULTILINE))
        elsewhere = set(re.findall(r"^``(\w+)`` is :py:obj:", text, re.MULTILINE))
        assert here | elsewhere == set(importlib.import_module(path.stem).__all__), path.name


def test_every_command_and_option_is_on_the_page_of_the_command_line() -> None:
    sections = dict(
        re.findall(r"^## logweir ([\w ]+)\n(.*?)(?=^## |\Z)", page("commands.md"), re.DOTALL | re.MULTILINE)
    )
    assert set(sections) == {name for name, _ in leaves()}
    for name, command in leaves():
        for parameter in command.params:
            for spelled in (
                parameter.opts if parameter.param_type_name == "option" and not parameter.hidden else ()
            ):
                assert re.search(rf"`{re.escape(spelled)}[` ]", sections[name]), (name, spelled)


#: What pages import of one sink, to make it by hand.
OF_ONE_SINK = re.compile(r"logweir\.sinks\.(elasticsearch|loki|mongodb|sql)\.")


def test_what_the_pages_import_is_public() -> None:
    public = {*public_paths(), *(path.rpartition(".")[0] for path in public_paths())}
    imported = {
        f"{node.module}.{alias.name}"
        for block in blocks("python", "py")
        for node in ast.walk(ast.parse(block.text))
        if isinstance(node, ast.ImportFrom) and f"{node.module}.".startswith("logweir.")
        for alias in node.names
    }
    assert {path for path in imported - public if not OF_ONE_SINK.match(path)} == set()
