"""Snapshots for those who have a function of their own in ``redact.function``, and for all others."""

from __future__ import annotations

from typing import Any

from logweir.capture.snapshot import Snapshotter
from logweir.config.models import LimitsConfig
from logweir.config.redact import RedactConfig
from logweir.redaction.own_function import OwnFunction
from logweir.redaction.redactor import Redactor
from logweir.redaction.scan import MASK, Masked

__all__ = ["AskingSnapshotter", "snapshotter_of"]


def snapshotter_of(redact: RedactConfig, limits: LimitsConfig | None = None) -> Snapshotter:
    """Return what takes snapshots by these settings; only a function of the user's costs more than usual.

    Raises:
        ConfigError: A pattern is neither the name of a built-in one nor a regular expression.
    """
    function = redact.own_function()
    if function is None:
        return Snapshotter(redact.redactor(), limits)
    return AskingSnapshotter(redact.redactor(), limits, function)


class AskingSnapshotter(Snapshotter):
    """Asks a function of the user's about each value of a finished snapshot.

    What it returned is walked like anything that is logged: encoded, masked by the model, and bounded.

    Args:
        redactor: Knows what is secret.
        limits: How large an event may be.
        function: Is asked.
    """

    is_final = False

    def __init__(self, redactor: Redactor, limits: LimitsConfig | None, function: OwnFunction) -> None:
        super().__init__(redactor, limits)
        self._function = function

    def __call__(self, fields: dict[str, Any]) -> tuple[dict[str, Any], int]:
        """Return the snapshot of the fields and its size, see :class:`Snapshotter`; never raises."""
        copy, size = super().__call__(fields)
        try:
            changed = self._function.ask(copy)
        except Exception:  # noqa: BLE001 - such as a RecursionError; who was not asked may have had a secret
            return super().__call__(dict.fromkeys(copy, MASK))
        return super().__call__(copy) if changed else (copy, size)

    def explain(self, fields: dict[str, Any], name: str | None = None) -> tuple[dict[str, Any], list[Masked]]:
        """Return the snapshot of the fields, and each secret in them, see :meth:`Snapshotter.explain`."""
        copy, masked = super().explain(fields, name)
        places: list[str] = []
        if self._function.ask(copy, places.append):
            copy = super().__call__(copy)[0]
        return copy, masked + [Masked(place, self._function.rule) for place in places]
