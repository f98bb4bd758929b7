"""The status of a call follows from how it ended."""

from collections.abc import Iterator

import pytest

from logweir.auditing import outcomes


class Retry(Exception): ...


class SpecialRetry(Retry): ...


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    before = dict(outcomes._words)
    yield
    outcomes._words.clear()
    outcomes._words.update(before)


def test_a_call_succeeds_fails_or_ends_by_what_a_framework_has_named() -> None:
    assert outcomes.outcome_of(SpecialRetry()) == "failed"
    outcomes.name_outcome(Retry, "retry")
    ends: list[BaseException | None] = [
        None,
        GeneratorExit(),
        Retry(),
        SpecialRetry(),
        ValueError(),
        KeyboardInterrupt(),
    ]
    words = ["success", "success", "retry", "retry", "failed", "failed"]
    assert [outcomes.outcome_of(error) for error in ends] == words
