"""A long text's vocabulary is asked first, and rules out nothing that the text holds."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from logweir.benchmarks.hostile_events import PIECES
from logweir.redaction import scan as scan_module
from logweir.redaction.redactor import Redactor
from logweir.redaction.vocabulary import LONG_TEXT, long_runs, part_of, runs, vocabulary

_PROSE = "The order of the customer was refused, for nothing was left of it on line 17 of 42.\n"

_SECRETS = (
    "pkcs12 = hunter2zk9",
    "ed25519_key=hunter2zk9",
    "api_key=hunter2zk9",
    "pass_word=hunter2zk9",
    "Zugangs-Code: hunter2zk9",
    "Kreditkartennummer: 1234123",
    "userPin=1234",
    "userPassword: hunter2zk9",
    "x-api-key: hunter2zk9",
    '{"mfa": {"code": "hunter2zk9"}}',
    "Authorization: ApiKey hunter2zk9abc",
    "*cmd* 'PASS hunter2'",
    "rabbitmqctl add_user bob hunter2zk9",
    "mysqldump -u bob -phunter2 shop",
    "requirepass hunter2zk9",
    "A temporary password is generated for root@localhost: hunter2-Zk9",
    "Your token is hunter2zk9abc",
    "got glpat-aA1bB2cC3dD4eE5fF6 of it",
    r"bob\nglpat-aA1bB2cC3dD4eE5fF6",
    "got eyJhbGciOiJub25lIn0.eyJzdWIiOiJ4In0.c2lnbmF0dXJl",
    "1//0aA1bB2cC3dD4eE5fF6gG7hH8",
    "md5d41d8cd98f00b204e9800998ecf8427e",
    "GET /orders?page=1&sig=c2lnbmF0dXJlLW9mLXVz",
    "GET /orders?page=1&x%2Dapi-key=hunter2zk9",
    "schtasks /create /tn a /rp hunter2zk9",
    "sqlplus bob/hunter2zk9@db",
    "Duplicate entry 'hunter2zk9' for key 'token'",
    "Password of bob set to: hunter2zk9",
    "CREATE USER bob IDENTIFIED BY 'hunter2zk9'",
    '{"kty": "EC", "x": "AAAA", "d": "hunter2zk9"}',
    "пароль=hunter2zk9",
)


def test_a_text_has_each_of_its_long_runs_once():
    text = r"GET /a/long/path?a=1 'x\nghp_aaaaaaaa' /a/long/path short"

    assert sorted(long_runs(runs(text)).splitlines()) == ["/a/long/path", r"x\nghp_aaaaaaaa"]


def test_a_vocabulary_has_each_word_once():
    assert sorted(vocabulary("Key=a1b, KEY; Key-a 3_Key").split()) == ["KEY", "Key", "a", "b"]


@pytest.mark.parametrize(
    ("needle", "part"),
    [("-passin pass:", "passin"), ("<<<", ""), (" is your ", "your"), ("UGFzc3dvcmQ6", "ugfzc")],
)
def test_of_what_is_looked_for_the_longest_word_must_be_in_the_vocabulary(needle, part):
    assert part_of(needle) == part


@pytest.mark.parametrize("secret", _SECRETS)
def test_c10_a_secret_is_found_in_a_long_text_as_in_a_short_one(secret):
    redactor = Redactor()
    before, behind = _PROSE * 30, _PROSE * 30
    masked = redactor.redact_text(f"{_PROSE}{secret}\n{_PROSE}")

    assert "***" in masked
    assert redactor.redact_text(f"{before}{_PROSE}{secret}\n{_PROSE}{behind}") == f"{before}{masked}{behind}"


def test_c10_a_key_of_the_configuration_is_found_in_a_long_text_however_it_is_written():
    text = _PROSE * 60 + "customer number=hunter2 customerNumber=hunter2"

    assert Redactor(keys=["customer_number"]).redact_text(text).count("***") == 2


@settings(max_examples=60, deadline=None)
@given(st.lists(st.sampled_from([*PIECES, *_SECRETS]), min_size=1, max_size=9).map(" ".join))
def test_whatever_a_text_holds_a_vocabulary_rules_nothing_out(text):
    redactor = Redactor()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(scan_module, "LONG_TEXT", 0)
        long = redactor.searched(text, redactor.scan())

    assert len(text) >= LONG_TEXT or long == redactor.searched(text, redactor.scan())
