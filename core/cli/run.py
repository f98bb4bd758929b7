"""``logweir run``: log lines in, routed events out.

Lines that cannot be read become dead letters with their file and number, and never stop the run. The
run waits for its sinks: where routing.yaml does not declare what a full queue does, it blocks. How far a file
is stored stands in a checkpoint: a run that was ended, by whatever, is simply begun again.
"""

from __future__ import annotations

import errno
import os
import resource
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)

from logweir.cli.interruption import Interruption, end_by
from logweir.cli.options import ROUTING_FILE, ConfigOption, checked_seconds
from logweir.cli.printable import printable
from logweir.cli.run_follow import Follower
from logweir.cli.run_inputs import Unreadable, open_file
from logweir.cli.run_job import work_as_job
from logweir.cli.run_jobs import Jobs
from logweir.cli.run_lines import LineReader
from logweir.cli.run_outcome import Outcome, rates, summary
from logweir.cli.run_plan import Plan, planned
from logweir.cli.run_process import Options, is_file, read_here, read_pieces
from logweir.cli.standard_input import standard_input
from logweir.config.loading import load_config
from logweir.errors import MissingDependency
from logweir.integrations.log_lines import LineFormat
from logweir.process.own_modules import command_of
from logweir.stores.checkpoints import Checkpoints

__all__ = ["run"]

#: Descriptors for all that is no input: sinks, queues, pipes between processes.
_OTHER_FILES = 512

_Files = Annotated[
    list[str] | None,
    typer.Argument(
        help="Files or named pipes of log lines, also compressed (gz, bz2, xz, zst) or in UTF-16; - is stdin."
    ),
]
_Format = Annotated[
    LineFormat | None,
    typer.Option(
        "--format",
        help="Who wrote the lines; by default `input.format` of routing.yaml, or `auto`, which recognises "
        "each line.",
    ),
]
_Follow = Annotated[
    bool, typer.Option("-f", "--follow", help="Go on with what is added to the files, until Ctrl-C.")
]
_FromStart = Annotated[
    bool, typer.Option("--from-start", help="Read files from their beginnings, whatever is stored.")
]
_Checkpoint = Annotated[
    Path | None,
    typer.Option(help="Directory of the checkpoints of files; by default `checkpoints` in data_dir."),
]
_JobsOption = Annotated[
    int,
    typer.Option(
        "--jobs", help="So many processes, which read files and ranges of files.", min=1, max=256, metavar="N"
    ),
]
_Timeout = Annotated[
    float, typer.Option(help="Seconds to wait for sinks that take nothing.", callback=checked_seconds)
]
_Ordered = Annotated[
    bool, typer.Option("--ordered", help="With --jobs, read each file by one process, in its order.")
]


def run(
    files: _Files = None,
    config: ConfigOption = ROUTING_FILE,
    line_format: _Format = None,
    timeout: _Timeout = 60.0,
    follow: _Follow = False,
    from_start: _FromStart = False,
    checkpoint: _Checkpoint = None,
    jobs: _JobsOption = 1,
    ordered: _Ordered = False,
    job: Annotated[int | None, typer.Option(hidden=True)] = None,
) -> None:
    """Route the lines of files (or stdin) to the sinks of routing.yaml.

    Begun again, it goes on in each file behind what is stored. A pipe has no checkpoint. Lines of pino, zap,
    ECS, CloudTrail, journald, nginx and many others are understood: see --format. With --jobs, several
    processes read, also ranges of one file.
    """
    settings = load_config(config)
    directory = checkpoint or settings.data_dir / "checkpoints"
    options = Options(line_format, timeout, from_start, follow, jobs)
    if job is not None:
        work_as_job(job, settings, directory, options)
        return
    if follow and jobs > 1:
        raise typer.BadParameter("files are followed by one process; leave --jobs out, or --follow")
    names = ["-" if _is_stdin(name) else name for name in files or ["-"]]
    _require_files(names, follow=follow)
    console = Console(stderr=True)
    if "-" in names and standard_input().isatty():
        console.print(
            "reading lines from this terminal, until Ctrl-D; name files to read those", soft_wrap=True
        )
    _allow(len(names))
    with Checkpoints(directory) as checkpoints, Interruption() as interruption:
        _claim(names, checkpoints, follow=follow)
        began, count, code = time.monotonic(), 1, 0
        if follow:
            outcome = read_here(
                settings, checkpoints, interruption, options, partial(_follow, names, interruption, console)
            )
        else:
            plan = planned(names, settings, checkpoints, options, ordered=ordered)
            count = min(jobs, max(len(plan.pieces), 1))
            with _progress(console, plan.size) as advance:
                if count > 1:
                    group = Jobs(_command(config, directory, options), count, interruption, advance)
                    outcome, code = group.run(plan.pieces), group.code
                else:
                    read = partial(_read_all, plan, interruption, advance)
                    outcome = read_here(settings, checkpoints, interruption, options, read)
            outcome = plan.ended(outcome)
    _finish(outcome, interruption.asked, console, rates(outcome, time.monotonic() - began, count), code)


