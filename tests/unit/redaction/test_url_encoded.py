"""Names and values that were URL-encoded together."""

import pytest

from logweir.redaction.texts import mask_assignments
from support.secrecies import a_scan


def _masked(text):
    return mask_assignments(text, a_scan())


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("password%3DS%26x", "password%3D***%26x"),
        ("%22password%22%3A%22S%22%2C%22x%22", "%22password%22%3A%22***%22%2C%22x%22"),
        ("next=%2Flogin%3Fuser%3Dbob%26password%3Dab%2526c%26x%3D1", "next=%2Flogin%3Fuser%3Dbob%26password%3D***%26x%3D1"),
        ("password%253DS%2526x%253D1", "password%253D***%2526x%253D1"),
    ],
)  # fmt: skip
def test_an_encoded_value_ends_at_a_sign_that_is_encoded_as_often_as_its_own(text, expected):
    assert _masked(text) == expected
    assert _masked(expected) == expected
