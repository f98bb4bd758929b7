"""The options, and what they refuse."""

from typing import Any

import pytest
from pydantic import ValidationError

from logweir.sinks.http.config import HttpConfig


def config(**options: Any) -> HttpConfig:
    return HttpConfig.model_validate({"url": "https://hooks.example/logs", **options})


def test_single_events_are_taken_by_the_handful_unless_configured_otherwise() -> None:
    assert config(mode="single").batch.max_events == 8
    assert config(mode="single", concurrency=3, batch={"linger": 1}).batch.max_events == 3
    assert config(mode="single", batch={"max_events": 99}).batch.max_events == 99
    assert config().batch.max_events == 500


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"url": "ftp://x/"}, "not an address"),
        ({"url": "https://"}, "not an address"),
        ({"url": "https://h:port/"}, "not an address"),
        ({"url": "https://u:hunter2@h/"}, "holds credentials"),
        ({"url": "https://u:123/hunter2@h/"}, "holds credentials"),
        ({"url": "https://u:123?hunter2@h/"}, "another @ as %40"),
        ({"url": "https://u:123#hunter2@h/"}, "holds credentials"),
        ({"url": "https://hunter2@h/"}, "holds credentials"),
        ({"username": "u"}, "belong together"),
        ({"username": "u", "password": "p", "bearer_token": "t"}, "several ways"),
        ({"headers": {"authorization": "x"}, "bearer_token": "t"}, "several ways"),
        ({"headers": {"Content-Length": "1"}}, "sink's own"),
        ({"headers": {"Bad Name": "1"}}, "no name of a header"),
        ({"headers": {"X": "a\r\nY: b"}}, "character"),
        ({"sign": {"secret": "short"}}, "longer"),
        ({"method": "GET"}, "method"),
    ],
)
def test_what_cannot_work_is_refused(options: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError) as raised:
        config(**options)
    assert words in " ".join(f"{problem['loc']} {problem['msg']}" for problem in raised.value.errors())