def _follow(names: list[str], interruption: Interruption, console: Console, reader: LineReader) -> bool:
    """Read what is added to files until a signal comes."""
    Follower(reader, names, interruption, partial(_say, console)).run()
    return False  # there may be more


def _read_all(
    plan: Plan, interruption: Interruption, advance: Callable[[int], None], reader: LineReader
) -> bool:
    """Read everything in this process; whether it came to the end of the last."""
    pieces = deque(plan.pieces)
    return read_pieces(reader, lambda: pieces.popleft() if pieces else None, interruption, advance)


def _command(config: str, checkpoints: Path, options: Options) -> list[str]:
    """What starts one of several processes; a descriptor is still missing."""
    command = command_of("logweir", "run", "-c", config, "--checkpoint", str(checkpoints))
    command += ["--timeout", str(options.timeout), "--jobs", str(options.jobs)]
    if options.line_format is not None:
        command += ["--format", options.line_format]
    return [*command, "--job"]


def _finish(outcome: Outcome, ended_by: int | None, console: Console, speed: str, code: int = 0) -> None:
    """Say what was done, and end with the code that says whether it was all."""
    console.print(summary(outcome, ended_by, console))
    console.print(speed, highlight=False)
    for note in outcome.notes:
        _say(console, note)
    if ended_by is not None:
        end_by(ended_by)
    if code or not outcome.is_well:
        raise typer.Exit(code or 1)


def _say(console: Console, note: str) -> None:
    console.print(printable(f"logweir: {note}"), markup=False, soft_wrap=True)


def _is_stdin(name: str) -> bool:
    """Whether this is the standard input by another name, and no file that could have a checkpoint."""
    return name in {"/dev/stdin", "/dev/fd/0", "/proc/self/fd/0"} and not is_file(name)


def _require_files(names: list[str], *, follow: bool) -> None:
    """Refuse what cannot be read, before anything is."""
    for name in names:
        path = Path(name)
        if is_file(name):
            try:
                open_file(name).close()
            except (OSError, MissingDependency, Unreadable) as error:
                raise typer.BadParameter(f"{name}: {error}") from None
        elif follow and (name == "-" or path.exists() or not path.absolute().parent.is_dir()):
            raise typer.BadParameter(
                f"{name} cannot be followed; name a file (a pipe is read to its end anyway, without -f)"
            )
        elif not follow and name != "-" and (not path.exists() or path.is_dir() or path.is_socket()):
            raise typer.BadParameter(f"{name}: no such file; name a file of lines, or - for stdin")


def _claim(names: list[str], checkpoints: Checkpoints, *, follow: bool) -> None:
    for name in names:
        if not is_file(name):
            continue
        status = Path(name).stat()
        if follow and checkpoints.ranges(status).exist():
            raise typer.BadParameter(
                f"{name}: a run with --jobs has not come to its end; `logweir run` it once without --follow"
            )
        if not _claimed(status, checkpoints, len(names)):
            raise typer.BadParameter(
                f"{name}: another `logweir run` is reading it, with the same checkpoint; wait for its "
                "end, or end it"
            )


def _claimed(status: os.stat_result, checkpoints: Checkpoints, files: int) -> bool:
    try:
        return checkpoints.claim(status)
    except OSError as error:
        if error.errno != errno.EMFILE:
            raise
        limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
        raise typer.BadParameter(
            f"{files:,} files are more than a process may open here, of which {limit:,} can be open at once; "
            "name fewer, or allow more (`ulimit -n`, LimitNOFILE of systemd)"
        ) from None


def _allow(files: int) -> None:
    """Let this process and those that it starts open so many files, as far as they may.

    Each has a lock as long as it is read, and is open itself where it is followed.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = files * 2 + _OTHER_FILES
    if soft not in {hard, resource.RLIM_INFINITY} and soft < wanted:
        limit = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (limit, hard))


@contextmanager
def _progress(console: Console, size: int) -> Iterator[Callable[[int], None]]:
    """A bar, as long as the block runs; what it gives is called with the bytes that were read."""
    columns = (
        TextColumn("[progress.description]{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task("reading", total=size or None)
        yield partial(progress.advance, task)
