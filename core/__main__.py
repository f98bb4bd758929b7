"""Where the command ``logweir`` begins, also as ``python -m logweir``.

Ctrl-C ends the command quietly from here on: the command line itself is imported by the function below,
which takes a moment in which an impatient person interrupts most often.
"""

from __future__ import annotations

import gc
import sys

__all__ = ["main"]

_INTERRUPTED = 130  # 128 and the number of SIGINT, as shells say it
#: How many new objects are looked through for garbage at once. With the interpreter's own 700 a tenth of a
#: command's start goes into that: modules are hundreds of thousands of objects, of which none is garbage.
_GARBAGE_THRESHOLD = 50_000


def main() -> None:
    """Import the command line and run it."""
    gc.set_threshold(_GARBAGE_THRESHOLD)
    try:
        from logweir.cli.app import main as command_line  # noqa: PLC0415 - inside the try

        command_line()
    except KeyboardInterrupt:
        sys.exit(_INTERRUPTED)


if __name__ == "__main__":
    main()
