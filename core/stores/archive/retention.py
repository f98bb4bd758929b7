"""The retention rules of a configuration: which are due, and doing one on a sink opened for it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from logweir.config.models import RoutingConfig
from logweir.errors import ConfigError, ConfigProblem
from logweir.process.threads import in_thread
from logweir.settings.retention import RetentionConfig
from logweir.sinks import registry
from logweir.sinks.contract import Prunable, lacking_for_retention
from logweir.stores.archive.archiving import Origin, archive
from logweir.stores.archive.journal import Journal
from logweir.stores.archive.progress import Progress, Summary
from logweir.stores.archive.storage import Storage
from logweir.stores.reading import opened

__all__ = ["Job", "apply", "due_jobs", "is_due", "jobs", "last_slot"]

#: Rows deleted in one transaction where nothing is archived.
_DELETION = 1_000
_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Job:
    """A retention rule of a sink.

    Attributes:
        sink: The sink's name.
        rule: The rule.
    """

    sink: str
    rule: RetentionConfig

    @property
    def name(self) -> str:
        """What the journal calls the rule: its kind."""
        return self.rule.kind or "all"


def jobs(config: RoutingConfig) -> list[Job]:
    """Every retention rule of a configuration."""
    return [Job(name, rule) for name, settings in config.sinks.items() for rule in settings.retention or ()]


def last_slot(rule: RetentionConfig, now: datetime) -> datetime:
    """The last moment at which a rule was to be done."""
    slot = datetime.combine(now.date(), rule.at, UTC)
    return slot if slot <= now else slot - _DAY


def is_due(rule: RetentionConfig, last: datetime | None, now: datetime) -> bool:
    """Whether a rule was not done since it was to be."""
    return last is None or last < last_slot(rule, now)


def due_jobs(config: RoutingConfig, now: datetime) -> Iterator[Job]:
    """The rules that are due; one that was never done is."""
    for job in jobs(config):
        if is_due(job.rule, Journal(config.data_dir, job.sink).last_done().get(job.name), now):
            yield job


async def apply(config: RoutingConfig, job: Job, now: datetime, progress: Progress | None = None) -> Summary:
    """Do what a rule says, and note that it was done.

    Raises:
        Busy: Another process is at work on the sink.
        ConfigError: The sink cannot do it.
        ArchiveError: The archive cannot be written.
        SinkError: The sink cannot be read, or does not delete.
        Cancelled: It was asked to end.
    """
    rule, progress = job.rule, progress or Progress()
    sink_type = config.sinks[job.sink].type
    problem = lacking_for_retention(registry.resolve(sink_type), archive=rule.archive is not None)
    if problem:
        message = f"sinks of type {sink_type} cannot have retention: {problem}"
        raise ConfigError([ConfigProblem(message, f"sinks.{job.sink}")])
    storage = None
    if rule.archive is not None:
        url = rule.archive
        storage = await in_thread(lambda: Storage(url, rule.options))
    journal = Journal(config.data_dir, job.sink)
    await in_thread(journal.acquire)
    try:
        async with opened(job.sink, config) as sink:
            before = _earlier(now, rule.after)
            if storage is None:
                summary = await _prune(sink.itself, before, rule, progress)
            else:
                origin = Origin(job.sink, config.service, config.env)
                summary = await archive(
                    sink.itself, storage, origin, journal, before, kind=rule.kind, progress=progress
                )
        await in_thread(lambda: journal.done(job.name, now))
    finally:
        await in_thread(journal.release)
    return summary


def _earlier(now: datetime, seconds: float) -> datetime:
    """The moment so long ago; the first that the calendar has, where that was before it."""
    try:
        return now - timedelta(seconds=seconds)
    except OverflowError:
        return datetime.min.replace(tzinfo=UTC)


async def _prune(sink: Prunable, before: datetime, rule: RetentionConfig, progress: Progress) -> Summary:
    summary = Summary()
    while True:
        progress.report("deleting", None, summary)
        gone = await sink.prune(before, kind=rule.kind, limit=_DELETION)
        summary.deleted += gone
        if not gone:
            return summary
