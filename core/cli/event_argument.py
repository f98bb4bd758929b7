"""An event that is given on the command line, as a JSON object."""

from __future__ import annotations

import typer

from logweir.integrations.log_lines import Parsed, parse_line

__all__ = ["parsed_event"]


def parsed_event(event: str, example: str) -> Parsed:
    """Read an event.

    Args:
        event: What was given.
        example: What to write instead, for the message.

    Raises:
        typer.BadParameter: It is no event.
    """
    try:
        parsed = parse_line(event.encode("utf-8", "surrogateescape"), "json")
    except ValueError as error:
        raise typer.BadParameter(f"{error}; {example}") from None
    if parsed is None:
        raise typer.BadParameter(f"the event is empty; {example}")
    return parsed
