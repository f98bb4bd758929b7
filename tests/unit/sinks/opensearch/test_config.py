"""The options, and what they refuse."""

from typing import Any

import pytest
from pydantic import ValidationError

from logweir.sinks.opensearch.config import OpenSearchConfig


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"url": "http://user:hush@h:9200"}, "leave user and password out of the URL"),
        ({"username": "u"}, "belong together"),
        ({"username": "u", "password": "hush", "aws": {"region": "r"}}, "either aws or username"),
        ({"aws": {"region": "eu central"}}, "region"),
        ({"aws": {"region": "r", "access_key_id": "A"}}, "belong together"),
        ({"aws": {"region": "r", "session_token": "hush"}}, "session_token needs"),
        ({"lifecycle": {"warm_nodes": {"temp": "warm"}}}, "warm_nodes needs warm_after"),
        ({"lifecycle": {"warm_after": "9d", "delete_after": "7d"}}, "longer than the one before"),
        ({"api_key": "k"}, "api_key"),
    ],
)
def test_options_that_make_no_sense_are_refused(options: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError, match=words) as caught:
        OpenSearchConfig(**options)
    assert not any("hush" in problem["msg"] for problem in caught.value.errors())
