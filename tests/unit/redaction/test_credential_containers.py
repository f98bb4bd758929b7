"""Objects under a credential's name: the entry that is the credential itself is masked, what is about it stays."""

import pytest

from logweir.capture.snapshot import Snapshotter
from logweir.config.models import LimitsConfig
from logweir.redaction.reasons import masked
from logweir.redaction.redactor import Redactor

_snapshot = Snapshotter(Redactor())
_S = "hunter2-Zk9-marked"


def _stored(value):
    return _snapshot(value)[0]


@pytest.mark.parametrize("name", ["apiKey", "access_token", "auth", "credentials", "session", "X-Api-Key"])
@pytest.mark.parametrize(
    "key",
    [
        *("key", "Key", "raw", "data", "content", "value", "plain", "plaintext", "plain_text", "plainText"),
        *(
            "cleartext",
            "encoded",
            "decoded",
            "decrypted",
            "string",
            "secretString",
            "hash",
            "old",
            "new",
            "previous",
        ),
    ],
)
def test_r4_the_entry_that_is_the_credential_itself_is_masked(name, key):
    assert _stored({name: {key: _S, "user": "bob"}}) == {name: {key: "***", "user": "bob"}}
    assert _stored({"x": [{name: {"y": {"user": "bob"}, key: _S}}]}) == {
        "x": [{name: {"y": {"user": "bob"}, key: "***"}}]
    }


@pytest.mark.parametrize("name", ["session", "userSession", "http_session", "currentSession"])
@pytest.mark.parametrize("key", ["id", "ID", "Id", "_id"])
def test_r4_the_id_of_a_session_is_the_session(name, key):
    stored = _stored({name: {key: _S, "user": "bob", "data": {"cart": 3}}})

    assert stored == {name: {key: "***", "user": "bob", "data": {"cart": 3}}}


@pytest.mark.parametrize(
    "change",
    [
        {"old": _S, "new": f"{_S}2"},
        {"from": _S, "to": f"{_S}2"},
        {"from": _S},
        {"before": None, "after": _S},
        {"previous": _S, "current": _S},
        {"fromString": _S, "toString": _S},
    ],
)
def test_r4_what_a_credential_was_and_is_are_masked(change):
    stored = _stored({"changes": {"api_key": change}})["changes"]["api_key"]

    assert stored == {side: value and "***" for side, value in change.items()}


@pytest.mark.parametrize(
    "value",
    [
        {"session": {"id": 17, "user": "bob"}},
        {"session": {"from": "10.0.0.1", "user": "bob"}},
        {"session": {"state": "closed", "key": None, "current": True}},
        {"token": {"id": "tok-17", "name": "ci", "type": "bearer"}},
        {"credential": {"id": "cred-17", "user": "bob"}},
        {"auth": {"client_id": "app-7", "header": "X-Api-Key"}},
        {"auth": [{"key": "colour", "user": "bob", "val": 3}]},
        {"public": {"key": "abc", "id": "x"}},
        {"training_session": {"id": "tr-7"}},
        {"token": {"key": "expired", "old": "2026-01-02T10:00:00Z"}},
    ],
)
def test_r10_what_is_about_a_credential_stays(value):
    assert _stored(value) == value


