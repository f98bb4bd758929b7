"""Known shapes are masked wherever they stand; what only looks alike stays."""

import pytest

from logweir.redaction.redactor import Redactor

_redactor = Redactor()
_MIXED = "a1B2" * 9
_HEX = "ab12" * 16

TOKENS = [
    *(
        p + "_" + _MIXED
        for p in ("ghp", "gho", "ghu", "ghs", "ghr", "npm", "hf", "sk_live", "rk_test", "whsec")
    ),
    "github" + "_pat_" + _MIXED + "_" + _MIXED,
    "glpat" + "-" + _MIXED,
    "xoxb" + "-123456789012-" + _MIXED,
    "xapp" + "-1-A0B-" + _MIXED,
    "sk" + "-" + _MIXED,
    "sk" + "-ant-api03-" + _MIXED,
    "AIza" + _MIXED,
    "ya29" + "." + _MIXED,
    "GOCSPX" + "-" + _MIXED,
    "1//0g" + _MIXED,
    "SG" + "." + _MIXED + "." + _MIXED,
    "hvs" + "." + _MIXED,
    "s." + "a1B2" * 6,
    "shpat" + "_" + _HEX[:32],
    "dop" + "_v1_" + _HEX,
    "dapi" + _HEX[:32],
    "pypi" + "-AgEI" + _MIXED,
    "key" + "-" + _HEX[:32],
    "dp" + ".pt." + _MIXED,
    "ATATT3x" + _MIXED,
    "lin" + "_api_" + _MIXED,
    "ntn" + "_" + _MIXED,
    "glsa" + "_" + _MIXED + "_ab12",
    "dckr" + "_pat_" + _MIXED,
    "123456789:AA" + _MIXED,
    "abc8Q~" + _MIXED,
    "A" * 14 + ".atlasv1." + _MIXED,
    "M" + "a1B" * 7 + "aB" + "." + "aB1-_c" + "." + _MIXED,
    "eyJhbGciOi.eyJzdWIiOiIx.c2ln",
    "eyJhbGciOiJIUzI1NiIs",
    "eyJhbGciOiJkaXIi..aBc123._x1.Zz9",
    "$2b$12$" + _MIXED,
    "AGE-SECRET" + "-KEY-1" + "QW2" * 15,
]


@pytest.mark.parametrize("token", TOKENS)
def test_r9_a_token_of_a_known_issuer_is_masked_as_a_whole(token):
    assert _redactor.redact_text(token) == "***"
    assert _redactor.redact_text(f"got {token} from them") == "got *** from them"
    assert _redactor.redact_text(f'"{token}"') == '"***"'


@pytest.mark.parametrize(
    "text",
    [
        "npm_lifecycle_event_was_long_name", "3f2b8c1e-1111-4222-8333-123456789abc", "req-8f14e45f",
        "192.168.0.1", "order_created_successfully_now", "logweir.capture.snapshot", "eyJpZCI6NDJ9",
        "sk-learn-very-long-name-here", "4bf92f3577b34da6a3ce929d0e0e4736", "AKIAIOSFODNN7EXAMPLE",
        "errors.SomeVeryLongNameOfAnException", "2026-11-25T10:11:12.123Z", "token expired", "Digest of the week",
        "bearer token missing", "basic authentication failed", 'Bearer realm="api"', "the key is here",
    ],
)  # fmt: skip
def test_r10_what_only_resembles_a_token_stays(text):
    assert _redactor.redact_text(text) == text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("sent Bearer abc.def-ghi_1", "sent Bearer ***"),
        ("Basic dXNlcjpwYXNz", "Basic ***"),
        ("Token 9944b09199c62bcf9418ad", "Token ***"),
        ("ApiKey abc12345678", "ApiKey ***"),
        ("Negotiate YIIabcdefghijklmnopqrstuvwxyz1", "Negotiate ***"),
        ('Digest username="u", nonce="S", qop=auth', 'Digest username="u", nonce="***", qop=auth'),
        ("AWS4-HMAC-SHA256 Credential=x, Signature=abcdef01", "AWS4-HMAC-SHA256 Credential=x, Signature=***"),
        ("a -----BEGIN RSA PRIVATE KEY-----\\nx\\n-----END RSA PRIVATE KEY----- b", "a *** b"),
        ("-----BEGIN PGP PRIVATE KEY BLOCK-----\nx\n-----END PGP PRIVATE KEY BLOCK----- b", "*** b"),
        ("-----BEGIN OPENSSH PRIVATE KEY-----\ncut", "***"),
        ("key AKIAIOSFODNN7EXAMPLE used", "key *** used"),
    ],
)
def test_r2_r3_schemes_and_keys_are_masked(text, expected):
    shapes = Redactor(patterns=["bearer_token", "token", "private_key", "aws_key"])
    assert shapes.redact_text(text) == expected
    assert shapes.redact_text(expected) == expected
