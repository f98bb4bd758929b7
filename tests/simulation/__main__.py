"""``python -m simulation FIRST LAST [BREAK]``: live through the histories of these seeds.

With ``fallbacks`` as the break nothing is broken, but each sink has a fallback, as with the breaks of these.

Prints what breaks a law, a line for each seed, and ends with 1 then; with a break it ends at the first finding.

``python -m simulation each BREAK=SEED,SEED,... ...``: live through histories with each of these breaks until one shows
it, each in a process of its own; what they print comes behind a line with its name, and before one with the exit code.
Started with ``PYTHONHASHSEED=0``, for sets of text have an order of their own in each process otherwise.
"""

import logging
import os
import sys
import tempfile
from contextlib import nullcontext
from pathlib import Path

from simulation.breaks import BREAKS
from simulation.fallback_breaks import FALLBACK_BREAKS
from simulation.history import run
from simulation.laws import broken_laws

#: Where syncing costs nothing: a crash of the process is simulated, not one of the machine.
_MEMORY = "/dev/shm" if Path("/dev/shm").is_dir() else None


def _laws_broken_by(seed: int, folder: Path, *, fallbacks: bool) -> list[str]:
    try:
        return broken_laws(run(seed, folder, fallbacks=fallbacks))
    except BaseException as error:  # noqa: BLE001 - a SystemExit that reaches the loop is one of the faults
        return [f"the process came to an end: {error!r}"]


def main(first: int, last: int, broken: str | None) -> int:
    """Return the exit code."""
    logging.disable(logging.CRITICAL)
    found = 0
    fallbacks = broken == "fallbacks" or broken in FALLBACK_BREAKS
    broken = None if broken == "fallbacks" else broken
    with {**BREAKS, **FALLBACK_BREAKS}[broken]() if broken else nullcontext():
        for seed in range(first, last):
            with tempfile.TemporaryDirectory(dir=_MEMORY) as folder:
                laws = _laws_broken_by(seed, Path(folder), fallbacks=fallbacks)
            if laws:
                found += 1
                print(  # noqa: T201 - it is a command
                    f"seed {seed}: {'; '.join(law[:400] for law in laws)}", flush=True
                )
                if broken:
                    return 1
    return 1 if found else 0


def _forked(broken: str, seed: int) -> int:
    """Return the exit code of a process that lives through one history, with all modules there already."""
    process = os.fork()
    if process == 0:
        code = 3  # unless it comes to an end of its own
        try:
            code = main(seed, seed + 1, broken)
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])


def each(asked: list[str]) -> int:
    """Try a few seeds for each of some breaks; they are judged by what is printed."""
    for broken, _, seeds in (one.partition("=") for one in asked):
        print(broken, flush=True)  # noqa: T201
        codes = (_forked(broken, int(seed)) for seed in seeds.split(","))
        print(next((code for code in codes if code), 0), flush=True)  # noqa: T201
    return 0


if __name__ == "__main__":
    if sys.argv[1] == "each":
        sys.exit(each(sys.argv[2:]))
    sys.exit(main(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3] if len(sys.argv) > 3 else None))
