"""Waiting in a command that must come to an orderly end: for input, for a moment, for signals."""

import fcntl
import os
import resource
import signal
import time
from collections.abc import Iterator

import pytest

from logweir.cli.interruption import Interruption


@pytest.fixture
def interruption() -> Iterator[Interruption]:
    with Interruption() as interruption:
        yield interruption


@pytest.fixture
def high_pipe() -> Iterator[tuple[int, int]]:
    """A pipe that is read by a descriptor beyond those that select knows."""
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(limits[0], 2000), limits[1]))
    low, writer = os.pipe()
    reader = fcntl.fcntl(low, fcntl.F_DUPFD_CLOEXEC, 1500)
    yield reader, writer
    for descriptor in (low, reader, writer):
        os.close(descriptor)
    resource.setrlimit(resource.RLIMIT_NOFILE, limits)


def test_input_is_waited_for_by_a_descriptor_of_any_number(
    interruption: Interruption, high_pipe: tuple[int, int]
) -> None:
    reader, writer = high_pipe
    os.write(writer, b"x")
    assert interruption.wait_for_any([reader]) == [reader]
    assert interruption.wait_for_input(reader)


def test_a_signal_ends_every_wait(interruption: Interruption, high_pipe: tuple[int, int]) -> None:
    reader, _ = high_pipe
    signal.raise_signal(signal.SIGTERM)
    assert interruption.asked == signal.SIGTERM
    assert not interruption.wait_for_input(reader)
    interruption.wait(3600)


def test_after_a_signal_that_asks_for_something_else_waits_are_waits_again(
    interruption: Interruption, high_pipe: tuple[int, int]
) -> None:
    reader, writer = high_pipe
    before = signal.signal(signal.SIGHUP, lambda _number, _frame: os.write(writer, b"x"))
    try:
        signal.raise_signal(signal.SIGHUP)
    finally:
        signal.signal(signal.SIGHUP, before)
    interruption.wait(3600)  # the signal ends this one
    began = time.monotonic()
    interruption.wait(0.05)
    assert time.monotonic() - began >= 0.05
    assert interruption.wait_for_input(reader)