def test_r4_of_a_name_and_its_value_under_a_credential_the_name_stays():
    value = {"bearer": [{"key": "username", "value": _S}, {"key": "user", "val": _S}]}

    stored = _stored(value)["bearer"]

    assert stored == [{"key": "username", "value": "***"}, {"key": "user", "val": "***"}]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({"api": {"key": _S, "url": "https://h"}}, {"api": {"key": "***", "url": "https://h"}}),
        ({"openai": {"API": {"Key": _S}}}, {"openai": {"API": {"Key": "***"}}}),
        ({"private": {"key": _S}}, {"private": {"key": "***"}}),
        ({"signing": {"keys": [_S, "x"]}}, {"signing": {"keys": "***"}}),
        ({"mfa": {"code": 482913, "method": "sms"}}, {"mfa": {"code": "***", "method": "sms"}}),
        ({"backup": {"codes": [_S], "code": 0}}, {"backup": {"codes": "***", "code": 0}}),
        (
            {"cache": {"key": "users"}, "api": {"version": "v1"}},
            {"cache": {"key": "users"}, "api": {"version": "v1"}},
        ),
    ],
)
def test_r4_a_name_in_two_halves_is_one(value, expected):
    assert _stored(value) == expected
    assert _stored({"x": [value]}) == {"x": [expected]}
    assert _stored(_stored(value)) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('{"api": {"url": "h", "key": "S1-x"}, "b": 1}', '{"api": {"url": "h", "key": "***"}, "b": 1}'),
        ("{'openai': {'API': {'Key': 'S1-x'}}}", "{'openai': {'API': {'Key': '***'}}}"),
        (
            '{"body": "{\\"mfa\\": {\\"code\\": \\"S1-x\\"}}"}',
            '{"body": "{\\"mfa\\": {\\"code\\": \\"***\\"}}"}',
        ),
        ("Settings(signing={keys: ['S1-x', 'b']}, x=1)", "Settings(signing={keys: ***}, x=1)"),
        (
            "cache={key: users}, api={version: 1}, x={key: 2}",
            "cache={key: users}, api={version: 1}, x={key: 2}",
        ),
        ('{"api": {"a": {"key": "b"}}}', '{"api": {"a": {"key": "b"}}}'),
    ],
)
def test_r3_names_in_two_halves_are_read_in_texts_too(text, expected):
    assert masked(text) == expected
    assert masked(expected) == expected


def test_r4_what_contains_itself_under_half_a_name_is_a_cycle():
    api = {"key": _S}
    api["api"] = api

    assert _stored({"api": api}) == {"api": {"key": "***", "api": "<cycle>"}}


@pytest.mark.parametrize(
    "text",
    [
        "apiKey={{'key': '{s}'}}",
        'user logged in, session: {{"user": "bob", "id": "{s}"}}',
        '{{"apiKey": {{"plain": "{s}"}}}}',
        '{{"api_key": {{"old": "{s}", "new": "x"}}}}',
        "User(session=Session(id='{s}', user=3))",
    ],
)
def test_r3_such_objects_within_texts_are_masked(text):
    assert _S not in masked(text.format(s=_S))


@pytest.mark.parametrize(
    "text", ["session: {'id': 17, 'user': 'bob'}", "token={'id': 'tok-17', 'name': 'ci'}"]
)
def test_r10_numbers_of_sessions_within_texts_stay(text):
    assert masked(text) == text


@pytest.mark.parametrize(
    "name", ["storepass", "keypass", "KEYPASS", "store_pass", "deststorepass", "srcstorepass"]
)
def test_r9_the_passwords_of_keytool_are_secret(name):
    assert _stored({name: _S}) == {name: "***"}
    assert (
        masked(f"keytool -genkey -{name.lower()} {_S} -alias a")
        == f"keytool -genkey -{name.lower()} *** -alias a"
    )
    assert masked(f"-{name.lower()} {_S}") == f"-{name.lower()} ***"
    assert masked(f"ran x -{name.lower()} {_S}") == f"ran x -{name.lower()} ***"
    assert masked(f"{name}={_S}") == f"{name}=***"


@pytest.mark.parametrize("name", ["TOKENS", "token", "auth", "session"])
@pytest.mark.parametrize(
    "value", [{"": None, "0": None, "00": None}, {"a": 1, "b": True, "c": None}, [None, 1, 2], [1, 2, {}]]
)
def test_what_was_cut_under_a_credentials_name_is_no_credential_the_second_time(name, value):
    snapshot = Snapshotter(Redactor(), LimitsConfig(max_items=2))
    once = snapshot({name: value})[0]

    assert snapshot(once)[0] == once
