"""``logweir bench``: measure every backend under one workload, compare runs, and choose."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.text import Text

from logweir.benchmarks.suite import markdown, merging, page, recommend, routing_file, runner, terminal
from logweir.benchmarks.suite.advice import show_recommendation
from logweir.benchmarks.suite.natives import Spec, known_types
from logweir.benchmarks.suite.needs import Needs, load_needs
from logweir.benchmarks.suite.profiles import PROFILES, Profile
from logweir.benchmarks.suite.results import Limits, Results
from logweir.benchmarks.suite.rivals import LOOPBACK, rival_types
from logweir.benchmarks.suite.rivals.match import play_all
from logweir.cli.bench_options import command_line, spec_of, with_details
from logweir.cli.bench_progress import RunProgress, run_to_the_end
from logweir.cli.screen import Screen
from logweir.errors import LogweirError
from logweir.settings.suggestions import no_such

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
        typer.Option(help="A server to measure too: [NAME:]TYPE=URL, such as loki=http://db:3100."),
    ] = None,
    profile: Annotated[str, typer.Option(help=f"How much: {', '.join(PROFILES)}.")] = "small",
    events: Annotated[
        Path | None, typer.Option(help="JSON lines of your own to take instead of made-up events.")
    ] = None,
    folder: _Folder = _DEFAULT_FOLDER,
    embedded: Annotated[bool, typer.Option(help="Whether to measure SQLite and files.")] = True,
    seed: Annotated[int, typer.Option(help="Of everything that is drawn.")] = 7,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with the run in the folder.")] = False,
    data: Annotated[
        list[str] | None,
        typer.Option(help="NAME=FOLDER: a server's data, whose page cache is dropped before cold questions."),
    ] = None,
    restart: Annotated[
        list[str] | None,
        typer.Option(help="NAME=COMMAND: starts a server again before cold questions; returns when it runs."),
    ] = None,
    partitions: Annotated[
        int, typer.Option(min=0, help="Measure each mysql by a table of so many partitions as well.")
    ] = 0,
    max_minutes: Annotated[float, typer.Option(min=0, help="For each store; 0 for no limit.")] = 0.0,
    max_gb: Annotated[float, typer.Option(min=0, help="Size of each growing store; 0 for no limit.")] = 0.0,
    up_to: Annotated[
        int | None, typer.Option(min=1, help="End at the profile's largest volume up to so many events.")
    ] = None,
    note: Annotated[str, typer.Option(help="What is to be said of this run in its results.")] = "",
) -> None:
    """Measure backends: the embedded ones always, servers by their URL."""
    chosen = _profile(profile, up_to)
    stores = (folder / "stores").absolute()
    specs = [Spec(name, name, "", stores) for name in _EMBEDDED if embedded]
    specs += [spec_of(text, stores, known_types()) for text in backend or []]
    if not specs:
        raise typer.BadParameter("nothing to measure; leave out --no-embedded, or give --backend")
    specs = with_details(specs, data or [], restart or [], partitions)
    stores.mkdir(parents=True, exist_ok=True)
    limits = Limits(minutes=max_minutes, gigabytes=max_gb)
    if resume:
        measuring = runner.resume(folder, specs, limits=limits, up_to=up_to)
    else:
        measuring = runner.begin(
            *(folder, specs, chosen),
            events=events, seed=seed, command=command_line(), note=note, limits=limits,
        )  # fmt: skip
    console = Screen()
    _show_run(_go(measuring, console), folder, console)


#: Those that say how many events a rival gets in a turn; the others grow stores.
_OF_RIVALS = [name for name, profile in PROFILES.items() if not profile.growth]


def _profile(name: str, up_to: int | None) -> Profile:
    _check_profile(name, PROFILES)
    with _wrong_input():
        return PROFILES[name] if up_to is None else PROFILES[name].up_to(up_to)


def _check_profile(name: str, known: Collection[str]) -> None:
    if name not in known:
        raise typer.BadParameter(no_such("profile", name, known))


def _show_run(results: Results, folder: Path, console: Console) -> None:
    """Show what was measured, write its page, and fail if something failed."""
    _write_page(results, folder / "report.html")
    terminal.show(results, console)
    console.print(Text(f"{folder / 'results.json'} and {folder / 'report.html'} hold the whole of it."))
    if any(entry.failed for entry in results.not_run):
        raise typer.Exit(1)


def _go(measuring: runner.Run, console: Console) -> Results:
    with RunProgress(console) as progress:
        measuring.on_progress = progress.note
        return run_to_the_end(measuring.go(progress.step), console)


@bench.command("rivals")
def rivals(
    backend: Annotated[
        list[str] | None,
        typer.Option(help="A server to play on too: [NAME:]TYPE=URL, such as loki=http://db:3100."),
    ] = None,
    profile: Annotated[str, typer.Option(help=f"How much: {', '.join(_OF_RIVALS)}.")] = "small",
    events: Annotated[
        int | None, typer.Option(min=1, help="Events in a turn, instead of the profile's.")
    ] = None,
    folder: _Folder = Path("bench-rivals"),
    embedded: Annotated[bool, typer.Option(help="Whether to play on SQLite, files and loopback.")] = True,
    seed: Annotated[int, typer.Option(help="Of everything that is drawn.")] = 7,
) -> None:
    """Measure logweir beside its rivals: the same events into the same stores, counted there."""
    _check_profile(profile, _OF_RIVALS)
    stores = folder / "stores"
    specs = [Spec(name, name, "", stores) for name in (*_EMBEDDED, LOOPBACK) if embedded]
    specs += [spec_of(text, stores, rival_types()) for text in backend or []]
    if not specs:
        raise typer.BadParameter("nothing to measure; leave out --no-embedded, or give --backend")
    stores.mkdir(parents=True, exist_ok=True)
    console = Screen()
    with console.status("") as status:

        def show(what: str) -> None:
            status.update(what)
            if not console.is_terminal:
                typer.echo(what, err=True)

        match = play_all(folder, specs, PROFILES[profile], events=events, seed=seed, progress=show)
        results = asyncio.run(match)
    _show_run(results, folder, console)


@bench.command("report")
def report(
    runs: Annotated[
        list[Path] | None,
        typer.Argument(help="Folders, or results.json, of runs to show as one; by default that of --folder."),
    ] = None,
    folder: _Folder = _DEFAULT_FOLDER,
    text: Annotated[Path | None, typer.Option("--markdown", help="Also write it as Markdown.")] = None,
) -> None:
    """Show a run, or several as one, and write the page anew into the folder."""
    results = merging.merge([_load(path) for path in runs or [folder]])
    folder.mkdir(parents=True, exist_ok=True)
    _write_page(results, folder / "report.html")
    if text is not None:
        text.write_text(markdown.render(results, text.with_suffix(".json").name), encoding="utf-8")
    terminal.show(results, Screen())


@bench.command("merge")
def merge(
    runs: Annotated[list[Path], typer.Argument(help="The folders, or results.json, of two or more runs.")],
    output: Annotated[Path, typer.Option("-o", "--output", help="Where to write the results.")],
    force: Annotated[bool, typer.Option("--force", help="Overwrite the output.")] = False,
) -> None:
    """Make one results file of several runs: of other backends, other volumes, or the same again."""
    if len(runs) == 1:
        raise typer.BadParameter("there is nothing to merge; name two runs or more")
    if output.exists() and not force:
        raise typer.BadParameter(f"{output} exists; say --force to overwrite it")
    results = merging.merge([_load(path) for path in runs])
    results.save(output)
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
    wanted = _load_needs(needs) if needs else Needs()
    recommendations = recommend.recommend(wanted, results)
    console = Screen(highlight=False)
    for item in recommendations:
        show_recommendation(item, console)
    if output is not None:
        if output.exists() and not force:
            raise typer.BadParameter(f"{output} exists; say --force to overwrite it")
        output.write_text(routing_file.routing_yaml(recommendations, results), encoding="utf-8")
        console.print(Text(f"{output} is written; `logweir check -c {output}` asks its sinks."))


@contextmanager
def _wrong_input() -> Iterator[None]:
    """What the block finds wrong is wrong input: a profile, a file that is missing or none of its kind."""
    try:
        yield
    except LogweirError as error:
        raise typer.BadParameter(str(error)) from None


def _load(path: Path) -> Results:
    with _wrong_input():
        return Results.load(path / "results.json" if path.is_dir() else path)


def _load_needs(path: Path) -> Needs:
    with _wrong_input():
        return load_needs(path)


def _write_page(results: Results, path: Path) -> None:
    path.write_text(page.render(results), encoding="utf-8")
