"""Beside real uvicorn and gunicorn: each line is printed once and stored once, errors and websockets with their trace."""

import re
import signal
import socket
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
import websockets.sync.client

from logweir.event import Event
from support.programs import CONFIG, stored
from support.waiting import eventually

pytestmark = pytest.mark.busy

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
HEADERS = {"traceparent": f"00-{TRACE}-00f067aa0ba902b7-01", "x-request-id": "r-17"}

WEB = """
import logging
import logweir
from fastapi import FastAPI, Request, WebSocket
from logweir.integrations.asgi import ContextMiddleware
from logweir.integrations.stdlib import install_stdlib
from logweir.integrations.wsgi import ContextMiddleware as WsgiMiddleware

logging.basicConfig(format="ROOT %(message)s")
logweir.configure_structlog()
install_stdlib()

app = FastAPI(lifespan=logweir.lifespan("routing.yaml"))
app.add_middleware(ContextMiddleware)

@app.get("/ok")
async def ok():
    logging.getLogger("shop").info("a line of the application")

@app.get("/fails")
async def fails():
    raise RuntimeError("boom")

@app.post("/upload")
async def upload(request: Request):
    async for chunk in request.stream():
        logging.getLogger("shop").info("a chunk of %d", len(chunk))

@app.websocket("/echo")
async def echo(socket: WebSocket):
    await socket.accept()
    while True:
        await socket.send_text(await socket.receive_text())

def plain(environ, start_response):
    if environ["PATH_INFO"] == "/fails":
        raise RuntimeError("boom")
    logging.getLogger("shop").info("a line of the application")
    start_response("200 OK", [])
    return [b""]

application = WsgiMiddleware(plain)
"""


class Server:
    """A server in a process of its own, and what it prints."""

    def __init__(self, process: subprocess.Popen[str], mark: str) -> None:
        self.lines: list[str] = []
        self.address = ""
        self._process = process
        self._mark = mark
        self._listening = threading.Event()
        self._reading = threading.Thread(target=self._read)
        self._reading.start()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self.lines.append(line)
            if found := re.search(rf"{self._mark}(http://127\.0\.0\.1:\d+)", line):
                self.address = found[1]
                self._listening.set()
        self._listening.set()

    def wait(self) -> None:
        assert self._listening.wait(60), self.lines
        assert self.address, "".join(self.lines)

    def end(self) -> None:
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(60)
        finally:
            self._process.kill()
            self._process.wait()
            self._reading.join()
            assert self._process.stdout is not None
            self._process.stdout.close()


@contextmanager
def serving(directory: Path, *command: str, mark: str) -> Iterator[Server]:
    (directory / "routing.yaml").write_text(CONFIG)
    (directory / "web.py").write_text(WEB)
    process = subprocess.Popen(
        [sys.executable, "-m", *command],
        cwd=directory,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    server = Server(process, mark)
    try:
        server.wait()
        yield server
    finally:
        server.end()


def printed_once(server: Server, *parts: str) -> None:
    text = "".join(server.lines)
    assert {part: text.count(part) for part in parts} == dict.fromkeys(parts, 1), text


def events_of(directory: Path) -> dict[str, Event]:
    events = stored(directory)
    assert max(Counter(event.name for event in events if event.name != "http.request").values()) == 1, events
    return {event.name: event for event in events}


def broken_off_upload(server: Server, directory: Path) -> Event:
    """Announce ten bytes, send five, and leave when they have been read; the event of that request."""

    def logged(name: str) -> list[Event]:
        return [
            each for each in stored(directory) if each.name == name and each.fields["request_id"] == "r-18"
        ]

    host, _, port = server.address.removeprefix("http://").partition(":")
    with socket.create_connection((host, int(port)), timeout=60) as connection:
        lines = (
            "POST /upload HTTP/1.1",
            f"host: {host}",
            "content-length: 10",
            "x-request-id: r-18",
            "",
            "12345",
        )
        connection.sendall("\r\n".join(lines).encode())
        eventually(lambda: "a chunk of 5" in "".join(server.lines))
    eventually(lambda: logged("http.request"))
    return logged("http.request")[0]


def test_uvicorns_lines_are_printed_once_and_its_errors_have_the_trace(tmp_path: Path) -> None:
    with serving(tmp_path, "uvicorn", "web:app", "--port", "0", mark="running on ") as server:
        with httpx.Client(base_url=server.address, trust_env=False, timeout=60) as client:
            assert client.get("/ok", headers=HEADERS).status_code == 200
            answer = client.get("/fails", headers=HEADERS)
        address = server.address.replace("http", "ws", 1) + "/echo"
        with websockets.sync.client.connect(
            address, proxy=None, additional_headers=HEADERS, open_timeout=60
        ) as echo:
            echo.send("hello")
            assert echo.recv() == "hello"
        upload = broken_off_upload(server, tmp_path)
    assert (upload.level, upload.fields["client_disconnected"]) == ("warning", True)
    assert upload.fields.keys().isdisjoint({"exception", "error_type"})
    assert (answer.status_code, answer.headers["x-request-id"]) == (500, "r-17")
    assert answer.headers["traceparent"].startswith(f"00-{TRACE}-")
    lines = "Uvicorn running on", '"GET /ok', '"GET /fails', "Exception in ASGI application\n"
    printed_once(server, *lines, "a line of the application")
    events = events_of(tmp_path)
    failure = events["Exception in ASGI application\n"]
    assert (failure.trace_id, failure.fields["request_id"]) == (TRACE, "r-17")
    assert (events["http.websocket"].level, events["http.websocket"].fields["websocket_code"]) == (
        "info",
        1000,
    )
    assert events["a line of the application"].trace_id == TRACE
    assert any(name.startswith("Uvicorn running on") for name in events)


@pytest.mark.parametrize("worker", ["sync", "gthread"])
def test_gunicorns_lines_are_printed_once_and_its_errors_have_the_trace(tmp_path: Path, worker: str) -> None:
    (tmp_path / "gunicorn.conf.py").write_text(
        "def post_worker_init(worker):\n    import logweir\n    logweir.start('routing.yaml')\n"
    )
    command = "gunicorn", "web:application", "--worker-class", worker, "--bind", "127.0.0.1:0"
    with (
        serving(tmp_path, *command, "--access-logfile", "-", mark="Listening at: ") as server,
        httpx.Client(base_url=server.address, trust_env=False, timeout=60) as client,
    ):
        assert client.get("/ok", headers=HEADERS).status_code == 200
        assert client.get("/fails", headers=HEADERS).status_code == 500
    printed_once(server, '"GET /ok', "Error handling request", "a line of the application", "Booting worker")
    events = events_of(tmp_path)
    failure = next(event for name, event in events.items() if name.startswith("Error handling request"))
    assert (failure.trace_id, failure.fields["request_id"]) == (TRACE, "r-17")
    assert any('"GET /ok' in name for name in events)
