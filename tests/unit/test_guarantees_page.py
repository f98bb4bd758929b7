"""The page of guarantees names tests that exist, in every row of its tables."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs/explanation/guarantees.md").read_text()
NAMED = sorted(set(re.findall(r"`(tests/[\w/]+\.py)(?:::(\w+))?`", TEXT)))


def test_the_page_names_tests() -> None:
    assert len(NAMED) > 25


@pytest.mark.parametrize(("file", "name"), NAMED)
def test_a_test_that_shows_a_guarantee_exists(file: str, name: str) -> None:
    source = (ROOT / file).read_text()
    assert not name or re.search(rf"^(?:async )?def {name}\(", source, re.MULTILINE)


def test_every_row_says_what_shows_it() -> None:
    rows = [line for line in TEXT.splitlines() if line.startswith("| ") and not line.startswith("| fault")]
    for row in rows:
        shown_by = row.rstrip("| ").rsplit("|", 1)[1]
        assert "tests/" in shown_by or "](" in shown_by or "nothing to test" in shown_by, row
