from __future__ import annotations

import asyncio
import dataclasses
import functools
import gc
import inspect
import re
import threading
import traceback
import types
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, get_type_hints

import fastapi
import httpx
import pytest
from pydantic import BeforeValidator
from structlog.contextvars import get_contextvars

from logweir.auditing import execution
from logweir.auditing import record as record_module
from logweir.auditing.decorator import audit_log
from logweir.auditing.record import AuditRecord
from logweir.context.binding import bind
from logweir.delivery.receipts import Receipt
from logweir.errors import AuditError, NotRunning
from logweir.event import Kind
from logweir.runtime import current as runtime
from logweir.sinks.memory import MemorySink

NO_AUDIT_ROUTE = {"routes": [{"name": "t", "match": {"kind": "tracing"}, "to": ["m"]}]}


@pytest.fixture(autouse=True)
def own_registry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(record_module, "_registry", {})


def ticking(*milliseconds: int) -> Any:
    """A clock that shows these times, one after the other."""
    return functools.partial(next, iter([moment * 1_000_000 for moment in milliseconds]))


class Denied(Exception):
    pass


class Hostile(Exception):
    def __str__(self) -> str:
        raise RuntimeError


# -- what is recorded -----------------------------------------------------------------------------------


def test_a_call_is_recorded_with_its_arguments_by_name(recorder: Any):
    @audit_log("fund.transfer", user="user_id", resource="account", clock=ticking(10, 35))
    def transfer(user_id: int, account: str, *more: int, amount: int = 5, **options: str) -> str:
        return "done"

    assert transfer(7, "a/1", 1, 2, note="n") == "done"
    event = recorder.only()
    assert (event.name, event.kind, event.level) == ("fund.transfer", Kind.AUDIT, "info")
    assert event.fields == {
        "user_id": 7,
        "resource": "a/1",
        "status": "success",
        "duration_ms": 25.0,
        "arguments": {"user_id": 7, "account": "a/1", "more": [1, 2], "amount": 5, "options": {"note": "n"}},
    }


async def test_a_coroutine_function_is_recorded_when_it_has_ended(recorder: Any):
    @audit_log("a", clock=ticking(0, 1000))
    async def work() -> int:
        await asyncio.sleep(0)
        assert recorder.events() == []
        return 3

    assert await work() == 3
    assert recorder.only().fields == {"status": "success", "duration_ms": 1000.0}


def test_an_error_is_recorded_and_raised_again_with_its_traceback(recorder: Any):
    @audit_log("a")
    def fail() -> None:
        raise Denied("no")

    with pytest.raises(Denied, match="no") as caught:
        fail()
    event = recorder.only()
    assert event.level == "error"
    assert event.fields["status"] == "failed"
    assert event.fields["error_type"] == "Denied"
    assert event.fields["error"] == "no"
    frames = [frame.name for frame in traceback.extract_tb(caught.value.__traceback__)]
    assert frames[-1] == "fail"
    assert caught.value.__context__ is None


async def test_an_error_of_a_coroutine_function_is_recorded_and_raised_again(recorder: Any):
    @audit_log("a")
    async def fail() -> None:
        await asyncio.sleep(0)
        raise Denied

    with pytest.raises(Denied):
        await fail()
    assert recorder.only().fields["error_type"] == "Denied"
    assert "error" not in recorder.only().fields


def test_an_error_whose_text_raises_is_recorded(recorder: Any):
    @audit_log("a")
    def fail() -> None:
        raise Hostile

    with pytest.raises(Hostile):
        fail()
    assert recorder.only().fields["error_type"] == "Hostile"


@dataclasses.dataclass(frozen=True)
class Frozen(Exception):
    """An exception that lets nobody write its traceback, nor a note."""

    code: int


@pytest.mark.parametrize("on_failure", ["continue", "raise"])
def test_an_error_that_nobody_may_change_is_raised_again_itself(recorder: Any, on_failure: Any):
    error = Frozen(1)

    @audit_log("a", on_failure=on_failure)
    def fail() -> None:
        raise error

    @audit_log("b", on_failure=on_failure, acknowledge="accepted")
    async def afail() -> None:
        raise error

    @audit_log("c", on_failure=on_failure)
    def steps() -> Iterator[int]:
        yield 1
        raise error

    @audit_log("d", on_failure=on_failure, acknowledge="accepted")
    async def asteps() -> AsyncIterator[int]:
        yield 1
        raise error

    async def drain() -> list[int]:
        return [step async for step in asteps()]

    calls: list[Any] = [
        fail,
        lambda: asyncio.run(afail()),
        lambda: list(steps()),
        lambda: asyncio.run(drain()),
    ]
    for call in calls:
        with pytest.raises(Frozen) as caught:
            call()
        assert caught.value is error
    assert [event.fields["error_type"] for event in recorder.events()] == ["Frozen"] * 4


