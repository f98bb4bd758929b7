"""What leaves a block is what was raised in it, also an exception that lets nobody change it."""

import contextlib
import dataclasses
import traceback
from collections.abc import Iterator
from contextlib import AbstractContextManager
from typing import Any

import pytest

from logweir.context import bind, extract, scope
from logweir.context.blocks import block
from logweir.testing import capture


@dataclasses.dataclass(frozen=True)
class Denied(Exception):
    code: int


@pytest.mark.parametrize(
    "entered",
    [bind(a=1), scope(a=1), extract({}, a=1), capture()],
    ids=["bind", "scope", "extract", "capture"],
)
def test_the_very_exception_leaves_a_block(entered: AbstractContextManager[Any]) -> None:
    denied = Denied(1)
    with pytest.raises(Denied) as caught, entered:
        raise denied
    assert caught.value is denied
    assert denied.__context__ is None
    assert {frame.name for frame in traceback.extract_tb(denied.__traceback__)} == {
        "test_the_very_exception_leaves_a_block"
    }


def test_the_very_exception_leaves_a_decorated_function() -> None:
    denied = Denied(1)

    @bind(a=1)
    def refuse(depth: int) -> None:
        if depth:
            refuse(depth - 1)
        raise denied

    with pytest.raises(Denied) as caught:
        refuse(2)
    assert caught.value is denied


def test_an_iterator_may_end_inside_of_a_block() -> None:
    with pytest.raises(StopIteration), bind(a=1):
        next(iter(()))


def test_a_block_ends_as_it_was_written() -> None:
    steps = []

    @block
    def noted(name: str) -> Iterator[str]:
        """Note what happens."""
        steps.append(f"enter {name}")
        try:
            yield name.upper()
        finally:
            steps.append(f"leave {name}")
        steps.append(f"without an error {name}")

    assert (noted.__name__, noted.__doc__) == ("noted", "Note what happens.")
    with noted("a") as given:
        steps.append(given)
    with contextlib.suppress(Denied), noted("b"):
        raise Denied(1)
    assert steps == ["enter a", "A", "leave a", "without an error a", "enter b", "leave b"]


def test_an_error_of_the_end_of_a_block_is_raised_from_what_it_replaces() -> None:
    @block
    def broken() -> Iterator[None]:
        try:
            yield
        finally:
            raise KeyError

    with pytest.raises(KeyError) as caught, broken():
        raise Denied(1)
    contexts = caught.value.__context__, caught.value.__context__.__context__
    assert any(isinstance(context, Denied) for context in contexts)
