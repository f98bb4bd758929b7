"""The order service in a process of its own, driven over HTTP, and what it must have logged for each answer."""

import hashlib
import http.client
import os
import random
import secrets
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import msgspec

ROOT = Path(__file__).parents[2]
COMMAND = (sys.executable, "-m", "logweir.examples.order_service", "0")

#: Every secret that is sent begins so; the card numbers are valid ones.
CARD_PREFIX = "411122"
PASSWORD_PREFIX = "hunter2-"

_THREADS = 16
_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder().decode


@dataclass(frozen=True)
class Answer:
    """One request and what came back."""

    job: str
    trace_id: str
    status: int
    order_id: int = 0


@dataclass
class Driven:
    """All requests that were sent, and the secrets in them."""

    answers: list[Answer] = field(default_factory=list)
    secrets: set[str] = field(default_factory=set)
    seconds: float = 0.0

    @property
    def repeated_refunds(self) -> int:
        """How many refunds were not the first of their order."""
        done = [answer.order_id for answer in self.answers if (answer.job, answer.status) == ("refund", 200)]
        return len(done) - len(set(done))


@dataclass
class OrderService:
    """A running order service."""

    address: str
    process: subprocess.Popen[bytes]
    directory: Path

    def drive(self, requests: int) -> Driven:
        """Send so many requests, many at once; every answer says its trace."""
        host = urlsplit(self.address)
        chance = random.Random(requests)
        jobs = iter([_job(chance, number) for number in range(requests)])
        driven, turn, begin = Driven(), threading.Lock(), time.perf_counter()

        def work() -> None:
            connection = http.client.HTTPConnection(str(host.hostname), host.port, timeout=60)
            while True:
                with turn:
                    job = next(jobs, None)
                if job is None:
                    break
                answer = _send(connection, *job)
                with turn:
                    driven.answers.append(answer)
                    driven.secrets.update(_secrets(job[3]))
            connection.close()

        threads = [threading.Thread(target=work) for _ in range(_THREADS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        driven.seconds = time.perf_counter() - begin
        assert len(driven.answers) == requests
        return driven

    def stop(self, timeout: float = 90) -> None:
        """Let it drain and end, as a deployment does."""
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(timeout)


@contextmanager
def order_service(
    directory: Path, routing: Path, environment: Mapping[str, str] = os.environ
) -> Iterator[OrderService]:
    """The service, started by the one command in a directory; only ``LOGWEIR_CONFIG`` says which file routes."""
    settings = {**os.environ, **environment, "LOGWEIR_CONFIG": str(routing)}
    with (directory / "service.err").open("ab") as errors:
        process = subprocess.Popen(
            COMMAND, cwd=directory, env=settings, stdout=subprocess.PIPE, stderr=errors
        )
    assert process.stdout is not None
    try:
        address = process.stdout.readline().decode().strip()
        assert address, (directory / "service.err").read_text()
        yield OrderService(address, process, directory)
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def application() -> dict[str, str]:
    """The digest of each file that the application consists of."""
    folder = ROOT / "examples" / "order_service"
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.glob("*.py")}


def expected(answer: Answer) -> dict[str, Counter[str]]:
    """What one answer must have left, by kind; of a repeated refund only the warning is not known here."""
    tracing, audit = _EXPECTED[answer.job, answer.status]
    return {"tracing": Counter(tracing), "audit": Counter(audit)}


#: Tracing and audit by job and status, under the rules of ``strategy: separated``.
_EXPECTED: dict[tuple[str, int], tuple[tuple[str, ...], tuple[str, ...]]] = {
    ("order", 201): (
        ("order.received", "order.placed", "http.request"),
        ("payment.requested", "fund.charge"),
    ),
    ("order", 402): (
        ("order.received", "http.request"),
        ("payment.requested", "payment.declined", "fund.charge"),
    ),
    ("read", 200): (("order.read", "http.request"), ()),
    ("read", 404): (("order.not_found", "http.request"), ()),
    ("refund", 200): (("refund.requested", "http.request"), ("fund.refund",)),
    ("refund", 404): (("refund.requested", "refund.failed", "http.request"), ("fund.refund",)),
    ("permission", 200): (
        ("http.request",),
        ("permission.checked", "role.changed", "permission.change"),
    ),
}

Job = tuple[str, str, str, dict[str, Any] | None]


def _job(chance: random.Random, number: int) -> Job:
    """One request of a day in a shop."""
    user_id, order_id = chance.randint(1, 200), chance.randint(1, max(1, number))
    choice = chance.random()
    if choice < 0.5:
        amount = "1500.00" if chance.random() < 0.1 else f"{chance.randint(1, 900)}.50"
        body = {"user_id": user_id, "amount": amount, "card_number": _card(chance)}
        return "order", "POST", "/orders", body
    if choice < 0.8:
        return "read", "GET", f"/orders/{order_id}", None
    if choice < 0.9:
        return "refund", "POST", f"/orders/{order_id}/refund", {"user_id": user_id}
    body = {"admin_id": 1, "role": chance.choice(["admin", "guest"]), "password": _password()}
    return "permission", "POST", f"/users/{user_id}/role", body


def _send(connection: http.client.HTTPConnection, job: str, method: str, path: str, body: Any) -> Answer:
    headers = {"content-type": "application/json"} if body else {}
    connection.request(method, path, _encode(body) if body else None, headers)
    response = connection.getresponse()
    answered = _decode(response.read())
    trace_id = str(response.getheader("traceparent")).split("-")[1]
    order_id = answered.get("order_id", 0) if response.status < 300 else 0
    return Answer(job, trace_id, response.status, int(order_id))


def _secrets(body: Mapping[str, Any] | None) -> list[str]:
    return [str(value) for name, value in (body or {}).items() if name in {"card_number", "password"}]


def _password() -> str:
    return PASSWORD_PREFIX + secrets.token_hex(8)


def _card(chance: random.Random) -> str:
    """A card number that checks."""
    digits = CARD_PREFIX + "".join(str(chance.randint(0, 9)) for _ in range(9))
    doubled = (int(digit) * (2 - index % 2) for index, digit in enumerate(digits))
    total = sum(chain.from_iterable(divmod(number, 10) for number in doubled))
    return digits + str(-total % 10)