def test_an_error_that_nobody_may_change_comes_before_that_of_its_audit(recorder: Any, caplog: Any):
    runtime.stop()

    @audit_log("a", on_failure="raise")
    def fail() -> None:
        raise Frozen(1)

    with runtime.running({**recorder.config, **NO_AUDIT_ROUTE}), pytest.raises(Frozen):
        fail()
    assert "no route takes it" in caplog.text


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit])
def test_an_interrupt_is_recorded_and_raised_again(recorder: Any, error: type[BaseException]):
    @audit_log("a", acknowledge="stored")
    def stop() -> None:
        raise error

    with pytest.raises(error):
        stop()
    assert recorder.only().fields["error_type"] == error.__name__


async def test_a_cancellation_is_recorded_and_not_swallowed(recorder: Any):
    started = asyncio.Event()

    @audit_log("a", acknowledge="stored")
    async def wait() -> None:
        started.set()
        await asyncio.Event().wait()

    task = asyncio.create_task(wait())
    await started.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert task.cancelled()
    assert recorder.only().fields["status"] == "failed"
    assert recorder.only().fields["error_type"] == "CancelledError"


def test_secret_arguments_are_redacted_also_when_they_are_positional(recorder: Any):
    @audit_log("login")
    def login(name: str, password: str, options: dict[str, str]) -> None:
        raise Denied("card 4111 1111 1111 1111 refused")

    with pytest.raises(Denied):
        login("ann", "hunter2", {"token": "t"})
    fields = recorder.only().fields
    assert fields["arguments"] == {"name": "ann", "password": "***", "options": {"token": "***"}}
    assert "4111" not in fields["error"]


def test_arguments_are_recorded_as_they_were_when_the_call_began(recorder: Any):
    @audit_log("a")
    def change(items: list[int]) -> None:
        items.clear()

    change([1, 2])
    assert recorder.only().fields["arguments"] == {"items": [1, 2]}


def test_arguments_can_be_left_out(recorder: Any):
    @audit_log("a", record_args=False)
    def none(x: int) -> None: ...

    @audit_log("b", exclude=["x"])
    def some(x: int, y: int) -> None: ...

    none(1)
    some(1, 2)
    first, second = recorder.events()
    assert "arguments" not in first.fields
    assert second.fields["arguments"] == {"y": 2}


def test_arguments_that_do_not_fit_are_recorded_and_the_call_fails_as_ever(recorder: Any):
    @audit_log("a")
    def work(x: int) -> None: ...

    with pytest.raises(TypeError, match="argument"):
        work(y=2)  # type: ignore[call-arg]
    assert recorder.only().fields["arguments"] == {"y": 2}


def test_r5_a_call_that_does_not_fit_is_recorded_by_name_so_that_its_secrets_are_known(recorder: Any):
    @audit_log("login")
    def login(user: str, password: str) -> None: ...

    with pytest.raises(TypeError):
        login("bob", "S3cret", "S3cret too")  # type: ignore[call-arg]

    assert recorder.only().fields["arguments"] == {"user": "bob", "password": "***", "args": ["<str>"]}
    assert recorder.only().fields["error_type"] == "TypeError"


async def test_a_coroutine_function_with_arguments_that_do_not_fit_is_recorded_too(recorder: Any):
    @audit_log("a")
    async def work(x: int) -> None: ...

    with pytest.raises(TypeError):
        await work()  # type: ignore[call-arg]
    assert recorder.only().fields["error_type"] == "TypeError"


# -- the user and the resource --------------------------------------------------------------------------


class Person:
    def __init__(self, number: int) -> None:
        self.id = number

    @property
    def broken(self) -> int:
        raise Denied


def test_the_user_is_found_inside_of_an_argument(recorder: Any):
    @audit_log("a", user="user.id")
    def work(user: Any) -> None: ...

    work(Person(4))
    work({"id": 5})
    work(None)
    assert [event.fields.get("user_id") for event in recorder.events()] == [4, 5, None]


def test_the_user_is_found_by_a_function_of_the_arguments(recorder: Any):
    @audit_log(
        "a", user=lambda arguments: arguments["x"] + 1, resource=lambda arguments: f"item/{arguments['x']}"
    )
    def work(x: int) -> None: ...

    work(1)
    assert recorder.only().fields["user_id"] == 2
    assert recorder.only().fields["resource"] == "item/1"


def test_looking_for_the_user_never_breaks_the_call(recorder: Any):
    @audit_log("a", user="user.broken", resource=lambda arguments: arguments["nothing"])
    def work(user: Any) -> int:
        return 1

    with bind(user_id=8):
        assert work(Person(1)) == 1
    assert recorder.only().fields["user_id"] == 8
    assert "resource" not in recorder.only().fields


