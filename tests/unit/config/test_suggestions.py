"""What is said of a name that does not exist."""

from __future__ import annotations

import pytest

from logweir.settings.suggestions import no_such


@pytest.mark.parametrize(
    ("name", "known", "said"),
    [
        ("lokal", ["db", "local"], "there is no sink 'lokal'; did you mean 'local'?"),
        ("AUDIT", ["Audit", "local"], "there is no sink 'AUDIT'; did you mean 'Audit'?"),
        ("x", ["db", "local"], "there is no sink 'x'; there are db, local"),
        ("x", [], "there is no sink 'x'; there are none"),
    ],
)
def test_the_nearest_name_is_asked_for_and_else_all_are_named(name: str, known: list[str], said: str) -> None:
    assert no_such("sink", name, known) == said
