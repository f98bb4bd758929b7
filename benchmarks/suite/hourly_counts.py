"""How many of the first events of a workload there are by hour and level: of a million, of two, and so on.

For that every event has to be made once, which takes longer than asking many a store. So the counts go on
from those of the next smaller volume, and are kept in a file, for a run that is interrupted.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from logweir.benchmarks.suite.whole_file import write_whole
from logweir.benchmarks.suite.workload import Workload, describe
from logweir.event import Event

__all__ = ["Counts", "HourlyCounts"]

#: By hour (UTC, seconds since 1970) and level.
Counts = Counter[tuple[int, str]]


class HourlyCounts:
    """The counts of one workload.

    Args:
        workload: The events.
        path: The file that keeps the counts; they are kept in memory alone by default.
    """

    def __init__(self, workload: Workload, path: Path | None = None) -> None:
        self._workload = workload
        self._path = path
        self._known: dict[int, Counts] = {0: Counter(), **_load(path, workload)}

    def of(self, volume: int) -> Counts:
        """The counts of the first ``volume`` events."""
        if volume not in self._known:
            before = max(known for known in self._known if known < volume)
            self._known[volume] = self._known[before] + _by_hour(self._workload.events(before, volume))
            self._save()
        return self._known[volume]

    def _save(self) -> None:
        if self._path is None:
            return
        counts = {
            volume: [[hour, level, count] for (hour, level), count in known.items()]
            for volume, known in self._known.items()
        }
        write_whole(self._path, json.dumps({"workload": describe(self._workload), "counts": counts}))


def _load(path: Path | None, workload: Workload) -> dict[int, Counts]:
    """What a file knows of this workload; nothing where it is another one's, or damaged."""
    with suppress(OSError, KeyError, TypeError, ValueError, AttributeError):
        content = json.loads("" if path is None else path.read_text())
        if content["workload"] == describe(workload):
            return {
                int(volume): Counter({(hour, level): count for hour, level, count in known})
                for volume, known in content["counts"].items()
            }
    return {}


def _by_hour(events: Iterable[Event]) -> Counts:
    return Counter((event.time // 10**9 // 3600 * 3600, event.level) for event in events)
