"""Every picture, and where it is kept."""

from functools import cache

from support.pictures import broker, reference_run, rooms, stations, terminal, way
from support.pictures.svg import LOOKS
from support.public_api import ROOT

FOLDER = ROOT / "docs" / "images"
_DRAWN = {
    "way-of-an-event": way.draw,
    "demo": terminal.draw,
    "reference-run": reference_run.draw,
    "rooms": rooms.draw,
    "way-through-the-files": stations.draw,
    "way-over-a-broker": broker.draw,
}


@cache
def pictures() -> dict[str, str]:
    """The text of each picture, by its name in docs/images."""
    return {f"{name}-{look.name}.svg": draw(look) for name, draw in _DRAWN.items() for look in LOOKS}
