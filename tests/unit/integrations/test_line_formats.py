"""Lines as other loggers write them, each with the event that it becomes: a table of examples for every format."""

import json
import time
from pathlib import Path
from typing import Any, get_args

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs
from pydantic import ValidationError

from logweir.config.input import InputConfig, LineFormat
from logweir.encoding.events import encode_event
from logweir.encoding.times import format_time
from logweir.integrations.line_formats.continuations import Continuations
from logweir.integrations.line_formats.table import PRESETS, Preset
from logweir.integrations.log_lines import LineParser, Parsed
from logweir.testing.contract import make_event

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
SPAN = "00f067aa0ba902b7"
#: Format, line, name, level, time, fields; in the fields `...` stands for "anything, but there".
Example = tuple[str, str | dict[str, Any], str, str, str | None, dict[str, Any]]
EXAMPLES: list[Example] = [
    (
        "ecs",
        {"@timestamp": "2026-01-02T03:04:05.678Z", "log.level": "WARN", "message": "slow", "ecs.version": "8.11.0",
         "trace.id": TRACE, "span.id": SPAN, "service.name": "shop"},
        "slow", "warning", "2026-01-02T03:04:05.678000000Z",
        {"ecs.version": "8.11.0", "service.name": "shop", "trace_id": TRACE, "span_id": SPAN},
    ),
    (
        "ecs",
        {"@timestamp": "2026-01-02T03:04:05.678+01:00", "ecs": {"version": "8.11.0"}, "message": "slow",
         "log": {"level": "error", "logger": "shop.cart"}, "event": {"action": "add", "dataset": "shop"},
         "trace": {"id": TRACE}},
        "slow", "error", "2026-01-02T02:04:05.678000000Z",
        {"ecs": {"version": "8.11.0"}, "log": {"logger": "shop.cart"}, "event": {"action": "add", "dataset": "shop"},
         "trace_id": TRACE},
    ),
    (
        "otlp",
        {"resourceLogs": [{"resource": {"attributes": [{"key": "service.name", "value": {"stringValue": "shop"}}]},
                           "scopeLogs": [{"scope": {"name": "cart"}, "logRecords": [
            {"timeUnixNano": "1767323045678901234", "severityNumber": 17, "severityText": "ERROR",
             "body": {"stringValue": "card refused"}, "traceId": TRACE, "spanId": SPAN,
             "attributes": [{"key": "amount", "value": {"intValue": "50"}},
                            {"key": "tags", "value": {"arrayValue": {"values": [{"stringValue": "a"}]}}}]}]}]}]},
        "card refused", "error", "2026-01-02T03:04:05.678901234Z",
        {"severityNumber": 17, "amount": 50, "tags": ["a"], "resource": {"service.name": "shop"},
         "scope": {"name": "cart"}, "trace_id": TRACE, "span_id": SPAN},
    ),
    (
        "pino",
        {"level": 50, "time": 1767323045678, "pid": 7, "hostname": "a", "msg": "refused", "err": {"type": "E"}},
        "refused", "error", "2026-01-02T03:04:05.678000000Z", {"pid": 7, "hostname": "a", "err": {"type": "E"}},
    ),
    ("pino", {"level": 10, "time": 1767323045678, "pid": 7, "hostname": "a", "msg": "x"},
     "x", "debug", "2026-01-02T03:04:05.678000000Z", {"pid": 7, "hostname": "a", "level": 10}),
    (
        "bunyan",
        {"name": "shop", "hostname": "a", "pid": 7, "level": 40, "msg": "slow", "time": "2026-01-02T03:04:05.678Z",
         "v": 0},
        "slow", "warning", "2026-01-02T03:04:05.678000000Z", {"name": "shop", "hostname": "a", "pid": 7, "v": 0},
    ),
    (
        "zap",
        {"level": "dpanic", "ts": 1767323045.678901, "logger": "cart", "caller": "cart/add.go:7", "msg": "no",
         "stacktrace": "main.add\n"},
        "no", "critical", "2026-01-02T03:04:05.678901000Z",
        {"logger": "cart", "caller": "cart/add.go:7", "stacktrace": "main.add\n", "level": "dpanic"},
    ),
    ("zerolog", {"level": "fatal", "time": "2026-01-02T04:04:05+01:00", "message": "down", "error": "gone"},
     "down", "critical", "2026-01-02T03:04:05.000000000Z", {"error": "gone"}),
    ("zerolog", {"level": "trace", "time": 1767323045, "message": "x"},
     "x", "debug", "2026-01-02T03:04:05.000000000Z", {"level": "trace"}),
    ("logrus", {"level": "warning", "msg": "slow", "time": "2026-01-02T03:04:05Z", "took": 5},
     "slow", "warning", "2026-01-02T03:04:05.000000000Z", {"took": 5}),
    ("logrus", 'time="2026-01-02T03:04:05Z" level=panic msg="say \\"no\\"" took=5',
     'say "no"', "critical", "2026-01-02T03:04:05.000000000Z", {"took": "5", "level": "panic"}),
    ("slog", {"time": "2026-01-02T03:04:05.678901234+01:00", "level": "ERROR+4", "msg": "down"},
     "down", "critical", "2026-01-02T02:04:05.678901234Z", {"level": "ERROR+4"}),
    ("slog", "time=2026-01-02T03:04:05.678Z level=WARN msg=slow took=5ms",
     "slow", "warning", "2026-01-02T03:04:05.678000000Z", {"took": "5ms"}),
    (
        "python-json-logger",
        {"asctime": "2026-01-02 03:04:05,678", "levelname": "ERROR", "name": "shop", "message": "no",
         "exc_info": "Traceback ...", "levelno": 40},
        "no", "error", "2026-01-02T03:04:05.678000000Z",
        {"name": "shop", "exception": "Traceback ...", "levelno": 40},
    ),
    ("python-json-logger", {"levelno": 30, "created": 1767323045.5, "message": "slow", "lineno": 3},
     "slow", "warning", "2026-01-02T03:04:05.500000000Z", {"lineno": 3}),
    (
        "gelf",
        {"version": "1.1", "host": "a", "short_message": "refused", "full_message": "refused\nby the bank",
         "timestamp": 1767323045.678, "level": 3, "_order": 7},
        "refused", "error", "2026-01-02T03:04:05.678000000Z",
        {"version": "1.1", "host": "a", "full_message": "refused\nby the bank", "_order": 7},
    ),
    (
        "clef",
        {"@t": "2026-01-02T03:04:05.6789012Z", "@mt": "{User} left", "User": "ann", "@l": "Warning", "@tr": TRACE,
         "@sp": SPAN, "@x": "System.Exception: no"},
        "{User} left", "warning", "2026-01-02T03:04:05.678901200Z",
        {"User": "ann", "@x": "System.Exception: no", "trace_id": TRACE, "span_id": SPAN},
    ),
    ("clef", {"@t": "2026-01-02T03:04:05Z", "@m": "ann left", "@mt": "{User} left", "@l": "Verbose"},
     "ann left", "debug", "2026-01-02T03:04:05.000000000Z", {"@mt": "{User} left", "@l": "Verbose"}),
    (
        "cloudtrail",
        {"eventVersion": "1.08", "userIdentity": {"type": "IAMUser"}, "eventTime": "2026-01-02T03:04:05Z",
         "eventSource": "s3.amazonaws.com", "eventName": "DeleteBucket", "awsRegion": "eu-central-1", "eventID": "e"},
        "DeleteBucket", "info", "2026-01-02T03:04:05.000000000Z",
        {"eventVersion": "1.08", "userIdentity": {"type": "IAMUser"}, "eventSource": "s3.amazonaws.com",
         "awsRegion": "eu-central-1", "eventID": "e"},
    ),
    (
        "k8s-audit",
        {"kind": "Event", "apiVersion": "audit.k8s.io/v1", "level": "Metadata", "auditID": "a", "verb": "delete",
         "stage": "ResponseComplete", "requestURI": "/api/v1/pods/x", "objectRef": {"resource": "pods"},
         "requestReceivedTimestamp": "2026-01-02T03:04:05.678901Z", "stageTimestamp": "2026-01-02T03:04:05.7Z"},
        "delete pods", "info", "2026-01-02T03:04:05.678901000Z",
        {"kind": "Event", "apiVersion": "audit.k8s.io/v1", "level": "Metadata", "auditID": "a", "verb": "delete",
         "stage": "ResponseComplete", "requestURI": "/api/v1/pods/x", "objectRef": {"resource": "pods"},
         "stageTimestamp": "2026-01-02T03:04:05.7Z"},
    ),
    (
        "journald",
        {"__REALTIME_TIMESTAMP": "1767323045678901", "PRIORITY": "3", "MESSAGE": "refused", "_PID": "7",
         "SYSLOG_IDENTIFIER": "shop"},
        "refused", "error", "2026-01-02T03:04:05.678901000Z", {"_PID": "7", "SYSLOG_IDENTIFIER": "shop"},
    ),
    ("journald", {"__REALTIME_TIMESTAMP": "1767323045678901", "PRIORITY": "5", "MESSAGE": [99, 97, 102, 233]},
     "caf\\xe9", "info", "2026-01-02T03:04:05.678901000Z", {"PRIORITY": "5"}),
    ("docker", {"log": "WARN slow\n", "stream": "stderr", "time": "2026-01-02T03:04:05.678901234Z"},
     "WARN slow", "warning", "2026-01-02T03:04:05.678901234Z", {"stream": "stderr"}),
    ("docker", {"log": '{"level":50,"time":1767323045678,"pid":7,"hostname":"a","msg":"no"}\n', "stream": "stdout",
                "time": "2026-01-02T03:04:06Z"},
     "no", "error", "2026-01-02T03:04:05.678000000Z", {"pid": 7, "hostname": "a", "stream": "stdout"}),
    ("cri", "2026-01-02T03:04:05.678901234Z stderr F ERROR refused",
     "ERROR refused", "error", "2026-01-02T03:04:05.678901234Z", {"stream": "stderr", "tag": "F"}),
    ("cri", '2026-01-02T04:04:05.678901234+01:00 stdout F {"level":"warn","msg":"slow"}',
     "slow", "warning", "2026-01-02T03:04:05.678901234Z", {"stream": "stdout", "tag": "F"}),
    (
        "nginx",
        '192.0.2.7 - ann [02/Jan/2026:03:04:05 +0100] "GET /cart?x=1 HTTP/1.1" 502 157 "-" "curl/8.5"',
        "GET /cart?x=1 HTTP/1.1", "error", "2026-01-02T02:04:05.000000000Z",
        {"remote_addr": "192.0.2.7", "remote_user": "ann", "method": "GET", "path": "/cart?x=1", "status": 502,
         "protocol": "HTTP/1.1", "body_bytes_sent": 157, "http_user_agent": "curl/8.5"},
    ),
    ("nginx", "2026/01/02 03:04:05 [crit] 7#8: *9 open() failed, client: 192.0.2.7",
     "open() failed, client: 192.0.2.7", "critical", "2026-01-02T03:04:05.000000000Z",
     {"pid": 7, "tid": 8, "connection": 9}),
    ("nginx", "2026/01/02 03:04:05 [info] 7#8: client sent ERROR in its request",
     "client sent ERROR in its request", "info", "2026-01-02T03:04:05.000000000Z", {"pid": 7, "tid": 8}),
    ("apache", '192.0.2.7 - - [02/Jan/2026:03:04:05 +0000] "POST /login HTTP/1.0" 403 -',
     "POST /login HTTP/1.0", "warning", "2026-01-02T03:04:05.000000000Z",
     {"remote_addr": "192.0.2.7", "method": "POST", "path": "/login", "protocol": "HTTP/1.0", "status": 403}),
    ("apache", "[Fri Jan 02 03:04:05.678901 2026] [core:error] [pid 7:tid 8] [client 192.0.2.7:99] AH00035: denied",
     "AH00035: denied", "error", "2026-01-02T03:04:05.678901000Z",
     {"module": "core", "pid": 7, "tid": 8, "client": "192.0.2.7:99"}),
    ("syslog", '<165>1 2026-01-02T03:04:05.003Z host shop 7 ID47 [a@1 k="v ] \\" w"] paid',
     "paid", "info", "2026-01-02T03:04:05.003000000Z",
     {"pri": 165, "hostname": "host", "appname": "shop", "procid": "7", "msgid": "ID47",
      "structured_data": '[a@1 k="v ] \\" w"]'}),
    ("syslog", "<34>Jan  2 2026 03:04:05 host su[12]: failed for ann",
     "failed for ann", "critical", "2026-01-02T03:04:05.000000000Z",
     {"pri": 34, "hostname": "host", "appname": "su", "procid": "12"}),
    ("syslog", "2026-01-02T03:04:05.678901+01:00 host cron[12]: ERROR no crontab",
     "ERROR no crontab", "error", "2026-01-02T02:04:05.678901000Z",
     {"hostname": "host", "appname": "cron", "procid": "12"}),
    ("plain", "2026-01-02 03:04:05,678 ERROR shop.cart: refused",
     "2026-01-02 03:04:05,678 ERROR shop.cart: refused", "error", "2026-01-02T03:04:05.678000000Z", {}),
    ("plain", "[2026-01-02T03:04:05.678+01:00] [warn] slow",
     "[2026-01-02T03:04:05.678+01:00] [warn] slow", "warning", "2026-01-02T02:04:05.678000000Z", {}),
    ("plain", "WARNING:  Fri Jan  2 03:04:05 2026 slow",
     "WARNING:  Fri Jan  2 03:04:05 2026 slow", "warning", "2026-01-02T03:04:05.000000000Z", {}),
    ("plain", "no word of an error here", "no word of an error here", "info", None, {}),
]  # fmt: skip


