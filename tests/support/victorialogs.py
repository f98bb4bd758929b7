"""What a VictoriaLogs holds, asked by LogsQL past the sinks.

It makes events visible about a second after it took them; ``rows`` asks it to do so at once. It keeps an
entry that is pushed again once more, so "nothing is lost" is a statement about distinct ids.
"""

from typing import Any

import httpx
import msgspec

from logweir.encoding.times import parse_time

_decode = msgspec.json.Decoder(dict[str, Any]).decode


def push_url(url: str) -> str:
    """The URL of a sink of type ``loki`` that writes into it."""
    return f"{url}/insert"


def rows(url: str, query: str, timeout: float = 60) -> list[dict[str, Any]]:
    """The answer to a query: one mapping for each entry, of labels, metadata, parsed line, ``_time`` and ``_msg``."""
    show(url, timeout)
    with httpx.Client(base_url=url, timeout=timeout, verify=False) as client:
        answer = client.post("/select/logsql/query", data={"query": query})
        answer.raise_for_status()
        return decoded(answer.content)


def show(url: str, timeout: float = 60) -> None:
    """Have it show what it took."""
    # Authorities of certifi would be read for each call, which takes longer than the call.
    httpx.get(f"{url}/internal/force_flush", timeout=timeout, verify=False).raise_for_status()


def decoded(answer: bytes) -> list[dict[str, Any]]:
    """The rows of an answer: JSON objects, one a line."""
    return [_decode(line) for line in answer.split(b"\n") if line]


def time_of(row: dict[str, Any]) -> int:
    """The time of an entry in nanoseconds."""
    return parse_time(row["_time"])


def in_job(job: str, url: str) -> list[dict[str, Any]]:
    """Every entry of a job."""
    return rows(url, f'{{job="{job}"}} | sort by (_time)')


def saved(url: str) -> bool:
    """Whether everything it took is on disk, where it survives SIGKILL."""
    show(url, timeout=10)
    rows = {
        line.split()[0].partition('"')[2].partition('"')[0]: float(line.split()[-1])
        for line in httpx.get(f"{url}/metrics", timeout=10, verify=False).text.splitlines()
        if line.startswith("vl_storage_rows{")
    }
    return rows["storage/inmemory"] == 0 and sum(rows.values()) > 0
