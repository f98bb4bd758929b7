"""All pages of the reference that come from the code."""

from functools import cache

from logweir.benchmarks import page
from support.public_api import ROOT
from support.reference import api, commands, configuration, errors

FOLDER = ROOT / "docs" / "reference"


@cache
def pages() -> dict[str, str]:
    """The text of each page, by its name below docs/reference."""
    return {
        "commands.md": commands.page(),
        "configuration.md": configuration.page(),
        "errors.md": errors.page(),
        "engine-run.md": page.render(FOLDER / "engine", "engine"),
        **{f"api/{name}": text for name, text in api.pages().items()},
    }
