"""The stdout sink: one line for each event, for collectors such as Promtail, Alloy and Vector.

``json`` writes flat objects by default, since collectors find labels at the top: the fields stand beside
the event's own keys, and a field of the same name gets the prefix ``field_``. ``console`` is for people, with
colours on a terminal. Neither stores an event id once: a batch that is sent again is printed again.

Sinks of one process take turns at a stream, so that their lines stay whole. Other processes may write to it
too: a pipe takes so many bytes at once that no other writer can come between them, and gets whole lines in
pieces of at most that. A line that is longer may be torn there by another process.
"""

from __future__ import annotations

import os
import select
import stat
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Literal, TextIO

import msgspec
from pydantic import Field, model_validator

from logweir.errors import SinkUnavailable
from logweir.event import Event
from logweir.process.pacing import in_slices_of_thread
from logweir.sinks.contract import SinkConfig, SinkContext, SyncSink
from logweir.sinks.results import Health, HealthStatus, WriteResult
from logweir.sinks.shared.console_lines import console_lines, has_colors
from logweir.sinks.shared.documents import Form, check_rename, documents

__all__ = ["StdoutConfig", "StdoutSink"]

_encode = msgspec.json.Encoder().encode
_turns: dict[tuple[int, str], threading.Lock] = {}


class StdoutConfig(SinkConfig):
    """Lines on a standard stream."""

    type: str = "stdout"
    format: Literal["json", "console"] = "json"
    """`json` for collectors, `console` for people: a line for each event, its traceback below."""
    colors: bool | None = None
    """With `console`: whether there are colours; by default on a terminal, unless `NO_COLOR` is set."""
    stream: Literal["stdout", "stderr"] = "stdout"
    """Which stream."""
    fields: Form = "flat"
    """With `json`: the event's fields beside its own keys (`flat`) or in an object (`nested`), or all of it
    under the names of the Elastic Common Schema (`ecs`) or of OpenTelemetry (`otel`)."""
    rename: dict[str, str] = Field(default_factory=dict)
    """With `json`: other names for keys of the event itself, such as `{event: message}`."""

    @model_validator(mode="after")
    def _can_be_renamed(self) -> StdoutConfig:
        check_rename(self.fields, self.rename)
        return self


class StdoutSink(SyncSink[StdoutConfig]):
    """Writes whole lines to stdout or stderr."""

    Config = StdoutConfig

    def __init__(self, config: StdoutConfig, context: SinkContext | None = None) -> None:
        super().__init__(config, context)
        self._json_line = _json_line(config)

    def write(self, batch: Sequence[Event]) -> WriteResult:
        """Write a batch, each line whole; see :meth:`SyncSink.write`.

        Raises:
            SinkUnavailable: The stream is closed, or nobody reads it any more.
        """
        line = self._json_line if self.config.format == "json" else self._console_line()
        lines: list[bytes] = []
        rejected = dict[int, str]()
        for part in in_slices_of_thread(range(len(batch))):
            for index in part:
                try:
                    lines.append(line(batch[index]))
                except (TypeError, ValueError) as error:
                    rejected[index] = f"cannot be written as JSON: {type(error).__name__}"
        if lines:
            with _turn_at(self.config.stream), _as_sink_errors(self.config.stream):
                _write(_stream(self.config.stream), lines)
        return WriteResult(rejected=rejected)

    def _console_line(self) -> Callable[[Event], bytes]:
        colors = self.config.colors
        if colors is None:  # asked for each batch, as the stream is: another may be in its place by now
            with _as_sink_errors(self.config.stream):
                colors = has_colors(_stream(self.config.stream))
        return lambda event: console_lines(event, colors=colors).encode()

    def check(self) -> Health:
        """Say whether the stream is there."""
        try:
            with _as_sink_errors(self.config.stream):
                _stream(self.config.stream)
        except SinkUnavailable as error:
            return Health(HealthStatus.DOWN, str(error))
        return Health(HealthStatus.OK, f"{self.config.format} on {self.config.stream}")


def _turn_at(stream: str) -> threading.Lock:
    """The lock of a stream; a fork's child has one of its own, since nobody there would free the parent's."""
    return _turns.setdefault((os.getpid(), stream), threading.Lock())


def _stream(name: str) -> TextIO:
    """The stream of this moment: tests and daemons put others in its place."""
    stream: TextIO | None = getattr(sys, name)
    with suppress(OSError, ValueError, AttributeError):
        if stream is not None and stream.fileno() is None:  # Celery's, which logs what is printed
            stream = getattr(sys, f"__{name}__")
    if stream is None or stream.closed:
        raise ValueError("it is closed")
    return stream


def _write(stream: TextIO, lines: Sequence[bytes]) -> None:
    stream.flush()  # what the application has printed comes first
    try:
        descriptor = stream.fileno()
    except OSError:  # a stream that a test has put in its place
        stream.write(_joined(lines).decode())
        stream.flush()
        return
    mode = os.fstat(descriptor).st_mode
    is_pipe = stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode)
    for part in _parts(lines, select.PIPE_BUF) if is_pipe else [lines]:
        _write_all(descriptor, _joined(part))


def _joined(lines: Sequence[bytes]) -> bytes:
    return b"\n".join([*lines, b""])


def _parts(lines: Sequence[bytes], most: int) -> Iterator[list[bytes]]:
    """Divide lines into parts of at most so many bytes; one that is longer is a part of its own."""
    part, size = list[bytes](), 0
    for line in lines:
        if part and size + len(line) + 1 > most:
            yield part
            part, size = [], 0
        part.append(line)
        size += len(line) + 1
    yield part


def _write_all(descriptor: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        try:
            view = view[os.write(descriptor, view) :]
        except BlockingIOError:  # somebody made the pipe non-blocking, and its reader is slow
            select.select([], [descriptor], [])


@contextmanager
def _as_sink_errors(stream: str) -> Iterator[None]:
    """Turn what the stream says into what a worker understands."""
    try:
        yield
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise SinkUnavailable(f"{stream} cannot be written: {reason}") from None


def _json_line(config: StdoutConfig) -> Callable[[Event], bytes]:
    document_of = documents(config.fields, config.rename)
    return lambda event: _encode(document_of(event))
