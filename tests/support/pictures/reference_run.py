"""The chart of the reference run: what stores cost for the same events."""

from logweir.benchmarks.suite.results import Measure, Results
from logweir.benchmarks.suite.wording import store_name
from support.pictures.svg import Box, Drawing, Look
from support.public_api import ROOT

RESULTS = ROOT / "docs" / "reference" / "backends.json"
#: Which measures a panel shows, what stands above it, and whether more is better.
_PANELS: tuple[tuple[str, dict[str, str | int], str, bool], ...] = (
    ("ingest", {}, "written, events/s", True),
    ("storage", {"part": "total"}, "stored, bytes/event", False),
    ("query", {"class": "trace", "phase": "warm"}, "a trace found, ms", False),
    ("query", {"class": "full_text", "phase": "warm"}, "rare word found, ms", False),
)
_WIDTH, _NAMES, _PANEL, _STEP = 760, 142, 154, 26


def draw(look: Look) -> str:
    results = Results.load(RESULTS)
    height = 52 + _STEP * len(results.backends) + 26
    drawing = Drawing("What the backends cost, in one run on one machine", _WIDTH, height, look)
    for number, name in enumerate(results.backends):
        drawing.words((_NAMES - 12, 66 + number * _STEP), store_name(results, name).strip(), "small", "end")
    for number, (measure, labels, heading, more) in enumerate(_PANELS):
        found = {name: _decisive(results, measure, name, labels, more=more) for name in results.backends}
        _panel(drawing, _NAMES + number * _PANEL, heading, found, more=more)
    machine = f"{results.environment['cores']} cores, client and servers on one machine"
    best = "green: the best of its column, by the median"
    drawing.words((_NAMES, height - 10), f"{best} · {machine}", "small faint", "start")
    return drawing.text()


def _decisive(
    results: Results, name: str, backend: str, labels: dict[str, str | int], *, more: bool
) -> Measure | None:
    """The best cell of a matrix, or the figure at the largest volume."""
    found = list(results.select(name, backend, **labels))
    if more:
        return max(found, key=lambda measure: measure.median, default=None)
    return max(found, key=lambda measure: int(measure.labels["volume"]), default=None)


def _panel(drawing: Drawing, x: float, heading: str, found: dict[str, Measure | None], *, more: bool) -> None:
    """One property as bars; each bar says its figure."""
    drawing.words((x, 24), heading, "bold small", "start")
    drawing.words((x, 40), f"{'more' if more else 'less'} is better", "small faint", "start")
    values = {name: measure.median for name, measure in found.items() if measure is not None}
    best = (max if more else min)(values, key=lambda name: values[name])
    for number, name in enumerate(found):
        if name in values:
            y = 52 + number * _STEP
            width = max(2.0, round(values[name] / max(values.values()) * (_PANEL - 66), 1))
            drawing.box(Box(x, y, width, 18), "best" if name == best else "bar", rounded=2)
            drawing.words((x + width + 6, y + 13.5), _short(values[name]), "small", "start")


def _short(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
