"""The rooms of the code on their floors, as the page on the architecture shows them."""

from dataclasses import dataclass

from support.pictures.svg import Box, Drawing, Look


@dataclass(frozen=True)
class Floor:
    """Rooms that may import those below; ``independent`` ones do not import each other either."""

    title: str
    rooms: dict[str, str]
    independent: bool = False


#: From the top. A test compares them with the import contract in pyproject.toml.
FLOORS = (
    Floor("where the command begins", {"__main__": "Ctrl-C ends quietly from here on"}),
    Floor(
        "what people run",
        {
            "cli": "one module for each command",
            "benchmarks": "what logweir and stores cost",
            "examples": "applications that run",
        },
    ),
    Floor(
        "what an application calls",
        {
            "integrations": "structlog, logging, ASGI, WSGI",
            "auditing": "records of what somebody did",
            "testing": "for tests of users and of sinks",
        },
    ),
    Floor("what runs in a process", {"runtime": "assembles, starts, reloads, stops"}),
    Floor(
        "beside the runtime",
        {"stores": "what is done to what is stored", "telemetry": "counts, and how others see them"},
        independent=True,
    ),
    Floor(
        "the life of an event",
        {
            "capture": "from a call to an event",
            "routing": "which kind, which sinks",
            "delivery": "queues, workers, retries, receipts",
        },
        independent=True,
    ),
    Floor("routing.yaml", {"config": "models, loading, problems with their place"}),
    Floor("the backends", {"sinks": "a room for each backend, one contract"}),
    Floor(
        "the ground",
        {
            "redaction": "what is secret becomes ***",
            "encoding": "values, times, events as JSON",
            "settings": "what a sink's own options need",
            "process": "threads, forks, signals, exit",
            "context": "what every event below carries",
            "event": "the one record that all share",
            "errors": "the tree of exceptions",
            "diagnostics": "logweir's own log",
        },
    ),
)
_WIDTH, _ROOMS_A_ROW = 760, 3


def draw(look: Look) -> str:
    heights = [28 + 52 * -(-len(floor.rooms) // _ROOMS_A_ROW) for floor in FLOORS]
    drawing = Drawing(
        "The rooms of logweir on their floors; imports point down",
        _WIDTH,
        12 + sum(heights) + 16 * len(FLOORS),
        look,
    )
    y = 6
    for number, (floor, height) in enumerate(zip(FLOORS, heights, strict=True)):
        band = drawing.box(Box(6, y, _WIDTH - 12, height), "group")
        title = f"{len(FLOORS) - number} · {floor.title}{' (independent)' if floor.independent else ''}"
        drawing.words((18, y + 18), title, "small faint", "start")
        _draw_rooms(drawing, band, floor)
        y += height + 16
        if number < len(FLOORS) - 1:
            drawing.arrow(band.bottom(), (band.bottom()[0], y))
    return drawing.text()


def _draw_rooms(drawing: Drawing, band: Box, floor: Floor) -> None:
    in_a_row = min(len(floor.rooms), _ROOMS_A_ROW)
    width = (band.width - 20 - 10 * (in_a_row - 1)) / in_a_row
    for number, (name, what) in enumerate(floor.rooms.items()):
        row, column = divmod(number, in_a_row)
        place = Box(band.x + 10 + column * (width + 10), band.y + 26 + row * 52, width, 44)
        drawing.labelled(place, (name, what))
