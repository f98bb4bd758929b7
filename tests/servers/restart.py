"""Starting a server of another process again: ``python -m servers.restart SOCKET NAME`` asks it to, and waits."""

import socket
import sys
import threading
from collections.abc import Callable, Mapping
from pathlib import Path

__all__ = ["serve"]

_DONE = b"done\n"


def serve(path: Path, restarts: Mapping[str, Callable[[], None]]) -> None:
    """Restart servers for whoever asks at a Unix socket, in a thread that ends with the process."""
    path.unlink(missing_ok=True)
    listening = socket.socket(socket.AF_UNIX)
    listening.bind(str(path))
    listening.listen()

    def answer() -> None:
        while True:
            asking, _ = listening.accept()
            with asking, asking.makefile("rb") as lines:
                try:
                    restarts[lines.readline().decode().strip()]()
                    asking.sendall(_DONE)
                except Exception as error:  # noqa: BLE001 - it is the asker's to deal with
                    asking.sendall(f"{type(error).__name__}: {error}\n".encode())

    threading.Thread(target=answer, daemon=True).start()


def main(path: str, name: str) -> int:
    """Ask, and wait until the server answers again."""
    with socket.socket(socket.AF_UNIX) as asking, asking.makefile("rb") as lines:
        asking.connect(path)
        asking.sendall(f"{name}\n".encode())
        answer = lines.readline()
    if answer != _DONE:
        sys.stderr.write(answer.decode())
    return 0 if answer == _DONE else 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
