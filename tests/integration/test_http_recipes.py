"""The page's recipes for stores that take lines of JSON, tried on a real one."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from logweir.event import new_event_id
from logweir.sinks.http.config import HttpConfig
from logweir.sinks.http.sink import HttpSink
from logweir.testing.contract import make_event
from servers.server import Server
from support import victorialogs as store

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "http-webhook.md"


def recipe(victorialogs: Server) -> dict[str, Any]:
    (text,) = re.findall(
        r"^```yaml\n(# lines of JSON for VictoriaLogs\n.*?)^```", PAGE.read_text(), re.DOTALL | re.MULTILINE
    )
    written = text.replace("https://logs.example:9428", victorialogs.url)
    options: dict[str, Any] = yaml.safe_load(written)["sinks"]["lines"]
    return options


@pytest.mark.parametrize("compressed", [True, False])
async def test_victorialogs_takes_lines_of_json(victorialogs: Server, compressed: bool) -> None:
    mark = new_event_id()
    sink = HttpSink(HttpConfig.model_validate({**recipe(victorialogs), "gzip": compressed}))
    events = [make_event("order.placed", {"mark": mark, "order": {"id": number}}) for number in range(3)]
    await sink.open()
    try:
        assert not (await sink.write(events)).rejected
    finally:
        await sink.close()
    found = store.rows(victorialogs.url, f'mark:"{mark}"')
    assert {row["id"] for row in found} == {event.id for event in events}
    assert {row["_msg"] for row in found} == {"order.placed"}
    assert {row["order.id"] for row in found} == {"0", "1", "2"}
    assert {store.time_of(row) for row in found} == {event.time for event in events}
