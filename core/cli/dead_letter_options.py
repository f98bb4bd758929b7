"""The options by which the ``dlq`` commands choose dead letters, said once for all of them."""

from __future__ import annotations

import inspect
import time
from collections.abc import Callable
from datetime import UTC, datetime
from functools import wraps
from typing import Annotated, Any

import typer

from logweir.delivery.dead_letters import Selection
from logweir.settings.units import parse_duration

__all__ = ["LINES", "JsonOption", "LimitOption", "with_selection"]

#: How unreadable lines, which have no sink, are named.
LINES = "-"

JsonOption = Annotated[bool, typer.Option("--json", help="Answer in JSON, one object to a line.")]
LimitOption = Annotated[int | None, typer.Option("--limit", help="At most so many, the oldest first.", min=1)]


def with_selection(*, ids: bool) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Give a command the options that choose letters; it gets what they mean as its ``selection``.

    Args:
        ids: Whether letters may also be named by their ids.
    """

    def decorated(command: Callable[..., None]) -> Callable[..., None]:
        options = dict(inspect.signature(_selection, eval_str=True).parameters)
        if not ids:
            del options["ids"]
        own = dict(inspect.signature(command, eval_str=True).parameters)
        del own["selection"]

        @wraps(command)
        def run(**values: Any) -> None:
            selection = _selection(**{name: values.pop(name) for name in options})
            command(selection=selection, **values)

        # Typer makes options out of a signature, and of the annotations where it is an old one.
        parameters = [
            parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY)
            for parameter in (*options.values(), *own.values())
        ]
        run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
        run.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
        return run

    return decorated


def _selection(
    ids: Annotated[
        list[str] | None, typer.Argument(metavar="[ID]...", help="Letters, or events for all their letters.")
    ] = None,
    sink: Annotated[
        str | None, typer.Option("--sink", help=f"Of this sink; {LINES} for unreadable lines.")
    ] = None,
    reason: Annotated[
        str | None, typer.Option("--reason", help="Whose reason contains this or, with * or ?, matches it.")
    ] = None,
    since: Annotated[
        str | None, typer.Option("--since", help="Dead since then: a time (UTC), or 2h ago.")
    ] = None,
    until: Annotated[str | None, typer.Option("--until", help="Dead before then.")] = None,
    older_than: Annotated[
        str | None, typer.Option("--older-than", help="Dead for longer than this: 7d.")
    ] = None,
) -> Selection:
    """The selection that the options describe.

    Raises:
        typer.BadParameter: A time cannot be read.
    """
    if until is not None and older_than is not None:
        raise typer.BadParameter("--until and --older-than say the same thing; give one of them")
    before = None
    if until is not None:
        before = _moment("--until", until)
    elif older_than is not None:
        before = _ago("--older-than", older_than)
    return Selection(
        ids=tuple(ids or ()),
        sink="" if sink == LINES else sink,
        reason=reason,
        since=None if since is None else _moment("--since", since),
        until=before,
    )


def _moment(option: str, text: str) -> int:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return _ago(option, text, "a time such as 2026-11-25T10:00 (UTC) or ")
    return int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() * 1e9)


def _ago(option: str, text: str, also: str = "") -> int:
    try:
        seconds = parse_duration(text)
    except ValueError:
        raise typer.BadParameter(
            f"{option} {text!r} is not understood; write {also}a duration such as 2h or 7d"
        ) from None
    return time.time_ns() - int(seconds * 1e9)
