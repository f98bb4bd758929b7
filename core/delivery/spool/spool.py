"""The spool: one SQLite file for one process, behind all its durable queues.

Constraints: a put may come from any thread and from a signal handler, and may cost microseconds; an
event whose durability was acknowledged survives the process and the power; fan-out costs one commit;
memory does not grow with what waits; nothing that a disk can do stops the process or its other sinks.

How: a put stages the event in memory (:mod:`.staging`). One thread, the committer, takes all that is
staged, writes it in one transaction (:mod:`.writing`), and then answers everybody who waits: under load one
sync of the disk serves many callers (group commit); what nobody waits for gathers company first. A caller
that waits in a thread of its own does the same for all others, if nobody else is at it (:mod:`.leading`).
Settled events are deleted together, within :data:`REMOVAL_LINGER`; if that is lost with the process, they are
delivered again, and sinks are idempotent. What is durable the backlogs (:mod:`.backlog`) hand to consumers.

Invariants:

1. An acknowledged event is in the file, with every sink that has not settled it, until the transaction
   that removes it.
2. The rows of a backlog become durable in the order of the puts.
3. Only who holds the IO lock writes; IO never happens under the spool's lock.
4. Who stages an event wakes the committer, or commits, before it waits: none relies on a commit under way.
5. The file belongs to this process alone, by its lock file; a child of a fork never touches it.

Recovery. A process starts with a new file, made at its first put, and adopts the files of dead processes
(:mod:`.orphans`); SQLite replays their logs up to the last complete transaction. A write that fails for
now (disk full, read-only) rolls back: events that somebody waits for fail, with the reason, and are
forgotten; the others stay staged, within :data:`STAGED_BYTES`, and are tried again with back-off. A
damaged file is replaced (:mod:`.recovery`): what can be read of it, and what memory still holds, goes into a
new one, the old one is quarantined under a name that says so, and the service goes on.

Locks, in the order in which they are taken: the IO lock (one writer), the fork gate (no fork in the middle of
SQLite's work), the spool's lock (what memory knows). Nobody waits for the disk under the spool's lock, which
every put takes. A put that interrupts its own thread under that lock is deferred, and staged before anything
that comes later; so is one that interrupts its thread under any other lock of the delivery and finds this one
taken, for it must wait for nobody (:mod:`logweir.process.reentry`).
"""

from __future__ import annotations

import logging
import math
import threading
import weakref
from collections.abc import Callable, Collection, Iterable, Sequence
from concurrent.futures import Future
from functools import partial
from pathlib import Path

from logweir.delivery.commit_future import thread_future
from logweir.delivery.dead_letters import DeadLetters
from logweir.delivery.queue import OnDurable
from logweir.delivery.set_aside import Group
from logweir.delivery.spool import leading, orphans
from logweir.delivery.spool.backlog import Backlog, Held
from logweir.delivery.spool.closing import AtDisk, DiskHangs, unless_it_hangs
from logweir.delivery.spool.committer import Committer
from logweir.delivery.spool.current_file import CurrentFile
from logweir.delivery.spool.notifications import NOBODY, Answers, Listeners, Owed
from logweir.delivery.spool.reading import Reader
from logweir.delivery.spool.refusal import encode_all, refuse
from logweir.delivery.spool.removals import REMOVAL_LINGER, Removals
from logweir.delivery.spool.spool_file import Record, SpoolFile
from logweir.delivery.spool.sqlite_errors import SpoolClosed
from logweir.delivery.spool.staging import Staged, Staging
from logweir.delivery.spool.writing import COMMIT_EVENTS, TakesLong, Writer
from logweir.diagnostics import report
from logweir.event import Event
from logweir.process import fork
from logweir.process.fork import Stage
from logweir.process.reentry import Deferred, is_held_here, registered

__all__ = ["REMOVAL_LINGER", "STAGED_BYTES", "Spool"]

