"""The syslog sink: one TCP connection, a batch in one piece.

Syslog over TCP has no acknowledgement. A batch counts as stored when the kernel has taken it for a server
that has not hung up; what was under way when a server dies is lost, and a batch whose connection broke is
sent again, so that some of it may arrive twice. The id in the structured data shows which arrived twice.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
from collections.abc import Sequence

import logweir
from logweir.errors import SinkUnavailable
from logweir.sinks.contract import SinkContext
from logweir.sinks.results import Health, HealthStatus, WriteResult
from logweir_syslog.config import SyslogConfig
from logweir_syslog.encode import Encoder, framed

__all__ = ["SyslogSink"]

_CLOSING = 2.0


class SyslogSink(logweir.Sink[SyslogConfig]):
    """Sends events to a syslog server over TCP."""

    Config = SyslogConfig
    idempotent = False  # syslog has no ids

    def __init__(self, config: SyslogConfig, context: SinkContext | None = None) -> None:
        super().__init__(config, context)
        self._encoder = Encoder(config, socket.gethostname(), os.getpid())
        self._turn = asyncio.Lock()
        self._reader: asyncio.StreamReader | None = None
        self._writer: asyncio.StreamWriter | None = None

    async def open(self) -> None:
        """Connect, if we are not connected.

        Raises:
            SinkUnavailable: Nobody listens.
        """
        async with self._turn:
            await self._connected()

    async def write(self, batch: Sequence[logweir.Event]) -> WriteResult:
        """Send a batch; what is too long for the server is rejected.

        Raises:
            SinkUnavailable: The connection broke; some of the batch may have arrived.
        """
        rejected = dict[int, str]()
        frames = list[bytes]()
        for index, event in enumerate(batch):
            message = self._encoder.message(event)
            if self.config.max_message_bytes is not None and len(message) > self.config.max_message_bytes:
                rejected[index] = (
                    f"the message has {len(message):,} bytes, and the server takes "
                    f"{self.config.max_message_bytes:,}; see max_message_bytes"
                )
            else:
                frames.append(framed(message))
        async with self._turn:
            writer = await self._connected()
            try:
                writer.write(b"".join(frames))  # buffered whole: giving up the wait tears no message
                await writer.drain()
            except OSError as error:
                self._hang_up()
                raise self._unavailable(error) from None
        return WriteResult(rejected=rejected)

    async def check(self) -> Health:
        """Say whether somebody listens."""
        try:
            _, writer = await asyncio.open_connection(self.config.host, self.config.port)
        except OSError as error:
            return Health(HealthStatus.DOWN, str(self._unavailable(error)))
        writer.close()
        return Health(HealthStatus.OK, f"{self.config.host}:{self.config.port} accepts connections")

    async def close(self) -> None:
        """Send what is buffered and hang up."""
        writer = self._hang_up()
        if writer is not None:
            with contextlib.suppress(OSError, TimeoutError):
                await asyncio.wait_for(writer.wait_closed(), _CLOSING)

    async def _connected(self) -> asyncio.StreamWriter:
        """The connection, made anew if the server has hung up.

        Raises:
            SinkUnavailable: Nobody listens.
        """
        if self._reader is not None and (self._reader.at_eof() or self._reader.exception()):
            self._hang_up()
        if self._writer is None:
            try:
                self._reader, self._writer = await asyncio.open_connection(self.config.host, self.config.port)
            except OSError as error:
                raise self._unavailable(error) from None
            self._writer.transport.set_write_buffer_limits(high=0)  # drain waits until the kernel has all
        return self._writer

    def _hang_up(self) -> asyncio.StreamWriter | None:
        writer, self._reader, self._writer = self._writer, None, None
        if writer is not None:
            writer.close()
        return writer

    def _unavailable(self, error: OSError) -> SinkUnavailable:
        reason = error.strerror or type(error).__name__
        return SinkUnavailable(f"syslog at {self.config.host}:{self.config.port}: {reason}")
