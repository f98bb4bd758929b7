"""Laws of redaction: whatever stands around a secret, it is not stored; what is no secret is stored as it is."""

import dataclasses
import json
from collections import OrderedDict, deque
from types import SimpleNamespace
from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from logweir.capture.snapshot import Snapshotter
from logweir.config.redact import RedactConfig

_snapshot = Snapshotter(RedactConfig().redactor())
_SECRET = "hunter2-Zk9-Qx7"
_NAMES = st.sampled_from(
    [
        "password",
        "userPassword",
        "db_pwd",
        "client-secret",
        "X-Api-Secret",
        "cvv",
        "passphrase",
        "mot_de_passe",
        "пароль",
    ]
)
_AROUND = st.text(st.characters(codec="utf-8"), max_size=20)


@dataclasses.dataclass
class _Holder:
    inner: Any


class _Struct(msgspec.Struct):
    inner: Any


_CONTAINERS = st.sampled_from(
    [
        lambda inner: {"a": inner},
        lambda inner: [1, inner],
        lambda inner: (inner,),
        lambda inner: deque([inner]),
        lambda inner: OrderedDict(x=inner),
        lambda inner: SimpleNamespace(x=inner),
        _Holder,
        _Struct,
        lambda inner: {"list": [{"deep": inner}]},
    ]
)
_NAMED = st.sampled_from(
    [
        lambda name: {name: _SECRET},
        lambda name: {name: [_SECRET, {"deep": _SECRET}]},
        lambda name: {name: _SECRET.encode()},
        lambda name: {name.upper(): {"a": _SECRET}},
        lambda name: (name, _SECRET),
        lambda name: [name, _SECRET],
        lambda name: {"name": name, "value": _SECRET},
        lambda name: {"Key": name, "Value": _SECRET},
        lambda name: f"{name}={_SECRET}",
        lambda name: f"{name}: {_SECRET}",
        lambda name: json.dumps({"a": 1, name: _SECRET}, ensure_ascii=False),
        lambda name: repr({name: _SECRET}),
        lambda name: ValueError(f"error: {name}={_SECRET}"),
    ]
)
_SHAPES = st.sampled_from(
    [
        "Bearer " + "q1W2e3R4t5" * 3,
        "eyJ" + "hbGciOiJIUzI1NiJ9" + ".eyJzdWIiOiIxMjM0NTY3ODkwIn0." + "c2lnbmF0dXJlLXNpZ25hdHVyZQ",
        "ghp_" + "a1B2" * 9,
        "4111 1111 1111 1111",
        "https://bob:hunter2Zk9@db.example/app",
    ]
)


def _stored(value: Any) -> str:
    return msgspec.json.encode(_snapshot({"value": value})[0]).decode()


@settings(max_examples=150)
@given(_NAMES, _NAMED, st.lists(_CONTAINERS, max_size=6))
def test_a_secret_under_its_name_is_not_stored_whatever_is_around_it(
    name: str, named: Any, around: list[Any]
) -> None:
    value = named(name)
    for container in around:
        value = container(value)

    assert _SECRET not in _stored(value)


@settings(max_examples=150)
@given(_SHAPES, _AROUND, _AROUND, st.lists(_CONTAINERS, max_size=4))
def test_a_secret_of_a_known_shape_is_not_stored_whatever_text_is_around_it(
    secret: str, before: str, after: str, around: list[Any]
) -> None:
    value: Any = f"{before} {secret} {after}"
    for container in around:
        value = container(value)

    assert f" {secret} " not in json.loads(f"[{_stored(value)}]").__repr__()


@settings(max_examples=150)
@given(_NAMES, _NAMED, _AROUND, st.lists(_CONTAINERS, max_size=4))
def test_masking_twice_changes_nothing(name: str, named: Any, text: str, around: list[Any]) -> None:
    value = {"said": f"{text} {named(name)} {text}", "it": named(name)}
    for container in around:
        value = container(value)
    once, size = _snapshot({"value": value})

    assert _snapshot(once) == (once, size)


_HARMLESS_NAMES = st.sampled_from(
    [
        "user",
        "amount",
        "status",
        "path",
        "order_id",
        "tokenizer",
        "author",
        "secretary",
        "key",
        "items",
        "password_length",
    ]
)
_HARMLESS = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**9), 10**9)
    | st.sampled_from(
        ["paid", "order 17 was placed", "GET /a/b", "2026-11-26T06:00:00Z", "", "10.0.0.1", "it works"]
    ),
    lambda inner: (
        st.lists(inner, min_size=3, max_size=4) | st.dictionaries(_HARMLESS_NAMES, inner, max_size=4)
    ),
    max_leaves=12,
)


@settings(max_examples=150)
@given(st.dictionaries(_HARMLESS_NAMES, _HARMLESS, max_size=5))
def test_what_is_no_secret_is_stored_as_it_is(fields: dict[str, Any]) -> None:
    assert _snapshot(fields)[0] == fields
