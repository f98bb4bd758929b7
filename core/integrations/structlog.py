"""structlog: the chain that logweir recommends, its loggers, and the processors for a chain of your own."""

from __future__ import annotations

from typing import Any

from logweir.event import LEVELS, known_level
from logweir.integrations.lazy_logger import LazyLogger, configure
from logweir.integrations.processors import ClassificationProcessor, RoutingProcessor

__all__ = ["ClassificationProcessor", "RoutingProcessor", "configure_structlog", "get_logger"]


def configure_structlog(*, min_level: int | str = "debug") -> None:
    """Configure structlog so that its loggers feed logweir.

    Args:
        min_level: The lowest level that is captured: its name, in either case (``warn`` too), or its number.
            Calls below it cost nearly nothing.

    Raises:
        ValueError: ``min_level`` is no level.
    """
    configure(_number(min_level))


def _number(level: int | str) -> int:
    text = level.strip().lower() if isinstance(level, str) else level
    if text == "notset":
        return 0
    known = known_level(text)
    if known is not None:
        return LEVELS[known]
    try:
        return int(text)  # such as 25, or "25" from an environment variable
    except (TypeError, ValueError, OverflowError):
        raise ValueError(
            f"min_level={level!r} is no level; write {', '.join(LEVELS)}, notset or a number"
        ) from None


def get_logger(name: str | None = None, **initial_values: Any) -> Any:
    """Return a structlog logger; ``name`` becomes the field ``logger``, which routes can match."""
    return LazyLogger(() if name is None else (name,), initial_values)
