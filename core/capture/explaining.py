"""Which secrets an event has, where, and by which rule each is masked: a walk that remembers where it is."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Literal

from logweir.capture.known_names import Known
from logweir.capture.walk import NO_FIELDS, Walk
from logweir.config.models import LimitsConfig
from logweir.redaction.names import Secrecy
from logweir.redaction.paths import PathNode
from logweir.redaction.redactor import Redactor
from logweir.redaction.scan import Masked

__all__ = ["ExplainingWalk"]


class ExplainingWalk(Walk):
    """A walk that notes each secret it masks.

    Args:
        redactor: Knows what is secret.
        limits: How large an event may be.
        event: The event's fields.
        place: Where the walk begins, such as ``event``.

    Attributes:
        masked: What was masked so far, each place and rule once.
    """

    def __init__(
        self,
        redactor: Redactor,
        limits: LimitsConfig,
        event: Mapping[Any, Any] = NO_FIELDS,
        place: Iterable[str] = (),
    ) -> None:
        super().__init__(redactor, limits, Known(), event, redactor.scan(self._found))
        self._node: PathNode | None = _Tracked(redactor.paths)
        self._trail = list(place)
        self.masked: list[Masked] = []

    def _found(self, rule: str) -> None:
        place = Masked("".join(self._trail).removeprefix("."), rule)
        if place not in self.masked:  # a text that is cut is searched twice
            self.masked.append(place)

    def _placed(
        self, target: dict[str, Any], name: str, value: object, judged: tuple[Secrecy, str], depth: int
    ) -> None:
        self._trail.append(f".{name}")
        try:
            super()._placed(target, name, value, judged, depth)
        finally:
            self._trail.pop()

    def _each(self, items: Sequence[Any]) -> Iterator[Any]:
        self._trail.append("")
        try:
            for index, item in enumerate(items):
                self._trail[-1] = f"[{index}]"
                yield item
        finally:
            self._trail.pop()


class _Tracked:
    """A place in an event, whether something is said about it or not."""

    def __init__(self, node: PathNode | None) -> None:
        self._node = node

    @property
    def verdict(self) -> Literal["keep"] | Callable[[Any], Any] | None:
        return None if self._node is None else self._node.verdict

    def child(self, name: str) -> _Tracked:
        return _Tracked(None if self._node is None else self._node.child(name))