#: The most bytes that may wait for a commit; while they do, every queue of the spool is full.
STAGED_BYTES = 64 * 2**20
# More than one commit brings: what a sink that keeps up is given need not be read back.
_WINDOW, _WINDOW_BYTES = 2 * COMMIT_EVENTS, 8 * 2**20


class Spool:
    """The durable queues' file.

    Args:
        directory: Where queue files are, such as ``data_dir/queues``; made when it is needed.
        dead_letters: Where rows go that cannot be decoded or whose sink is gone.
        window: Events that each sink keeps in memory after their commit; 0 reads all of them back.
        staged_bytes: The most bytes that may wait for a commit.
        threaded: Whether a thread commits by itself; tests call :meth:`commit` instead.
    """

    def __init__(
        self,
        directory: Path,
        dead_letters: DeadLetters,
        *,
        window: int = _WINDOW,
        staged_bytes: int = STAGED_BYTES,
        threaded: bool = True,
    ) -> None:
        self.directory = directory
        self.dead_letters = dead_letters
        self.staged_bytes = staged_bytes
        self._window = window
        self._begin()
        self._committer = Committer(self, threaded=threaded)
        _spools.add(self)
        fork.install()

    def _begin(self) -> None:
        # Re-entrant, all of them: a signal handler or a finaliser may log in the middle of anything.
        self.lock = registered(threading.RLock())
        # What they put while somebody is inside, this thread or one they must not wait for. Who comes next
        # stages it.
        self.deferred = Deferred(self.lock)
        self.closed = False
        self._io = registered(threading.RLock())
        self._is_writing_here = is_held_here(self._io)
        self._at_disk = AtDisk(self.directory)
        self._committed = threading.Condition(self.lock)
        self._staging = Staging()
        # Taken from the staging, and not yet known to be durable: `flush` waits for these too.
        self._in_commit: list[Staged] = []
        self._removals = Removals(self.lock)
        self._backlogs: dict[str, Backlog] = {}
        self.listeners = Listeners(self.lock)
        self._current = CurrentFile(self.directory)
        # The file of the last commit.
        self._answered_for: Path | None = None
        self._reader = Reader(self._current, self.lock, self.dead_letters, self._found_damaged)
        self._writer = Writer(self._current, self.lock, self.backlogs)
        self._owed = Owed(self.listeners)

    # -- queues -------------------------------------------------------------------------------------

    def backlog(self, sink: str, kind: type[Backlog] = Backlog) -> Backlog:
        """The backlog of a sink; made at the first call, of this kind."""
        with self.lock:
            if sink not in self._backlogs:
                self._backlogs[sink] = kind(sink, self._window, _WINDOW_BYTES)
            return self._backlogs[sink]

    @property
    def path(self) -> Path | None:
        """The file in use, if there is one just now."""
        return self._current.file.path if self._current.file is not None else None

    def backlogs(self) -> list[Backlog]:
        """The backlogs of all sinks known so far."""
        with self.lock:
            return list(self._backlogs.values())

    def is_full(self) -> bool:
        """Whether no more may be staged before the next commit."""
        return self._staging.size >= self.staged_bytes

    def stage(self, backlog: Backlog, event: Event, on_commit: OnDurable | None = None) -> None:
        """Stage an event; the caller holds :attr:`lock` and calls :meth:`nudge` without it."""
        self._staging.add(backlog, event, on_commit)

    def is_interrupted(self) -> bool:
        """Whether the calling thread is in the middle of the spool's work, and must not wait for it."""
        return self.deferred.inside() or self._is_writing_here() or self._committer.is_here()

    def nudge(self, *, waits: bool = False, hurries: bool = True) -> None:
        """Let the committer know: something is staged; who ``waits`` within :class:`leading` commits it."""
        if self._committer.gathers and not hurries and not self._staging.is_much:
            return  # the committer finds it when it has gathered
        if not (waits and leading.kept and leading.keep(self._committer)):
            self._committer.nudge()

    def ensure_awake(self) -> None:
        """See :meth:`Committer.ensure_awake`; a caller that leads commits all that is staged by itself."""
        if not (leading.kept and leading.keeps(self._committer)):
            self._committer.ensure_awake()

    def remove(self, backlog: Backlog, positions: Iterable[int], *, settled: bool = False) -> None:
        """Delete rows with the next commit; from any thread.

        Args:
            backlog: Whose.
            positions: Where they are.
            settled: Whether it may be a later one, for a delivery more would do no harm.
        """
        add = partial(self._removals.add, backlog, positions, settled=settled)
        with self.deferred as entered:
            if entered:
                add()
            else:
                self.deferred.add(add)
        self._committer.nudge_for_removals()

    # -- committing ---------------------------------------------------------------------------------

    def commit(self) -> OSError | None:
        """Make durable what is staged, once; the error if that is impossible for now."""
        with self._io:
            answers = self._commit()
        self._owed.pay(answers)
        return answers.error

    def commit_quickly(self, seconds: float) -> OSError | None:
        """See :meth:`Committable.commit_quickly`."""
        if self.is_interrupted():
            return None
        answers = NOBODY
        try:
            if (
                self._io.acquire(blocking=False)
                and self.has_staged
                and self._writer.is_quick(seconds, len(self._staging))
            ):
                answers = self._commit(quickly=True)
        except TakesLong:
            return None
        finally:
            # Asked, for an exception from outside may have come before the answer to `acquire`.
            if self._is_writing_here():
                self._io.release()
        self._owed.pay(answers)
        return answers.error

    def _commit(self, *, quickly: bool = False) -> Answers:
        """Commit, under the IO lock, and note who is to be answered without it."""
        with self._at_disk:
            self._writer.replace_damaged()
            if self._current.file is not None:
                self._removals.add_dropped(self._current.file, self.backlogs())
            self.deferred.run()
            removals: list[tuple[str, int]] = []
            try:
                # One step under the lock: nobody may see an event neither staged nor in the commit.
                with self.lock:
                    batch = self._in_commit = self._staging.take(self._writer.most)
                    if not batch or self._removals.are_due or self._writer.is_cramped:
                        removals = self._removals.take()
                return self._write(batch, removals, quickly=quickly)
            except BaseException:
                # It takes long, or is cut off from outside: a KeyboardInterrupt, who ends a caller's thread.
                # To write again what is in the file already, and to note it again, changes nothing.
                with self.lock:
                    self._staging.put_back(self._in_commit)
                    self._removals.put_back(removals)
                    self._in_commit = []
                raise

    def _write(self, batch: list[Staged], removals: list[tuple[str, int]], *, quickly: bool) -> Answers:
        try:
            error = self._writer.write(encode_all(batch, self.lock), removals, quickly=quickly)
        except TakesLong:
            raise
        except Exception as problem:  # noqa: BLE001 - no trouble of the disk's; nothing taken may be lost
            self._isolate(batch, removals, problem)
            return NOBODY
        # Before another thread commits: backlogs hear of events in the order of the file, or miss some.
        return self._finish(batch) if error is None else self._put_back(batch, removals, error)

    def _isolate(self, batch: list[Staged], removals: list[tuple[str, int]], problem: Exception) -> None:
        """Halve what no file takes, down to the one entry that is the reason: it is refused."""
        if not batch:
            raise problem
        with self.lock:
            self._in_commit = []
            self._removals.put_back(removals)
            if len(batch) > 1:
                self._staging.put_back(batch)
        self._writer.most = max(len(batch) // 2, 1)
        if len(batch) == 1:
            report("spool.encode", "an event cannot be written and was refused: %r", problem)
            refuse(batch, self.lock, OSError(f"the event cannot be written: {problem!r}"))

    def _finish(self, batch: list[Staged]) -> Answers:
        with self.lock:
            backlogs = {backlog for entry in batch for backlog in entry.backlogs}
            for backlog in backlogs:
                some = batch if len(backlogs) == 1 else [item for item in batch if backlog in item.backlogs]
                backlog.commit_all([item.seq for item in some], [item.time for item in some])
                # Events that a full queue dropped while they were on the way to the disk can be removed now.
                if paid := backlog.pay():
                    self._removals.add(backlog, paid)
            answers = self._owed.add(Answers(batch, None, self._changed(backlogs)))
            self._in_commit = []
            self._committed.notify_all()
        return answers

    def _put_back(self, batch: list[Staged], removals: list[tuple[str, int]], error: OSError) -> Answers:
        """After a failure keep what nobody waits for; the rest fails, however far back it is."""
        with self.lock:
            self._removals.put_back(removals)
            # Whoever waits must learn of the failure now, not when its turn comes: a caller's time is
            # short. It is forgotten in the same step, so that "failed" never turns into "delivered".
            entries = batch + self._staging.take(len(self._staging))
            failed = [entry for entry in entries if entry.waiting]
            self._staging.put_back([entry for entry in entries if not entry.waiting])
            for entry in failed:
                for backlog in entry.backlogs:
                    backlog.fail(entry.seq)
            changed = {backlog for entry in entries for backlog in entry.backlogs}
            answers = self._owed.add(Answers(failed, error, self._changed(changed)))
            self._in_commit = []
            self._committed.notify_all()
        return answers

    def _changed(self, backlogs: set[Backlog]) -> Collection[str]:
        """The sinks that a commit concerns: all, when it goes on with another file, which may have less."""
        former, self._answered_for = self._answered_for, self.path
        if self.path != former:
            return list(self._backlogs)
        return {backlog.sink for backlog in backlogs}

    # -- reading back -------------------------------------------------------------------------------

    def read(self, backlog: Backlog, max_events: int, max_bytes: int) -> bool:
        """See :meth:`Reader.read`; what became dead letters is removed."""
        removals = self._reader.read(backlog, max(max_events, self._window), max_bytes)
        self.remove(backlog, removals or ())
        return removals is not None

    def read_set_aside(self, backlog: Backlog, group: Group) -> list[Held] | None:
        """See :meth:`Reader.read_set_aside`; what became dead letters is removed."""
        held, dead = self._reader.read_set_aside(backlog, group.positions) or (None, [])
        self.remove(backlog, dead)
        return held

    def _found_damaged(self, file: SpoolFile, error: Exception) -> None:
        self._writer.damage = (file, error)
        self._committer.nudge()

    # -- other processes, other lives ---------------------------------------------------------------

    def adopt(self, directory: Path | None = None) -> int:
        """Take over what dead processes left in the directory; returns the events taken over.

        Blocks. Call it at the start and from time to time. Trouble is reported and tried again at the next
        call; what is interrupted is at worst taken over twice.

        Args:
            directory: Another directory to look in.
        """
        return orphans.adopt(directory or self.directory, self._import, self.backlogs())

    def _import(self, records: Sequence[Record]) -> None:
        """Commit records of another file here.

        Raises:
            OSError: They are not committed.
        """
        wanted = [record for record in records if record.sinks]
        if not wanted:
            return
        done, on_durable = thread_future()
        # All under one hold of the lock: they are in one order, so the last one's commit is everybody's, and
        # each has a waiter, so that a failure fails all of them and leaves none behind to be doubled.
        with self.lock:
            if self.closed:
                raise SpoolClosed("the disk queue is closed")
            for record in wanted:
                on_commit = on_durable if record is wanted[-1] else _ignore
                self._staging.add_row(record.row, [self.backlog(sink) for sink in record.sinks], on_commit)
        self._commit_until(done)

    def save(self, sink: str, events: Sequence[Event], deadline: float = math.inf) -> None:
        """Keep events that waited in memory; blocks until they are durable.

        Args:
            sink: Whose.
            events: What waited.
            deadline: As for :meth:`close`.

        Raises:
            OSError: They are not, as far as is known, and are still the caller's.
        """
        done, on_durable = thread_future()
        backlog = self.backlog(sink)
        positions = []
        with self.lock:
            if self.closed:
                raise SpoolClosed("the disk queue is closed")
            for event in events:
                self.stage(backlog, event, on_durable if event is events[-1] else _ignore)
                positions.append(backlog.last)
        try:
            self._at_disk_until(deadline, lambda: self._commit_until(done))
        except DiskHangs:
            with self.lock:
                for seq in positions:
                    backlog.fail(seq)
            raise

    def _commit_until(self, done: Future[None]) -> None:
        """Commit in this thread, which the end of an interpreter does not take away."""
        while not done.done():
            self.commit()
        done.result()

    def _at_disk_until(self, deadline: float, work: Callable[[], None]) -> None:
        if deadline == math.inf:
            work()
        else:
            unless_it_hangs(work, self._at_disk, deadline)

    # -- life ---------------------------------------------------------------------------------------

    def flush(self, timeout: float = 10.0) -> bool:
        """Wait in this thread until everything staged so far is durable; False if time ran out."""
        self.deferred.run(unless=lambda: self.closed)
        last = self._staging.next_seq - 1
        self.nudge()

        def is_durable() -> bool:
            return last < (self._in_commit[0].seq if self._in_commit else self._staging.first())

        with self._committed:  # whose lock is the spool's
            return self._committed.wait_for(is_durable, timeout)

    @property
    def has_staged(self) -> bool:
        """Whether events wait for a commit."""
        return len(self._staging) > 0 or bool(self.deferred.work)

    @property
    def has_waiting(self) -> bool:
        """Whether somebody waits for a commit."""
        return self._staging.waiting > 0

    @property
    def may_gather(self) -> bool:
        """See :attr:`Committable.may_gather`."""
        return self._staging.may_gather and not self.deferred.work

    @property
    def has_company(self) -> bool:
        """See :attr:`Committable.has_company`."""
        return self._staging.has_company

    @property
    def has_removals(self) -> bool:
        """Whether deletions wait for a commit."""
        return len(self._removals) > 0

    def close(self, deadline: float = math.inf) -> bool:
        """Commit what is staged and let go of the file, which is deleted if nothing waits in it.

        Args:
            deadline: When, by the monotonic clock, a disk that hangs is given up. One that goes on is waited
                for, however slow it is.

        Returns:
            Whether everything staged was committed; :meth:`give_up` says what was not. Idempotent.
        """
        with self.lock:
            self.closed = True
        try:
            self._at_disk_until(deadline, self._close)
        except DiskHangs as error:
            report("spool.close", "a disk queue is left as it is: %s", error, level=logging.ERROR)
        self.listeners.notify(list(self._backlogs))
        return not (self.has_staged or self._in_commit)

    def _close(self) -> None:
        # Nothing is staged any more, and this thread alone commits: the loop below ends.
        self._committer.stop()
        error = None
        while error is None and (self.has_staged or self.has_removals):
            error = self.commit()
        with self._io, self._at_disk:
            self._current.let_go()

    def give_up(self, sink: str) -> list[Event]:
        """Forget what a closed spool could not commit, and return it: it is the caller's now."""
        with self.lock:
            return self.backlog(sink).give_up() if self.closed else []

    def rest(self) -> None:
        """Give space back; called by the committer when nothing is left to do."""
        self._owed.pay_all()
        # Asked before the lock is taken: a caller who finds it taken must wake the committer for its commit.
        if any(backlog.depth or backlog.is_needed for backlog in self.backlogs()):
            return
        with self._io, self._at_disk:
            if self._current.file is not None:
                self._current.file.give_back_space()

    def disown(self) -> None:
        """Close the spool in a fork's child without touching what is the parent's."""
        # New locks too, for the parent's threads may have held the old ones. The file stays open: see there.
        self._begin()
        self._committer = Committer(self, threaded=False)
        self.closed = True


def _ignore(_error: OSError | None) -> None:
    """Make an event fail, and not wait, when the disk does."""


_spools: weakref.WeakSet[Spool] = weakref.WeakSet()


def _after_fork_in_child() -> None:
    leading.forget()
    for spool in list(_spools):
        spool.disown()


fork.register(Stage.SPOOLS, in_child=_after_fork_in_child)
