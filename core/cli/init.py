"""``logweir init``: write a routing.yaml to begin with."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path
from typing import Annotated

import typer

from logweir.config.models import Strategy

__all__ = ["init"]


def init(
    strategy: Annotated[
        Strategy,
        typer.Option(
            help="V1: only what says so is audit; V2: rules find it; V3: errors are searched apart."
        ),
    ] = "hybrid",
    path: Annotated[Path, typer.Option(help="Where to write.")] = Path("routing.yaml"),
    force: Annotated[bool, typer.Option("--force", help="Overwrite a file that is there.")] = False,
) -> None:
    """Write a commented routing.yaml that runs with no server."""
    template = files("logweir.config").joinpath("template.yaml").read_text(encoding="utf-8")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("w" if force else "x", encoding="utf-8") as file:
            file.write(template.replace("{strategy}", strategy))
    except FileExistsError:
        raise typer.BadParameter(
            f"{path} is there already; write elsewhere with --path, or add --force"
        ) from None
    except OSError as error:
        raise typer.BadParameter(
            f"{path} cannot be written: {error.strerror}; choose another --path"
        ) from None
    typer.echo(f"{path} written (strategy {strategy}); next: logweir check -c {path}")
