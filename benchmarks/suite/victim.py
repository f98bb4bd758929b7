"""A writer that gets killed: ``python -m logweir.benchmarks.suite.victim STORE``.

It reads the backend and the workload, as JSON, from stdin: a command line would show a URL's password to
everybody on the machine. It writes batches without end, and prints the number of events that the store has
confirmed after each.
"""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

from logweir.benchmarks.suite.natives import Spec, native_of
from logweir.benchmarks.suite.store import opened
from logweir.benchmarks.suite.workload import workload_of

BATCH = 100


async def main(store: str, spec: dict[str, Any], workload: dict[str, Any]) -> None:
    """Write until killed."""
    native = native_of(Spec(**{**spec, "folder": Path(spec["folder"])}))
    events = workload_of(workload)
    await native.open()
    async with opened(native, store) as opened_store:
        start = 0
        while True:
            await opened_store.sink.write(list(events.events(start, start + BATCH)))
            start += BATCH
            print(start, flush=True)  # noqa: T201 - what the killer reads


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], **json.loads(sys.stdin.readline())))