def test_the_user_of_the_context_is_the_default(recorder: Any):
    @audit_log("a")
    def work() -> None: ...

    with bind(user_id=3):
        work()
    work()
    assert [event.fields.get("user_id") for event in recorder.events()] == [3, None]


class Order:
    """An object that is gone after its call, as a row that was deleted is to its session."""

    gone = False

    def __str__(self) -> str:
        if self.gone:
            raise Denied
        return "order 7"


def test_the_user_and_the_resource_are_recorded_as_they_were_when_the_call_began(recorder: Any):
    @audit_log("a", user="who", resource="items")
    def change(who: dict[str, int], items: list[int]) -> None:
        who["id"] = 99
        items.clear()

    change({"id": 1}, [1, 2])
    assert (recorder.only().fields["user_id"], recorder.only().fields["resource"]) == ("{'id': 1}", "[1, 2]")


def test_a_resource_that_has_no_text_after_the_call_fails_nothing(recorder: Any):
    @audit_log("a", resource="order", user=lambda arguments: arguments["order"], on_failure="raise")
    def cancel(order: Order) -> str:
        order.gone = True
        return "cancelled"

    assert cancel(Order()) == "cancelled"
    assert recorder.only().fields["resource"] == recorder.only().fields["user_id"] == "order 7"
    assert "record_error" not in recorder.only().fields


def test_a_record_that_declares_the_resource_gets_what_was_found(recorder: Any):
    class Closing(AuditRecord, action="close"):
        resource: Annotated[Any, BeforeValidator(lambda number: f"account {number + 1}")]

    @audit_log("close", resource="number")
    def close(number: Decimal) -> None: ...

    close(Decimal(6))
    assert recorder.only().fields["resource"] == "account 7"


@pytest.mark.parametrize("option", [{"user": "who.id"}, {"resource": "who"}, {"exclude": ["who"]}])
def test_a_name_that_is_no_argument_is_refused_at_once(option: dict[str, Any]):
    with pytest.raises(ValueError, match=r"='who' names no argument; the arguments are: x, y"):

        @audit_log("a", **option)
        def work(x: int, y: int) -> None: ...


# -- what can be decorated ------------------------------------------------------------------------------


class Account:
    @audit_log("method", resource="number")
    def method(self, number: int) -> int:
        return number

    @audit_log("async method")
    async def async_method(self, number: int) -> int:
        return number

    @classmethod
    @audit_log("class inner")
    def class_inner(cls, number: int) -> str:
        return cls.__name__

    @audit_log("class outer")
    @classmethod
    def class_outer(klass, number: int) -> str:  # noqa: N804 - the name must not matter
        return klass.__name__

    @staticmethod
    @audit_log("static inner")
    def static_inner(number: int) -> int:
        return number

    @audit_log("static outer")
    @staticmethod
    def static_outer(number: int) -> int:
        return number


async def test_methods_of_every_kind_are_recorded_without_their_receiver(recorder: Any):
    account = Account()
    assert account.method(1) == 1
    assert await account.async_method(number=1) == 1
    assert account.class_inner(1) == Account.class_outer(1) == "Account"
    assert account.static_inner(1) == Account.static_outer(1) == 1
    events = recorder.events()
    assert len(events) == 6
    assert {str(event.fields["arguments"]) for event in events} == {"{'number': 1}"}


async def test_partials_and_callables_are_recorded(recorder: Any):
    async def add(x: int, y: int) -> int:
        return x + y

    class Adder:
        async def __call__(self, x: int) -> int:
            return x + 1

    assert await audit_log("a")(functools.partial(add, 1))(2) == 3
    assert await audit_log("b")(Adder())(1) == 2
    assert audit_log("c")(len)([1, 2]) == 2
    assert audit_log("d")(Account().method)(4) == 4
    assert [event.fields["arguments"] for event in recorder.events() if event.name != "method"] == [
        {"y": 2},
        {"x": 1},
        {"obj": [1, 2]},
        {"number": 4},
    ]


async def test_a_function_that_returns_a_coroutine_ends_when_that_does(recorder: Any):
    async def fail() -> None:
        raise Denied

    @audit_log("a")
    def work() -> Any:
        return fail()

    coroutine = work()
    assert recorder.events() == []
    with pytest.raises(Denied):
        await coroutine
    assert recorder.only().fields["status"] == "failed"


async def test_a_generator_based_coroutine_function_is_awaited_as_ever(recorder: Any):
    @audit_log("a", acknowledge="accepted")
    @types.coroutine
    def work(number: int) -> Any:
        yield
        return number

    assert await work(3) == 3
    assert (await asyncio.to_thread(recorder.only)).fields["arguments"] == {"number": 3}


async def forever() -> None:
    await asyncio.Event().wait()


@audit_log("order.ship", acknowledge="accepted")
def ship(order: int) -> Any:
    return forever()


