"""``logweir init``: write a routing.yaml to begin with, and its JSON Schema for editors."""

from __future__ import annotations

import json
from importlib.resources import files
from pathlib import Path
from typing import Annotated

import typer

from logweir.cli.schema import readable_types
from logweir.config.models import Strategy
from logweir.config.schema import json_schema

__all__ = ["init"]

_SCHEMA = "routing.schema.json"


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
    """Write a commented routing.yaml that runs with no server, and its JSON Schema for editors."""
    template = files("logweir.config").joinpath("template.yaml").read_text(encoding="utf-8")
    schema = path.parent / _SCHEMA
    _write(path, template.replace("{strategy}", strategy).replace("{schema}", _SCHEMA), force=force)
    typer.echo(f"{path} written (strategy {strategy}); next: logweir check -c {path}")
    # What is there may be a newer one, or be shared with other files.
    if force or not schema.exists():
        _write(schema, json.dumps(json_schema(readable_types()), indent=2) + "\n", force=True)
        typer.echo(f"{schema} written, for editors; after an upgrade: logweir schema > {schema}")


def _write(path: Path, text: str, *, force: bool) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("w" if force else "x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        raise typer.BadParameter(
            f"{path} is there already; write elsewhere with --path, or add --force"
        ) from None
    except OSError as error:
        raise typer.BadParameter(
            f"{path} cannot be written: {error.strerror}; choose another --path"
        ) from None
