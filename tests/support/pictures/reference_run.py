"""The chart of the reference run: what seven stores cost for the same events."""

from logweir.benchmarks.suite.results import Results
from logweir.benchmarks.suite.summary import Row, headline
from support.pictures.svg import Box, Drawing, Look
from support.public_api import ROOT

RESULTS = ROOT / "docs" / "reference" / "backends.json"
#: How the row of the report begins, and what stands above its panel.
_PANELS = {
    "ingest": "written, events/s",
    "storage": "stored, bytes an event",
    "all events of one trace": "one trace found, ms",
    "a rare word anywhere": "a rare word found, ms",
}
_WIDTH, _NAMES, _PANEL, _STEP = 760, 104, 164, 26


def draw(look: Look) -> str:
    results = Results.load(RESULTS)
    rows = list(headline(results))
    names = list(results.backends)
    height = 52 + _STEP * len(names) + 26
    drawing = Drawing("What the backends cost, in one run on one machine", _WIDTH, height, look)
    for number, name in enumerate(names):
        drawing.words((_NAMES - 12, 66 + number * _STEP), name, "bold small", "end")
    for number, (begins, heading) in enumerate(_PANELS.items()):
        (row,) = [row for row in rows if row.what.startswith(begins)]
        _panel(drawing, _NAMES + number * _PANEL, heading, row, names)
    machine = f"{results.environment['cores']} cores, client and servers on one machine"
    best = "green: the best of its column, by the median"
    drawing.words((_NAMES, height - 10), f"{best} · {machine}", "small faint", "start")
    return drawing.text()


def _panel(drawing: Drawing, x: float, heading: str, row: Row, names: list[str]) -> None:
    """One property as bars; each bar says its figure."""
    drawing.words((x, 24), heading, "bold small", "start")
    drawing.words((x, 40), f"{'more' if row.more_is_better else 'less'} is better", "small faint", "start")
    most = max(measure.median for measure in row.values.values())
    for number, name in enumerate(names):
        if name in row.values:
            value = row.values[name].median
            y = 52 + number * _STEP
            width = max(2.0, round(value / most * (_PANEL - 70), 1))
            drawing.box(Box(x, y, width, 18), "best" if name == row.best() else "bar", rounded=2)
            drawing.words((x + width + 6, y + 13.5), _short(value), "small", "start")


def _short(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
