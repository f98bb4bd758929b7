"""R4: what masks by a name does so whatever class the name is of, as long as it is stored as a text."""

from collections.abc import Callable
from enum import Enum
from typing import Any

import msgspec
import pytest

import logweir
from logweir.testing import capture

SECRET = "hunter2hunter"


class OwnText(str):
    __slots__ = ()


def member_of_an_enumeration(text: str) -> Any:
    return Enum("Names", {"MEMBER": text})["MEMBER"]


def member_that_is_a_text(text: str) -> Any:
    return Enum("Names", {"MEMBER": text}, type=str)["MEMBER"]


SHAPES: dict[str, Callable[[Callable[[str], Any]], dict[str, Any]]] = {
    "a pair": lambda named: {"x": [named("password"), SECRET]},
    "a tuple": lambda named: {"x": (named("Authorization"), SECRET)},
    "pairs": lambda named: {"x": [(named("Host"), "h"), (named("Authorization"), SECRET)]},
    "name and value": lambda named: {"x": {"name": named("Authorization"), "value": SECRET}},
    "fields of the event": lambda named: {"name": named("Authorization"), "value": SECRET},
    "a flat list of headers": lambda named: {"x": ["Host", "h", named("Cookie"), SECRET, "Accept", "a"]},
    "a command": lambda named: {"x": [named("mysql"), named("--password"), SECRET]},
    "columns": lambda named: {"x": {"columns": [named("id"), named("password")], "rows": [[1, SECRET]]}},
    "a statement": lambda named: {"statement": named("UPDATE u SET password = %s"), "params": [SECRET]},
    "a key": lambda named: {"x": {"kty": named("RSA"), "d": SECRET}},
    "a place": lambda named: {"x": {"loc": ("body", named("password")), "input": SECRET}},
}


@pytest.mark.parametrize("named", [str, OwnText, member_that_is_a_text, member_of_an_enumeration])
@pytest.mark.parametrize("shape", SHAPES)
def test_r4_a_name_of_any_class_masks_its_value(shape: str, named: Callable[[str], Any]) -> None:
    with capture() as captured:
        logweir.configure_structlog()
        logweir.get_logger().info("x", **SHAPES[shape](named))
        (event,) = captured.events
    assert SECRET not in msgspec.json.encode(event.fields).decode()


@pytest.mark.parametrize("named", [OwnText, member_that_is_a_text, member_of_an_enumeration])
def test_what_is_harmless_is_stored_as_it_is(named: Callable[[str], Any]) -> None:
    with capture() as captured:
        logweir.configure_structlog()
        logweir.get_logger().info(
            "x", x=[named("colour"), "red"], y={"name": named("colour"), "value": "red"}
        )
        (event,) = captured.events
    assert event.fields == {"x": ["colour", "red"], "y": {"name": "colour", "value": "red"}}
