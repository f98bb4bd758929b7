"""Ends the servers of a session when the session ends, however it ends.

Runs as a process of its own beside pytest and watches pytest's pipe and process. When either is gone it kills
the processes that were announced to it (by identity, never by name), and removes the session's directory.
"""

import os
import select
import subprocess
import sys
import time
from pathlib import Path

import psutil


class Guard:
    """Pytest's end of the pipe."""

    def __init__(self, directory: Path) -> None:
        """``directory`` holds the data of all servers of the session."""
        self._process = subprocess.Popen(
            [sys.executable, __file__, str(os.getpid()), str(directory)],
            stdin=subprocess.PIPE,
            start_new_session=True,  # Ctrl-C reaches pytest, not the guard
            cwd="/",
        )

    def watch(self, pid: int) -> None:
        """End this process and its children with the session."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{pid}\n".encode())
        self._process.stdin.flush()

    def close(self) -> None:
        """End everything now."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(60)


def end(processes: list[psutil.Process]) -> None:
    """Kill processes with all their descendants, all at once, and wait until they are gone."""
    family = freeze(processes)
    for process in family:
        try:
            process.kill()
        except psutil.NoSuchProcess:
            continue
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline and not all(map(_is_gone, family)):
        time.sleep(0.005)  # most are not our children: their end is no event for us


def _is_gone(process: psutil.Process) -> bool:
    """Whether it holds nothing any more; its parent may still have to take note of that."""
    try:
        return process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def freeze(processes: list[psutil.Process]) -> list[psutil.Process]:
    """Stop processes and their descendants; a parent first, so that it has no more children afterwards."""
    frozen: list[psutil.Process] = []
    for process in processes:
        try:
            process.suspend()
            frozen += [process, *freeze(process.children())]
        except psutil.NoSuchProcess:
            continue
    return frozen


def wake(process: psutil.Process) -> None:
    """Let a frozen process go on; its children first, so that it finds them awake."""
    try:
        for child in process.children():
            wake(child)
        process.resume()
    except psutil.NoSuchProcess:
        return


def remove(directory: Path) -> None:
    """Unmount what is mounted below a directory, then delete it."""
    mounts = [line.split()[1] for line in Path("/proc/self/mounts").read_text().splitlines()]
    for mount in reversed(mounts):
        if Path(mount).is_relative_to(directory):
            subprocess.run(["umount", "--lazy", mount], check=False)
    subprocess.run(["rm", "-rf", "--one-file-system", str(directory)], check=False)


def _main(pytest_pid: int, directory: Path) -> None:
    watched: list[psutil.Process] = []
    pytest = os.pidfd_open(pytest_pid)
    while pytest not in (ready := select.select([0, pytest], [], [])[0]) or 0 in ready:
        announced = os.read(0, 1 << 16)
        if not announced:
            break
        for pid in announced.split():  # a line is far below PIPE_BUF: it never arrives in halves
            try:
                watched.append(psutil.Process(int(pid)))
            except psutil.NoSuchProcess:
                continue
    end(watched)
    remove(directory)


if __name__ == "__main__":
    _main(int(sys.argv[1]), Path(sys.argv[2]))
