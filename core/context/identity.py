"""Identity: what a unit of work, such as a request, is known by, whatever happens inside it.

It outlives structlog's ``clear_contextvars()``, which applications call at the beginning of a request, and it
goes with an error that leaves the unit, so that whoever logs the error outside logs where it comes from.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from structlog.contextvars import get_contextvars

if TYPE_CHECKING:
    from logweir.context.trace import TraceParent

__all__ = ["Origin", "bound_values", "identity", "mark_error", "origin_of"]

_NOTHING: Mapping[str, Any] = {}
#: Under a name that structlog does not clear. What is bound under the same names wins.
identity: ContextVar[Mapping[str, Any]] = ContextVar("logweir_identity", default=_NOTHING)

_ORIGIN = "__logweir_origin__"


def bound_values() -> dict[str, Any]:
    """What events carry here: what is bound, and of the identity what was cleared."""
    return {**identity.get(), **get_contextvars()}


@dataclass(frozen=True, slots=True)
class Origin:
    """Where an error comes from.

    Attributes:
        trace: The trace and the span of the unit of work that it left.
        values: What that is known by.
        headers: What the answer to its request should have.
    """

    trace: TraceParent
    values: Mapping[str, Any]
    headers: Sequence[tuple[str, str]] = ()


def mark_error(error: BaseException, trace: TraceParent, headers: Sequence[tuple[str, str]] = ()) -> None:
    """Let an error say which unit of work it leaves; the last one counts, for errors are raised again."""
    with suppress(Exception):  # a class of the user's may refuse attributes
        error.__dict__[_ORIGIN] = Origin(trace, identity.get(), headers)


def origin_of(error: BaseException) -> Origin | None:
    """Return where an error comes from, if it has left a unit of work."""
    with suppress(Exception):
        origin = error.__dict__.get(_ORIGIN)
        return origin if type(origin) is Origin else None
    return None
