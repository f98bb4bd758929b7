"""Where the events of a sink go while it is down: the key ``fallback`` of a sink."""

from __future__ import annotations

from pydantic import Field

from logweir.settings.strict import StrictModel
from logweir.settings.units import Seconds, Share

__all__ = ["FallbackConfig"]

_AFTER = 60.0


class FallbackConfig(StrictModel):
    """Where the events of a sink go while it is down."""

    to: str = Field(min_length=1)
    """The sink that stores the events meanwhile, by its name under `sinks`."""
    after: Seconds | None = None
    """How long nothing has passed before events go there; 60s where `queue` is not given either."""
    queue: Share | None = None
    """The share of the queue, such as `80%`, from which on events go there while nothing passes."""
    return_: bool = Field(default=False, alias="return")
    """Whether the events that went there are written to this sink when it is back, and then deleted there. By
    default they stay where they are."""

    @property
    def patience(self) -> float | None:
        """Seconds without anything that passed; None where only the queue decides."""
        return _AFTER if self.after is None and self.queue is None else self.after
