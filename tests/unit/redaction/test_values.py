"""Which values stay although their name is secret."""

import pytest

from logweir.redaction.names import Secrecy
from logweir.redaction.values import is_kept

NOTHING = [
    None,
    True,
    False,
    "",
    " ",
    "None",
    "null",
    "NULL",
    "true",
    "False",
    "undefined",
    "***",
    "Bearer ***",
]
PSEUDONYMS = ["hmac-sha256:" + "0f" * 32, "hmac:" + "0f" * 16]
NUMBERS = [0, 1, 153, -1, 3.5, 2**40]
STATES = """
    required;optional;REQUIRED;not required;enabled;disabled;expired;active;revoked;allow;deny;allowed;denied;
    granted;forbidden;yes;no;on;off;success;failed;FAILURE;missing;invalid;unchanged;same-origin;include;omit;
    MFA_REQUIRED;mfa-required;password;PASSWORD;oauth2;OAuth2;basic;Bearer;digest;ldap;saml;jwt;RS256;HS256;
    mTLS;kerberos;keyboard-interactive;publickey,password;access_token;id_token;refresh token;service;batch;
    httpOnly;Secure;Strict;Lax;None;anonymous;unauthenticated;session expired;TOTP;sms;webauthn
    """
MEASURES = """
    153;-1;12345;0.5;1,5;15m;3600s;2h30m;24 hours;30 days;1 day;12 KB;4096 bytes;85%;PT1H;P30D;P1DT2H;153 tokens;
    2026-01-02;2026-01-02T03:04:05Z;2026-01-02T03:04:05.123456+00:00;2026-01-02 03:04:05;12:30;12:30:05;
    Thu, 01 Jan 2026 00:00:00 GMT;01 Jan 2026
    """
ADDRESSES = """
    https://auth.example.com;https://auth.example.com/oauth2/token;postgresql://app:x@db.internal:5432/app;
    redis://cache:6379/0;https://login.example.com/app_db_2024;postgresql://app:hunter2@db/orders;
    https://sts.example.com/?token=x;/var/run/secrets/token;~/.kube/config;/home/bob/.kube/config;./certs/tls.key;
    arn:aws:secretsmanager:eu-west-1:123456789012:secret:prod/db-AbCdEf;S-1-5-21-3623811015-3361044348-30300820-1013
    """
SENTENCES = """
    user 42 may read;unexpected end of the input;has expired, please log in;not found in the store;
    closed by the peer;must not be empty;could not be verified
    """
SECRETS = """
    hunter2;swordfish;s3cr3t;correct horse battery staple;abc;S;123456;483920;0123456789;1234567890123456;
    dXNlcjpwYXNz;Basic dXNlcjpwYXNz;Bearer abcdef;Token abc;a1b2c3d4e5f6;0f8fad5b-d9cb-469f-a165-70873728950e;
    required1;enabled-x7;user:pass;Tr0ub4dor&3;the pin is 4839;my code is 12a4;ABCD-EFGH-IJKL;letmein;changeme;
    https://hooks.example.com/t/AbC123dEf456;https://example.com/reset/f00ba4f00ba4;mysql://u:my pass@db/app;
    /9j/4AAQSkZJRg;abcdefghijklmnopqrstuvwxyz;u:hunter2@tcp(db)/app;sekret;AKIA77;pass word;
    x;/Users/Bob/K7
    """


def items(table: str) -> list[str]:
    return [item.strip() for item in table.replace("\n", " ").split(";") if item.strip()]


@pytest.mark.parametrize("secrecy", Secrecy)
@pytest.mark.parametrize("value", [*NOTHING, *PSEUDONYMS])
def test_nothing_and_what_is_masked_or_a_keyed_hash_stay_under_every_name(value, secrecy):
    assert is_kept(value, secrecy)


@pytest.mark.parametrize("value", [1234, 123456, 0, 12.5, "1234", "hunter2", *NUMBERS])
def test_numbers_are_no_exception_under_the_name_of_a_password_a_pin_or_a_code(value):
    assert not is_kept(value, Secrecy.SECRET)


@pytest.mark.parametrize("value", [*items(STATES), *items(MEASURES), *items(ADDRESSES), *items(SENTENCES)])
def test_under_the_name_of_a_password_a_text_is_masked_whatever_it_says(value):
    assert is_kept(value, Secrecy.SECRET) is (value == "None")


@pytest.mark.parametrize(
    "value", [*NUMBERS, *items(STATES), *items(MEASURES), *items(ADDRESSES), *items(SENTENCES)]
)
def test_under_the_name_of_a_credential_what_says_how_things_stand_stays(value):
    assert is_kept(value, Secrecy.CREDENTIAL)


@pytest.mark.parametrize("value", items(SECRETS))
def test_under_the_name_of_a_credential_what_may_be_a_secret_does_not_stay(value):
    assert not is_kept(value, Secrecy.CREDENTIAL)


@pytest.mark.parametrize("value", [b"x", [], {}, object(), 1j])
def test_what_is_no_plain_value_is_not_kept(value):
    assert not is_kept(value, Secrecy.CREDENTIAL)
    assert is_kept(value, Secrecy.HARMLESS)


@pytest.mark.parametrize("value", ["a " * 40_000, "1" * 80_000, "/a" * 40_000, "x_" * 1_000, "1 d" * 600])
def test_a_long_value_costs_little_and_is_not_kept(value):
    assert not is_kept(value, Secrecy.CREDENTIAL)
