"""The pages of the reference that come from the code are current."""

import difflib

import jsonschema
import pytest

from support.reference import configuration
from support.reference.commands import EXIT_1, leaves
from support.reference.pages import FOLDER, pages


@pytest.mark.parametrize("name", pages())
def test_a_page_that_comes_from_the_code_is_current(name: str) -> None:
    path = FOLDER / name
    kept = path.read_text(encoding="utf-8") if path.exists() else ""
    now = pages()[name]
    if kept != now:
        changes = difflib.unified_diff(
            kept.splitlines(), now.splitlines(), str(path), "the code", n=0, lineterm=""
        )
        message = ["the page says something else than the code; type: make reference", *changes]
        pytest.fail("\n".join(message), pytrace=False)


def test_no_page_of_the_python_api_is_left_of_a_module_that_is_gone() -> None:
    assert {f"api/{path.name}" for path in (FOLDER / "api").glob("*.md")} <= set(pages())


def test_exit_code_1_is_explained_of_commands_that_exist() -> None:
    assert set(EXIT_1) <= {name for name, _ in leaves()}


KEYS = [
    (section, key, rule)
    for section, rules in configuration.sections().items()
    for key, rule in rules["properties"].items()
]


def test_every_key_has_a_default_that_shows_how_it_is_written_or_an_example() -> None:
    bare = {
        f"{section}: {key}"
        for section, key, rule in KEYS
        if rule.get("default") in (None, [], {}, "")
        and "$defs" not in str(rule).replace("#/$defs/Variable", "")  # whose section has the examples
        and configuration.example(section, key, rule) is None
    }
    assert not bare


def test_every_example_is_what_the_schema_allows() -> None:
    definitions = configuration.schema()["$defs"]
    wrong = {
        f"{section}: {key}: {shown!r}"
        for section, key, rule in KEYS
        if (shown := configuration.example(section, key, rule)) is not None
        and not jsonschema.Draft202012Validator({**rule, "$defs": definitions}).is_valid(shown)
    }
    assert not wrong