def as_text(line: str | dict[str, Any]) -> str:
    return line if type(line) is str else json.dumps(line)


def one(parsed: Any) -> Parsed:
    (found,) = parsed
    return found  # type: ignore[no-any-return]


@pytest.mark.parametrize("example", EXAMPLES, ids=[f"{n}-{e[0]}" for n, e in enumerate(EXAMPLES)])
@pytest.mark.parametrize("asked", ["auto", "by name"])
def test_f3_f4_f5_a_line_of_another_logger_is_understood(example: Example, asked: str) -> None:
    name_of_format, line, name, level, time, fields = example
    parser = LineParser("auto" if asked == "auto" else name_of_format)  # type: ignore[arg-type]
    found = parser(as_text(line).encode())
    parsed = one(found or parser.end())
    assert (parsed.name, parsed.level) == (name, level)
    assert (parsed.time_ns and format_time(parsed.time_ns)) == time
    assert parsed.fields == fields


def test_every_format_has_an_example() -> None:
    assert {example[0] for example in EXAMPLES} | {"auto", "json", "logweir"} == set(get_args(LineFormat))


@pytest.mark.parametrize("preset", PRESETS, ids=lambda preset: preset.name)
def test_the_documentation_has_the_row_of_a_format(preset: Preset) -> None:
    def names(listed: tuple[str, ...]) -> str:
        return ", ".join(f"`{name}`" for name in listed) or "–"

    message = f"`{preset.title}`" if preset.title else names(preset.message)
    cells = (message, names(preset.time), names(preset.level), names(preset.trace))
    page = (Path(__file__).parents[3] / "docs/how-to/log-files.md").read_text()
    assert f"| `{preset.name}` | {preset.written_by} | {' | '.join(cells)} |" in page


