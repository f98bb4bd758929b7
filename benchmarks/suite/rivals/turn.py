"""One turn of one contender, its own process: ``python -m logweir.benchmarks.suite.rivals.turn``.

Reads the turn from stdin, where no other user sees its URL, and prints the outcome; both are JSON. Making
the events, starting and stopping are not timed; the clock runs from the first log call until the store has
counted every event (or no more have come for a while).
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from logweir.benchmarks.suite.natives import Spec
from logweir.benchmarks.suite.rivals import Ground, Rival, contenders, native_for
from logweir.benchmarks.suite.workload import workload_of
from logweir.event import Event

__all__ = ["Outcome", "play"]

_POLL = 0.01
#: So long nothing more may arrive before the rest counts as lost.
_PATIENCE = 15.0


class Outcome(NamedTuple):
    """What came of a turn.

    Attributes:
        seconds: Until the last event had arrived.
        cpu: Seconds of this process and its children, without those of counting.
        arrived: Events in the store.
    """

    seconds: float
    cpu: float
    arrived: int


def play(rival: Rival, events: Sequence[Event], *, patience: float = _PATIENCE) -> Outcome:
    """Open, log, settle, count, close."""
    rival.open()
    try:
        cpu, started = time.process_time() + rival.cpu(), time.perf_counter()
        for event in events:
            rival.log(event)
        rival.settle()
        arrived, ended, counting = _await(rival, len(events), patience)
        used = time.process_time() + rival.cpu() - cpu - counting
        return Outcome(ended - started, used, arrived)
    finally:
        rival.close()


def _await(rival: Rival, expected: int, patience: float) -> tuple[int, float, float]:
    """Count until all are there; how many, when the last came, and the CPU seconds of counting."""
    before = time.thread_time()
    arrived, ended = -1, time.perf_counter()
    while True:
        found = rival.arrived()
        now = time.perf_counter()
        if found != arrived:
            arrived, ended = found, now
        if arrived >= expected or now - ended > patience:
            return arrived, ended, time.thread_time() - before
        time.sleep(_POLL)


def main(text: str) -> None:
    """Play the turn that is described."""
    turn: dict[str, Any] = json.loads(text)
    spec = Spec(**{**turn["spec"], "folder": Path(turn["spec"]["folder"])})
    settings = native_for(spec).sink_settings(turn["store"])
    ground = Ground(spec.type, spec.url, settings, spec.folder / turn["store"], turn["events"])
    ground.folder.mkdir(parents=True, exist_ok=True)
    rival = next(found for found in contenders(spec.type) if found.name == turn["rival"])
    events = list(workload_of(turn["workload"]).events(0, turn["events"]))
    outcome = play(rival(ground), events)
    print(json.dumps(outcome._asdict()))  # noqa: T201 - what the match reads


if __name__ == "__main__":
    main(sys.stdin.read())
