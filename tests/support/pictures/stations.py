"""An event's way from file to file, as the page on the architecture shows it."""

from typing import NamedTuple

from support.pictures.svg import Box, Drawing, Look


class Station(NamedTuple):
    """One step: where it stands (column, top), what happens, and in which file."""

    column: int
    y: int
    what: str
    path: str
    tone: str = "plain"


#: A test holds each path to be there.
STATIONS = {
    "logged": Station(0, 34, "log.info, @audit_log, audit()", "core/integrations/structlog.py", "code"),
    "emit": Station(1, 34, "the runtime takes it", "core/runtime/runtime.py"),
    "make": Station(2, 34, "kind, redaction, a copy", "core/capture/capture.py"),
    "route": Station(2, 112, "which sinks, once a call site", "core/routing/router.py"),
    "put": Station(1, 112, "one channel for each sink", "core/delivery/channel.py"),
    "memory": Station(0, 190, "a queue in memory", "core/delivery/queues/memory.py", "tracing"),
    "disk": Station(1, 190, "a queue on disk", "core/delivery/queues/disk.py", "audit"),
    "spool": Station(1, 296, "one commit for all who wait", "core/delivery/spool/spool.py", "audit"),
    "receipt": Station(2, 296, "accepted, durable, stored", "core/delivery/receipts.py", "code"),
    "worker": Station(0, 404, "a worker takes a batch", "core/delivery/worker.py"),
    "write": Station(0, 482, "the sink writes it", "sinks/contract.py"),
    "verdict": Station(0, 560, "what the store answered", "sinks/results.py"),
    "pause": Station(1, 482, "a pause, longer each time", "core/delivery/retry.py"),
    "aside": Station(1, 560, "set aside: others pass", "core/delivery/set_aside.py"),
    "letter": Station(0, 666, "a dead letter, with reason", "core/delivery/dead_letters/store.py", "refused"),
}
_WIDTH, _COLUMN, _HEIGHT = 760, 230, 48
_X = (16, 265, 514)


def draw(look: Look) -> str:
    drawing = Drawing("The way of an event, file by file", _WIDTH, 726, look)
    drawing.box(Box(6, 6, _WIDTH - 12, 244), "group")
    drawing.words((18, 24), "in the caller's thread: microseconds, no IO", "small faint", "start")
    loop = drawing.box(Box(6, 376, _X[2] - 6, 246), "group")
    drawing.words((loop.right()[0] - 8, 394), "on the delivery thread's own loop", "small faint", "end")
    boxes = {
        name: drawing.labelled(
            Box(_X[station.column], station.y, _COLUMN, _HEIGHT), (station.what, station.path), station.tone
        )
        for name, station in STATIONS.items()
    }
    _draw_arrows(drawing, boxes)
    return drawing.text()


def _draw_arrows(drawing: Drawing, at: dict[str, Box]) -> None:
    for one, following in (("logged", "emit"), ("emit", "make")):
        drawing.arrow(at[one].right(), at[following].left())
    for one, following, label in (
        ("make", "route", ""),
        ("put", "disk", ""),
        ("disk", "spool", "staged"),
        ("worker", "write", ""),
        ("write", "verdict", ""),
        ("verdict", "letter", "rejected"),
    ):
        drawing.arrow(at[one].bottom(), at[following].top(), label=label)
    drawing.arrow(at["route"].left(), at["put"].right())
    memory, worker, receipt = at["memory"], at["worker"], at["receipt"]
    drawing.arrow(at["put"].left(), (memory.top()[0], at["put"].left()[1]), memory.top())
    drawing.arrow(memory.bottom(0.3), worker.top(0.3))
    drawing.arrow(memory.bottom(0.8), (memory.bottom(0.8)[0], 270), (receipt.top()[0], 270), receipt.top())
    drawing.words((receipt.top()[0] + 6, 288), "accepted", "small faint", "start")
    drawing.arrow(at["spool"].right(), receipt.left())
    drawing.words((receipt.left()[0] - 4, receipt.y - 6), "durable", "small faint", "end")
    spool = at["spool"].bottom(0.15)
    drawing.arrow(spool, (spool[0], worker.right(0.3)[1]), worker.right(0.3))
    drawing.words((spool[0] + 6, 366), "committed", "small faint", "start")
    _draw_second_attempts(drawing, at)
    stored = at["verdict"].bottom(0.85)
    way = receipt.bottom()[0]
    drawing.arrow(stored, (stored[0], 640), (way, 640), receipt.bottom())
    drawing.words((way + 6, 500), "stored or duplicate", "small faint", "start")


def _draw_second_attempts(drawing: Drawing, at: dict[str, Box]) -> None:
    """What is tried again goes back to the worker."""
    verdict, pause, aside, worker = at["verdict"], at["pause"], at["aside"], at["worker"]
    drawing.arrow(verdict.right(0.7), aside.left(0.7))
    drawing.words((verdict.right()[0] + 4, aside.y + _HEIGHT + 10), "retry", "small faint", "start")
    between = verdict.right()[0] + 9
    drawing.arrow(
        verdict.right(0.25), (between, verdict.right(0.25)[1]), (between, pause.left()[1]), pause.left()
    )
    drawing.words((between + 6, pause.y + _HEIGHT + 18), "no answer", "small faint", "start")
    drawing.arrow(pause.top(), (pause.top()[0], worker.right(0.55)[1]), worker.right(0.55))
    edge = aside.right()[0] + 6
    drawing.arrow(aside.right(), (edge, aside.right()[1]), (edge, worker.right(0.85)[1]), worker.right(0.85))
