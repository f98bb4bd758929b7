"""The watchdog: names the sink that blocks the loop of delivery, while it does.

A call into a sink that does not come back to the loop, as ``time.sleep`` or a driver without ``await``, holds
up every sink of the process, and the loop cannot see it: it stands still. So a thread looks. While calls into
sinks are under way, their loop writes a heartbeat a few times a second; where it is older than a second, the
thread reads the stack of the loop's thread, reports the call with the innermost line of the sink's own code,
and counts the time. Without calls under way nothing beats, and the thread sleeps on a condition. It is
daemonic, it begins with the first call, and anew in a fork's child.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import FrameType

from logweir.delivery.counters import DeliveryCounters
from logweir.diagnostics import report
from logweir.process import fork
from logweir.process.fork import Stage
from logweir.process.reentry import registered

__all__ = ["SinkCall", "watched"]

#: Age of a heartbeat from which on its loop counts as blocked, in seconds.
BLOCKED_AFTER = 1.0
_BEAT = 0.25
#: Seconds between two reports of one block.
_AGAIN = 10.0


@dataclass(frozen=True, slots=True, eq=False)
class SinkCall:
    """A call into a sink.

    Attributes:
        name: The sink's name in routing.yaml.
        method: The method called.
        sink: The sink itself.
        counters: Where a block is counted.
    """

    name: str
    method: str
    sink: object = field(repr=False)
    counters: DeliveryCounters

    @property
    def module(self) -> str:
        """The module of the sink's class; frames of its package are the sink's own."""
        return type(self.sink).__module__


@dataclass(slots=True, eq=False)
class _Heart:
    """One loop: its beats and the calls on it.

    Attributes:
        beat: When the loop last came around, monotonic seconds.
        beating: Whether it beats at present, which the loop alone changes.
        blocked: The call that blocks it, as the thread found it, and for how long it has been counted.
    """

    loop: asyncio.AbstractEventLoop
    thread: int
    calls: dict[SinkCall, asyncio.Task[object] | None] = field(default_factory=dict)
    beat: float = 0.0
    beating: bool = False
    blocked: SinkCall | None = None
    counted: float = 0.0
    reported: float = 0.0


class _Watch:
    """What one process watches."""

    def __init__(self) -> None:
        self.hearts: dict[int, _Heart] = {}
        self.wake = threading.Condition(registered(threading.RLock()))
        self.thread: threading.Thread | None = None

    def heart(self) -> _Heart:
        """The heart of the running loop."""
        ident = threading.get_ident()
        heart = self.hearts.get(ident)
        loop = asyncio.get_running_loop()
        if heart is None or heart.loop is not loop:
            heart = self.hearts[ident] = _Heart(loop, ident)
        return heart

    def begin(self, heart: _Heart) -> None:
        """Let a heart beat, and the thread look at it."""
        heart.beating = True
        self._tick(heart)
        with self.wake:
            if self.thread is None:
                self.thread = threading.Thread(target=self._run, name="logweir-watchdog", daemon=True)
                with contextlib.suppress(RuntimeError):  # the interpreter is on its way out
                    self.thread.start()
            self.wake.notify()

    def _tick(self, heart: _Heart) -> None:
        heart.beat = time.monotonic()
        if heart.calls:
            heart.loop.call_later(_BEAT, self._tick, heart)
        else:
            heart.beating = False

    def _run(self) -> None:
        while True:
            with self.wake:
                # A loop that was closed in the middle of calls will not beat again, nor stop beating.
                self.hearts = {i: heart for i, heart in self.hearts.items() if not heart.loop.is_closed()}
                while not any(heart.beating for heart in list(self.hearts.values())):
                    self.wake.wait()
            before = time.monotonic()
            time.sleep(_BEAT)
            # A process that was suspended, or starved, says nothing about its loops.
            if time.monotonic() - before < BLOCKED_AFTER:
                for heart in list(self.hearts.values()):
                    try:
                        _look(heart)
                    except Exception as error:  # noqa: BLE001 - stacks change while they are read
                        report("watchdog", "the watchdog could not look at a loop: %r", error)


_watch = _Watch()


@contextmanager
def watched(call: SinkCall | None) -> Iterator[None]:
    """Mark a call into a sink on the running loop."""
    if call is None:
        yield
        return
    heart = _watch.heart()
    heart.calls[call] = asyncio.current_task()
    if not heart.beating:
        _watch.begin(heart)
    try:
        yield
    finally:
        heart.calls.pop(call, None)


def _look(heart: _Heart) -> None:
    """Report a loop that is blocked, and count for how long it has been; or note that it goes on."""
    now = time.monotonic()
    seconds = now - heart.beat
    if not heart.beating or seconds < BLOCKED_AFTER:
        if heart.blocked is not None:
            heart.blocked.counters.blocked = ""
            heart.blocked = None
        heart.counted = heart.reported = 0.0
        return
    if not heart.calls:  # nothing is under way: its loop has ended, or is about to stop the beats
        return
    call, where = _culprit(heart)
    if call is not None:
        if heart.blocked is None:
            call.counters.blocks += 1
            heart.blocked = call
        heart.blocked.counters.blocked_seconds += seconds - heart.counted
        heart.counted = seconds
        heart.blocked.counters.blocked = f"its {call.method} blocks the loop of delivery at {where}"
    if not heart.reported or now - heart.reported >= _AGAIN:
        heart.reported = now
        _report(heart, call, where, seconds)


def _report(heart: _Heart, call: SinkCall | None, where: str, seconds: float) -> None:
    if call is None:
        under_way = ", ".join(sorted({f"{each.method} of sink {each.name!r}" for each in list(heart.calls)}))
        report(
            "watchdog.blocked",
            "the delivery to all sinks has stood still for %.1f s, at %s; under way: %s",
            seconds,
            where,
            under_way,
        )
        return
    report(
        f"{call.name}.blocks",
        "sink %r blocks the delivery to all sinks: its %s has not let the event loop go on for %.1f s, "
        "at %s; let it await, or derive it from SyncSink",
        call.name,
        call.method,
        seconds,
        where,
    )


def _culprit(heart: _Heart) -> tuple[SinkCall | None, str]:
    """The call in whose code the loop's thread is, if that is sure, and the innermost line of the sink's."""
    calls = dict(heart.calls)
    stack = list(_frames(sys._current_frames().get(heart.thread)))  # noqa: SLF001 - the documented way
    task = asyncio.current_task(heart.loop)
    # A task that the sink has made is not the call's own; then only the code on the stack can prove it.
    by_task = [call for call, own in calls.items() if own is task]
    for frame in stack:
        for call in by_task or calls:
            if _is_of(frame, call.module):
                return call, _line(frame)
    return (by_task[0] if by_task else None), _line(stack[0]) if stack else "an unknown place"


def _frames(frame: FrameType | None) -> Iterator[FrameType]:
    while frame is not None:
        yield frame
        frame = frame.f_back


def _is_of(frame: FrameType, module: str) -> bool:
    name = str(frame.f_globals.get("__name__", ""))
    package = module.rpartition(".")[0]
    return name == module or bool(package and name.startswith(f"{package}."))


def _line(frame: FrameType) -> str:
    return f"{frame.f_code.co_filename}:{frame.f_lineno} in {frame.f_code.co_name}"


def _forget() -> None:
    """Begin anew in a fork's child, which has neither the thread nor the loops."""
    global _watch  # noqa: PLW0603 - a lock must not be shared with another process
    _watch = _Watch()


fork.register(Stage.WATCHDOG, in_child=_forget)
