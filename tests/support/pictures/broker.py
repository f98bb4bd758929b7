"""An event's way over a broker, as the page on brokers shows it."""

import itertools

from support.pictures.svg import Box, Drawing, Look

_STATIONS = (
    ("a log call", "", "code"),
    ("local queue", "spool for audit", "audit"),
    ("forwarder", "instead of a sink", "plain"),
    ("broker", "Redis or Kafka", "tracing"),
    ("queue", "of a worker", "plain"),
    ("worker", "batches, retries", "plain"),
    ("sink", "the store", "plain"),
)
_WIDTH, _BOX, _GAP = 760, 94, 15


def draw(look: Look) -> str:
    drawing = Drawing("The way of an event over a broker", _WIDTH, 106, look)
    x = [6 + number * (_BOX + _GAP) for number in range(len(_STATIONS))]
    for first, last, title in ((0, 2, "the application"), (4, 6, "logweir worker")):
        drawing.box(Box(x[first] - 5, 6, x[last] - x[first] + _BOX + 10, 94), "group")
        drawing.words((x[first] + 4, 24), title, "small faint", "start")
    boxes = []
    for place, (name, what, tone) in zip(x, _STATIONS, strict=True):
        lines = (name, (what, "tiny faint")) if what else (name,)
        boxes.append(drawing.labelled(Box(place, 36, _BOX, 54), lines, tone))
    for one, following in itertools.pairwise(boxes):
        drawing.arrow(one.right(), following.left())
    return drawing.text()
