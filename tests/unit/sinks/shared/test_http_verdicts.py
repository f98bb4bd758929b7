"""What status codes mean."""

import pytest

from logweir.sinks.shared.http_verdicts import Meaning, meaning_of


@pytest.mark.parametrize(
    ("meaning", "statuses"),
    [
        (Meaning.TAKEN, [200, 201, 202, 204, 299]),
        (Meaning.REDIRECTED, [300, 301, 302, 307, 308]),
        (Meaning.ACCESS_REFUSED, [401, 403, 407]),
        (Meaning.CONFLICT, [409]),
        (Meaning.TOO_LARGE, [413]),
        (Meaning.LATER, [408, 425, 429]),
        (Meaning.REFUSED, [400, 422]),
        (Meaning.NOT_SERVED, [402, 404, 405, 410, 411, 415, 421, 423, 431, 451, 499]),
        (Meaning.FAILED, [100, 199, 500, 502, 503, 504, 599, 600, 0]),
    ],
)
def test_a_status_has_its_own_meaning_or_that_of_its_class(meaning: Meaning, statuses: list[int]) -> None:
    assert {meaning_of(status) for status in statuses} == {meaning}
