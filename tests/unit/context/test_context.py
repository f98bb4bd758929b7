from __future__ import annotations

import asyncio
import re
import threading
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from contextvars import copy_context
from inspect import iscoroutinefunction
from multiprocessing import get_context

import pytest
from hypothesis import given
from hypothesis import strategies as st
from structlog.contextvars import bind_contextvars, get_contextvars

from logweir.context.binding import bind, scope
from logweir.context.threads import ContextExecutor, context_thread, propagate, submit_with_context
from logweir.context.trace import (
    TraceParent,
    begin_trace,
    current_trace_id,
    current_traceparent,
    new_span_id,
    new_trace_id,
    parse_traceparent,
)

TRACE = "0af7651916cd43dd8448eb211c80319c"
SPAN = "b7ad6b7169203331"


def user() -> object:
    return get_contextvars().get("user_id")


# -- bind and scope -------------------------------------------------------------------------------------


def test_bind_restores_what_was_bound_before():
    with bind(user_id=1, tenant="a"):
        with bind(user_id=2):
            assert get_contextvars() == {"user_id": 2, "tenant": "a"}
        assert get_contextvars() == {"user_id": 1, "tenant": "a"}
    assert get_contextvars() == {}


def test_bind_restores_after_an_error():
    with pytest.raises(KeyError), bind(user_id=1):
        raise KeyError
    assert get_contextvars() == {}


def test_bind_keeps_what_was_bound_inside_under_other_names():
    with bind(user_id=1):
        bind_contextvars(order_id=7)
    assert get_contextvars() == {"order_id": 7}


def test_bind_decorates_functions():
    @bind(user_id=5)
    def seen() -> object:
        return user()

    assert (seen(), seen(), user()) == (5, 5, None)


async def test_bind_decorates_coroutine_functions_for_as_long_as_they_run():
    @bind(user_id=5)
    async def seen(pause: asyncio.Event) -> object:
        before = user()
        await pause.wait()
        return before, user()

    assert iscoroutinefunction(seen)
    pause = asyncio.Event()
    coroutine = seen(pause)
    assert user() is None
    running = asyncio.create_task(coroutine)
    await asyncio.sleep(0)
    pause.set()
    assert await running == (5, 5)
    assert (await seen(pause), user()) == ((5, 5), None)


def test_bind_ends_cleanly_in_a_copy_of_its_context():
    block = bind(user_id=1)
    block.__enter__()
    elsewhere = copy_context()
    elsewhere.run(block.__exit__, None, None, None)
    assert elsewhere.run(user) is None


def test_bind_that_ends_in_a_foreign_context_leaves_its_values_alone():
    foreign = copy_context()
    foreign.run(bind_contextvars, user_id="theirs")
    block = bind(user_id="ours")
    block.__enter__()
    foreign.run(block.__exit__, None, None, None)
    assert foreign.run(user) == "theirs"


def test_scope_forgets_all_that_was_bound_inside():
    with bind(version="1"):
        with scope(request_id="r"):
            bind_contextvars(user_id=9, version="2")
            assert get_contextvars() == {"version": "2", "request_id": "r", "user_id": 9}
        assert get_contextvars() == {"version": "1"}


# -- traces ---------------------------------------------------------------------------------------------


def test_a_traceparent_survives_reading_and_writing():
    header = f"00-{TRACE}-{SPAN}-01"
    assert str(parse_traceparent(header)) == header


@pytest.mark.parametrize(
    "header",
    [
        "",
        "garbage",
        f"ff-{TRACE}-{SPAN}-01",
        f"00-{'0' * 32}-{SPAN}-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"00-{TRACE}-{SPAN}",
        f"00-{TRACE}-{SPAN}-1",
        f"00-{TRACE}-{SPAN}-01-what-the-future-brings",
        f"00-{TRACE}-{SPAN}-01.",
        f"cc-{TRACE}-{SPAN}-01.what",
        f"00-{TRACE.upper()}-{SPAN}-01",
        f"00-{TRACE[:-1]}-{SPAN}-01",
        f"0-{TRACE}-{SPAN}-01",
        f"00-{TRACE}-{SPAN}-0x",
        f"00-{TRACE[:-1]}\u0664-{SPAN}-01",
        f"00-{TRACE}-{SPAN}-01\n",
        f"00-{TRACE}-{SPAN}-01,00-{TRACE}-{SPAN}-01",
    ],
)
def test_an_invalid_traceparent_is_refused(header: str):
    assert parse_traceparent(header) is None


@pytest.mark.parametrize("header", [f"cc-{TRACE}-{SPAN}-01", f"cc-{TRACE}-{SPAN}-01-what-the-future-brings"])
def test_a_later_version_is_read_as_far_as_it_is_known(header: str):
    assert parse_traceparent(header) == TraceParent(TRACE, SPAN, 1)


def test_white_space_around_a_traceparent_is_ignored():
    assert parse_traceparent(f" \t00-{TRACE}-{SPAN}-00 ") == TraceParent(TRACE, SPAN, 0)


def test_unknown_flags_are_not_passed_on():
    assert parse_traceparent(f"00-{TRACE}-{SPAN}-ff") == TraceParent(TRACE, SPAN, 3)


