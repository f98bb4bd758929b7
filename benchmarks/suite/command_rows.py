"""What ``logweir query``, ``trace`` and ``tail`` took over each store: a row for each property of each."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from logweir.benchmarks.suite.results import Measure, Results

__all__ = ["CommandRow", "command_rows"]

_PROPERTIES = {
    "first_row": ("time to the first row", "ms"),
    "seconds": ("whole time", "s"),
    "rate": ("rows", "rows/s"),
    "peak_memory": ("most memory", "MiB"),
}


@dataclass(frozen=True, slots=True)
class CommandRow:
    """One property of one command.

    Attributes:
        command: Its name, as it is typed.
        what: The property, in words.
        unit: Of the values.
        values: By backend.
    """

    command: str
    what: str
    unit: str
    values: dict[str, Measure]


def command_rows(results: Results) -> Iterator[CommandRow]:
    """Return the rows, command by command; nothing where none was measured."""
    found = list(results.select("command"))
    for command in dict.fromkeys(str(measure.labels["command"]) for measure in found):
        for what, (words, unit) in _PROPERTIES.items():
            values = {
                measure.backend: measure
                for measure in found
                if (measure.labels["command"], measure.labels["what"]) == (command, what)
            }
            if values:
                yield CommandRow(command, words, unit, values)
