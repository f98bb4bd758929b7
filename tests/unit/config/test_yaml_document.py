"""Documents: places of keys and values, and what YAML allows that a configuration must not have."""

from typing import Any

import pytest

from logweir.config.yaml_document import Document, read_document


def read(text: str, **variables: str) -> Document:
    def fill(value: str) -> str:
        for name, content in variables.items():
            value = value.replace(f"${{{name}}}", content)
        return value

    return read_document(text, "routing.yaml", fill)


def test_keys_and_values_have_their_places() -> None:
    document = read("a:\n  b: [x, y]\n")
    assert document.data == {"a": {"b": ["x", "y"]}}
    assert document.keys["a", "b"] == (2, 3)
    assert document.values["a", "b", 1] == (2, 10)


def test_a_key_that_overrides_a_merged_one_keeps_its_own_place() -> None:
    document = read("base: &base {size: 1, left: 2}\nuse:\n  <<: *base\n  size: 3\n")
    assert document.data["use"] == {"size": 3, "left": 2}
    assert document.keys["use", "size"] == (4, 3)
    assert document.keys["use", "left"] == (1, 23)


def test_the_first_of_several_merged_mappings_wins() -> None:
    document = read("a: &a {x: 1}\nb: &b {x: 2, y: 2}\nuse: {<<: [*a, *b]}\n")
    assert document.data["use"] == {"x": 1, "y": 2}


def test_merged_mappings_cannot_explode() -> None:
    lines = [
        "a0: &a0 {x: 1}",
        *(f"a{n}: &a{n} {{<<: [{', '.join([f'*a{n - 1}'] * 9)}]}}" for n in range(1, 9)),
    ]
    assert "expands to more than" in read("\n".join(lines)).problems[0].message


@pytest.mark.parametrize(
    ("text", "place", "message"),
    [
        ("a: !!bool perhaps", "1:4", "cannot be read as what its form or tag says"),
        ("a: !!timestamp noon", "1:4", "cannot be read as what its form or tag says"),
        ("a: !!int ''", "1:4", "cannot be read as what its form or tag says"),
        ("a: 0b_", "1:4", "cannot be read as what its form or tag says"),
        ("a: 2024-13-45", "1:4", "cannot be read as what its form or tag says"),
        ("a: !hunter2 x", "1:4", "the tag of this value is unknown"),
        ("a: *hunter2", "1:4", "an alias, *NAME, whose anchor, &NAME, is nowhere"),
        ("a: {<<: 5}", "1:9", "<< merges mappings"),
        ("a: {n: ${N}}", "1:9", 'between braces or brackets, put a variable in quotes: "${NAME}"'),
        ("a: [", "1:5", "while parsing a flow node"),
        ("? [a]\n: b", "1:3", "a key must be a plain word"),
        ("a: 1\nb\x07: 2", "2:2", "the control character U+0007 is not allowed"),
    ],
)
def test_what_cannot_be_read_is_reported_with_its_place_and_without_its_text(
    text: str, place: str, message: str
) -> None:
    [problem] = read(text).problems
    assert f"{problem.line}:{problem.column}" == place
    assert message in problem.message
    assert "hunter2" not in problem.message


@pytest.mark.parametrize(
    ("written", "content", "expected"),
    [
        ("${X}", "4", 4),
        ("${X}", "true", True),
        ("${X}", "0.5", 0.5),
        ("${X}", "null", None),
        ("${X}", "[1, 2]", "[1, 2]"),
        ("${X}", "2024-01-01", "2024-01-01"),
        ("${X}", "a: b", "a: b"),
        ("'${X}'", "4", "4"),
        ("n${X}", "4", "n4"),
    ],
)
def test_a_variable_alone_is_read_as_yaml_reads_a_plain_scalar(
    written: str, content: str, expected: Any
) -> None:
    assert read(f"a: {written}", X=content).data == {"a": expected}


def test_a_variable_never_becomes_structure() -> None:
    assert read("a: ${X}\n", X="1\nb: 2").data == {"a": "1\nb: 2"}
