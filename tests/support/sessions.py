"""Pages that are one session from their first block to their last: files are written, commands typed, outputs compared.

``LOGWEIR_SESSIONS=write`` lets the test of a page write its outputs anew, after a change that is meant. What differs from run to run (times, ids, durations, ports) is compared by its form alone.
"""

import contextlib
import os
import re
import secrets
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from support import forked

ROOT = Path(__file__).parents[2]
#: What a page has the reader type, and no test does: it asks the network, or the machine has it already.
SKIPPED = ("docker", "pip ", "make ", "git ", "python3 -m venv", ". .venv")
#: Whose answer may come a moment late, because events are on their way.
_READS = re.compile(r"^(logweir (query|trace|broker)|curl|cat) ?")
#: What needs a shell, or is a program of its own in any case.
_IN_A_SHELL = re.compile(r"^(?!logweir |python (\w+\.py|-m logweir\.examples\.))|[|><&$*]")
_PATIENCE = 3.0 if os.environ.get("LOGWEIR_SESSIONS") == "write" else 90.0
#: Where the reader of the pages is; ``folder`` is as long, so that tables break their lines alike.
_READERS_FOLDER = "/home/ann/shop"
_BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
#: What stands for what differs; applied in this order to what is expected and to what was printed.
_FORMS = (
    (r"\b[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\b", "ID"),
    (r"\b[0-9a-f]{32}\b", "TRACE"),
    (r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?Z?", "TIME"),
    (r'(duration_ms"?[=:]"?)[\d.]+', r"\1N"),
    (r"\b[\d.,]+ (events|bytes|kB|MB)/s", "N/s"),  # whose unit depends on the machine
    (r"\b[\d.]+ (ms|s)\b", "N s"),
    (r"\b[\d.]+( ?)(ms|s|B|KiB|bytes|rows)\b", r"N\1\2"),
    (r"\b(SQLite|MySQL|MariaDB|VictoriaLogs|Redis|Python|logweir|pid|worker) v?\d[\w.]*(-\d+)?", r"\1 N"),
    (r"[━─]+", "━"),
    (r" +", " "),
    (r" $", ""),
)


@contextlib.contextmanager
def folder() -> Iterator[Path]:
    """A folder for a session, whose path is as long as the reader's."""
    prefix = "/tmp/s"
    path = Path(prefix + secrets.token_hex(len(_READERS_FOLDER))[: len(_READERS_FOLDER) - len(prefix)])
    path.mkdir(mode=0o700)
    try:
        yield path
    finally:
        shutil.rmtree(path)


def form(text: str) -> str:
    """A text without what differs from run to run, such as the order of what is bound in an event's context."""
    for pattern, instead in _FORMS:
        text = re.sub(pattern, instead, text, flags=re.MULTILINE)
    lines = text.strip().splitlines()
    return "\n".join(" ".join(sorted(line.split(" "))) if "=ID" in line else line for line in lines)


def alike(written: str, printed: str) -> bool:
    """Whether a page's output has the form of what was printed; ``...`` alone in a line stands for any lines."""
    wanted = re.escape(form(written)).replace(re.escape("\n..."), r"(\n.*)?")
    return re.fullmatch(wanted, form(printed), re.DOTALL) is not None


@dataclass
class Session:
    """One page, in a folder of its own.

    Attributes:
        page: Relative to the repository.
        folder: Where its files and commands are.
        instead: What the page names, and what this machine has instead: addresses of servers.
        done: What is done here for a command of SKIPPED, such as one that stops a server.
        forked: Whether commands are forked from a process that has imported what they need, which takes a fifth of the
            time: for long pages, and none that are about the first start.
    """

    page: str
    folder: Path
    instead: Mapping[str, str] = field(default_factory=dict)
    done: Mapping[str, Callable[[], object]] = field(default_factory=dict)
    forked: bool = False
    _beside: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def play(self) -> list[tuple[str, str, str]]:
        """Do what the page says; returns each command with the output that stands there and the one it had."""
        played: list[tuple[str, str, str]] = []
        try:
            for language, text in _BLOCK.findall((ROOT / self.page).read_text(encoding="utf-8")):
                if language == "console":
                    played += [
                        (command, written, self._type(command, written)) for command, written in typed(text)
                    ]
                elif name := re.match(r"# ([\w./]+\.\w+)\n", text):
                    (self.folder / name[1]).write_text(self._here(text), encoding="utf-8")
        finally:
            self._end()
        return played

    def _type(self, command: str, written: str) -> str:
        if command.startswith(SKIPPED):
            self.done.get(command, lambda: None)()
            return written
        if command.endswith(" &"):
            self._beside.append(self._start(command.removesuffix(" &")))
            return written
        deadline = time.monotonic() + (_PATIENCE if _READS.match(command) else 0)
        while not alike(written, printed := self._run(command)) and time.monotonic() < deadline:
            time.sleep(0.5)  # a program each time
        return printed

    def _run(self, command: str) -> str:
        if self.forked and not _IN_A_SHELL.search(command):
            words = shlex.split(self._here(command))
            environment = self._environment()
            done = forked.run(words, cwd=self.folder, env=environment, together=True, timeout=100)
            text = done.stdout
        else:
            process = self._start(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
            text = process.communicate(timeout=100)[0].decode()
        for theirs, ours in self.instead.items():
            text = text.replace(ours, theirs)
        text = text.replace(str(self.folder), _READERS_FOLDER)
        return re.sub(r" +$", "", text, flags=re.MULTILINE)

    def _start(self, command: str, **options: int) -> "subprocess.Popen[bytes]":
        return subprocess.Popen(
            ["bash", "-c", f"exec {self._here(command)}"],
            cwd=self.folder,
            env=self._environment(),
            stdin=subprocess.DEVNULL,
            **options,
        )

    def _environment(self) -> dict[str, str]:
        commands = Path(sys.executable).parent
        return {**os.environ, "PATH": f"{commands}:{os.environ['PATH']}", "COLUMNS": "80"}

    def _here(self, text: str) -> str:
        for theirs, ours in self.instead.items():
            text = text.replace(theirs, ours)
        return text

    def _end(self) -> None:
        for process in self._beside:
            process.send_signal(signal.SIGTERM)
        for process in self._beside:
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def typed(block: str) -> list[tuple[str, str]]:
    """The commands of a console block, each with the output below it."""
    found: list[tuple[str, str]] = []
    for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
        command, _, output = part.replace("\\\n", "").partition("\n")
        found.append((command, output))
    return found


def rewritten(page: str, played: list[tuple[str, str, str]]) -> str:
    """The page with the outputs of a play."""
    text = (ROOT / page).read_text(encoding="utf-8")
    place = 0
    for command, written, printed in played:
        if not alike(written, printed):
            place = text.index(f"$ {command}\n{written}", place) + len(f"$ {command}\n")
            text = text[:place] + printed + text[place + len(written) :]
    return text