def failed_by(recorder: Any) -> tuple[Any, Any, Any]:
    fields = recorder.only().fields
    return fields["status"], fields["error_type"], fields["arguments"]


async def test_a_returned_coroutine_that_is_cancelled_before_its_first_step_is_recorded(recorder: Any):
    task = asyncio.create_task(ship(7))
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert failed_by(recorder) == ("failed", "CancelledError", {"order": 7})


def test_a_returned_coroutine_that_is_closed_before_its_first_step_is_recorded(recorder: Any):
    coroutine = ship(7)
    coroutine.close()
    assert failed_by(recorder) == ("failed", "CancelledError", {"order": 7})
    with pytest.raises(RuntimeError, match="cannot reuse already awaited coroutine"):
        coroutine.send(None)


def test_a_returned_coroutine_that_is_forgotten_is_recorded_and_python_warns_as_ever(recorder: Any):
    with pytest.warns(RuntimeWarning, match="'forever' was never awaited"):
        ship(7)
    assert failed_by(recorder) == ("failed", "CancelledError", {"order": 7})


def test_a_coroutine_that_is_closed_in_the_middle_has_not_succeeded(recorder: Any):
    @audit_log("a", acknowledge="accepted")
    async def work() -> None:
        await asyncio.sleep(0)

    coroutine = work()
    coroutine.send(None)
    coroutine.close()
    assert recorder.only().fields["status"] == "failed"


async def test_a_returned_coroutine_is_driven_and_shown_as_the_function_made_it(recorder: Any):
    @audit_log("outer", acknowledge="accepted")
    @audit_log("inner", acknowledge="accepted")
    def work() -> Any:
        async def body(actions: list[Any]) -> int:
            actions.append(get_contextvars()["audit_action"])
            try:
                await forever()
            except asyncio.CancelledError:
                return len(actions)
            return 0

        return body([])

    coroutine = work()
    assert asyncio.iscoroutine(coroutine)
    assert inspect.isawaitable(coroutine)
    assert coroutine.__name__ == coroutine.cr_code.co_name == "body"
    task = asyncio.create_task(coroutine)
    await asyncio.sleep(0)
    task.cancel()
    assert await task == 1
    with pytest.raises(RuntimeError, match="cannot reuse already awaited coroutine"):
        await coroutine
    events = await asyncio.to_thread(recorder.events)
    assert [(event.name, event.fields["status"]) for event in events] == [
        ("inner", "success"),
        ("outer", "success"),
    ]


@pytest.mark.parametrize("target", [Account, property(lambda self: 1), 3])
def test_what_is_not_a_function_is_refused(target: Any):
    with pytest.raises(TypeError, match="audit_log"):
        audit_log("a")(target)


def test_forgotten_arguments_of_the_decorator_are_reported():
    with pytest.raises(TypeError, match="needs the action"):
        audit_log(lambda: None)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="list of names"):
        audit_log("a", exclude="password")


@pytest.mark.parametrize(
    ("options", "kind", "problem"),
    [
        (
            {"acknowledge": "durabel"},
            ValueError,
            "acknowledge='durabel' is none of accepted, durable, stored",
        ),
        ({"acknowledge": ["stored"]}, ValueError, "acknowledge=['stored'] is none of"),
        ({"on_failure": "Raise"}, ValueError, "on_failure='Raise' is none of raise, continue"),
        ({"intent": "no"}, TypeError, "intent='no' is neither True nor False"),
        ({"record_args": None}, TypeError, "record_args=None is neither True nor False"),
        ({"user": 7}, TypeError, "user=7 is neither the name of an argument nor a function of the arguments"),
        ({"resource": []}, TypeError, "resource=[] is neither the name"),
        ({"exclude": 7}, TypeError, "exclude is a list of names"),
        ({"exclude": "password"}, TypeError, "write exclude=['password']"),
        ({"clock": 7}, TypeError, "clock=7 is no function"),
    ],
)
def test_an_option_that_means_nothing_is_refused_at_once(
    options: dict[str, Any], kind: type[Exception], problem: str
):
    with pytest.raises(kind, match=re.escape(problem)):
        audit_log("a", **options)


# -- generators -----------------------------------------------------------------------------------------


def test_a_generator_is_recorded_when_it_is_exhausted(recorder: Any):
    @audit_log("a", clock=ticking(0, 7))
    def numbers(count: int) -> Iterator[int]:
        for number in range(count):
            assert get_contextvars()["audit_action"] == "a"
            yield number

    assert inspect.isgeneratorfunction(numbers)
    seen = []
    for number in numbers(3):
        assert "audit_action" not in get_contextvars()
        assert recorder.events() == []
        seen.append(number)
    assert seen == [0, 1, 2]
    assert recorder.only().fields == {"status": "success", "duration_ms": 7.0, "arguments": {"count": 3}}


