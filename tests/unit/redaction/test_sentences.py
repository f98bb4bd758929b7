"""Passwords within sentences."""

import pytest

from logweir.redaction.names import Secrecy
from logweir.redaction.redactor import Redactor
from logweir.redaction.scan import Scan
from logweir.redaction.texts import mask_assignments
from support.secrecies import a_scan


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("password is hunter2", "password is ***"),
        ("The password was changed to hunter2.", "The password was changed to ***."),
        ("user password set to Abc123xyz.", "user password set to ***."),
        ('invalid password "hunter" for user bob', 'invalid password "***" for user bob'),
        ("Password 'x' rejected", "Password '***' rejected"),
        ("password hunter2x rejected", "password *** rejected"),
        ("Failed password for invalid user admin", "Failed password for invalid user admin"),
        ("Accepted password for bob2 from 1.2.3.4", "Accepted password for bob2 from 1.2.3.4"),
        ("the password of user42 expired", "the password of user42 expired"),
        ("password is required, passwords are hashed", "password is required, passwords are hashed"),
        ("password sha256 and password 90days", "password sha256 and password 90days"),
    ],
)  # fmt: skip
def test_a_password_within_a_sentence_shows_by_its_quotes_or_its_digits(text, expected):
    assert mask_assignments(text, a_scan()) == expected
    assert mask_assignments(expected, a_scan()) == expected


def test_a_password_is_harmless_where_names_say_so():
    text = "password is hunter2"

    assert mask_assignments(text, Scan(lambda _: Secrecy.HARMLESS)) == text


@pytest.mark.parametrize(
    "whose",
    ["bob", "user bob", "'bob'", '"bob"', "https://bob@github.com", "'https://bob@github.com'", "key /home/bob/.ssh/id", "admin user"],
)  # fmt: skip
def test_what_is_typed_at_a_prompt_is_masked(whose):
    redactor = Redactor()

    assert redactor.redact_text(f"Password for {whose}: hunter2") == f"Password for {whose}: ***"
    for said in ("expired", "must be changed", "3 attempts left", "none"):
        assert redactor.redact_text(f"Password for {whose}: {said}") == f"Password for {whose}: {said}"
