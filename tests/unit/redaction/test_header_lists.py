"""Flat lists of headers, as Node logs its ``rawHeaders``: the values of secret ones are masked, in their place."""

import json

import pytest

from logweir.capture.snapshot import Snapshotter
from logweir.redaction.header_lists import is_header_list
from logweir.redaction.redactor import Redactor

_snapshot = Snapshotter(Redactor())
_S = "hunter2-Zk9"


def _stored(value):
    return _snapshot({"rawHeaders": value})[0]["rawHeaders"]


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        (["Authorization", _S, "Host", "h"], ["Authorization", "***", "Host", "h"]),
        (["host", "h", "cookie", f"sid={_S}", "accept", "*/*"], ["host", "h", "cookie", "***", "accept", "*/*"]),
        (("Host", "h", "X-Api-Key", _S), ["Host", "h", "X-Api-Key", "***"]),
        (["Host", "h", "X-Request-Id", "7", "X-Auth-Token", _S], ["Host", "h", "X-Request-Id", "7", "X-Auth-Token", "***"]),
    ],
)  # fmt: skip
def test_r4_a_secret_header_in_a_flat_list_is_masked(headers, expected):
    assert _stored(headers) == expected
    assert _stored(expected) == expected
    for text, masked in (
        (json.dumps([*headers]), json.dumps(expected)),
        (f"rawHeaders: {[*headers]!r}", f"rawHeaders: {expected!r}"),
        (json.dumps({"m": json.dumps({"m": json.dumps([*headers])})}), json.dumps({"m": json.dumps({"m": json.dumps(expected)})})),
    ):  # fmt: skip
        assert Redactor().redact_text(text) == masked
        assert Redactor().redact_text(masked) == masked


@pytest.mark.parametrize(
    "items",
    [
        ["Authorization", "Content-Type", "Accept", "X-Requested-With"],  # allowed headers: names alone
        ["host", "user", "password", "port"],  # columns
        ["password", "token", "secret", "pin"],
        ["Host", "h", "Accept", "*/*"],
        ["Host", "h", "Cookie"],
        ["cookie", "tea", "milk", "sugar"],
        ["Host", 5, None, "h"],
    ],
)
def test_r10_other_lists_of_words_stay(items):
    assert _stored(items) == items
    assert Redactor().redact_text(json.dumps(items)) == json.dumps(items)


def test_a_list_of_headers_takes_turns_and_is_not_too_long():
    assert is_header_list(["Host", "h", "Accept", "x"])
    assert not is_header_list(["Host", "h", "Accept", "x"] * 129)
    assert not is_header_list(["Host", "h", "two words", "x"])


def test_the_rule_that_masks_a_header_is_explained():
    _, masked = _snapshot.explain({"rawHeaders": ["Host", "h", "Authorization", _S]})

    assert [(place.path, place.rule) for place in masked] == [("rawHeaders[3]", "name: authorization")]
