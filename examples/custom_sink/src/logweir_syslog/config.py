"""Options of the syslog sink."""

from __future__ import annotations

import re
from typing import Literal

from pydantic import Field, field_validator

import logweir
from logweir.settings.units import ByteSize

__all__ = ["FACILITIES", "Facility", "SyslogConfig"]

Facility = Literal[
    "user", "daemon", "auth", "syslog", "authpriv", "audit",
    "local0", "local1", "local2", "local3", "local4", "local5", "local6", "local7",
]  # fmt: skip

#: The number of each facility in RFC 5424.
FACILITIES: dict[Facility, int] = {
    "user": 1, "daemon": 3, "auth": 4, "syslog": 5, "authpriv": 10, "audit": 13,
    "local0": 16, "local1": 17, "local2": 18, "local3": 19,
    "local4": 20, "local5": 21, "local6": 22, "local7": 23,
}  # fmt: skip

_SD_ID = re.compile(r"[!#-<>-\\^-~]{1,32}")


class SyslogConfig(logweir.SinkConfig):
    """A syslog server: rsyslog, syslog-ng, or the collector of a SIEM."""

    type: str = "syslog"
    host: str = "localhost"
    """Where it listens for TCP."""
    port: int = Field(default=601, ge=1, le=65535)
    """Its port; 601 is syslog's own for TCP, many listen on 514."""
    audit_facility: Facility = "authpriv"
    """The facility of audit events."""
    facility: Facility = "local0"
    """The facility of all other events."""
    structured_data_id: str = "logweir@32473"
    """The name of the structured data that holds id, kind and trace; the number is your enterprise's."""
    max_message_bytes: ByteSize | None = Field(default=None, ge=480)
    """The longest message that the server takes; a longer event becomes a dead letter. By default all are
    sent, and a server may cut them: rsyslog does at 8KiB, unless `maxMessageSize` says otherwise."""

    @field_validator("structured_data_id")
    @classmethod
    def _is_a_name(cls, value: str) -> str:
        if not _SD_ID.fullmatch(value):
            raise ValueError(f"{value!r} is no SD-ID; write a name and your enterprise's number: name@32473")
        return value
