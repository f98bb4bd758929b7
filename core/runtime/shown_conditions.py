"""Conditions as they may be shown: what they compare a secret field with is masked, as it is in an event."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from logweir.capture.snapshot import Snapshotter
from logweir.config.models import FieldMatch, MatchConfig
from logweir.redaction.scan import MASK

__all__ = ["ShownConditions"]

_COMPARED = ("equals", "in_", "glob", "regex")


class ShownConditions:
    """Knows what of a condition must not be shown.

    Args:
        snapshot: Knows what is secret in an event.
    """

    def __init__(self, snapshot: Snapshotter) -> None:
        self._snapshot = snapshot

    def is_secret(self, condition: FieldMatch) -> bool:
        """Whether an event that has what the condition asks for has a secret."""
        given: Any = [getattr(condition, key) for key in _COMPARED]
        for name in reversed(condition.name.split(".")):
            given = {name: given}
        return bool(self._snapshot.explain(given)[1])

    def masked(self, match: MatchConfig) -> MatchConfig:
        """The conditions with ``***`` in the place of each secret; to be shown, not to be asked."""
        changed: dict[str, Any] = {}
        for key in ("any", "all"):
            if (parts := getattr(match, key)) is not None:
                changed[key] = [self.masked(part) for part in parts]
        if match.not_ is not None:
            changed["not_"] = self.masked(match.not_)
        if match.field is not None:
            changed["field"] = self._masked_fields(match.field)
        return match.model_copy(update=changed)

    def _masked_fields(self, conditions: Sequence[FieldMatch]) -> list[FieldMatch]:
        return [
            condition.model_copy(
                update={
                    key: [MASK] if key == "in_" else MASK
                    for key in _COMPARED
                    if getattr(condition, key) is not None
                }
            )
            if self.is_secret(condition)
            else condition
            for condition in conditions
        ]