def test_a_generator_gets_what_is_sent_and_thrown_and_gives_its_result(recorder: Any):
    @audit_log("a")
    def echo() -> Any:
        try:
            got = yield "ready"
            got = yield got
        except Denied:
            got = yield "caught"
        return got

    generator = echo()
    assert next(generator) == "ready"
    assert generator.send("x") == "x"
    assert generator.throw(Denied()) == "caught"
    with pytest.raises(StopIteration) as end:
        generator.send("result")
    assert end.value.value == "result"
    assert recorder.only().fields["status"] == "success"


def test_a_generator_that_is_closed_early_has_succeeded_and_cleaned_up(recorder: Any):
    cleaned = []

    @audit_log("a")
    def endless() -> Iterator[int]:
        try:
            while True:
                yield 1
        finally:
            cleaned.append(True)

    generator = endless()
    next(generator)
    generator.close()
    assert cleaned == [True]
    assert recorder.only().fields["status"] == "success"


def test_a_generator_that_raises_is_recorded_as_failed(recorder: Any):
    @audit_log("a")
    def fail() -> Iterator[int]:
        yield 1
        raise Denied

    with pytest.raises(Denied):
        list(fail())
    assert recorder.only().fields["error_type"] == "Denied"


async def test_an_async_generator_is_recorded_when_it_is_exhausted(recorder: Any):
    @audit_log("a")
    async def numbers(count: int) -> AsyncIterator[int]:
        for number in range(count):
            await asyncio.sleep(0)
            assert get_contextvars()["audit_action"] == "a"
            yield number

    assert inspect.isasyncgenfunction(numbers)
    seen = []
    async for number in numbers(3):
        assert "audit_action" not in get_contextvars()
        assert recorder.events() == []
        seen.append(number)
    assert seen == [0, 1, 2]
    assert recorder.only().fields["status"] == "success"


async def test_an_async_generator_gets_what_is_sent_thrown_and_its_closing(recorder: Any):
    cleaned = []

    @audit_log("a")
    async def echo() -> Any:
        try:
            got = yield "ready"
            try:
                yield got
            except Denied:
                yield "caught"
        finally:
            cleaned.append(True)

    generator = echo()
    assert await anext(generator) == "ready"
    assert await generator.asend("x") == "x"
    assert await generator.athrow(Denied()) == "caught"
    await generator.aclose()
    assert cleaned == [True]
    assert recorder.only().fields["status"] == "success"


async def test_an_async_generator_that_raises_is_recorded_as_failed(recorder: Any):
    @audit_log("a")
    async def fail() -> AsyncIterator[int]:
        yield 1
        raise Denied

    with pytest.raises(Denied):
        [_ async for _ in fail()]
    assert recorder.only().fields["error_type"] == "Denied"


def test_an_async_generator_that_is_left_open_is_closed_with_the_loop_once(recorder: Any, caplog: Any):
    closings = []

    async def numbers() -> AsyncIterator[int]:
        try:
            yield 1
        finally:
            await asyncio.sleep(0)
            closings.append("closed")

    async def leave_open() -> AsyncIterator[int]:
        generator = audit_log("a", acknowledge="accepted")(numbers)()
        assert await anext(generator) == 1
        return generator

    left = asyncio.run(leave_open())
    assert inspect.isasyncgen(left)
    assert closings == ["closed"]
    assert recorder.only().fields["status"] == "success"
    assert "an error occurred during closing" not in caplog.text


@pytest.mark.parametrize("in_a_cycle", [False, True])
async def test_an_async_generator_that_is_dropped_is_closed_by_the_loop(recorder: Any, in_a_cycle: bool):
    closed = asyncio.Event()

    @audit_log("a", acknowledge="accepted")
    async def numbers() -> AsyncIterator[int]:
        try:
            yield 1
        finally:
            await asyncio.sleep(0)
            closed.set()

    held: list[Any] = [numbers()]
    assert await anext(held[0]) == 1
    if in_a_cycle:
        held.append(held)
    del held
    gc.collect()
    await asyncio.wait_for(closed.wait(), 10)
    await asyncio.sleep(0)
    assert (await asyncio.to_thread(recorder.only)).fields["status"] == "success"


# -- signatures -----------------------------------------------------------------------------------------


def test_the_signature_and_the_name_are_kept():
    async def original(x: int, /, y: Annotated[str, "meta"] = "d", *, z: Decimal | None = None) -> list[int]:
        """Say what it does."""
        return []

    decorated = audit_log("a")(original)
    assert inspect.signature(decorated) == inspect.signature(original, eval_str=True)
    assert get_type_hints(decorated, include_extras=True) == get_type_hints(original, include_extras=True)
    assert decorated.__wrapped__ is original  # type: ignore[attr-defined]
    assert (decorated.__name__, decorated.__doc__) == ("original", "Say what it does.")
    assert inspect.iscoroutinefunction(decorated)


