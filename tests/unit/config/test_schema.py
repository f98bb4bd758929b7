"""The JSON Schema: every type is described, and the published copy is current."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from logweir.config.schema import json_schema
from logweir.sinks import registry

PUBLISHED = Path(__file__).parents[3] / "docs" / "reference" / "routing.schema.json"


def schema(*types: str) -> dict[str, Any]:
    return json_schema(types)


def variants(found: dict[str, Any]) -> list[dict[str, Any]]:
    return list(found["properties"]["sinks"]["additionalProperties"]["oneOf"])


def test_each_sink_type_is_described_and_distinguished_by_its_type() -> None:
    memory, null, other = variants(schema("null", "memory"))
    assert memory["properties"]["type"]["const"] == "memory"
    assert "keep" in memory["properties"]
    assert "type" in memory["required"]
    assert memory["additionalProperties"] is False
    assert null["properties"]["type"]["const"] == "null"
    assert other["properties"]["type"]["not"] == {"enum": ["memory", "null"]}


def test_every_reference_leads_somewhere() -> None:
    found = schema(*registry.known_types())
    text = json.dumps(found)
    for name in {part.partition('"')[0] for part in text.split("#/$defs/")[1:]}:
        assert name in found["$defs"]


def test_a_variable_may_stand_for_a_number_but_names_of_keys_stay() -> None:
    found = schema("memory")
    workers = variants(found)[0]["properties"]["workers"]
    assert {"$ref": "#/$defs/Variable"} in workers["anyOf"]
    assert workers["description"]
    assert set(found["$defs"]["FieldMatch"]["properties"]) == {
        "name",
        "equals",
        "in",
        "glob",
        "regex",
        "exists",
    }


def test_the_published_schema_is_current() -> None:
    """To renew it: ``logweir schema > docs/reference/routing.schema.json``."""
    command = [sys.executable, "-c", "from logweir.cli.app import main; main()", "schema"]
    printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert json.loads(printed) == json.loads(PUBLISHED.read_text(encoding="utf-8"))
