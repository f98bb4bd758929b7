"""What a run found out, as one JSON file that grows step by step, so that a run can be resumed and compared.

Every figure is a :class:`Measure`: values of repeats with a unit, for one backend, distinguished by labels.
What was not run is said with the reason; nothing is silently missing.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from logweir.benchmarks.suite.whole_file import write_whole
from logweir.errors import LogweirError

__all__ = ["FORMAT", "Backend", "Label", "Limits", "Measure", "NotRun", "Part", "Results", "percentile"]

FORMAT = 1

Label = str | int


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Measure(_Model):
    """One figure with its repeats."""

    backend: str
    """The backend's name in this run."""
    name: str
    """What was measured: `ingest`, `cpu`, `write_latency`, `freshness`, `storage`, `query`, …

    A growth run adds, at each `volume`: `bytes_written`, `event_bytes` and `write_amplification`, `memory`,
    `cached`, `bytes_read`, and, at its largest, `command`.
    """
    labels: dict[str, Label] = Field(default_factory=dict)
    """What distinguishes it from others of the same name, such as `workers`, `batch`, `volume`, `class`."""
    unit: str
    """Of each value, such as `events/s` or `ms`."""
    values: list[float]
    """One for each repeat."""

    @field_validator("values")
    @classmethod
    def _values_say_no_more_than_they_know(cls, values: list[float]) -> list[float]:
        return [float(f"{value:.5g}") for value in values]

    @property
    def median(self) -> float:
        """The middle value."""
        return statistics.median(self.values)

    def at(self, share: float) -> float:
        """The percentile ``share`` (0 to 1)."""
        return percentile(self.values, share)

    @property
    def low(self) -> float:
        """The smallest value."""
        return min(self.values)

    @property
    def high(self) -> float:
        """The largest value."""
        return max(self.values)


class NotRun(_Model):
    """Something that was asked for and has no figure."""

    backend: str
    what: str
    """The step, such as `queries at 10000`."""
    why: str
    failed: bool = False
    """Whether it was tried and failed, rather than left out."""
    limit: str = ""
    """Which limit of the run stood against it: `minutes` or `disk`; empty for none."""


class Backend(_Model):
    """One store that was measured."""

    type: str
    """The sink's type."""
    server: str = ""
    """Name and version as the server reports them."""
    settings: dict[str, Any] = Field(default_factory=dict)
    """The sink's settings, without secrets."""
    cold: str = ""
    """What was emptied before a cold question of a growth run; empty where only the connection was new."""
    counted: str = ""
    """Whose bytes `bytes_written` and `bytes_read` are; empty where nothing could be counted."""
    minutes: float = 0.0
    """How long its steps took, all together."""


class Limits(_Model):
    """What each store may take; 0 for as much as it takes."""

    minutes: float = 0.0
    gigabytes: float = 0.0


class Part(_Model):
    """One of the runs that merged results come from."""

    started: str
    profile: str
    command: str
    note: str
    environment: dict[str, Any]
    backends: list[str]
    limits: Limits


class Results(_Model):
    """A whole run."""

    format: int = FORMAT
    started: str
    """When the run began, ISO 8601."""
    profile: str
    """The size of the run."""
    workload: dict[str, Any]
    """How the events were made: seed, shape or file, their first time and distance."""
    environment: dict[str, Any]
    """The machine and the versions."""
    command: str = ""
    """The command that made it, without secrets."""
    note: str = ""
    """What whoever ran it says about it, such as who else used the machine."""
    limits: Limits = Field(default_factory=Limits)
    """How long each store could take, and how large it could become."""
    resumed: list[str] = Field(default_factory=list)
    """When it went on after an interruption, ISO 8601."""
    parts: list[Part] = Field(default_factory=list)
    """The runs that these results were merged from; empty for one run."""
    backends: dict[str, Backend] = Field(default_factory=dict)
    measures: list[Measure] = Field(default_factory=list)
    not_run: list[NotRun] = Field(default_factory=list)
    done: list[str] = Field(default_factory=list)
    """The steps that need not be run again."""

    def select(self, name: str, backend: str | None = None, **labels: Label) -> Iterator[Measure]:
        """The measures of a name, with these labels."""
        for measure in self.measures:
            wanted = measure.name == name and backend in {None, measure.backend}
            if wanted and all(measure.labels.get(key) == value for key, value in labels.items()):
                yield measure

    def one(self, name: str, backend: str, **labels: Label) -> Measure | None:
        """The first of :meth:`select`, if there is any."""
        return next(self.select(name, backend, **labels), None)

    def save(self, path: Path) -> None:
        """Write the file whole or not at all."""
        write_whole(path, _one_measure_a_line(self.model_dump_json()))

    @classmethod
    def load(cls, path: Path) -> Results:
        """Read a file.

        Raises:
            LogweirError: It is not there, or is no result of this suite.
        """
        try:
            return cls.model_validate_json(path.read_bytes())
        except OSError as error:
            raise LogweirError(f"{path} cannot be read: {error.strerror}") from None
        except ValidationError as error:
            problem = error.errors(include_url=False, include_context=False, include_input=False)[0]
            place = ".".join(str(part) for part in problem["loc"])
            raise LogweirError(f"{path} is no result of logweir bench: {place}: {problem['msg']}") from None


def _one_measure_a_line(text: str) -> str:
    """JSON that can be compared line by line, without a line for each number."""
    return text.replace('{"backend":', '\n{"backend":') + "\n"


def percentile(values: list[float], share: float) -> float:
    """The value below which ``share`` (0 to 1) of the values lie; by the nearest rank."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]