def test_annotations_that_cannot_be_resolved_yet_do_no_harm():
    @audit_log("a")
    def work(x: ComesLater) -> int:  # type: ignore[name-defined]  # noqa: F821
        return 1

    assert inspect.signature(work).parameters["x"].annotation == "ComesLater"


def current_user() -> Person:
    return Person(11)


@audit_log("open")
async def open_session() -> AsyncIterator[str]:
    yield "session"


async def test_endpoints_and_dependencies_of_fastapi_stay_what_they_are(recorder: Any):
    app = fastapi.FastAPI()

    @app.get("/orders/{number}")
    @audit_log("order.read", user="user.id", resource="number", exclude=["user"])
    async def read(
        number: int,
        user: Annotated[Person, fastapi.Depends(current_user)],
        session: Annotated[str, fastapi.Depends(open_session)],
        limit: int = 5,
    ) -> dict[str, int]:
        return {"number": number, "limit": limit}

    @app.get("/sync")
    @audit_log("order.sync", acknowledge="stored")
    def sync() -> dict[str, int]:
        raise fastapi.HTTPException(404, "gone")

    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        assert (await client.get("/orders/3?limit=9")).json() == {"number": 3, "limit": 9}
        assert (await client.get("/orders/x")).status_code == 422
        assert (await client.get("/sync")).status_code == 404
    events = {event.name: event for event in recorder.events()}
    assert set(events) == {"order.read", "open", "order.sync"}
    assert events["order.read"].fields["user_id"] == 11
    assert events["order.read"].fields["resource"] == 3
    assert events["order.read"].fields["arguments"] == {"number": 3, "session": "session", "limit": 9}
    assert events["order.sync"].fields["error_type"] == "HTTPException"


# -- context --------------------------------------------------------------------------------------------


def test_the_action_is_bound_while_the_function_runs_and_unbound_afterwards(recorder: Any):
    @audit_log("inner")
    def inner() -> object:
        return get_contextvars()["audit_action"]

    @audit_log("outer")
    def outer() -> tuple[object, object, object]:
        return get_contextvars()["audit_action"], inner(), get_contextvars()["audit_action"]

    assert outer() == ("outer", "inner", "outer")
    assert get_contextvars() == {}
    inside, outside = recorder.events()
    assert inside.fields["audit_action"] == "outer"
    assert "audit_action" not in outside.fields


async def test_the_context_is_unbound_after_an_error(recorder: Any):
    @audit_log("a")
    def fail() -> None:
        raise Denied

    @audit_log("b")
    async def afail() -> None:
        raise Denied

    with pytest.raises(Denied):
        fail()
    with pytest.raises(Denied):
        await afail()
    assert get_contextvars() == {}


def test_calls_from_many_threads_are_recorded_each_once(recorder: Any):
    barrier = threading.Barrier(8)

    @audit_log("a")
    def work(number: int) -> int:
        return number

    def many(thread: int) -> None:
        barrier.wait(10)
        for number in range(25):
            work(thread * 25 + number)

    with ThreadPoolExecutor(8) as executor:
        list(executor.map(many, range(8)))
    assert sorted(event.fields["arguments"]["number"] for event in recorder.events()) == list(range(200))


# -- typed records --------------------------------------------------------------------------------------


def test_the_record_of_the_action_takes_the_arguments_it_declares(recorder: Any):
    class Transfer(AuditRecord, action="fund.transfer"):
        amount: Decimal

    @audit_log("fund.transfer", record_args=False)
    def transfer(amount: Decimal, note: str) -> None: ...

    transfer(Decimal("1.50"), "n")
    assert recorder.only().fields["amount"] == "1.50"
    assert "arguments" not in recorder.only().fields


def test_a_call_that_does_not_fit_its_record_is_recorded_with_the_reason(recorder: Any):
    class Transfer(AuditRecord, action="fund.transfer"):
        amount: Decimal

    @audit_log("fund.transfer")
    def transfer(total: int) -> int:
        return total

    assert transfer(3) == 3
    assert "amount: Field required" in recorder.only().fields["record_error"]
    assert recorder.only().fields["arguments"] == {"total": 3}


# -- when the audit fails -------------------------------------------------------------------------------


def test_by_default_a_call_goes_on_without_its_audit(recorder: Any, caplog: pytest.LogCaptureFixture):
    runtime.stop()

    @audit_log("unrouted")
    def work() -> int:
        return 1

    with runtime.running({**recorder.config, **NO_AUDIT_ROUTE}):
        assert work() == 1
    assert "no route takes it" in caplog.text


