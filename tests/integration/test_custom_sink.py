"""The example of a custom sink is a package like any other: installed, tested by itself, and used by its entry point."""

import os
import re
import shutil
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from logweir.encoding.events import decode_event
from logweir.event import Event

EXAMPLE = Path(__file__).parents[2] / "examples" / "custom_sink"
LOGWEIR = str(Path(sys.executable).parent / "logweir")

ROUTING = """\
service: shop
sinks:
  audit_db: {{type: memory, queue: {{type: disk}}}}
  siem: {{type: syslog, host: 127.0.0.1, port: {port}, queue: {{type: disk}}}}
routes:
  - {{name: audit, match: {{kind: audit}}, to: [audit_db, siem]}}
  - {{name: errors, match: {{level: ">=error"}}, to: [siem]}}
"""

PROGRAM = """\
import logweir
logweir.configure_structlog()
with logweir.running("routing.yaml"):
    log = logweir.get_logger()
    for number in range(300):
        log.info("fund.refund", persist_db=True, number=number, password="hunter2-hunter2")
    log.error("disk\\nfull")
"""


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the example, and beside it `site`, where it is installed without what it needs."""
    folder = tmp_path_factory.mktemp("custom_sink")
    copy = folder / "copy"
    shutil.copytree(EXAMPLE, copy, ignore=shutil.ignore_patterns("__pycache__", "build", "*.egg-info"))
    pip = [
        sys.executable,
        "-m",
        "pip",
        "install",
        "--quiet",
        "--no-deps",
        "--no-build-isolation",
        "--no-index",
    ]
    done = subprocess.run(
        [*pip, "--target", str(folder / "site"), str(copy)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    shutil.rmtree(copy / "src")  # what is tested is what was installed
    return copy


def run(package: Path, directory: Path, *command: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(package.parent / "site"), "PYTHONDONTWRITEBYTECODE": "1"}
    return subprocess.run(
        command,
        cwd=directory, env=environment, capture_output=True, text=True, timeout=100, check=False,
    )  # fmt: skip


class Receiver:
    """A syslog server in a thread: frames with their length before them."""

    def __init__(self) -> None:
        self.messages: list[bytes] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            with connection, connection.makefile("rb") as stream:
                length = b""
                while digit := stream.read(1):
                    if digit == b" ":
                        self.messages.append(stream.read(int(length)))
                        length = b""
                    else:
                        length += digit

    def close(self) -> None:
        """Read to the end of what was sent, and listen no more."""
        self._listener.shutdown(socket.SHUT_RDWR)
        self._thread.join(10)
        self._listener.close()

    def events(self) -> list[Event]:
        """What is behind the cookie of each message."""
        return [decode_event(message.partition(b" @cee:")[2]) for message in self.messages]


def test_its_own_tests_with_the_contract_suite_pass_on_the_installed_package(package: Path) -> None:
    done = run(package, package, sys.executable, "-m", "pytest", "-q", "-rs", "-p", "no:cacheprovider")
    assert done.returncode == 0, done.stdout + done.stderr
    passed = re.search(r"(\d+) passed", done.stdout)
    assert passed
    assert int(passed[1]) >= 30
    skipped = [line.rpartition(": ")[2] for line in done.stdout.splitlines() if line.startswith("SKIPPED")]
    assert all(reason.startswith("this sink ") for reason in skipped)  # what syslog cannot do, and no more


def test_routing_yaml_names_it_by_its_entry_point(package: Path, tmp_path: Path) -> None:
    receiver = Receiver()
    (tmp_path / "routing.yaml").write_text(ROUTING.format(port=receiver.port))
    (tmp_path / "program.py").write_text(PROGRAM)
    checked = run(package, tmp_path, LOGWEIR, "check")
    done = run(package, tmp_path, sys.executable, "program.py")
    receiver.close()
    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert f"127.0.0.1:{receiver.port} accepts connections" in checked.stdout.replace("\n", "")
    assert done.returncode == 0, done.stderr
    events = receiver.events()
    assert [event.fields["number"] for event in events if event.name == "fund.refund"] == [*range(300)]
    assert [event.name for event in events if event.name != "fund.refund"] == ["disk\nfull"]
    assert all(message.startswith(b"<86>1 ") for message in receiver.messages if b" fund.refund [" in message)
    assert b"hunter2-hunter2" not in b"".join(receiver.messages)


def test_without_the_package_the_type_is_unknown_and_the_others_are_named(tmp_path: Path) -> None:
    (tmp_path / "routing.yaml").write_text(ROUTING.format(port=601))
    done = subprocess.run(
        [LOGWEIR, "check"],
        cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 2
    assert "unknown sink type 'syslog'" in done.stdout + done.stderr
