"""The fault proxy itself, between a small client and two small servers: an echo, and an HTTP server."""

import gc
import http.server
import socket
import socketserver
import threading
import time
from collections.abc import Iterator
from contextlib import suppress

import httpx
import pytest

from servers import FaultProxy
from support.waiting import eventually

pytestmark = pytest.mark.busy


class _Echo(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        for line in self.rfile:
            self.wfile.write(line)


class _Length(http.server.BaseHTTPRequestHandler):
    """Answers a POST with the number of bytes in its body."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        if "chunked" in self.headers.get("Transfer-Encoding", ""):
            size = 0
            while chunk := int(self.rfile.readline(), 16):
                size += len(self.rfile.read(chunk))
                self.rfile.readline()
            self.rfile.readline()
        else:
            size = len(self.rfile.read(int(self.headers["Content-Length"])))
        body = str(size).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: object) -> None:
        """Say nothing."""


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True

    def handle_error(self, *_: object) -> None:
        """Connections are reset here: that is what is tested."""


def _serve(handler: type[socketserver.BaseRequestHandler]) -> Iterator[int]:
    with _Server(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=lambda: server.serve_forever(0.01))
        thread.start()
        yield server.server_address[1]
        server.shutdown()
        thread.join()


@pytest.fixture
def echo() -> Iterator[FaultProxy]:
    for port in _serve(_Echo):
        with FaultProxy(f"tcp://127.0.0.1:{port}") as proxy:
            yield proxy


@pytest.fixture
def web() -> Iterator[FaultProxy]:
    for port in _serve(_Length):
        with FaultProxy(f"http://127.0.0.1:{port}") as proxy:
            yield proxy


@pytest.fixture
def client() -> Iterator[httpx.Client]:
    with httpx.Client(timeout=5) as client:
        yield client


def connect(proxy: FaultProxy, timeout: float = 5) -> socket.socket:
    return socket.create_connection((proxy.host, proxy.port), timeout)


def say(connection: socket.socket, text: bytes) -> bytes:
    connection.sendall(text)
    answer = b""
    while len(answer) < len(text):
        more = connection.recv(1 << 16)
        if not more:
            break
        answer += more
    return answer


def test_bytes_pass_unchanged_in_both_directions_and_are_counted(echo: FaultProxy) -> None:
    with connect(echo) as connection:
        assert say(connection, b"hello\n") == b"hello\n"
        large = b"x" * 3_000_000 + b"\n"
        assert say_in_background(connection, large) == large
    assert (echo.seen.up, echo.seen.down) == (3_000_007, 3_000_007)
    assert echo.connections == 1


def say_in_background(connection: socket.socket, text: bytes) -> bytes:
    sender = threading.Thread(target=connection.sendall, args=(text,))
    sender.start()
    answer = bytearray()
    while len(answer) < len(text):
        answer += connection.recv(1 << 16)
    sender.join()
    return bytes(answer)


def test_the_end_of_one_direction_is_passed_on(echo: FaultProxy) -> None:
    with connect(echo) as connection:
        connection.sendall(b"last\n")
        connection.shutdown(socket.SHUT_WR)
        assert connection.recv(100) == b"last\n"
        assert connection.recv(100) == b""


def test_latency_delays_each_request_until_it_is_cleared(echo: FaultProxy) -> None:
    with connect(echo) as connection:
        echo.latency(0.2)
        begin = time.monotonic()
        assert say(connection, b"slow\n") == b"slow\n"
        assert time.monotonic() - begin >= 0.2
        echo.latency(60)
        echo.clear()
        assert say(connection, b"quick\n") == b"quick\n"


def test_reset_ends_open_connections_and_new_ones_until_it_is_cleared(echo: FaultProxy) -> None:
    with connect(echo) as connection:
        say(connection, b"before\n")
        echo.reset()
        with pytest.raises(ConnectionResetError):
            connection.recv(1)
    with pytest.raises(ConnectionResetError), connect(echo) as another:
        another.recv(1)
    echo.clear()
    with connect(echo) as connection:
        assert say(connection, b"after\n") == b"after\n"


def test_refuse_ends_open_connections_and_accepts_no_new_ones_until_it_is_cleared(echo: FaultProxy) -> None:
    with connect(echo) as connection:
        say(connection, b"before\n")
        echo.refuse()
        with pytest.raises(ConnectionResetError):
            connection.recv(1)
    with pytest.raises(ConnectionRefusedError):
        connect(echo)
    echo.clear()
    with connect(echo) as connection:
        assert say(connection, b"after\n") == b"after\n"


def test_hang_accepts_and_answers_nothing_and_afterwards_all_goes_on(echo: FaultProxy) -> None:
    with connect(echo, 0.1) as old:
        say(old, b"before\n")
        echo.hang()
        with connect(echo, 0.1) as new:
            for connection in (old, new):
                connection.sendall(b"late\n")
                with pytest.raises(TimeoutError):
                    connection.recv(100)
            assert echo.seen.up == 7
            echo.clear()
            for connection in (old, new):
                connection.settimeout(5)
                assert connection.recv(100) == b"late\n"


def test_a_cut_answer_ends_in_a_reset_after_so_many_bytes(echo: FaultProxy) -> None:
    with connect(echo) as connection:
        say(connection, b"before\n")
        echo.cut_answers(3)
        connection.sendall(b"answer\n")
        assert connection.recv(100, socket.MSG_WAITALL) == b"ans"
        with pytest.raises(ConnectionResetError):
            connection.recv(1)


def test_a_connection_without_a_server_behind_the_proxy_is_reset() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        proxy = FaultProxy(f"tcp://127.0.0.1:{unused.getsockname()[1]}")
        with proxy, pytest.raises(ConnectionResetError), connect(proxy) as connection:
            connection.recv(1)


def test_requests_of_either_framing_pass_on_one_connection(web: FaultProxy, client: httpx.Client) -> None:
    assert client.post(web.url, content=b"x" * 100_000).text == "100000"
    assert client.post(web.url, content=iter([b"abc", b"de"])).text == "5"
    assert client.post(web.url, content=b"").text == "0"
    assert (web.requests, web.answered, web.connections) == (3, 0, 1)


def test_injected_answers_carry_status_and_retry_after_and_keep_the_connection(
    web: FaultProxy, client: httpx.Client
) -> None:
    web.answer(429, retry_after=2)
    for content in (b"x" * 100_000, iter([b"abc", b"de"])):
        answer = client.post(web.url, content=content)
        assert (answer.status_code, answer.headers["retry-after"]) == (429, "2")
        assert answer.json() == {"error": "injected"}
    assert web.seen.up == 0
    web.clear()
    assert client.post(web.url, content=b"12345").text == "5"
    assert (web.requests, web.answered, web.connections) == (3, 2, 1)


def test_a_share_of_the_requests_is_answered_and_the_others_pass(
    web: FaultProxy, client: httpx.Client
) -> None:
    web.answer(503, share=0.3)
    statuses = [client.post(web.url, content=b"x").status_code for _ in range(20)]
    assert (statuses.count(503), statuses.count(200)) == (6, 14)
    assert statuses[:10] == statuses[10:]


def test_injected_answers_are_cut_as_well(web: FaultProxy, client: httpx.Client) -> None:
    web.answer(503)
    web.cut_answers(20)
    with pytest.raises((httpx.RemoteProtocolError, httpx.ReadError)):
        client.post(web.url, content=b"x")


def test_answers_cannot_be_injected_into_other_protocols(echo: FaultProxy) -> None:
    with pytest.raises(RuntimeError, match="needs an HTTP server"):
        echo.answer(503)


def test_the_url_keeps_all_but_the_place(echo: FaultProxy) -> None:
    with FaultProxy(f"mysql+aiomysql://u:p@127.0.0.1:{echo.port}/t?charset=utf8mb4") as proxy:
        assert proxy.url == f"mysql+aiomysql://u:p@127.0.0.1:{proxy.port}/t?charset=utf8mb4"


@pytest.mark.parametrize("harm", ["refuse", "close"])
def test_a_connection_that_comes_in_the_moment_of_a_fault_is_closed(echo: FaultProxy, harm: str) -> None:
    release, stands = threading.Event(), threading.Event()

    def stand_still() -> None:
        stands.set()
        release.wait(10)

    # Both are found in one turn of the proxy's loop: a connection to accept, and what is to end all of them.
    echo._loop.call_soon_threadsafe(stand_still)
    stands.wait(10)
    connection = connect(echo)
    harming = threading.Thread(target=getattr(echo, harm))
    harming.start()
    eventually(lambda: len(echo._loop._ready) > 0)  # type: ignore[attr-defined]
    release.set()
    harming.join()
    with connection, suppress(ConnectionResetError):
        assert connection.recv(1) == b""
    echo.close()
    gc.collect()
