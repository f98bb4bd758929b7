"""An event's way, as the README shows it: from a call, through the caller's thread, to the stores."""

import itertools

from support.pictures.svg import Box, Drawing, Look

_CALLS = ("log.info(…)", "logging", "@audit_log", "await audit(…)")
_STEPS = (
    ("classify", "audit or tracing"),
    ("redact", "secrets become ***"),
    ("copy", "as it is now"),
    ("route", "by routing.yaml"),
)
#: A queue, who empties it, and the store behind.
_LANES = (
    (
        "audit",
        ("queue on disk", "committed before an", "audit call returns"),
        ("worker", "batches, retries"),
        ("MySQL, PostgreSQL", "audit table"),
    ),
    (
        "tracing",
        ("queue in memory", "bounded: drops are", "counted, or spilled"),
        ("workers", "batches, retries"),
        ("Elasticsearch", "full text"),
    ),
    (
        "tracing",
        ("Redis or Kafka", "for much load, or for", "more than one host"),
        ("logweir worker", "processes of a fleet"),
        ("Loki, VictoriaLogs", "labels and time"),
    ),
)
_WIDTH, _LANE = 760, 176


def draw(look: Look) -> str:
    drawing = Drawing("The way of an event, from the log call to the stores", _WIDTH, 470, look)
    step = (_WIDTH - 32 - 3 * 16) / 4
    columns = [16 + number * (step + 16) for number in range(4)]
    thread = drawing.box(Box(6, 72, _WIDTH - 12, 96), "group")
    drawing.words((18, 91), "in the caller's thread: microseconds, no IO", "small faint", "start")
    steps = [Box(x, 102, step, 54) for x in columns]
    for x, call in zip(columns, _CALLS, strict=True):
        chip = drawing.box(Box(x, 12, step, 34), "code")
        drawing.words((x + step / 2, 34), call, "code")
        drawing.arrow(chip.bottom(), (x + step / 2, thread.y))
    for box, lines in zip(steps, _STEPS, strict=True):
        drawing.labelled(box, lines)
    for one, following in itertools.pairwise(steps):
        drawing.arrow(one.right(), following.left())
    _lanes(drawing, steps[-1])
    return drawing.text()


def _lanes(drawing: Drawing, route: Box) -> None:
    """Below the routes one lane for each sink, and beside them what no store takes."""
    fork, refusals = 192.0, 372.0
    start_x = route.bottom()[0]
    letters = Box(_WIDTH - 158, 400, 152, 60)
    for number, (tone, queue, worker, store) in enumerate(_LANES):
        x = 6 + number * (_LANE + 20)
        queue_box = drawing.labelled(Box(x, 216, _LANE, 72), queue, tone)
        worker_box = drawing.labelled(Box(x, 312, _LANE, 48), worker)
        store_box = drawing.labelled(Box(x, 400, _LANE, 60), store, tone)
        drawing.arrow(
            (start_x, route.bottom()[1]), (start_x, fork), (queue_box.top()[0], fork), queue_box.top()
        )
        drawing.arrow(queue_box.bottom(), worker_box.top())
        drawing.arrow(worker_box.bottom(), store_box.top())
        corner = worker_box.bottom(0.85)
        drawing.arrow(corner, (corner[0], refusals), (letters.top()[0], refusals), letters.top(), dashed=True)
    drawing.labelled(letters, ("dead letters", "refused, with reason", "logweir dlq replay"), "refused")
    drawing.words((_WIDTH - 158, 244), "one queue for", "small faint", "start")
    drawing.words((_WIDTH - 158, 260), "each sink: a dead one", "small faint", "start")
    drawing.words((_WIDTH - 158, 276), "delays no other", "small faint", "start")
