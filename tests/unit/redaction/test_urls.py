"""Credentials in URLs are masked, and addresses that only look alike stay."""

import pytest

from logweir.redaction.redactor import Redactor
from logweir.redaction.urls import mask_urls

_TOKEN = "a1B2c3D4" * 4


def mask(text):
    return mask_urls(text, Redactor().scan())


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("mysql+aiomysql://app:s3cr@t@db/app", "mysql+aiomysql://app:***@db/app"),
        ("redis://:pw@host and https://a:b@c", "redis://:***@host and https://a:***@c"),
        ("http://a:b@c,http://d:e@f", "http://a:***@c,http://d:***@f"),
        (f"https://{_TOKEN}@host/x", "https://***@host/x"),
        (f"https://{_TOKEN}:x-oauth-basic@host", "https://***:x-oauth-basic@host"),
        ("https://short:x-oauth-basic@host", "https://***:x-oauth-basic@host"),
        ("amqp://u:pa/ss@h:5672/v", "amqp://u:***@h:5672/v"),
        ("amqp://u:p@ss/word@h", "amqp://u:***@h"),
        ("amqp://u:p#s?s@h", "amqp://u:***@h"),
        ("db://u:my pass word@h:1/x", "db://u:***@h:1/x"),
        ("next=https%3A%2F%2Fu%3AS%40h", "next=https%3A%2F%2Fu%3A***%40h"),
        ("https://h/p?token=S", "https://h/p?token=***"),
        (
            "url=https://h/p?x=1&access_token=S#id_token=T",
            "url=https://h/p?x=1&access_token=***#id_token=***",
        ),
        ("https://b/k?X-Amz-Date=1&X-Amz-Signature=ab12", "https://b/k?X-Amz-Date=1&X-Amz-Signature=***"),
        ("https://a/c?sv=1&sig=ab%3D", "https://a/c?sv=1&sig=***"),
        ("/cb?code=4f5d8a1b2c3d4e5f&state=x", "/cb?code=***&state=x"),
        ("user:S3@tcp(h:3306)/db", "user:***@tcp(h:3306)/db"),
        ("scott/S3@//h:1521/x", "scott/***@//h:1521/x"),
        ("https://hooks.slack.com/services/T0/B0/x1", "https://hooks.slack.com/services/***"),
    ],
)
def test_r1_r7_the_secrets_of_urls_are_masked_in_every_form(text, expected):
    assert mask(text) == expected
    assert mask(expected) == expected


@pytest.mark.parametrize(
    "text",
    [
        "http://host:80/path?mail=a@b.c", "git@host:path/x.git", "ssh://git@host/x", "@scope/x@1.2", "bob@x.com",
        "mailto:bob@x.com", "https://h/@scope/x", "postgres://app@db/x", "image/x@sha256:ab12", "/p?code=404&page=2",
        "http://host:8080", "https://h/p?token_type=bearer",
    ],
)  # fmt: skip
def test_r10_addresses_and_harmless_parameters_stay(text):
    assert mask(text) == text
