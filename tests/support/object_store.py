"""A real S3 API server on loopback (moto's), in a process of its own."""

import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from servers.machine import free_port


@contextmanager
def s3_server(log: Path) -> Iterator[str]:
    """Run it until the block ends; yields its address."""
    port = free_port()
    address = f"http://127.0.0.1:{port}"
    with log.open("wb") as errors:
        process = subprocess.Popen(
            [sys.executable, "-W", "ignore", "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)],
            stdout=errors,
            stderr=errors,
        )
        try:
            _wait(address, process, log)
            yield address
        finally:
            process.kill()
            process.wait()


def _wait(address: str, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and process.poll() is None:
        try:
            with urllib.request.urlopen(f"{address}/moto-api/", timeout=5):
                return
        except (OSError, urllib.error.URLError):
            time.sleep(0.05)
    raise AssertionError(f"moto did not start: {log.read_text()}")