@given(st.text(max_size=80))
def test_reading_a_traceparent_never_raises(header: str):
    assert parse_traceparent(header) is None or len(header.strip()) >= 55


def test_new_ids_are_hex_and_differ():
    assert re.fullmatch("[0-9a-f]{32}", new_trace_id())
    assert re.fullmatch("[0-9a-f]{16}", new_span_id())
    assert len({new_trace_id() for _ in range(100)} | {new_span_id() for _ in range(100)}) == 200


def test_a_child_is_another_span_of_the_same_trace():
    parent = TraceParent.new()
    child = parent.child()
    assert child.trace_id == parent.trace_id
    assert child.span_id != parent.span_id
    assert child.flags == parent.flags


def test_outside_of_a_trace_there_is_no_trace_id_and_no_header():
    assert current_trace_id() is None
    assert current_traceparent() is None


def test_inside_of_a_trace_the_header_for_other_services_has_its_ids_and_flags():
    with scope():
        begin_trace(TraceParent(TRACE, SPAN, 0))
        assert current_trace_id() == TRACE
        assert current_traceparent() == f"00-{TRACE}-{SPAN}-00"
    assert current_traceparent() is None
    with bind(trace_id=TRACE, span_id=SPAN):
        assert current_traceparent() == f"00-{TRACE}-{SPAN}-01"


# -- tasks, threads and executors -----------------------------------------------------------------------


async def test_tasks_and_task_groups_inherit_the_context():
    async def seen() -> object:
        await asyncio.sleep(0)
        return user()

    with bind(user_id=1):
        task = asyncio.create_task(seen())
        async with asyncio.TaskGroup() as group:
            grouped = [group.create_task(seen()) for _ in range(3)]
    with bind(user_id=2):
        assert await task == 1
    assert [each.result() for each in grouped] == [1, 1, 1]


async def test_what_a_task_binds_stays_in_the_task():
    async def handle(number: int) -> object:
        with bind(user_id=number):
            await asyncio.sleep(0)
            return user()

    assert await asyncio.gather(*(handle(number) for number in range(50))) == list(range(50))
    assert user() is None


async def test_to_thread_inherits_the_context():
    with bind(user_id=1):
        assert await asyncio.to_thread(user) == 1


async def test_run_in_executor_sees_the_context_of_the_caller():
    loop = asyncio.get_running_loop()
    with ContextExecutor(1) as executor, bind(user_id=1):
        assert await loop.run_in_executor(executor, user) == 1
        with bind(user_id=2):
            assert await loop.run_in_executor(executor, user) == 2
    with ThreadPoolExecutor(1) as plain, bind(user_id=3):
        assert await loop.run_in_executor(plain, user) is None
        assert await loop.run_in_executor(plain, propagate(user)) == 3


def test_a_context_executor_maps_many_at_once():
    barrier = threading.Barrier(4)

    def seen(number: int) -> tuple[int, object]:
        barrier.wait(10)
        return number, user()

    with ContextExecutor(4) as executor, bind(user_id=1):
        assert list(executor.map(seen, range(4))) == [(number, 1) for number in range(4)]


def test_a_propagated_function_may_run_many_times_at_once():
    barrier = threading.Barrier(4)

    def seen(number: int) -> tuple[int, object]:
        barrier.wait(10)
        bind_contextvars(user_id=number)
        return number, user()

    with bind(user_id="outer"):
        wrapped = propagate(seen)
    with ThreadPoolExecutor(4) as executor:
        assert sorted(executor.map(wrapped, range(4))) == [(number, number) for number in range(4)]
    assert propagate(user)() is None


def test_a_propagated_function_keeps_the_context_it_was_wrapped_in():
    with bind(user_id=1):
        wrapped = propagate(user)
    with bind(user_id=2):
        assert wrapped() == 1


async def test_a_propagated_coroutine_function_runs_in_the_context_it_was_wrapped_in():
    async def seen(extra: int) -> tuple[object, int]:
        await asyncio.sleep(0)
        return user(), extra

    with bind(user_id=1):
        wrapped = propagate(seen)
    assert await asyncio.gather(wrapped(1), wrapped(extra=2)) == [(1, 1), (1, 2)]


def test_submitted_work_sees_the_context_and_its_arguments():
    def seen(*args: object, **kwargs: object) -> object:
        return user(), args, kwargs

    with ThreadPoolExecutor(1) as executor, bind(user_id=1):
        assert submit_with_context(executor, seen, 2, fn=3).result(10) == (1, (2,), {"fn": 3})


def test_submitted_work_in_another_process_sees_the_values():
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as executor, bind(user_id=1):
        assert submit_with_context(executor, get_contextvars).result(60) == {"user_id": 1}


def test_a_context_thread_sees_the_context_it_was_made_in():
    seen: list[object] = []
    with bind(user_id=1):
        thread = context_thread(
            lambda *args, **kwargs: seen.extend([user(), args, kwargs]), args=(1,), kwargs={"a": 2}
        )
    thread.start()
    thread.join(10)
    assert seen == [1, (1,), {"a": 2}]


def test_a_plain_thread_sees_nothing_which_is_why_the_helpers_exist():
    seen: list[object] = []
    with bind(user_id=1):
        thread = threading.Thread(target=lambda: seen.append(user()))
        thread.start()
        thread.join(10)
    assert seen == [None]
