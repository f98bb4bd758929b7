"""An error as text: its traceback, what caused it, its notes, and of a group the errors in it.

Python writes all of it before anybody can cut it, which takes seconds for a task group of some ten thousand
failures: the time of whoever logs. What is far more than anybody reads is therefore left out before: the
middle of long stacks, causes behind many others, and of wide groups all errors but the first.
"""

from __future__ import annotations

import traceback
from collections.abc import Iterator
from types import TracebackType
from typing import Any

__all__ = ["format_error"]

#: What Python may write as it is: so many errors, frames and notes in all take some milliseconds.
_ERRORS, _FRAMES, _NOTES = 60, 300, 100
#: What is left of more: causes behind each other, errors of one group (as many as Python shows), groups in
#: each other, notes of one error, and frames at each end of a stack.
_CAUSES, _MEMBERS, _DEPTH, _FIRST_NOTES, _ENDS = 10, 15, 3, 15, 15

_CAUSED = "The above exception was the direct cause of the following exception:"
_DURING = "During handling of the above exception, another exception occurred:"


def format_error(error: BaseException) -> str:
    """Return the text of an error, as :func:`traceback.format_exception` does unless that is too much.

    Raises:
        Exception: What its own methods raise.
    """
    if _is_moderate(error):
        return "".join(traceback.format_exception(error)).rstrip("\n")
    return "\n".join(_lines(error, [_ERRORS], _DEPTH))


def _is_moderate(error: BaseException) -> bool:
    waiting: list[BaseException | None] = [error]
    errors = frames = notes = 0
    while waiting:
        one = waiting.pop()
        if one is None:
            continue
        members = one.exceptions if isinstance(one, BaseExceptionGroup) else ()
        errors += 1
        frames += sum(1 for _ in _steps(one.__traceback__, _FRAMES))
        notes += len(getattr(one, "__notes__", None) or ())
        if errors + len(members) > _ERRORS or frames > _FRAMES or notes > _NOTES:
            return False
        waiting += (_behind(one), *members)
    return True


def _steps(trace: TracebackType | None, most: int) -> Iterator[TracebackType]:
    """The steps of a traceback, and one more than ``most`` at most."""
    for _ in range(most + 1):
        if trace is None:
            return
        yield trace
        trace = trace.tb_next


def _lines(error: BaseException, left: list[int], depth: int) -> Iterator[str]:
    """The lines of an error behind those of what caused it; ``left`` says how many errors may follow."""
    for number, (one, link) in enumerate(reversed(_chain(error))):
        if left[0] <= 0:
            return
        left[0] -= 1
        if number:
            yield from ("", link, "")
        elif link:
            yield "[what caused this is left out]"
        yield from _alone(one)
        if isinstance(one, BaseExceptionGroup):
            yield from _members(one, left, depth)


def _chain(error: BaseException) -> list[tuple[BaseException, str]]:
    """An error and what caused it, each with the sentence that leads from the one behind it."""
    chain: list[tuple[BaseException, str]] = []
    one: BaseException | None = error
    while one is not None and len(chain) < _CAUSES:
        behind = _behind(one)
        link = "" if behind is None else _CAUSED if one.__cause__ is not None else _DURING
        chain.append((one, link))
        one = behind
    return chain


def _behind(error: BaseException) -> BaseException | None:
    """What Python shows before an error."""
    if error.__cause__ is not None:
        return error.__cause__
    return None if error.__suppress_context__ else error.__context__


def _alone(error: BaseException) -> Iterator[str]:
    """The lines of an error without any other one."""
    yield from _stack(error.__traceback__)
    kind = type(error)
    name = kind.__qualname__ if kind.__module__ in {"builtins", "__main__"} else _full_name(kind)
    text = str(error)
    yield from (f"{name}: {text}" if text else name).split("\n")
    notes: list[Any] = list(getattr(error, "__notes__", None) or ())[:_FIRST_NOTES]
    for note in notes:
        yield from str(note).split("\n")


def _full_name(kind: type[BaseException]) -> str:
    return f"{kind.__module__}.{kind.__qualname__}"


def _stack(trace: TracebackType | None) -> Iterator[str]:
    """The lines of a stack, without its middle if it is long."""
    if trace is None:
        return
    yield "Traceback (most recent call last):"
    steps = [trace]
    while (following := steps[-1].tb_next) is not None:
        steps.append(following)
    more = len(steps) - 2 * _ENDS
    if more > 0:
        yield from _steps_from(trace, _ENDS)
        yield f"  [{more:,} frames left out]"
        trace = steps[-_ENDS]
    yield from _steps_from(trace, None)


def _steps_from(trace: TracebackType, limit: int | None) -> Iterator[str]:
    for step in traceback.format_tb(trace, limit):
        yield from step.rstrip("\n").split("\n")


def _members(group: BaseExceptionGroup[BaseException], left: list[int], depth: int) -> Iterator[str]:
    """The lines of the first errors of a group, and how many more there are."""
    shown = group.exceptions[:_MEMBERS] if depth else ()
    count = 0
    for member in shown:
        if left[0] <= 0:
            break
        count += 1
        yield f"  +---------------- {count} ----------------"
        yield from (f"  | {line}" for line in _lines(member, left, depth - 1))
    if more := len(group.exceptions) - count:
        yield f"  +---------------- and {more:,} more ----------------"
