"""Who calls, where nobody says so: found where people put it, and never by a wrong name."""

import dataclasses
from typing import Any
from unittest.mock import MagicMock
from uuid import UUID

import pytest

from logweir import audit_log
from logweir.context import bind


class Person:
    def __init__(self, number: Any) -> None:
        self.id = number


class Broken:
    @property
    def id(self) -> int:
        raise LookupError

    @property
    def user_id(self) -> int:
        raise LookupError


@dataclasses.dataclass
class Token:
    sub: str
    id: object = dataclasses.field(default_factory=list)


NUMBER = UUID(int=7)


def found(recorder: Any, *, context: Any = None, **arguments: Any) -> Any:
    @audit_log("a")
    def work(user_id: Any = None, current_user: Any = None, user: Any = None) -> None: ...

    with bind(**({} if context is None else {"user_id": context})):
        work(**arguments)
    return recorder.only().fields.get("user_id")


@pytest.mark.parametrize(
    ("arguments", "user"),
    [
        ({"user_id": 7}, 7),
        ({"user_id": 0}, 0),
        ({"user_id": "ann"}, "ann"),
        ({"user_id": NUMBER}, str(NUMBER)),
        ({"current_user": Person(7)}, 7),
        ({"current_user": {"id": 7, "name": "ann"}}, 7),
        ({"current_user": {"user_id": "u-7"}}, "u-7"),
        ({"current_user": Token("ann")}, "ann"),
        ({"current_user": "ann"}, "ann"),
        ({"current_user": NUMBER}, str(NUMBER)),
        ({"current_user": Person(7), "user_id": 8, "context": 9}, 7),
        ({"user_id": 8, "context": 9}, 9),
        ({"context": 9}, 9),
        ({"user": Person(7)}, None),
        ({"user_id": [7], "current_user": Person(None)}, None),
        ({"user_id": True}, None),
        ({"current_user": object()}, None),
        ({"current_user": Broken(), "context": 9}, 9),
        ({"current_user": MagicMock(), "user_id": MagicMock()}, None),
        ({}, None),
    ],
)
def test_the_user_is_found_where_people_put_it(recorder: Any, arguments: Any, user: Any) -> None:
    assert found(recorder, **arguments) == user


@pytest.mark.parametrize(
    ("attributes", "context", "user"),
    [
        ({"user_id": 7}, None, 7),
        ({"user_id": 7}, 9, 9),
        ({"current_user": Person(5), "user_id": 7}, 9, 5),
        ({}, None, None),
    ],
)
def test_the_user_of_self_is_found(recorder: Any, attributes: Any, context: Any, user: Any) -> None:
    class Service:
        @audit_log("a")
        def work(self) -> None: ...

    service = Service()
    vars(service).update(attributes)
    with bind(**({} if context is None else {"user_id": context})):
        service.work()
    assert recorder.only().fields.get("user_id") == user


async def test_a_coroutine_of_a_service_has_its_user(recorder: Any) -> None:
    class Service:
        user_id = 7

        @audit_log("a", acknowledge="accepted")
        async def work(self) -> None: ...

    await Service().work()
    assert recorder.only().fields["user_id"] == 7


def test_what_a_class_has_under_such_a_name_is_no_user(recorder: Any) -> None:
    class Model:
        user_id = "a column"

        @classmethod
        @audit_log("a")
        def inner(cls) -> None: ...

        @audit_log("b")
        @classmethod
        def outer(cls) -> None: ...

    Model.inner()
    Model.outer()
    assert ["user_id" in event.fields for event in recorder.events()] == [False, False]


def test_what_is_said_wins_over_what_is_likely(recorder: Any) -> None:
    @audit_log("a", user="owner")
    def said(owner: int, current_user: Any, user_id: int) -> None: ...

    @audit_log("b", user=lambda _: None)
    def nobody(current_user: Any, user_id: int) -> None: ...

    @audit_log("c", exclude=["user_id", "current_user"])
    def excluded(current_user: Any, user_id: int) -> None: ...

    said(1, Person(2), 3)
    nobody(Person(2), 3)
    excluded(Person(2), 3)
    assert [event.fields.get("user_id") for event in recorder.events()] == [1, None, None]


def test_a_property_that_fails_breaks_no_call_and_is_no_report(recorder: Any, caplog: Any) -> None:
    class Service(Broken):
        @audit_log("a")
        def work(self) -> int:
            return 1

    assert Service().work() == 1
    assert "user_id" not in recorder.only().fields
    assert caplog.text == ""


class Lazy:
    """Says not even what class it has, as a lazy user of Django's does on an event loop."""

    @property
    def __class__(self) -> Any:  # type: ignore[override]
        raise SynchronousOnly

    def __getattr__(self, name: str) -> Any:
        raise SynchronousOnly

    def __str__(self) -> str:
        raise SynchronousOnly


class SynchronousOnly(Exception):
    pass


@pytest.mark.parametrize(
    "arguments",
    [
        {"current_user": Lazy()},
        {"current_user": Person(Lazy())},
        {"current_user": {"id": Lazy()}},
        {"user_id": Lazy()},
    ],
)
def test_a_user_that_says_nothing_yet_is_nobody(recorder: Any, arguments: Any) -> None:
    assert found(recorder, context=9, **arguments) == 9


@pytest.mark.parametrize("name", ["current_user", "user_id"])
def test_a_user_of_self_that_says_nothing_yet_is_nobody(recorder: Any, name: str) -> None:
    class Service:
        @audit_log("a", on_failure="raise")
        def work(self) -> int:
            return 1

    service = Service()
    vars(service)[name] = Lazy()
    assert service.work() == 1
    assert "user_id" not in recorder.only().fields


async def test_a_coroutine_is_called_and_recorded_with_a_user_that_says_nothing_yet(recorder: Any) -> None:
    @audit_log("a", on_failure="raise")
    async def work(current_user: Any) -> int:
        return 1

    assert await work(Lazy()) == 1
    assert "user_id" not in recorder.only().fields


def test_a_result_that_says_nothing_yet_is_returned(recorder: Any) -> None:
    lazy = Lazy()

    @audit_log("a", on_failure="raise")
    def work() -> Any:
        return lazy

    assert work() is lazy
    assert recorder.only().fields["status"] == "success"


def test_what_is_said_of_a_user_that_says_nothing_yet_is_reported(recorder: Any, caplog: Any) -> None:
    @audit_log("a", user="who", resource="what", on_failure="raise")
    def work(who: Any, what: Any) -> int:
        return 1

    assert work(Lazy(), Lazy()) == 1
    assert {"user_id", "resource"}.isdisjoint(recorder.only().fields)
    assert "cannot find the user of an audited call: SynchronousOnly" in caplog.text
    assert "cannot find the resource of an audited call: SynchronousOnly" in caplog.text


def test_a_bound_user_that_says_nothing_yet_fails_no_call(recorder: Any) -> None:
    @audit_log("a", on_failure="raise")
    def work() -> int:
        return 1

    with bind(user_id=Lazy()):
        assert work() == 1
    assert recorder.only().fields["user_id"] == "<unprintable Lazy>"  # as the context has it
    assert "record_error" not in recorder.only().fields
