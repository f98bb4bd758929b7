"""The table of formats: data alone, applied by :mod:`logweir.integrations.line_formats.plans`.

A name with dots is looked for as it stands, then as a path into nested objects. A format's own names come
first, then those of :data:`GENERIC`: files are mixed, and a line whose logger was configured otherwise is
read as well as it can be.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from logweir.config.input import LineFormat

__all__ = ["BY_NAME", "GENERIC", "KEY_SCALES", "PRESETS", "Preset"]


class Pattern(NamedTuple):
    """A form of lines of text.

    Attributes:
        regex: Of the whole line, by groups whose names are those of fields.
        contains: What any such line has in it; looked for first, for it is found or missed much faster.
        begins: The signs of which one stands first; any where it is empty.
    """

    regex: str
    contains: str
    begins: str = ""


@dataclass(frozen=True, slots=True)
class Preset:
    """One format.

    Attributes:
        name: What ``--format`` calls it.
        written_by: Whose lines these are, for the documentation.
        message: Where the event's name is; of several the first that is there and is text.
        time: Where the time is.
        level: Where the level is.
        trace: Where the id of the trace is.
        span: Where the id of the span is.
        scale: What numbers of levels count; see :func:`~logweir.integrations.line_formats.values.read_level`.
        title: The event's name by fields, where no text is one, as in ``{verb} {objectRef.resource}``.
        tells: A JSON object with all names of one of these sets is of this format.
        ignores: What means something else here, and is never read as time, level, message or trace.
        records: Names that hold a list of events; ``otlp`` is unfolded by its own rules.
        wraps: The name that holds a line of an application, which is read for itself.
        patterns: Of lines that are text.
        numbers: Groups that are numbers.
    """

    name: LineFormat
    written_by: str
    message: tuple[str, ...] = ()
    time: tuple[str, ...] = ()
    level: tuple[str, ...] = ()
    trace: tuple[str, ...] = ()
    span: tuple[str, ...] = ()
    scale: str = ""
    title: str = ""
    tells: tuple[frozenset[str], ...] = ()
    ignores: frozenset[str] = frozenset()
    records: tuple[str, ...] = ()
    wraps: str = ""
    patterns: tuple[Pattern, ...] = ()
    numbers: frozenset[str] = frozenset()


def _tells(*sets: str) -> tuple[frozenset[str], ...]:
    return tuple(frozenset(names.split()) for names in sets)


#: Names whose numbers count on a scale of their own, wherever they stand.
KEY_SCALES = {
    "PRIORITY": "syslog",
    "severityNumber": "otel",
    "severity_number": "otel",
    "SeverityNumber": "otel",
    "levelno": "python",
    "pri": "pri",
    "status": "http",
}

#: What any object is read by, behind the names of its format.
GENERIC = Preset(
    "json",
    "anything that writes JSON objects",
    message=(
        "event", "message", "msg", "@m", "@mt", "MESSAGE", "short_message", "log", "body", "eventName",
        "textPayload",
    ),
    time=(
        "time", "timestamp", "ts", "@timestamp", "@t", "eventTime", "asctime", "datetime", "date",
        "created_at", "published", "timeUnixNano", "observedTimeUnixNano", "__REALTIME_TIMESTAMP",
        "Timestamp", "created", "requestReceivedTimestamp",
    ),
    level=(
        "level", "severity", "levelname", "log.level", "level_name", "lvl", "loglevel", "log_level", "@l",
        "severityText", "severity_text", "SeverityText", "severityNumber", "severity_number", "levelno",
        "PRIORITY",
    ),
    trace=(
        "trace_id", "traceId", "traceID", "TraceId", "trace.id", "@tr", "otelTraceID",
        "logging.googleapis.com/trace", "traceparent",
    ),
    span=(
        "span_id", "spanId", "spanID", "SpanId", "span.id", "@sp", "otelSpanID",
        "logging.googleapis.com/spanId",
    ),
)  # fmt: skip

_DIGITS = "0123456789"
#: Between quotes.
_TEXT = r'(?:[^"\\]|\\.)*'
_ACCESS = Pattern(
    (
        r'(?P<remote_addr>[^\s\[{]\S*) (?P<ident>\S+) (?P<remote_user>[^\["]*?\S) \[(?P<time>[^\]]{20,32})\] '
        r'"(?P<message>(?P<method>[A-Z]{3,16}) (?P<path>[^\s"]+)(?: (?P<protocol>[A-Z]+/[\d.]+))?'
        rf'|{_TEXT})" '
        r"(?P<status>\d{3}) (?P<body_bytes_sent>\d+|-)"
        rf'(?: "(?P<http_referer>{_TEXT})" "(?P<http_user_agent>{_TEXT})")?(?: (?P<more>.+))?'
    ),
    '] "',
)
_NGINX_ERROR = Pattern(
    (
        r"(?P<time>\d{4}/\d\d/\d\d \d\d:\d\d:\d\d) \[(?P<severity>[a-z]{4,6})\] (?P<pid>\d+)#(?P<tid>\d+): "
        r"(?:\*(?P<connection>\d+) )?(?P<message>.*)"
    ),
    "] ",
    _DIGITS,
)
_APACHE_ERROR = Pattern(
    (
        r"\[(?P<time>[A-Z][a-z]{2} [A-Z][a-z]{2} [ \d]?\d [\d:.]{8,18} \d{4})\] "
        r"\[(?:(?P<module>\w+):)?(?P<severity>[a-z]{4,6})(?P<trace_level>\d)?\]"
        r"(?: \[pid (?P<pid>\d+)(?::tid (?P<tid>\d+))?\])?(?: \[client (?P<client>[^\]]+)\])? (?P<message>.*)"
    ),
    "] [",
    "[",
)
_NUMBERS = frozenset({"status", "body_bytes_sent", "pid", "tid", "connection", "pri"})
_CRI = Pattern(
    (
        r"(?P<time>\d{4}-\d\d-\d\dT[\d:.]{8,18}(?:Z|[+-]\d\d:\d\d)) (?P<stream>stdout|stderr) "
        r"(?P<tag>[FP](?::\S*)?)(?: (?P<log>.*))?"
    ),
    " std",
    _DIGITS,
)
_SYSLOG_5424 = Pattern(
    (
        r"<(?P<pri>\d{1,3})>1 (?P<time>\S{20,35}|-) (?P<hostname>\S{1,255}) (?P<appname>\S{1,48}) "
        r"(?P<procid>\S{1,128}) (?P<msgid>\S{1,32}) "
        r'(?P<structured_data>-|(?:\[(?:[^\]\\"]|\\.|"(?:[^"\\]|\\.)*")*\])+)(?: (?P<message>.*))?'
    ),
    ">1 ",
    "<",
)
_SYSLOG_3164 = Pattern(
    (
        r"(?:<(?P<pri>\d{1,3})>)?(?P<time>[A-Z][a-z]{2} [ \d]\d (?:\d{4} )?\d\d:\d\d:\d\d(?:\.\d{1,9})?"
        r"|\d{4}-\d\d-\d\dT[\d:.]{8,18}(?:Z|[+-]\d\d:?\d\d)) (?P<hostname>[^\s:\[\]]{1,255}) "
        r"(?P<appname>[^\s:\[\]]{1,128})(?:\[(?P<procid>[^\]\s]{1,128})\])?: ?(?P<message>.*)"
    ),
    ":",
    f"<JFMASOND{_DIGITS}",
)
_SYSLOG_BARE = Pattern(r"<(?P<pri>\d{1,3})>(?P<message>.*)", ">", "<")

#: Every format, in the order in which ``auto`` tries those with ``tells`` or ``patterns``.
PRESETS = (
    Preset("logweir", "logweir's own sinks and `logweir query --json`: a whole event, with its id"),
    Preset(
        "cloudtrail",
        "AWS CloudTrail, one event a line or `Records`",
        message=("eventName",),
        time=("eventTime",),
        tells=_tells("eventVersion eventSource eventName eventTime", "Records"),
        records=("Records",),
    ),
    Preset(
        "k8s-audit",
        "the audit log of a Kubernetes API server (`audit.k8s.io`), one event a line or an `EventList`",
        time=("requestReceivedTimestamp", "stageTimestamp"),
        title="{verb} {objectRef.resource}",
        tells=_tells("auditID stage apiVersion", "items apiVersion kind"),
        ignores=frozenset({"level"}),  # how much of the request is logged
        records=("items",),
    ),
    Preset(
        "otlp",
        "OpenTelemetry's log data as JSON, as the collector's file exporter writes it",
        message=("body", "eventName"),
        time=("timeUnixNano", "observedTimeUnixNano"),
        level=("severityText", "severityNumber"),
        trace=("traceId",),
        span=("spanId",),
        scale="otel",
        tells=_tells("resourceLogs", "timeUnixNano body", "timeUnixNano severityNumber"),
        records=("resourceLogs",),
    ),
    Preset(
        "docker",
        "Docker's `json-file` driver; the line inside is read for itself",
        message=("log",),
        time=("time",),
        tells=_tells("log stream time"),
        wraps="log",
    ),
    Preset(
        "journald",
        "`journalctl -o json`",
        message=("MESSAGE",),
        time=("_SOURCE_REALTIME_TIMESTAMP", "__REALTIME_TIMESTAMP"),
        level=("PRIORITY",),
        scale="syslog",
        tells=_tells("__REALTIME_TIMESTAMP", "__CURSOR", "MESSAGE PRIORITY"),
    ),
    Preset(
        "gelf",
        "Graylog's GELF",
        message=("short_message",),
        time=("timestamp",),
        level=("level",),
        trace=("_trace_id", "_traceId"),
        span=("_span_id", "_spanId"),
        scale="syslog",
        tells=_tells("version short_message"),
    ),
    Preset(
        "clef",
        "Serilog's compact format, Seq",
        message=("@m", "@mt"),
        time=("@t",),
        level=("@l",),
        trace=("@tr",),
        span=("@sp",),
        tells=_tells("@t @m", "@t @mt"),
    ),
    Preset(
        "ecs",
        "the Elastic Common Schema, nested or with dots",
        message=("message",),
        time=("@timestamp",),
        level=("log.level",),
        trace=("trace.id",),
        span=("span.id",),
        tells=_tells("@timestamp ecs.version", "@timestamp ecs", "@timestamp log.level"),
    ),
    Preset(
        "python-json-logger",
        "Python: python-json-logger and its like",
        message=("message", "msg"),
        time=("asctime", "timestamp", "created"),
        level=("levelname", "level", "levelno"),
        scale="python",
        tells=_tells("levelname", "levelno", "funcName lineno"),
    ),
    Preset(
        "bunyan",
        "Node: bunyan",
        message=("msg",),
        time=("time",),
        level=("level",),
        scale="pino",
        tells=_tells("v name hostname pid level msg"),
    ),
    Preset(
        "pino",
        "Node: pino",
        message=("msg", "message"),
        time=("time", "timestamp"),
        level=("level",),
        scale="pino",
        tells=_tells("level time pid hostname"),
    ),
    Preset(
        "zap",
        "Go: zap's production encoder",
        message=("msg",),
        time=("ts",),
        level=("level",),
        tells=_tells("level ts msg"),
    ),
    Preset("zerolog", "Go: zerolog", message=("message",), time=("time",), level=("level",)),
    Preset("logrus", "Go: logrus, JSON or text", message=("msg",), time=("time",), level=("level",)),
    Preset("slog", "Go: log/slog, JSON or text", message=("msg",), time=("time",), level=("level",)),
    Preset(
        "cri",
        "containerd and CRI-O, under `/var/log/pods`; the line inside is read for itself",
        message=("log",),
        time=("time",),
        patterns=(_CRI,),
        wraps="log",
    ),
    Preset(
        "nginx",
        "nginx: combined access log, error log",
        message=("message",),
        time=("time",),
        level=("severity", "status"),
        patterns=(_ACCESS, _NGINX_ERROR),
        numbers=_NUMBERS,
    ),
    Preset(
        "apache",
        "Apache httpd: common and combined access log, error log",
        message=("message",),
        time=("time",),
        level=("severity", "status"),
        patterns=(_ACCESS, _APACHE_ERROR),
        numbers=_NUMBERS,
    ),
    Preset(
        "syslog",
        "syslog, RFC 5424 and RFC 3164, with the priority or as files have it",
        message=("message",),
        time=("time",),
        level=("pri",),
        patterns=(_SYSLOG_5424, _SYSLOG_3164, _SYSLOG_BARE),
        numbers=_NUMBERS,
    ),
    Preset("plain", "anything else that is text: time and level are found in the line, which stays whole"),
    GENERIC,
)

BY_NAME = {preset.name: preset for preset in PRESETS}
