"""The double of Loki as a process, and those who tail it."""

import asyncio
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import httpx

from servers import machine
from servers.server import OwnServer
from support.loki import JSON, PUSH, QUERY, TAIL, body, double, push, refusal


async def test_a_tail_gives_what_is_there_what_comes_and_what_it_dropped(tmp_path: Path) -> None:
    async with double(tmp_path, "-tail-buffer=2") as client, asyncio.timeout(20):
        await push(client, body("old"))
        async with client.ws_connect(TAIL, params={"query": '{job="j"} |= "o"'}) as socket:
            message = await socket.receive_json()
            assert [line for stream in message["streams"] for _, line in stream["values"]] == ["old"]
            await push(client, body("no", "one", "none", "toto", "other"))
            message = await socket.receive_json()
            assert [line for stream in message["streams"] for _, line in stream["values"]] == ["no", "one"]
            assert [dropped["labels"]["job"] for dropped in message["dropped_entries"]] == ["j"] * 3
            await push(client, body("elsewhere no", job="k"))
            await push(client, body("more"))
            message = await socket.receive_json()
            assert [line for stream in message["streams"] for _, line in stream["values"]] == ["more"]
            assert "dropped_entries" not in message
        assert (await refusal(client, TAIL, query="{"))[0] == 400
        assert (await refusal(client, TAIL, query='{job="j"}', delay_for="6"))[0] == 400


def test_a_process_that_is_killed_has_everything_when_it_starts_again(
    own_server: Callable[..., OwnServer],
) -> None:

    server = own_server("loki")
    assert server.started_in < 5
    for number in range(3):
        assert httpx.post(f"{server.url}{PUSH}", content=body(f"{number}"), headers=JSON).status_code == 204
        server.kill()
        server.start()
    answer = httpx.get(f"{server.url}{QUERY}", params={"query": '{job="j"}'}).json()
    lines = sorted(line for stream in answer["data"]["result"] for _, line in stream["values"])
    assert lines == ["0", "1", "2"]


def test_a_flag_that_loki_does_not_have_ends_the_process(tmp_path: Path) -> None:
    tests = str(Path(machine.__file__).parents[1])
    done = subprocess.run(
        [sys.executable, "-m", "servers.loki_double", "-port=1", f"-data={tmp_path}", "-no.such-flag=1"],
        env={**os.environ, "PYTHONPATH": tests},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert done.returncode == 2
    assert "flag provided but not defined: -no.such-flag" in done.stderr
