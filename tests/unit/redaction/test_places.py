"""The tables of places: each pattern compiles, though hardly any is needed before a text has its word."""

import re

import pytest

from logweir.redaction import command_places, directives, documents, logins, sentences
from logweir.redaction.command_words import PlacePattern, Places

TABLES = {
    "commands": command_places._PLACES,
    "commands of Windows": command_places._SLASHED,
    "directives": directives._SETTINGS,
    "documents": documents._LINES,
    "logins": logins._LOGINS,
    "passwords in sentences": sentences._PASSWORDS,
    "sentences": sentences._PLACES,
}


@pytest.mark.parametrize("table", TABLES.values(), ids=TABLES)
def test_every_pattern_of_a_table_compiles_and_names_what_it_masks(table: Places) -> None:
    for word, _, place in table:
        pattern, _ = place.compile()
        assert pattern.groupindex, word


def test_a_pattern_is_compiled_when_a_text_may_need_it() -> None:
    place = PlacePattern("(?P<b1>[")
    with pytest.raises(re.error):
        place.finditer("text")


def test_a_guard_that_finds_nothing_spares_the_pattern() -> None:
    place = PlacePattern("(?P<b1>b)", guard="a")
    assert [list(place.finditer(text)) for text in ("b", "c")] == [[], []]
    assert [match.group() for match in place.finditer("ab")] == ["b"]