@pytest.mark.parametrize("where", ["decorator", "configuration"])
@pytest.mark.wound("serilog #820")
async def test_a_call_fails_without_its_audit_if_that_was_asked_for(recorder: Any, where: str):
    runtime.stop()
    in_config = {"audit": {"on_failure": "raise"}} if where == "configuration" else {}
    on_failure = "raise" if where == "decorator" else None

    @audit_log("a", on_failure=on_failure)
    def work() -> int:
        return 1

    @audit_log("a", on_failure=on_failure)
    async def awork() -> int:
        return 1

    @audit_log("a", on_failure=on_failure)
    def fail() -> int:
        raise Denied

    with runtime.running({**recorder.config, **NO_AUDIT_ROUTE, **in_config}):
        with pytest.raises(AuditError, match="no route"):
            await asyncio.to_thread(work)
        with pytest.raises(AuditError, match="no route"):
            await awork()
        with pytest.raises(Denied) as denied:
            await asyncio.to_thread(fail)
        assert "no route takes it" in denied.value.__notes__[0]


async def test_without_a_runtime_a_call_goes_on_unless_it_must_be_audited(caplog: pytest.LogCaptureFixture):
    done = []

    @audit_log("loose")
    def loose() -> int:
        return 1

    @audit_log("strict", on_failure="raise")
    async def strict() -> None:
        done.append(True)

    assert loose() == 1
    assert "no" in caplog.text
    with pytest.raises(NotRunning):
        await strict()
    assert done == []


async def test_a_synchronous_function_on_an_event_loop_does_not_wait_for_stored(
    recorder: Any, caplog: pytest.LogCaptureFixture
):
    done = []

    @audit_log("loose on loop", acknowledge="stored")
    def loose() -> int:
        return 1

    @audit_log("strict on loop", acknowledge="stored", on_failure="raise")
    def strict() -> None:
        done.append(True)

    assert loose() == 1
    assert "acknowledged when it is accepted" in caplog.text
    with pytest.raises(AuditError, match="asyncio.to_thread"):
        strict()
    assert done == []
    await asyncio.to_thread(strict)
    assert done == [True]


# -- intent ---------------------------------------------------------------------------------------------


@pytest.mark.wound("serilog #820")
def test_an_intent_is_on_disk_before_the_call_and_linked_with_its_outcome(recorder: Any):
    seen = []

    @audit_log("fund.transfer", user="user_id", intent=True)
    def transfer(user_id: int, token: str) -> None:
        seen.extend(event for event in recorder.events() if event.fields["user_id"] == user_id)

    transfer(7, "secret")
    with pytest.raises(TypeError):
        transfer(8)  # type: ignore[call-arg]
    (started,) = seen
    first, ended, refused_start, refused = recorder.events()
    assert first == started
    assert (started.fields["status"], ended.fields["status"]) == ("started", "success")
    assert started.fields["call_id"] == ended.fields["call_id"]
    assert started.fields["arguments"] == {"user_id": 7, "token": "***"}
    assert "duration_ms" not in started.fields
    assert "duration_ms" in ended.fields
    assert (refused_start.fields["status"], refused.fields["status"]) == ("started", "failed")
    assert refused.fields["call_id"] == refused_start.fields["call_id"] != started.fields["call_id"]


async def test_intents_of_coroutines_and_generators_come_before_their_first_step(recorder: Any):
    statuses = []

    def look() -> None:
        statuses.append([event.fields["status"] for event in recorder.events()])

    @audit_log("a", intent=True)
    async def work() -> None:
        look()

    @audit_log("a", intent=True)
    async def steps() -> Any:
        look()
        yield 1

    @audit_log("a", intent=True)
    def synchronous_steps() -> Any:
        look()
        yield 1

    await work()
    assert [step async for step in steps()] == [1]
    await asyncio.to_thread(lambda: list(synchronous_steps()))
    assert [seen[-1] for seen in statuses] == ["started"] * 3
    assert [event.fields["status"] for event in recorder.events()] == ["started", "success"] * 3


async def test_a_call_that_is_cancelled_while_its_intent_is_written_is_recorded_as_not_made(recorder: Any):
    done = []

    @audit_log("a", intent=True, acknowledge="stored")
    async def work() -> None:
        done.append(1)

    task = asyncio.create_task(work())
    await asyncio.sleep(0)  # its first step: it waits for `started`
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert done == []
    started, ended = await asyncio.to_thread(recorder.events)
    assert (started.fields["status"], ended.fields["status"]) == ("started", "failed")
    assert ended.fields["error_type"] == "CancelledError"
    assert ended.fields["call_id"] == started.fields["call_id"]


def test_a_call_that_is_interrupted_while_its_intent_is_written_is_recorded_as_not_made(
    recorder: Any, monkeypatch: pytest.MonkeyPatch
):
    def interrupted(_receipt: Any, _level: str, _timeout: float) -> None:
        raise KeyboardInterrupt

    @audit_log("a", intent=True)
    def work() -> None:
        raise AssertionError

    with monkeypatch.context() as patch:
        patch.setattr(Receipt, "acknowledged_sync", interrupted)
        with pytest.raises(KeyboardInterrupt):
            work()
    started, ended = recorder.events()
    assert (started.fields["status"], ended.fields["status"]) == ("started", "failed")
    assert ended.fields["error_type"] == "KeyboardInterrupt"