def test_the_names_of_ones_own_in_the_documentation_are_understood() -> None:
    page = (Path(__file__).parents[3] / "docs/how-to/log-files.md").read_text()
    block = page.partition("```yaml\ninput:\n")[2].partition("```")[0]
    config = InputConfig.model_validate(yaml.safe_load(block))
    parsed = one(LineParser("auto", config)(b"2026-01-02T03:04:05 warn [ann] slow"))
    assert parsed.time_ns is not None
    assert (parsed.name, parsed.level, format_time(parsed.time_ns), parsed.fields) == (
        "slow", "warning", "2026-01-02T02:04:05.000000000Z", {"user": "ann"},
    )  # fmt: skip


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ({"timezone": "Mars"}, "unknown time zone"),
        ({"regex": "("}, "not a regular expression"),
        ({"regex": ".*"}, "no named group"),
        ({"levels": {"a": "loud"}}, "unknown level"),
        ({"time_format": "%Q"}, "not a format of strptime"),
        ({"format": "csv"}, "format"),
    ],
)
def test_what_routing_yaml_says_wrongly_about_lines_is_refused(written: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        InputConfig.model_validate(written)


@pytest.mark.parametrize("line_format", get_args(LineFormat))
def test_an_event_of_our_own_is_the_same_by_every_format(line_format: LineFormat) -> None:
    event = structs.replace(make_event("paid"), fields={"level": 30, "time": 5, "message": "m", "log": "x"})
    parsed = one(LineParser(line_format)(encode_event(event)))
    if line_format == "plain":
        assert parsed.name == encode_event(event).decode()
    else:
        assert parsed.own is not None
        assert structs.replace(parsed.own, size=event.size) == event
    wrapped = json.dumps(
        {"log": encode_event(event).decode() + "\n", "stream": "stdout", "time": "x"}
    ).encode()
    inside = one(LineParser("docker")(wrapped))
    assert inside.own is not None
    assert inside.own.id == event.id


@pytest.mark.parametrize(
    ("key", "value", "time"),
    [
        ("timestamp", 1767323045678901, "2026-01-02T03:04:05.678901000Z"),
        ("ts", "1767323045.678901234", "2026-01-02T03:04:05.678901234Z"),
        ("time", "2026-01-02T03:04:05.123456789+01:00", "2026-01-02T02:04:05.123456789Z"),
        ("created_at", "2026-01-02 03:04:05", "2026-01-02T03:04:05.000000000Z"),
        ("published", "Fri, 02 Jan 2026 03:04:05 GMT", "2026-01-02T03:04:05.000000000Z"),
        ("date", 1767323045.678, "2026-01-02T03:04:05.678000000Z"),
        ("asctime", "2026-01-02 03:04:05,678", "2026-01-02T03:04:05.678000000Z"),
    ],
)
def test_f3_times_are_found_and_read_in_the_forms_of_others(key: str, value: object, time: str) -> None:
    parsed = one(LineParser()(json.dumps({"event": "x", key: value}).encode()))
    assert parsed.time_ns is not None
    assert (format_time(parsed.time_ns), parsed.fields) == (time, {})


@pytest.mark.parametrize("value", [0.25, 5, -1, True, None, "2026-01-02", "9" * 25, 10**30, [1]])
def test_f3_a_duration_or_a_day_is_no_moment_and_stays_a_field(value: object) -> None:
    parsed = one(LineParser()(json.dumps({"event": "x", "time": value}).encode()))
    assert (parsed.time_ns, parsed.fields) == (None, {"time": value})


@pytest.mark.parametrize(
    ("fields", "level"),
    [
        ({"levelname": "WARNING"}, "warning"),
        ({"log.level": "error"}, "error"),
        ({"log": {"level": "error"}}, "error"),
        ({"@l": "Fatal"}, "critical"),
        ({"severityText": "Error2", "severityNumber": 18}, "error"),
        ({"severity_number": 13}, "warning"),
        ({"PRIORITY": 4}, "warning"),
        ({"severity": "EMERGENCY"}, "critical"),
        ({"level": "SEVERE"}, "error"),
        ({"level": "DEBUG-4"}, "debug"),
        ({"level": 400, "level_name": "ERROR"}, "error"),
        ({"level": "60"}, "critical"),
        ({"level": 7}, "debug"),
    ],
)
def test_f4_levels_are_found_and_read_in_the_forms_of_others(fields: dict[str, Any], level: str) -> None:
    assert one(LineParser()(json.dumps({"event": "x"} | fields).encode())).level == level


@pytest.mark.parametrize(
    ("fields", "name"),
    [
        ({"event": {"action": "add"}, "message": "added"}, "added"),
        ({"event": "", "msg": "m"}, "m"),
        ({"log": "said\n"}, "said"),
        ({"MESSAGE": "m"}, "m"),
        ({"short_message": "s"}, "s"),
        ({"@mt": "t"}, "t"),
        ({"body": "b"}, "b"),
        ({"eventName": "e"}, "e"),
        ({"message": 5}, "5"),
        ({"event": {"only": "an object"}}, ""),
        ({"log": {"level": "error"}, "msg": "m"}, "m"),
    ],
)
def test_f5_names_are_found_and_an_object_is_none(fields: dict[str, Any], name: str) -> None:
    parsed = one(LineParser()(json.dumps(fields).encode()))
    assert parsed.name == name
    assert all(type(value) is dict or value == "" for value in parsed.fields.values())


@pytest.mark.parametrize(
    ("key", "value", "kept"),
    [
        ("traceId", TRACE, False),
        ("trace.id", TRACE.upper(), False),
        ("trace_id", "0x" + TRACE, False),
        ("traceID", "4bf92f35-77b3-4da6-a3ce-929d0e0e4736", False),
        ("traceparent", f"00-{TRACE}-{SPAN}-01", True),
        ("logging.googleapis.com/trace", f"projects/shop/traces/{TRACE}", True),
    ],
)
def test_f5_traces_are_found_and_read_in_the_forms_of_others(key: str, value: str, kept: bool) -> None:
    fields = one(LineParser()(json.dumps({"event": "x", key: value}).encode())).fields
    assert fields.pop("trace_id") == TRACE
    if key == "traceparent":
        assert fields.pop("span_id") == SPAN
    assert fields == ({key: value} if kept else {})


def test_f5_an_id_of_no_known_form_stays_where_it_is() -> None:
    fields = one(
        LineParser()(json.dumps({"event": "x", "traceId": "order 7", "trace_id": "t-1"}).encode())
    ).fields
    assert fields == {"traceId": "order 7", "trace_id": "t-1"}
    zero = one(LineParser()(json.dumps({"event": "x", "otelTraceID": "0" * 32}).encode()))
    assert zero.fields == {"otelTraceID": "0" * 32}


@pytest.mark.parametrize(
    ("line", "value"),
    [
        (b'{"event": "x", "n": NaN}', None),
        (b'{"event": "x", "n": -Infinity}', None),
        (b'{"event": "x", "n": 1e400}', "1e400"),
        (b'{"event": "x", "n": "\\ud800"}', "\ud800"),
    ],
)
def test_f7_what_python_and_javascript_write_beyond_json_is_an_event(line: bytes, value: object) -> None:
    found = one(LineParser()(line)).fields["n"]
    assert found == value if value is not None else type(found) is float


def test_f7_a_byte_order_mark_is_no_part_of_the_first_line() -> None:
    assert one(LineParser()(b'\xef\xbb\xbf{"event": "x"}')).name == "x"
    assert one(LineParser()(b"\xef\xbb\xbfplain")).name == "plain"


def test_a_document_with_many_events_is_all_of_them() -> None:
    records = [{"eventName": name, "eventTime": "2026-01-02T03:04:05Z"} for name in ("a", "b")]
    assert [p.name for p in LineParser()(json.dumps({"Records": [*records, 7]}).encode())] == ["a", "b", ""]
    (alone,) = LineParser()(json.dumps({"Records": records, "event": "x"}).encode())
    assert (alone.name, alone.fields) == ("x", {"Records": records})
    items = [{"verb": "get", "auditID": "a", "level": "None"}]
    listed = {"kind": "EventList", "apiVersion": "audit.k8s.io/v1", "metadata": {}, "items": items}
    assert one(LineParser()(json.dumps(listed).encode())).fields == items[0]
    odd = {"resourceLogs": [{"scopeLogs": "?"}]}
    assert one(LineParser()(json.dumps(odd).encode())).fields == odd


def test_what_a_container_runtime_cut_is_one_line_again_for_each_stream() -> None:
    parser = LineParser()
    assert parser(b'2026-01-02T03:04:05Z stdout P {"msg": "one') == ()
    assert [p.name for p in parser(b"2026-01-02T03:04:05Z stderr F other")] == ["other"]
    assert parser.begun
    assert parser(b"2026-01-02T03:04:06Z stdout P  line") == ()
    whole = one(parser(b'2026-01-02T03:04:07Z stdout F  more"}'))
    assert whole.time_ns is not None
    assert (whole.name, format_time(whole.time_ns)) == ("one line more", "2026-01-02T03:04:05.000000000Z")
    assert not parser.begun
    docker = LineParser()
    cut, end = "x" * 16_384, "y\n"
    assert docker(json.dumps({"log": cut, "stream": "stdout", "time": "2026-01-02T03:04:05Z"}).encode()) == ()
    assert one(docker(json.dumps({"log": end, "stream": "stdout", "time": "t"}).encode())).name == cut + "y"
    assert docker(json.dumps({"log": "begun", "stream": "stdout", "time": "t"}).encode()) == ()
    assert [p.name for p in docker.end()] == ["begun"]
    assert not docker.begun


@pytest.mark.busy
@pytest.mark.parametrize(
    "rest", ["a" * 16_000, 'a="' + "\\" * 16_000, 'a="b" ' * 2_600 + "c", "a=b=" * 4_000]
)
def test_a_long_line_that_begins_like_logfmt_is_read_as_fast_as_any(rest: str) -> None:
    line = f"level=info {rest}"
    began = time.process_time()
    parsed = one(LineParser()(line.encode()))
    assert time.process_time() - began < 0.5
    assert (parsed.name, parsed.level) == (line, "info")


def test_names_of_ones_own_come_first() -> None:
    config = InputConfig(
        message_key=["what.title"], time_key=["at"], level_key=["rank"], trace_key=["flow"], span_key=["step"],
        time_format="%d.%m.%Y %H:%M:%S.%L", timezone="+02:00", levels={"35": "warning", "loud": "error"},
    )  # fmt: skip
    line = {"what": {"title": "paid", "n": 1}, "at": "02.01.2026 03:04:05.5", "rank": 35, "flow": "f-1", "msg": "m",
            "step": "s"}  # fmt: skip
    parsed = one(LineParser("auto", config)(json.dumps(line).encode()))
    assert parsed.time_ns is not None
    assert (parsed.name, parsed.level, format_time(parsed.time_ns)) == (
        "paid", "warning", "2026-01-02T01:04:05.500000000Z",
    )  # fmt: skip
    assert parsed.fields == {"what": {"n": 1}, "rank": 35, "trace_id": "f-1", "msg": "m", "span_id": "s"}
    assert one(LineParser("auto", config)(b'{"event": "x", "rank": "LOUD"}')).level == "error"


def test_an_expression_of_ones_own_reads_lines_of_text() -> None:
    config = InputConfig(regex=r"(?P<time>\d+) (?P<level>\w+) (?P<user>\w+): (?P<message>.*)")
    parsed = one(LineParser("auto", config)(b"1767323045 warn ann: slow"))
    assert parsed.time_ns == 1767323045 * 10**9
    assert (parsed.name, parsed.level, parsed.fields) == ("slow", "warning", {"user": "ann"})
    assert one(LineParser("auto", config)(b"other")).name == "other"


TRACEBACK = b"""\
2026-01-02 03:04:05 ERROR no
Traceback (most recent call last):
  File "a.py", line 1, in f

During handling of the above exception, another exception occurred:

app.errors.CardError: refused
"""


def test_lines_that_go_on_with_the_one_before_are_one_event_with_it() -> None:
    printed = b'{\n  "msg": "over many lines",\n  "a": {}\n}\n'
    single = b'{"msg": "alone"}\n'
    text = (
        TRACEBACK
        + single
        + printed
        + single
        + b"java.io.IOException: x\n\tat A.b(A.java:1)\nCaused by: y\nend\n"
    )
    joins = Continuations()
    events = [*joins.joined(iter(text.splitlines(keepends=True))), joins.rest()]
    assert events == [
        TRACEBACK,
        single,
        printed,
        single,
        b"java.io.IOException: x\n\tat A.b(A.java:1)\nCaused by: y\n",
        b"end\n",
    ]
    assert not joins
    assert [one(LineParser()(event)).name for event in events] == [
        "2026-01-02 03:04:05 ERROR no", "alone", "over many lines", "alone", "java.io.IOException: x", "end",
    ]  # fmt: skip
    parsed = one(LineParser()(events[0]))
    assert parsed.level == "error"
    assert parsed.fields["exception"].startswith("Traceback")
    assert parsed.fields["exception"].endswith("CardError: refused")
    own = Continuations(r"\d{4}-")
    assert [*own.joined(iter([b"2026-a\n", b"b\n", b"2026-c\n"]))] == [b"2026-a\nb\n"]


@given(
    st.lists(st.sampled_from([b"a\n", b" b\n", b"{\n", b"}\n", b"{}\n", b"\n", b"Traceback\n"])),
    st.booleans(),
)
def test_joining_lines_loses_none(lines: list[bytes], by_beginning: bool) -> None:
    joins = Continuations("a" if by_beginning else None)
    assert b"".join([*joins.joined(iter(lines)), joins.rest()]) == b"".join(lines)


def test_syslog_without_a_year_is_of_the_year_that_has_just_been() -> None:
    parsed = one(LineParser()(b"Dec 31 23:59:59 host app: bye"))
    assert parsed.time_ns is not None
    assert format_time(parsed.time_ns)[4:19] == "-12-31T23:59:59"
    assert one(LineParser()(b"Feb 29 23:59:59 host app: bye")).time_ns is not None
    assert one(LineParser()(b"Feb 30 23:59:59 host app: bye")).time_ns is None


NAMES = (
    *(
        "event",
        "message",
        "msg",
        "level",
        "time",
        "timestamp",
        "@timestamp",
        "log",
        "stream",
        "tag",
        "Records",
    ),
    *(
        "items",
        "kind",
        "apiVersion",
        "resourceLogs",
        "scopeLogs",
        "logRecords",
        "body",
        "attributes",
        "resource",
    ),
    *(
        "timeUnixNano",
        "severityNumber",
        "trace_id",
        "traceparent",
        "span_id",
        "trace",
        "auditID",
        "stage",
        "verb",
    ),
    *(
        "MESSAGE",
        "PRIORITY",
        "version",
        "short_message",
        "@t",
        "@mt",
        "exc_info",
        "stack_info",
        "key",
        "value",
    ),
    *("stringValue", "kvlistValue", "arrayValue", "values", "scope", "objectRef", "metadata"),
)
SCALARS = st.sampled_from(
    [None, True, 0, 30, 5.5, -1, 1767323045678, float("nan"), 10**30, "", "x", "30", "ERROR+4"]
)
NAME = st.sampled_from(NAMES)
INNER = SCALARS | st.dictionaries(NAME, SCALARS, max_size=3) | st.lists(SCALARS, max_size=2)
MIDDLE = INNER | st.dictionaries(NAME, INNER, max_size=3) | st.lists(INNER, max_size=2)
OBJECTS = MIDDLE | st.dictionaries(NAME, MIDDLE, max_size=3) | st.lists(MIDDLE, max_size=2)


@given(st.dictionaries(NAME, OBJECTS, max_size=5), st.sampled_from(get_args(LineFormat)))
def test_no_object_makes_the_reader_fail(fields: dict[str, Any], line_format: LineFormat) -> None:
    line = json.dumps(fields).encode()
    parser = LineParser(line_format)
    found = [*parser(line), *parser.end()]
    assert all(
        type(p.name) is str and p.level in {"debug", "info", "warning", "error", "critical"} for p in found
    )
    if set(fields) - {"Records", "items", "resourceLogs", "kind", "apiVersion", "metadata"}:
        assert len(found) == 1


@given(st.binary() | st.text().map(str.encode), st.sampled_from(get_args(LineFormat)))
def test_no_line_makes_the_reader_fail(line: bytes, line_format: LineFormat) -> None:
    parser = LineParser(line_format)
    try:
        found = [*parser(line), *parser.end()]
    except ValueError as error:
        assert str(error).startswith("not ")
        assert line_format == "json" or line.lstrip().lstrip(b"\xef\xbb\xbf").startswith(b"{")
    else:
        assert len(found) == bool(line.strip().removeprefix(b"\xef\xbb\xbf").strip())
