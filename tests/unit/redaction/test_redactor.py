"""Which names and which parts of texts are secret."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logweir.errors import ConfigError
from logweir.redaction.patterns import PATTERN_NAMES
from logweir.redaction.redactor import Redactor

_default = Redactor()
_everything = Redactor(patterns=list(PATTERN_NAMES))


@pytest.mark.parametrize(
    "name",
    [
        "password", "Password", "PASSWORD", "user_password", "userPassword", "passwords", "password1",
        "pass_word", "passwordHash", "password_confirmation", "userpassword", "db_pass", "pwd",
        "passphrase", "secret", "client-secret", "clientSecret", "secret_id", "token", "tokens",
        "access_token", "accesstoken", "sessionToken", "IDToken", "csrf.token", "apiKey", "api_key",
        "X-API-Key", "APIKEY", "api keys", "aws_secret_access_key", "private_key", "authorization",
        "Proxy-Authorization", "cookie", "Set-Cookie", "credit_card", "credit-card", "creditcard",
        "CreditCardNumber", "card_number", "cardNo", "cvv", "cvv2", "cvc", "ssn", "auth", "pin",
        "password_reset_token", "http.request.header.authorization",
        "ｐａｓｓｗｏｒｄ",
    ],
)  # fmt: skip
def test_a_name_that_spells_a_secret_is_secret(name):
    assert _default.secrecy(name)
    assert _default.secrecy(name), "and the cached answer is the same"


@pytest.mark.parametrize(
    "name",
    [
        "", "_", "user", "event", "amount", "key", "author", "authority", "secretary", "tokenizer",
        "tokenized", "compass", "bypass", "keyboard", "monkey", "token_count", "tokenCount", "token_type",
        "token_expires_in", "password_changed_at", "passwordChangedAt", "password_length", "cookie_domain",
        "card_last4", "credit_card_brand", "access_key_id", "has_password", "is_secret", "max_tokens",
        "maxNewTokens", "prompt_tokens", "total_tokens", "spinner", "pan_and_zoom", "shipping", "pinned",
        "status", "passenger",
    ],
)  # fmt: skip
def test_a_name_that_only_resembles_or_describes_a_secret_is_harmless(name):
    assert not _default.secrecy(name)


def test_names_of_the_configuration_match_in_the_same_way():
    redactor = Redactor(keys=["IBAN", "motherMaidenName", "token_count"])

    assert redactor.secrecy("customer_iban")
    assert redactor.secrecy("MOTHER-MAIDEN-NAME")
    assert redactor.secrecy("mothermaidenname")
    assert redactor.secrecy("token_count"), "a configured name wins over the rule of its last word"
    assert redactor.secrecy("password"), "the built-in names stay"
    assert not redactor.secrecy("ibanez")


def test_the_built_in_names_can_be_switched_off():
    redactor = Redactor(keys=["iban"], defaults=False)

    assert redactor.secrecy("iban")
    assert not any(map(redactor.secrecy, ["password", "accesstoken", "pin", "db_pass"]))


def test_the_cache_of_names_is_bounded():
    redactor = Redactor()
    for number in range(10_000):
        redactor.secrecy(f"name{number}")
    redactor.secrecy("x" * 10_000)

    assert len(redactor.names._verdicts) <= 4096
    assert max(map(len, redactor.names._verdicts)) < 1000


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("card 4111111111111111", "card ***"),
        ("4111 1111 1111 1111 12/27", "*** 12/27"),
        ("order 3 4111-1111-1111-1111!", "order 3 ***!"),
        ("id4111111111111111x", "id***x"),
        ("amex 378282246310005 and mc 5555555555554444", "amex *** and mc ***"),
        ("4111111111111112", "4111111111111112"),
        ("14111111111111111", "14111111111111111"),
        ("1795528800123456789", "1795528800123456789"),
        ("Authorization: Bearer abc.def-ghi_1", "Authorization: Bearer ***"),
        ("BEARER   xyz", "BEARER   ***"),
        ("KEY Bearer q1w2e3r4", "KEY Bearer ***"),
        ("key x=***", "key x=***"),
        ("bearer token missing", "bearer token missing"),
        ('Bearer realm="api"', 'Bearer realm="api"'),
        ("Basic dXNlcjpwYXNz", "Basic ***"),
        ("Basic authentication failed", "Basic authentication failed"),
        ("mysql+aiomysql://app:s3cr@t@db/app", "mysql+aiomysql://app:***@db/app"),
        ("redis://:pw@host and https://a:b@c", "redis://:***@host and https://a:***@c"),
        ("http://host:80/path?mail=a@b.c", "http://host:80/path?mail=a@b.c"),
        ("", ""),
    ],
)
def test_secrets_in_a_text_are_masked_and_the_rest_stays(text, expected):
    assert _default.redact_text(text) == expected


@pytest.mark.parametrize(
    ("pattern", "text", "expected"),
    [
        ("jwt", "jwt eyJhbGciOi.eyJzdWIiOiIx.c2ln.", "jwt ***"),
        ("email", "mail bob.b+x@example.co.uk now", "mail *** now"),
        ("iban", "GB82 WEST 1234 5698 7654 32 PAID", "*** PAID"),
        ("iban", "GB83 WEST 1234 5698 7654 32", "GB83 WEST 1234 5698 7654 32"),
        ("ipv4", "from 10.0.0.1, v1.2.3.4.5", "from ***, v1.2.3.4.5"),
        ("aws_key", "AKIAIOSFODNN7EXAMPLE", "***"),
        ("private_key", "a -----BEGIN RSA PRIVATE KEY-----\nx\n-----END RSA PRIVATE KEY----- b", "a *** b"),
        ("private_key", "-----BEGIN PRIVATE KEY-----\ncut", "***"),
        ("assignment", "User(password='it\\'s', id=3)", "User(password='***', id=3)"),
        ("assignment", '?access_token=a&x=1 {"secret": "b c"}', '?access_token=***&x=1 {"secret": "***"}'),
        (r"emp-\d+", "emp-77 and emp-", "*** and emp-"),
        ("x*", "xxay", "***ay"),
    ],
)
def test_a_pattern_is_chosen_by_name_or_written_as_a_regular_expression(pattern, text, expected):
    assert Redactor(patterns=[pattern]).redact_text(text) == expected


def test_url_passwords_are_masked_whatever_patterns_are_chosen():
    assert Redactor(patterns=[]).redact_text("a://b:c@d") == "a://b:***@d"


@pytest.mark.parametrize(("pattern", "says"), [("card_numbr", "card_number"), ("(", "regular expression")])
def test_a_wrong_pattern_is_refused_with_its_place_and_the_nearest_name(pattern, says):
    with pytest.raises(ConfigError, match=says) as caught:
        Redactor(patterns=[pattern])

    assert caught.value.problems[0].path == "redact.patterns"


@given(st.text())
def test_masking_twice_changes_nothing_more(text):
    once = _everything.redact_text(text)

    assert _everything.redact_text(once) == once


@given(st.text(), st.text(), st.sampled_from(["4111111111111111", "5555-5555-5555-4444", "Bearer q1w2e3r4"]))
def test_a_secret_is_found_wherever_it_stands(before, after, secret):
    text = f"{before} {secret} {after}"

    assert f" {secret} " not in _default.redact_text(text)


@pytest.mark.parametrize(
    "part", ["4", "4 ", "a://", "://a:", "Bearer ", "A1", "-----BEGIN PRIVATE KEY", "a@", "a=", "1."]
)
@pytest.mark.busy
@pytest.mark.timeout(10)
def test_a_long_text_made_to_be_slow_is_not(part):
    _everything.redact_text(part * (65_536 // len(part)))


def test_a_list_of_groups_chooses_names_too():
    redactor = Redactor(defaults=["cards"])

    assert redactor.secrecy("card_number")
    assert not redactor.secrecy("password")
