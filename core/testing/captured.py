"""Capturing events in tests: what the code under test logs, as events, with no backend."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from tempfile import TemporaryDirectory
from typing import Any

from logweir.config.loading import load_config
from logweir.config.models import RoutingConfig
from logweir.context.blocks import block
from logweir.errors import LogweirError
from logweir.event import Event, Kind
from logweir.runtime import current as runtime
from logweir.testing.capture_sink import CaptureSink

__all__ = ["Captured", "capture"]

_SINK = "logweir_capture"


class Captured:
    """The events captured so far; reading waits until all that was logged has arrived."""

    def __init__(self, kept: Mapping[str, Event] | None = None) -> None:
        self._kept = {} if kept is None else kept

    @property
    def events(self) -> list[Event]:
        """All events, in the order they were logged.

        It blocks for a moment: in asynchronous tests, ``await logweir.aflush()`` first.
        """
        if runtime.current() is not None:  # an application that has stopped it has delivered everything
            runtime.flush()
        return self.arrived

    @property
    def arrived(self) -> list[Event]:
        """The events that have arrived; does not wait."""
        return list(self._kept.values())

    @property
    def audit(self) -> list[Event]:
        """The audit events."""
        return [event for event in self.events if event.kind is Kind.AUDIT]

    @property
    def tracing(self) -> list[Event]:
        """The tracing events."""
        return [event for event in self.events if event.kind is Kind.TRACING]

    def names(self) -> list[str]:
        """The names of all events."""
        return [event.name for event in self.events]


@block
def capture(*, classify: Sequence[dict[str, Any]] = (), **settings: Any) -> Iterator[Captured]:
    """Run a runtime whose only sink keeps events in memory.

    An application that starts logweir itself inside, as by its lifespan, is captured too: what its
    routing.yaml says of ``classify``, ``redact``, ``service`` and the like is in force from then on, but
    nothing goes to its sinks. Rows of ``LogService`` are captured when their transaction commits.

    Args:
        classify: Rules, as in routing.yaml.
        **settings: Further keys of routing.yaml, such as ``redact`` or ``service``; not sinks and routes.
            What is given here counts before what an application starts with.

    Raises:
        LogweirError: A runtime is running already.
    """
    if runtime.current() is not None:
        raise LogweirError(
            "a runtime is running; stop it before capturing, or capture before the application starts it"
        )
    given = {**settings, **({"classify": list(classify)} if classify else {})}
    kept: dict[str, Event] = {}
    # A data directory of its own: what waits in the application's is none of a test's business.
    with TemporaryDirectory(prefix="logweir-capture-") as data_dir, CaptureSink.keeping(kept):
        own = load_config(
            {
                "data_dir": data_dir,
                **given,
                "sinks": {_SINK: CaptureSink.options()},
                "routes": [{"name": "all", "to": [_SINK]}],
            }
        )
        with runtime.apart(_instead_of_others(own, {*given, "data_dir"})):
            runtime.start(own, handle_signals=False)
            try:
                yield Captured(kept)
            finally:
                runtime.stop()


def _instead_of_others(own: RoutingConfig, given: set[str]) -> Callable[[RoutingConfig], RoutingConfig]:
    """Return what makes, of the configuration of an application, one that captures."""
    (sink,) = own.sinks.values()

    def instead(config: RoutingConfig) -> RoutingConfig:
        unchained: dict[str, Any] = {"chain": False, "chain_key": None, "saved_heads": []}
        return config.model_copy(
            update={
                # By their names too, for LogService may ask for one.
                "sinks": dict.fromkeys([_SINK, *config.sinks], sink),
                "routes": own.routes,
                "metrics": None,
                "audit": config.audit.model_copy(update=unchained),
                **{key: getattr(own, key) for key in given},
            }
        )

    return instead
