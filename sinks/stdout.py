"""The stdout sink: one line for each event, for collectors such as Promtail, Alloy and Vector.

``json`` writes flat objects, since collectors find labels at the top: the fields stand beside the
event's own keys, and a field of the same name gets the prefix ``field_``. ``console`` is for people.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Sequence
from typing import Any, Literal

import msgspec

from logweir.encoding import event_to_dict, format_time
from logweir.errors import SinkUnavailable
from logweir.event import Event
from logweir.results import WriteResult
from logweir.sinks.contract import SinkConfig, SinkContext, SyncSink

__all__ = ["StdoutConfig", "StdoutSink"]

_encode = msgspec.json.Encoder().encode


class StdoutConfig(SinkConfig):
    """Lines on a standard stream."""

    type: str = "stdout"
    format: Literal["json", "console"] = "json"
    """`json` for collectors, `console` for people."""
    stream: Literal["stdout", "stderr"] = "stdout"
    """Which stream."""


class StdoutSink(SyncSink[StdoutConfig]):
    """Writes whole lines to stdout or stderr."""

    Config = StdoutConfig

    def __init__(self, config: StdoutConfig, context: SinkContext | None = None) -> None:
        super().__init__(config, context)
        self._turn = threading.Lock()
        self._line = _json_line if config.format == "json" else _console_line

    def write(self, batch: Sequence[Event]) -> WriteResult:
        """Write a batch in one piece; see :meth:`SyncSink.write`.

        Raises:
            SinkUnavailable: Nobody reads the stream any more.
        """
        data = b"".join([self._line(event) + b"\n" for event in batch])
        with self._turn:
            try:
                self._write_all(data)
            except (OSError, ValueError) as error:
                reason = getattr(error, "strerror", None) or str(error)
                raise SinkUnavailable(f"{self.config.stream} cannot be written: {reason}") from None
        return WriteResult.all_stored()

    def _write_all(self, data: bytes) -> None:
        stream = sys.stdout if self.config.stream == "stdout" else sys.stderr
        stream.flush()
        try:
            descriptor = stream.fileno()
        except OSError:  # a stream that a test has put in its place
            stream.write(data.decode())
            stream.flush()
            return
        view = memoryview(data)
        while view:
            view = view[os.write(descriptor, view) :]


def _json_line(event: Event) -> bytes:
    line = event_to_dict(event)
    fields: dict[str, Any] = line.pop("fields")
    line.update({f"field_{name}" if name in line else name: value for name, value in fields.items()})
    return _encode(line)


def _console_line(event: Event) -> bytes:
    fields = " ".join(f"{name}={_encode(value).decode()}" for name, value in event.fields.items())
    moment = format_time(event.time)[11:23]
    return f"{moment} {event.level:<8} {event.kind.value:<7} {event.name} {fields}".rstrip().encode()
