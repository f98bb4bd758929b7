"""``logweir archive`` and ``logweir restore``: old events to Parquet and out of the sink, and back."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Any
from urllib.parse import urlsplit

import typer
from pydantic import Secret, ValidationError
from rich.console import Console
from rich.text import Text

from logweir.cli.options import ROUTING_FILE, ConfigOption
from logweir.cli.progress import ReportProgress, progress_bar
from logweir.cli.sinks import require_sink
from logweir.cli.times import MOMENT_HELP, moment
from logweir.config.loading import load_config
from logweir.config.models import RoutingConfig
from logweir.encoding.counted import counted
from logweir.encoding.one_line import on_one_line
from logweir.errors import LogweirError
from logweir.event import Kind
from logweir.settings.retention import RetentionConfig
from logweir.stores.archive import retention
from logweir.stores.archive.journal import Busy
from logweir.stores.archive.progress import Progress, Summary
from logweir.stores.archive.restoring import restore as restore_into
from logweir.stores.archive.storage import Storage
from logweir.stores.reading import opened

__all__ = ["archive", "restore"]


def archive(
    sink: Annotated[str | None, typer.Option(help="The sink that old events leave.")] = None,
    older_than: Annotated[
        str | None, typer.Option(help="The age at which they leave, such as 90d; whole UTC days.")
    ] = None,
    to: Annotated[
        str | None, typer.Option(help="A folder or URL for the Parquet files, such as s3://bucket/audit.")
    ] = None,
    kind: Annotated[Kind | None, typer.Option(help="Only events of this kind.")] = None,
    due: Annotated[
        bool, typer.Option("--due", help="Do the retention rules of routing.yaml that are due; for cron.")
    ] = False,
    config: ConfigOption = ROUTING_FILE,
) -> None:
    """Archive old events as Parquet, verified before they are deleted from the sink.

    What is not given is taken from the sink's retention rule in routing.yaml.
    """
    _keep_memory_small()
    settings = load_config(config)
    if due and (older_than or to or kind):
        raise typer.BadParameter("--due does what routing.yaml says; leave out the other options")
    if sink is not None:
        require_sink(sink, settings)
    now = datetime.now(UTC)
    if due:
        chosen = [job for job in retention.due_jobs(settings, now) if sink in {None, job.sink}]
        if not chosen:
            typer.echo("nothing is due")
    else:
        chosen = [_job(settings, sink, older_than, to, kind)]
    outcomes = [_do(settings, job, now, patient=due) for job in chosen]
    if not all(outcomes):
        raise typer.Exit(1)


def restore(
    source: Annotated[str, typer.Option("--from", help="The archive, or one sink's folder in it.")],
    to: Annotated[str, typer.Option(help="The sink that the events go into.")],
    since: Annotated[str | None, typer.Option(help=f"Only events not before: {MOMENT_HELP}.")] = None,
    until: Annotated[str | None, typer.Option(help=f"Only events before: {MOMENT_HELP}.")] = None,
    config: ConfigOption = ROUTING_FILE,
) -> None:
    """Put archived events back into a sink; what it has already is left alone."""
    _keep_memory_small()
    settings = load_config(config)
    require_sink(to, settings)
    start, end = moment(since), moment(until)
    storage = Storage(source, _options(settings, source))

    async def work(report: ReportProgress) -> Summary:
        async with opened(to, settings) as target:
            return await restore_into(
                storage, target, since=start, until=end, progress=_progress(report, "restored")
            )

    with progress_bar() as report:
        summary = asyncio.run(work(report))
    typer.echo(
        f"{to}: {counted(summary.restored, 'row')} restored, {summary.present:,} there already, "
        f"from {counted(summary.files, 'file')} of {counted(summary.days, 'day')}"
    )
    if not _without_problems(summary):
        raise typer.Exit(1)


def _keep_memory_small() -> None:
    """Let Arrow give back what it has freed: its own allocator keeps 30 MB. It asks when it is imported."""
    os.environ.setdefault("ARROW_DEFAULT_MEMORY_POOL", "system")


def _job(
    config: RoutingConfig, sink: str | None, older_than: str | None, to: str | None, kind: Kind | None
) -> retention.Job:
    """What the command line asks for, completed from the sink's rule."""
    if sink is None:
        raise typer.BadParameter("name the sink with --sink, or do what is due with --due")
    rules = [rule for rule in config.sinks[sink].retention or () if kind in {None, rule.kind}]
    rule = rules[0] if len(rules) == 1 else None
    if older_than is None and rule is None:
        raise typer.BadParameter("say how old with --older-than, such as --older-than 90d")
    target = to or (rule.archive if rule else None)
    if target is None:
        raise typer.BadParameter("say where to with --to, such as --to s3://bucket/audit")
    try:
        wanted = RetentionConfig.model_validate(
            {
                "after": older_than or f"{rule.after if rule else 0}s",
                "archive": target,
                "options": _options(config, target),
                "kind": kind or (rule.kind if rule else None),
            }
        )
    except ValidationError as error:
        raise typer.BadParameter("; ".join(_reasons(error))) from None
    return retention.Job(sink, wanted)


def _reasons(error: ValidationError) -> list[str]:
    options = {"after": "--older-than", "archive": "--to"}
    problems = error.errors(include_url=False, include_input=False)
    return [
        f"{options.get(str(problem['loc'][0]), 'retention')}: {problem['msg'].removeprefix('Value error, ')}"
        for problem in problems
    ]


def _options(config: RoutingConfig, url: str) -> Mapping[str, Secret[Any]]:
    """The options of a retention rule whose archive is in the same place (bucket, host)."""
    try:
        wanted = urlsplit(url)[:2]
    except ValueError:  # it is refused where it is opened, without what it holds
        return {}
    for settings in config.sinks.values():
        for rule in settings.retention or ():
            if rule.archive is not None and urlsplit(rule.archive)[:2] == wanted:
                return rule.options
    return {}


def _do(config: RoutingConfig, job: retention.Job, now: datetime, *, patient: bool) -> bool:
    """Do one rule and say what was done; whether all went well."""
    try:
        with progress_bar() as report:
            shown = "archived" if job.rule.archive else "deleted"
            summary = asyncio.run(retention.apply(config, job, now, _progress(report, shown)))
    except Busy as error:
        typer.echo(str(error), err=True)
        return patient
    except LogweirError as error:
        if not patient:
            raise
        _report_problem(f"sink {job.sink!r}: {error}")
        return False
    if job.rule.archive is None:
        typer.echo(f"{job.sink}: {counted(summary.deleted, 'row')} deleted")
    else:
        typer.echo(
            f"{job.sink}: {counted(summary.archived, 'row')} of {counted(summary.days, 'day')} archived in "
            f"{counted(summary.files, 'file')} at {job.rule.archive}, "
            f"{counted(summary.deleted, 'row')} deleted"
        )
    return _without_problems(summary)


def _progress(report: ReportProgress, shown: str) -> Progress:
    return Progress(
        lambda what, share, summary: report(
            what, share, f"{getattr(summary, shown):,} {shown}, {summary.deleted:,} deleted"
        )
    )


def _without_problems(summary: Summary) -> bool:
    for problem in summary.problems:
        _report_problem(problem)
    return not summary.problems


def _report_problem(problem: str) -> None:
    text = Text("problem: ", style="bold red").append(on_one_line(problem), style="default not bold")
    Console(stderr=True, soft_wrap=True, highlight=False).print(text)
