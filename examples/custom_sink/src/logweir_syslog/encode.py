"""From an event to a message of RFC 5424, framed for TCP as RFC 6587 counts octets. Pure.

The message's text is ``@cee:`` and the whole event as JSON, which rsyslog (``mmjsonparse``), syslog-ng and
most SIEMs take apart; what they sort by stands in the header and the structured data too.
"""

from __future__ import annotations

import re

from logweir import Event, Kind
from logweir.encoding.events import encode_event
from logweir_syslog.config import FACILITIES, SyslogConfig

__all__ = ["Encoder", "framed"]

_SEVERITIES = {"debug": 7, "info": 6, "warning": 4, "error": 3, "critical": 2}
_UNPRINTABLE = re.compile(r"[^!-~]+")
_NIL = "-"


class Encoder:
    """Writes events as one process of one machine says them.

    Args:
        config: The options.
        hostname: The name of this machine.
        process_id: The id of this process.
    """

    def __init__(self, config: SyslogConfig, hostname: str, process_id: int) -> None:
        self._facilities = {
            Kind.AUDIT: FACILITIES[config.audit_facility],
            Kind.TRACING: FACILITIES[config.facility],
        }
        self._sd_id = config.structured_data_id
        self._hostname = _word(hostname, 255)
        self._process_id = process_id

    def message(self, event: Event) -> bytes:
        """Return the message of an event, without its frame."""
        priority = self._facilities[event.kind] * 8 + _SEVERITIES.get(event.level, 6)
        moment = event.datetime.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        header = (
            f"<{priority}>1 {moment} {self._hostname} {_word(event.service, 48)} {self._process_id} "
            f"{_word(event.name, 32)} {self._structured_data(event)} @cee:"
        )
        return header.encode() + encode_event(event)

    def _structured_data(self, event: Event) -> str:
        known = {
            "id": event.id,
            "kind": event.kind.value,
            "env": event.env,
            "trace_id": event.trace_id,
            "span_id": event.span_id,
        }
        parameters = "".join(f' {name}="{_escaped(value)}"' for name, value in known.items() if value)
        return f"[{self._sd_id}{parameters}]"


def framed(message: bytes) -> bytes:
    """Return the message with its length before it, so that it may hold line breaks."""
    return b"%d %b" % (len(message), message)


def _word(text: str, longest: int) -> str:
    """The text as a word of the header: printable ASCII without spaces."""
    return _UNPRINTABLE.sub("_", text)[:longest] or _NIL


def _escaped(value: str) -> str:
    return re.sub(r'(["\\\]])', r"\\\1", value)
