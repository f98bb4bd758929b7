"""Where a processor stands in a structlog chain of the user's own, and what the logger behind it takes.

structlog does not pass its processors the chain that they are in. Its bound logger, which walks the chain, is
found on the stack.
"""

from __future__ import annotations

import inspect
import logging
import sys
from collections.abc import Mapping
from typing import Any

__all__ = ["Routing", "is_last", "routed_by_its_chain", "takes"]

#: The modules between a logger's method and a handler of ours.
_BETWEEN = frozenset({"logging", "logweir.integrations.stdlib", __name__})

#: What a logger's method needs by keyword, and what it may get (None: anything); None for one that cannot be
#: called with keywords alone. By the logger's class and the method's name.
_Accepted = tuple[frozenset[str], frozenset[str] | None] | None
_accepted: dict[tuple[type, str], _Accepted] = {}
_MOST = 1024
_OF_LOGGING: _Accepted = (
    frozenset({"msg"}),
    frozenset({"msg", "exc_info", "extra", "stack_info", "stacklevel"}),
)


class Routing:
    """A processor that routes what passes it."""


def is_last(processor: object) -> bool:
    """Whether the processor that asks is the last one of the chain of a bound logger.

    It is not inside of structlog's ``ProcessorFormatter`` or of a function of the user's, where somebody else
    makes use of its answer.
    """
    walker = sys._getframe(2).f_locals.get("self")  # noqa: SLF001 - nothing else knows the chain
    chain: Any = getattr(walker, "_processors", None) or [None]
    return chain[-1] is processor


def routed_by_its_chain() -> bool:
    """Whether the record that is handled comes from a chain whose own processor has routed the event."""
    frame = sys._getframe(1)  # noqa: SLF001 - the record does not say who has made it
    while frame.f_globals.get("__name__") in _BETWEEN and frame.f_back is not None:
        frame = frame.f_back
    # What is logged by anything else on the way, such as by a processor, is another record.
    if frame.f_code.co_name != "_proxy_to_logger":
        return False
    chain = getattr(frame.f_locals.get("self"), "_processors", ())
    return any(isinstance(each, Routing) for each in chain)


def takes(logger: Any, method_name: str, arguments: Mapping[str, Any]) -> bool:
    """Whether a logger's method can be called with these arguments by keyword, as structlog would do."""
    key = type(logger), method_name
    try:
        accepted = _accepted[key]
    except KeyError:
        if len(_accepted) >= _MOST:
            _accepted.clear()
        accepted = _accepted[key] = _inspected(logger, method_name)
    if accepted is None:
        return False
    needed, known = accepted
    return needed <= arguments.keys() and (known is None or arguments.keys() <= known)


def _inspected(logger: Any, method_name: str) -> _Accepted:
    if isinstance(logger, logging.Logger | logging.LoggerAdapter):
        return _OF_LOGGING  # the signature of its methods hides what the method behind them refuses
    try:
        parameters = inspect.signature(getattr(logger, method_name)).parameters.values()
    except (AttributeError, TypeError, ValueError):
        return None
    open_ended = any(each.kind is each.VAR_KEYWORD for each in parameters)
    named = [each for each in parameters if each.kind not in {each.VAR_KEYWORD, each.VAR_POSITIONAL}]
    needed = [each for each in named if each.default is each.empty]
    if any(each.kind is each.POSITIONAL_ONLY for each in needed):
        return None
    names = frozenset(each.name for each in named if each.kind is not each.POSITIONAL_ONLY)
    return frozenset(each.name for each in needed), None if open_ended else names
