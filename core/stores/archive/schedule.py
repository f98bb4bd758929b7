"""The retention schedule: does the retention rules of a running application when they are due.

It looks once a minute, from the runtime's loop; the work itself runs on a loop of its own in a thread of
its own, with connections of its own, so that delivery is never disturbed. Of the processes that share a
``data_dir``, one does it; one that is killed is followed by the next, which goes on from there. A rule
that was never seen before waits for its time of day.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime

from logweir.config.models import RoutingConfig
from logweir.diagnostics import report, say
from logweir.encoding.counted import counted
from logweir.process.threads import in_thread
from logweir.stores.archive.journal import Busy, Journal
from logweir.stores.archive.progress import Cancelled, Progress, Summary
from logweir.stores.archive.retention import Job, apply, is_due, jobs

__all__ = ["RetentionSchedule"]

_LOOK_SECONDS = 60.0
_STOP_SECONDS = 2.0


def _utc_now() -> datetime:
    return datetime.now(UTC)


class RetentionSchedule:
    """Does what is due.

    Args:
        config: The configuration in force at the time.
        now: The time, injected by tests.
        look: Seconds between two looks, injected by tests.
    """

    def __init__(
        self,
        config: Callable[[], RoutingConfig],
        *,
        now: Callable[[], datetime] = _utc_now,
        look: float = _LOOK_SECONDS,
    ) -> None:
        self._config = config
        self._now = now
        self._look = look
        self._stopping = asyncio.Event()
        self._ended = asyncio.Event()
        self._ended.set()
        self._progress = Progress(stop=threading.Event())

    async def run(self) -> None:
        """Look and do until :meth:`stop`."""
        while not self._stopping.is_set():
            config = self._config()
            if jobs(config):
                await self._do_in_thread(config)
            with suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), self._look)

    async def stop(self) -> None:
        """End; what is half done goes on at the next start."""
        self._stopping.set()
        self._progress.stop.set()
        with suppress(TimeoutError):
            await asyncio.wait_for(self._ended.wait(), _STOP_SECONDS)

    async def _do_in_thread(self, config: RoutingConfig) -> None:
        """Do what is due in a thread of its own, and wait for its end without holding anybody up."""
        loop = asyncio.get_running_loop()
        self._ended.clear()

        def work() -> None:
            try:
                asyncio.run(self._do(config))
            finally:
                with suppress(RuntimeError):  # the runtime did not wait for us
                    loop.call_soon_threadsafe(self._ended.set)

        try:
            threading.Thread(target=work, name="logweir-retention", daemon=True).start()
        except RuntimeError:  # the interpreter is on its way out, or threads ran out
            self._ended.set()
        await self._ended.wait()

    async def _do(self, config: RoutingConfig) -> None:
        for job in jobs(config):
            try:
                await self._do_job(config, job)
            except Cancelled:
                return
            except Busy:
                continue
            except Exception as error:  # noqa: BLE001 - a sink or a store may raise anything; tried again
                report(f"{job.sink}.retention", "the retention of sink %r failed: %s", job.sink, error)

    async def _do_job(self, config: RoutingConfig, job: Job) -> None:
        journal, now = Journal(config.data_dir, job.sink), self._now()
        last = (await in_thread(journal.last_done)).get(job.name)
        if last is None:
            await in_thread(lambda: journal.done(job.name, now))
        elif is_due(job.rule, last, now):
            _log_summary(job, await apply(config, job, now, self._progress))


def _log_summary(job: Job, summary: Summary) -> None:
    if summary.archived or summary.deleted:
        say(
            logging.INFO,
            "retention of sink %r: %s archived, %d deleted",
            job.sink,
            counted(summary.archived, "row"),
            summary.deleted,
        )
    for problem in summary.problems:
        say(logging.ERROR, "retention of sink %r: %s", job.sink, problem)
