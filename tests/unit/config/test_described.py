"""The docstrings below keys are in the JSON Schema, and nobody reads a source before it is asked for."""

import inspect
from typing import Any

import pytest
from pydantic import Field, create_model

from logweir.settings.strict import StrictModel
from logweir.sinks.contract import SinkConfig


class Base(StrictModel):
    """What both have."""

    path: str = "a"
    """Where it
    lies."""
    silent: int = 1


class Derived(Base):
    """One with more."""

    in_: str = Field(default="b", alias="in")
    """Under an alias."""
    nested: Base | None = None
    """Another one."""
    said: str = Field(default="c", description="Said by the field.")
    """Not this."""


def properties(model: type[StrictModel]) -> dict[str, Any]:
    return dict(model.model_json_schema()["properties"])


def test_each_key_is_described_by_the_docstring_below_it_inherited_ones_too() -> None:
    described = {name: key.get("description") for name, key in properties(Derived).items()}
    assert described == {
        "path": "Where it\nlies.",
        "silent": None,
        "in": "Under an alias.",
        "nested": "Another one.",
        "said": "Said by the field.",
    }


def test_a_nested_model_is_described_where_it_is_defined() -> None:
    defined = Derived.model_json_schema()["$defs"]["Base"]["properties"]
    assert defined["path"]["description"] == "Where it\nlies."


def test_a_model_without_a_source_has_no_descriptions_of_its_own() -> None:
    made = create_model("Made", __base__=Base, more=(int, 1))
    assert properties(made)["more"] == {"default": 1, "title": "More", "type": "integer"}
    assert properties(made)["path"]["description"] == "Where it\nlies."


def test_a_sink_of_somebody_else_is_described_as_ours_are() -> None:
    class PagerConfig(SinkConfig):
        """A pager."""

        number: int = 1
        """Whom to call."""

    assert properties(PagerConfig)["number"]["description"] == "Whom to call."


def test_making_a_model_reads_no_source(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: object) -> list[str]:
        raise AssertionError("a source was read")

    monkeypatch.setattr(inspect, "getsourcelines", refuse)
    monkeypatch.setattr(inspect, "findsource", refuse)

    class Made(StrictModel):
        """A model."""

        number: int = 1
        """A number."""

    assert Made(number=2).number == 2
