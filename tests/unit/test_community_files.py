"""The files that a stranger's tools and forms read are valid."""

import subprocess
import sys
import tomllib

import pytest
import yaml

from support.tree import ROOT

FORMS = sorted(path for path in ROOT.glob(".github/ISSUE_TEMPLATE/*.yml") if path.name != "config.yml")
#: What an element of a form may be.
ELEMENTS = {"markdown", "textarea", "input", "dropdown", "checkboxes"}


@pytest.mark.parametrize("path", FORMS, ids=lambda path: path.name)
def test_a_form_for_issues_is_valid(path: object) -> None:
    form = yaml.safe_load(path.read_text())  # type: ignore[attr-defined]
    assert {"name", "description", "body"} <= form.keys()
    names = [each["id"] for each in form["body"] if each["type"] != "markdown"]
    assert len(names) == len(set(names))
    for each in form["body"]:
        assert each["type"] in ELEMENTS
        assert each["attributes"].get("value" if each["type"] == "markdown" else "label")


def test_the_citation_names_the_project_as_pyproject_does() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert citation["title"] == project["name"]
    assert citation["license"] == project["license"]
    assert [each["name"] for each in citation["authors"]] == [each["name"] for each in project["authors"]]
    assert {"cff-version", "message", "type"} <= citation.keys()


@pytest.mark.parametrize("path", sorted(ROOT.glob(".github/workflows/*.yml")), ids=lambda path: path.name)
def test_a_workflow_is_what_its_schema_allows(path: object) -> None:
    command = [
        sys.executable,
        "-m",
        "check_jsonschema",
        "--builtin-schema",
        "vendor.github-workflows",
        str(path),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
