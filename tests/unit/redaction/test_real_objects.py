"""Fields whose secret is named by another entry, and addresses that are secrets by themselves."""

import pytest

from logweir.capture.snapshot import Snapshotter
from logweir.redaction.redactor import Redactor

_S, _T = "sT5Q5-_3v8W83B", "abC123dEF456ghI789jkL0"
_stored = Snapshotter(Redactor())


@pytest.mark.parametrize("secret", [_S, "83920174", "QzmPdkewVbn"])
@pytest.mark.parametrize(
    "fields",
    [
        lambda s: {"sql": "UPDATE users SET password = %s WHERE id = %s", "params": [s, 7]},
        lambda s: {"query": "INSERT INTO users (name, password) VALUES (?, ?)", "args": ("bob", s)},
        lambda s: {"call": {"statement": "INSERT INTO t (a, token) VALUES ($1, $2)", "parameters": ["x", s]}},
        lambda s: {"call": {"query": "mutation($p: String!){login(password:$p){id}}", "variables": {"p": s}}},
        lambda s: {"result": {"columns": ["user", "password"], "rows": [["bob", s]]}},
        lambda s: {"key": {"kty": "EC", "crv": "P-256", "x": "AAAA", "d": s}},
        lambda s: {"keys": [{"kty": "oct", "k": s}]},
        lambda s: {"object": {"kind": "Secret", "data": {"config": s}}},
        lambda s: {"cmd": ["sudo", "mysql", f"-p{s}"]},
        lambda s: {"command": ["AUTH", "default", s]},
        lambda s: {"credential": {"id": "x", "material": s}},
    ],
)
def test_a_secret_that_another_entry_names_is_masked(fields, secret):
    assert secret not in str(_stored(fields(secret))[0])


@pytest.mark.parametrize(
    "fields",
    [
        {"sql": "UPDATE users SET name = %s WHERE id = %s", "params": ["bob", 7]},
        {"query": "reset the password", "args": ["a"], "rows": 7},
        {"query": "SELECT password FROM users", "rows": [["a"]]},
        {"result": {"columns": ["user", "age"], "rows": [["bob", 3]]}},
        {"key": {"kty": "EC", "crv": "P-256", "x": "AAAA", "y": "BBBB", "kid": "k1"}},
        {"object": {"kind": "ConfigMap", "data": {"config": "a"}}},
        {"geometry": {"d": "M0 0", "p": 3, "q": "a", "k": "b"}},
    ],
)
def test_entries_beside_harmless_names_are_kept(fields):
    assert _stored(fields)[0] == fields


@pytest.mark.parametrize(
    "url",
    [
        "https://h/p?key={T}",
        "https://h/p?sign={T}",
        "https://h/cas?ticket=ST-{T}",
        "https://h/p?assertion={T}",
        "https://h/p?hdnea={T}",
        "https://h/p?st={T}&e=1",
        "https://h/p?md5={T}",
        "https://h/p?magic={T}",
        "https://qyapi.h/webhook/send?key={T}",
        "https://h/hooks/{T}",
        "https://h/api/v1/webhook/{T}",
        "https://events.h/integration/{T}/enqueue",
        "https://h/trigger/e/with/key/{T}",
        "https://h/reset/{T}",
        "https://h/password/reset/{T}?email=a",
        "https://h/invite/{T}",
        "trojan://{T}@h:443",
        "vmess://{T}",
    ],
)
def test_addresses_that_open_something_are_masked_there(url):
    assert Redactor().redact_text(f"GET {url.format(T=_T)} x").replace(
        "ST-***", "***"
    ) == f"GET {url.format(T='***')} x".replace("ST-***", "***")


@pytest.mark.parametrize(
    "url",
    [
        "https://h/p?key=users/42.png",
        "https://h/p?sign=true",
        "https://h/p?ticket=1234",
        "https://h/p?st=1&e=2",
        "https://h/p?key=550e8400-e29b-41d4-a716-446655440000",
        "https://h/hooks/12345678",
        "https://h/reset/form",
        "https://h/webhooks/settings",
        "https://h/invite",
        "https://h/verify/email",
        "https://h/p?md5=true",
    ],
)
def test_other_addresses_are_kept(url):
    assert Redactor().redact_text(f"GET {url} x") == f"GET {url} x"
