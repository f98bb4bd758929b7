"""``logweir test``: whether routing.yaml does with events what its tests expect of it."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from logweir.cli.junit import junit_xml
from logweir.cli.route_checks import CaseResult, check_cases, has_labels
from logweir.cli.screen import Screen
from logweir.config.loading import load_config
from logweir.config.route_tests import TestFile, load_route_tests
from logweir.encoding.one_line import on_one_line

__all__ = ["check_routes"]

_FAILED = 1
_STYLES = {"-": "red", "+": "yellow", " ": ""}


def check_routes(
    files: Annotated[
        list[Path] | None, typer.Argument(help="Files of cases; routes.test.yaml by default.")
    ] = None,
    config: Annotated[
        str | None,
        typer.Option("-c", "--config", help="The routing file, instead of the one that the cases name."),
    ] = None,
    junit: Annotated[
        Path | None, typer.Option("--junit", help="Write the results as JUnit XML, too.")
    ] = None,
) -> None:
    """Test the routes: what becomes of given events, beside what is expected; nothing is stored."""
    read = [load_route_tests(path) for path in files or [Path("routes.test.yaml")]]
    results = {file.path: _checked(file, config) for file in read}
    console = Screen(highlight=False, soft_wrap=True)
    reports = {}
    for path, cases in results.items():
        for case in cases:
            report = Text("\n").join(_report(path, case))
            console.print(report)
            reports[path, case.name] = report.plain
    if junit is not None:
        _write(junit, junit_xml(results, reports))
    total = sum(len(cases) for cases in results.values())
    failed = sum(bool(case.failures) for cases in results.values() for case in cases)
    console.print(Text(f"{total - failed} passed, {failed} failed", style="red" if failed else "green"))
    if failed:
        raise typer.Exit(_FAILED)


def _checked(file: TestFile, config: str | None) -> list[CaseResult]:
    with _environment(file.tests.environment):
        settings = load_config(config or file.config)
    file.require(settings, lambda sink: has_labels(sink, settings))
    return list(check_cases(file, settings))


@contextmanager
def _environment(variables: Mapping[str, str]) -> Iterator[None]:
    """Let a routing file find these variables."""
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def _report(path: Path, case: CaseResult) -> Iterator[Text]:
    """What is said about a case: one line, and if it failed the differences, each with its place."""
    word, style = ("FAILED", "bold red") if case.failures else ("passed", "green")
    yield Text(f"{word} ", style=style).append(on_one_line(case.name), style="default not bold")
    for failure in case.failures:
        yield Text(f"  {path}:{failure.line}: {on_one_line(failure.what)}: not as expected")
        for line in failure.diff:
            yield Text(f"    {on_one_line(line)}", style=_STYLES[line[0]])
        for reason in failure.why:
            yield Text(f"    {on_one_line(reason)}", style="dim")


def _write(path: Path, content: bytes) -> None:
    try:
        path.write_bytes(content)
    except OSError as error:
        raise typer.BadParameter(
            f"{path} cannot be written: {error.strerror}; choose another --junit"
        ) from None