def broken_disk(tmp_path: Path) -> None:
    """Make the directory of the queues impossible."""
    queues = tmp_path / "data" / "queues"
    queues.parent.mkdir(exist_ok=True)
    if queues.exists():
        queues.rmdir()
    queues.touch()


@pytest.mark.wound("serilog #820")
async def test_an_intent_that_is_not_acknowledged_prevents_the_call(recorder: Any, tmp_path: Path):
    done = []

    @audit_log("a", intent=True, on_failure="raise")
    def work() -> None:
        done.append("sync")

    @audit_log("a", intent=True, on_failure="raise")
    async def awork() -> None:
        done.append("async")

    await asyncio.to_thread(broken_disk, tmp_path)
    with pytest.raises(AuditError, match="cannot be written") as refused:
        await asyncio.to_thread(work)
    assert isinstance(refused.value.__cause__, OSError)
    with pytest.raises(AuditError, match="cannot be written") as refused:
        await awork()
    assert isinstance(refused.value.__cause__, OSError)
    with pytest.raises(AuditError, match="asyncio.to_thread"):
        work()
    assert done == []
    await asyncio.to_thread((tmp_path / "data" / "queues").unlink)
    events = await asyncio.to_thread(recorder.events)
    assert [(event.fields["status"], event.fields["error_type"]) for event in events] == [
        ("failed", "AuditError")
    ] * 2


def test_an_outcome_that_is_not_acknowledged_raises_with_its_cause(recorder: Any, tmp_path: Path):
    done = []

    @audit_log("a", on_failure="raise")
    def work() -> None:
        done.append(1)

    @audit_log("a", on_failure="raise")
    def fail() -> None:
        raise Denied

    @audit_log("a", on_failure="continue", intent=True)
    def go_on() -> int:
        return 1

    broken_disk(tmp_path)
    with pytest.raises(AuditError, match="cannot be written") as refused:
        work()
    assert done == [1]
    assert isinstance(refused.value.__cause__, OSError)
    with pytest.raises(Denied) as denied:
        fail()
    assert "cannot be written" in denied.value.__notes__[0]
    assert go_on() == 1
    (tmp_path / "data" / "queues").unlink()


def test_c4_arguments_with_the_names_of_the_outcome_are_recorded_beside_it(recorder: Any):
    class Import(AuditRecord, action="import"):
        error: str
        arguments: list[str]
        level: str
        kind: str

    @audit_log("import", acknowledge="accepted")
    def run(error: str, arguments: list[str], level: str, kind: str, self_: int) -> None:
        if error == "fail":
            raise Denied("denied")

    run("ignore", ["-v"], "gold", "tracing", 1)
    with pytest.raises(Denied):
        run("fail", ["-v"], "gold", "audit", 2)
    ended, failed = (event.fields for event in recorder.events())
    declared = {"arguments": ["-v"], "level": "gold"}
    assert {**ended, **declared, "kind": "tracing", "error": "ignore", "arguments#2": {"self_": 1}} == ended
    assert {**failed, **declared, "kind": "audit", "error": "denied"} == failed
    assert failed["arguments#2"] == {"error": "fail", "self_": 2}


def stop_behind(question: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Stop the runtime at the next answer of a question that an audited call asks of it."""
    where: Any = runtime if question == "serves_audit" else execution
    ask = getattr(where, question)

    def ask_and_stop() -> Any:
        monkeypatch.setattr(where, question, ask)
        answer = ask()
        runtime.stop()
        return answer

    monkeypatch.setattr(where, question, ask_and_stop)


@pytest.mark.parametrize("question", ["serves_audit", "require_runtime"])
def test_a_call_that_a_stop_overtakes_is_kept_if_its_caller_does_not_learn_of_it(
    recorder: Any, monkeypatch: pytest.MonkeyPatch, question: str
) -> None:
    @audit_log("fund.transfer")
    def transfer() -> int:
        stop_behind(question, monkeypatch)
        return 7

    assert transfer() == 7
    assert recorder.runtime.metrics().dropped_at_stop == 0
    assert runtime.start(recorder.config).flush(20.0)
    assert [event.name for event in MemorySink.of("m").events.values()] == ["fund.transfer"]


def test_a_call_that_a_stop_overtakes_raises_and_is_not_kept_if_its_caller_wants_to_know(
    recorder: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    @audit_log("fund.transfer", on_failure="raise")
    def transfer() -> None:
        stop_behind("require_runtime", monkeypatch)

    with pytest.raises(AuditError, match="its queue answered closed"):
        transfer()
    assert runtime.start(recorder.config).flush(20.0)
    assert not MemorySink.of("m").events
