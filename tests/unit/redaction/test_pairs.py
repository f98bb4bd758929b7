"""Names and values that travel as members of a container: pairs, labels, options, headers, requests."""

import email.message
import http.client
from collections import UserDict
from wsgiref.headers import Headers

import pytest

from logweir.capture.snapshot import Snapshotter
from logweir.redaction.redactor import Redactor

_snapshot = Snapshotter(Redactor())
_S = "hunter2-Zk9-marked"


def _stored(value):
    return _snapshot({"x": value})[0]["x"]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (("Authorization", _S), ["Authorization", "***"]),
        ([["Authorization", _S], ["Host", "h"]], [["Authorization", "***"], ["Host", "h"]]),
        ([[b"cookie", _S.encode()]], [["cookie", "***"]]),
        ([[["password", _S]]], [[["password", "***"]]]),
        ({"a": ["token", _S]}, {"a": ["token", "***"]}),
        (["password", None], ["password", None]),
        (["password", True], ["password", True]),
        ({"name": "Authorization", "value": _S}, {"name": "Authorization", "value": "***"}),
        ({"value": _S, "name": "PASSWORD"}, {"value": "***", "name": "PASSWORD"}),
        ({"Key": "password", "Value": _S}, {"Key": "password", "Value": "***"}),
        ({"KEY": "password", "VALUE": _S}, {"KEY": "password", "VALUE": "***"}),
        ({"k": "password", "v": _S}, {"k": "password", "v": "***"}),
        ({"header": "Cookie", "value": _S}, {"header": "Cookie", "value": "***"}),
        (
            {"ParameterKey": "DbPassword", "ParameterValue": _S},
            {"ParameterKey": "DbPassword", "ParameterValue": "***"},
        ),
        (
            {"Namespace": "app", "OptionName": "DB_PASSWORD", "Value": _S},
            {"Namespace": "app", "OptionName": "DB_PASSWORD", "Value": "***"},
        ),
        ({"key": "password", "value": {"stringValue": _S}}, {"key": "password", "value": "***"}),
        (
            {"field": "password", "old": _S, "new": _S, "by": "bob"},
            {"field": "password", "old": "***", "new": "***", "by": "bob"},
        ),
        (
            {"type": "missing", "loc": ("body", "password"), "input": _S},
            {"type": "missing", "loc": ["body", "password"], "input": "***"},
        ),
        ({"kind": "Secret", "data": {"a": _S}}, {"kind": "Secret", "data": "***"}),
        (["mysql", "--password", _S, "--host", "h"], ["mysql", "--password", "***", "--host", "h"]),
        (["--password", _S], ["--password", "***"]),
        (["login", "--password", "--host", "h"], ["login", "--password", "--host", "h"]),
    ],
)
def test_r4_a_value_beside_the_name_of_a_secret_is_masked(value, expected):
    assert _stored(value) == expected


@pytest.mark.parametrize(
    "value",
    [
        {"name": "bob", "value": "v"},
        {"key": "colour", "value": "red"},
        {"name": "password", "status": "expired"},
        [["Host", "h"], ["Accept", "a"]],
        ["a", "b"],
        {"type": "card", "from": "a", "to": "b"},
        ["--verbose", "file"],
    ],
)
def test_r4_what_stands_beside_a_harmless_name_stays(value):
    assert _stored(value) == value


def test_r4_the_fields_of_an_event_are_such_a_pair_too():
    for _ in range(2):  # known names take another way
        assert _snapshot({"name": "password", "value": _S})[0] == {"name": "password", "value": "***"}
        assert _snapshot({"value": _S, "key": "api_key"})[0] == {"value": "***", "key": "api_key"}
        assert _snapshot({"name": "bob", "value": "red"})[0] == {"name": "bob", "value": "red"}


def _message(kind):
    message = kind()
    message["Authorization"] = f"Bearer {_S}"
    message["Host"] = "h"
    return message


class _Mapping(UserDict):
    pass


@pytest.mark.parametrize(
    "headers",
    [
        _message(http.client.HTTPMessage),
        _message(email.message.Message),
        Headers([("Authorization", _S), ("Host", "h")]),
        _Mapping({"Authorization": _S, "Host": "h"}),
    ],
    ids=lambda headers: type(headers).__name__,
)
def test_r2_tables_of_headers_are_taken_as_entries(headers):
    assert _stored(headers) == {"Authorization": "***", "Host": "h"}


@pytest.mark.parametrize(
    ("module", "name"),
    [
        ("httpx", "Headers"),
        ("requests.structures", "CaseInsensitiveDict"),
        ("multidict", "CIMultiDict"),
        ("starlette.datastructures", "Headers"),
    ],
)
def test_r2_headers_of_frameworks_are_taken_as_entries(module, name):
    kind = getattr(pytest.importorskip(module), name)
    stored = _stored(kind({"Authorization": _S, "Host": "h"}))

    assert {key.lower(): value for key, value in stored.items()} == {"authorization": "***", "host": "h"}


def test_r2_environments_and_scopes_of_servers_lose_their_credentials():
    environ = {"HTTP_AUTHORIZATION": _S, "HTTP_COOKIE": _S, "PATH_INFO": "/x"}
    scope = {"type": "http", "headers": [(b"authorization", _S.encode()), (b"host", b"h")]}

    assert _stored(environ) == {"HTTP_AUTHORIZATION": "***", "HTTP_COOKIE": "***", "PATH_INFO": "/x"}
    assert _stored(scope)["headers"] == [["authorization", "***"], ["host", "h"]]
