"""``logweir bench``: measure every backend under one workload, compare runs, and choose."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.text import Text

from logweir.benchmarks.suite import markdown, page, recommend, routing_file, runner, terminal
from logweir.benchmarks.suite.advice import show_recommendation
from logweir.benchmarks.suite.natives import Spec, known_types
from logweir.benchmarks.suite.needs import Needs, load_needs
from logweir.benchmarks.suite.profiles import PROFILES
from logweir.benchmarks.suite.results import Results
from logweir.benchmarks.suite.rivals import LOOPBACK, rival_types
from logweir.benchmarks.suite.rivals.match import play_all
from logweir.cli.screen import Screen

__all__ = ["bench"]

bench = typer.Typer(
    no_args_is_help=True, add_completion=False, help="Measure backends under your load, and choose one."
)

_EMBEDDED = ("sqlite", "file")
_Folder = Annotated[Path, typer.Option("--folder", help="Where the run keeps its files.")]
_DEFAULT_FOLDER = Path("bench-results")


@bench.command("run")
def run(
    backend: Annotated[
        list[str] | None,
        typer.Option(help="A server to measure too: [NAME:]TYPE=URL, such as loki=http://localhost:3100."),
    ] = None,
    profile: Annotated[str, typer.Option(help=f"How much: {', '.join(PROFILES)}.")] = "small",
    events: Annotated[
        Path | None, typer.Option(help="JSON lines of your own to take instead of made-up events.")
    ] = None,
    folder: _Folder = _DEFAULT_FOLDER,
    embedded: Annotated[bool, typer.Option(help="Whether to measure SQLite and files.")] = True,
    seed: Annotated[int, typer.Option(help="Of everything that is drawn.")] = 7,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with the run in the folder.")] = False,
) -> None:
    """Measure backends: the embedded ones always, servers by their URL."""
    _check_profile(profile)
    specs = [Spec(name, name, "", folder / "stores") for name in _EMBEDDED if embedded]
    specs += [_spec(text, folder / "stores", known_types()) for text in backend or []]
    if not specs:
        raise typer.BadParameter("nothing to measure; leave out --no-embedded, or give --backend")
    (folder / "stores").mkdir(parents=True, exist_ok=True)
    if resume:
        measuring = runner.resume(folder, specs)
    else:
        measuring = runner.begin(folder, specs, PROFILES[profile], events=events, seed=seed)
    console = Screen()
    _show_run(_go(measuring, console), folder, console)


def _check_profile(name: str) -> None:
    if name not in PROFILES:
        raise typer.BadParameter(f"there is no profile {name!r}; there are {', '.join(PROFILES)}")


def _show_run(results: Results, folder: Path, console: Console) -> None:
    """Show what was measured, write its page, and fail if something failed."""
    _write_page(results, folder / "report.html")
    terminal.show(results, console)
    console.print(Text(f"{folder / 'results.json'} and {folder / 'report.html'} hold the whole of it."))
    if any(entry.failed for entry in results.not_run):
        raise typer.Exit(1)


def _go(measuring: runner.Run, console: Console) -> Results:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
        task = progress.add_task("", total=None)

        def show(done: int, total: int, what: str) -> None:
            progress.update(task, completed=done, total=total, description=what)

        return asyncio.run(measuring.go(show))


def _spec(text: str, folder: Path, known: Sequence[str]) -> Spec:
    name_and_type, separator, url = text.partition("=")
    name, _, kind = name_and_type.rpartition(":")
    if not separator or not url:
        raise typer.BadParameter(f"{text!r} is no backend; write [NAME:]TYPE=URL")
    if kind not in known:
        raise typer.BadParameter(f"{kind!r} cannot be measured; there are {', '.join(known)}")
    return Spec(name or kind, kind, url, folder)


@bench.command("rivals")
def rivals(
    backend: Annotated[
        list[str] | None,
        typer.Option(help="A server to play on too: [NAME:]TYPE=URL, such as loki=http://localhost:3100."),
    ] = None,
    profile: Annotated[str, typer.Option(help=f"How much: {', '.join(PROFILES)}.")] = "small",
    events: Annotated[
        int | None, typer.Option(min=1, help="Events in a turn, instead of the profile's.")
    ] = None,
    folder: _Folder = Path("bench-rivals"),
    embedded: Annotated[bool, typer.Option(help="Whether to play on SQLite, files and loopback.")] = True,
    seed: Annotated[int, typer.Option(help="Of everything that is drawn.")] = 7,
) -> None:
    """Measure logweir beside its rivals: the same events into the same stores, counted there."""
    _check_profile(profile)
    stores = folder / "stores"
    specs = [Spec(name, name, "", stores) for name in (*_EMBEDDED, LOOPBACK) if embedded]
    specs += [_spec(text, stores, rival_types()) for text in backend or []]
    if not specs:
        raise typer.BadParameter("nothing to measure; leave out --no-embedded, or give --backend")
    stores.mkdir(parents=True, exist_ok=True)
    console = Screen()
    with console.status("") as status:
        match = play_all(folder, specs, PROFILES[profile], events=events, seed=seed, progress=status.update)
        results = asyncio.run(match)
    _show_run(results, folder, console)


@bench.command("report")
def report(
    folder: _Folder = _DEFAULT_FOLDER,
    text: Annotated[Path | None, typer.Option("--markdown", help="Also write it as Markdown.")] = None,
) -> None:
    """Show a run, and write its page anew."""
    results = Results.load(folder / "results.json")
    _write_page(results, folder / "report.html")
    if text is not None:
        text.write_text(markdown.render(results, text.with_suffix(".json").name), encoding="utf-8")
    terminal.show(results, Screen())


@bench.command("compare")
def compare(
    before: Annotated[Path, typer.Argument(help="The folder, or results.json, of a run.")],
    after: Annotated[Path, typer.Argument(help="Of another run.")],
) -> None:
    """Compare two runs, row by row."""
    terminal.show_comparison(_load(before), _load(after), Screen())


@bench.command("recommend")
def recommend_backends(
    needs: Annotated[Path | None, typer.Option(help="A YAML file of needs; its defaults are shown.")] = None,
    folder: _Folder = _DEFAULT_FOLDER,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="Where to write a routing.yaml that follows it.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Overwrite the output.")] = False,
) -> None:
    """Rank the measured backends for audit and for tracing, and write a routing.yaml."""
    results = _load(folder)
    wanted = load_needs(needs) if needs else Needs()
    recommendations = recommend.recommend(wanted, results)
    console = Screen(highlight=False)
    for item in recommendations:
        show_recommendation(item, console)
    if output is not None:
        if output.exists() and not force:
            raise typer.BadParameter(f"{output} exists; say --force to overwrite it")
        output.write_text(routing_file.routing_yaml(recommendations, results), encoding="utf-8")
        console.print(Text(f"{output} is written; `logweir check -c {output}` asks its sinks."))


def _load(path: Path) -> Results:
    return Results.load(path / "results.json" if path.is_dir() else path)


def _write_page(results: Results, path: Path) -> None:
    path.write_text(page.render(results), encoding="utf-8")
