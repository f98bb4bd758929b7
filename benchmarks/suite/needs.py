"""What somebody needs of a backend: the other half of a recommendation, beside the measurements."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import yaml
from pydantic import Field, ValidationError

from logweir.benchmarks.suite.truth import QueryClass
from logweir.errors import LogweirError
from logweir.settings.delivery import StrictModel

__all__ = ["KindNeeds", "Needs", "load_needs"]

Operations = Literal["none", "low", "medium", "high"]


class KindNeeds(StrictModel):
    """What is needed for one kind of event."""

    events_per_day: float = Field(gt=0)
    """How many events come in on a day."""
    retention_days: float = Field(default=30, gt=0)
    """How long they are kept."""
    queries: dict[QueryClass, float] = Field(default_factory=dict)
    """How often each class of question is asked, in any measure: only the proportions count."""
    joins: bool = False
    """Whether they are joined with business data in SQL."""


class Needs(StrictModel):
    """The needs of a service."""

    audit: KindNeeds = KindNeeds(
        events_per_day=100_000,
        retention_days=365,
        queries={"exact": 1, "user_time": 3, "complex": 1},
        joins=True,
    )
    """What is needed for audit."""
    tracing: KindNeeds = KindNeeds(
        events_per_day=5_000_000,
        retention_days=14,
        queries={"trace": 3, "full_text": 2, "aggregation": 1, "label_time": 3},
    )
    """What is needed for tracing."""
    peak: float = Field(default=5, ge=1)
    """How many times the average rate the peak is."""
    machines: int = Field(default=1, ge=1)
    """How many machines run the service; what is embedded keeps the events of its own machine alone."""
    operations: Operations = "medium"
    """How much operating is affordable: `none` (embedded only), `low` (a database), `medium`, `high`."""
    cost_per_gb: float = Field(default=0.1, ge=0)
    """What a gigabyte costs in a month, in any currency."""


def load_needs(path: Path) -> Needs:
    """Read needs from a YAML file.

    Raises:
        LogweirError: It cannot be read, or is wrong.
    """
    try:
        return Needs.model_validate(yaml.safe_load(path.read_text()) or {})
    except OSError as error:
        raise LogweirError(f"{path} cannot be read: {error.strerror}") from None
    except yaml.YAMLError as error:
        raise LogweirError(f"{path} is no YAML: {error}") from None
    except ValidationError as error:
        problems = error.errors(include_url=False, include_context=False, include_input=False)
        lines = [f"{path}: {'.'.join(map(str, problem['loc']))}: {problem['msg']}" for problem in problems]
        raise LogweirError("\n".join(lines)) from None
