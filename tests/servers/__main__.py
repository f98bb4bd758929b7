"""``make servers``: install every server that the tests may use, and say what each took."""

import sys
import time

from servers.errors import Unavailable
from servers.kinds import KINDS
from servers.pool import prepare


def main() -> int:
    """Prepare them all; 1 if one cannot be had."""
    missing = 0
    for name, kind in KINDS.items():
        _say(f"{name:14} preparing ...")
        begin = time.perf_counter()
        try:
            outcome = prepare(kind)
        except Unavailable as error:
            missing += 1
            outcome = f"NOT AVAILABLE: {error}"
        _say(f"{name:14} {time.perf_counter() - begin:6.1f} s  {outcome}")
    return 1 if missing else 0


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
