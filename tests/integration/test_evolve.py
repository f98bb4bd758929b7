"""The stages of docs/how-to/evolve.md: every file on it is valid, and one unchanged program runs under each."""

import json
import re
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from logweir.config.checks import find_doubts
from logweir.config.loading import load_config
from logweir.encoding.events import event_to_dict
from logweir.testing.contract import make_event

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "how-to" / "evolve.md"
COLLECTORS = ROOT / "examples" / "collectors"
FILES = dict(re.findall(r"^```yaml\n# (\w+\.yaml)\n(.*?)^```", PAGE.read_text(), re.DOTALL | re.MULTILINE))

#: Says nothing of where anything goes.
PROGRAM = """\
import sys
import logweir

logweir.configure_structlog()
log = logweir.get_logger("shop")


@logweir.audit_log("fund.transfer", user="user_id")
def transfer(user_id, amount):
    log.info("transfer.checked", amount=amount)


with logweir.running(sys.argv[1]):
    transfer(7, 100)
    log.info("role.changed", user_id=7)
"""


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    for name, text in FILES.items():
        (tmp_path / name).write_text(text)
    (tmp_path / "shop.py").write_text(PROGRAM)
    return tmp_path


def run(directory: Path, routing: str) -> tuple[list[str], list[dict[str, Any]]]:
    """The names of what was audited, and the lines on stdout."""
    done = subprocess.run(
        [sys.executable, "shop.py", routing],
        cwd=directory,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    with sqlite3.connect(directory / "audit.db") as database:
        audited = [action for (action,) in database.execute("SELECT action FROM audit_log ORDER BY id")]
    database.close()
    return audited, [json.loads(line) for line in done.stdout.splitlines()]


def test_the_page_has_a_file_for_each_stage() -> None:
    assert list(FILES) == ["v1.yaml", "v2.yaml", "v3.yaml", "both.yaml", "collected.yaml"]


@pytest.mark.parametrize("name", FILES)
def test_each_file_is_valid_and_leaves_no_doubt(directory: Path, name: str) -> None:
    assert find_doubts(load_config(directory / name)) == []


@pytest.mark.parametrize("name", ["v3.yaml", "both.yaml"])
def test_a_store_of_tracing_gets_no_audit(directory: Path, name: str) -> None:
    config = load_config(directory / name)
    assert {route.name: route.to for route in config.routes}["audit"] == ["audit_db"]


def test_in_v1_only_what_says_so_is_audit(directory: Path) -> None:
    audited, printed = run(directory, "v1.yaml")
    assert audited == ["fund.transfer"]
    assert [line["event"] for line in printed] == ["transfer.checked", "role.changed"]


def test_in_v2_rules_find_the_rest_and_tracing_goes_to_a_file(directory: Path) -> None:
    audited, printed = run(directory, "v2.yaml")
    assert audited == ["fund.transfer", "role.changed"]
    assert printed == []
    [line] = (directory / "logs" / "tracing.jsonl").read_text().splitlines()
    assert json.loads(line)["event"] == "transfer.checked"


def test_for_a_collector_stdout_has_tracing_alone_with_its_fields_at_the_top(directory: Path) -> None:
    audited, printed = run(directory, "collected.yaml")
    assert audited == ["fund.transfer", "role.changed"]
    [line] = printed
    assert line["event"] == "transfer.checked"
    assert line["amount"] == 100


# -- collectors ---------------------------------------------------------------------------------------

LABELS = {"level", "env", "service"}
METADATA = {"kind", "trace_id", "span_id"}


def test_the_collectors_read_what_an_event_has() -> None:
    assert {"time", *LABELS, *METADATA} <= event_to_dict(make_event()).keys()


def test_promtail_makes_labels_of_few_values_and_takes_the_events_time() -> None:
    config = yaml.safe_load((COLLECTORS / "promtail.yaml").read_text())
    stages = {
        name: stage for each in config["scrape_configs"][0]["pipeline_stages"] for name, stage in each.items()
    }
    assert stages["json"]["expressions"] == {name: name for name in ("time", *LABELS, *METADATA)}
    assert stages["timestamp"] == {"source": "time", "format": "RFC3339Nano"}
    assert stages["labels"].keys() == LABELS
    assert stages["structured_metadata"].keys() == METADATA


def test_vector_makes_labels_of_few_values_and_takes_the_events_time() -> None:
    config = yaml.safe_load((COLLECTORS / "vector.yaml").read_text())
    sink = config["sinks"]["loki"]
    assert sink["labels"] == {"job": "logweir", **{name: f"{{{{ {name} }}}}" for name in LABELS}}
    assert sink["structured_metadata"] == {name: f"{{{{ {name} }}}}" for name in METADATA}
    assert "parse_timestamp!(.time" in config["transforms"]["events"]["source"]
    assert sink["inputs"] == [*config["transforms"]]
    assert config["transforms"]["events"]["inputs"] == [*config["sources"]]


def test_alloy_makes_labels_of_few_values_and_takes_the_events_time() -> None:
    text = (COLLECTORS / "config.alloy").read_text()
    assert text.count("{") == text.count("}")

    def names(stage: str) -> set[str]:
        [block] = re.findall(rf"stage\.{stage} \{{\s*\w+ = \{{(.*?)\}}", text, re.DOTALL)
        return set(re.findall(r"(\w+) = ", block))

    assert names("json") == {"time", *LABELS, *METADATA}
    assert names("labels") == LABELS
    assert names("structured_metadata") == METADATA
    assert 'source = "time"' in text
    assert 'format = "RFC3339Nano"' in text
