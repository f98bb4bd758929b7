"""A sink for logweir that sends events to a syslog server over TCP: ``type: syslog`` in routing.yaml."""

from logweir_syslog.config import SyslogConfig
from logweir_syslog.sink import SyslogSink

__all__ = ["SyslogConfig", "SyslogSink"]
