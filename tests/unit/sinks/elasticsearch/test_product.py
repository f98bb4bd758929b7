"""What a server has, read from what it says."""

from typing import Any

import pytest

from logweir.sinks.elasticsearch.product import features_of

HAS = {"available": True, "enabled": True}
LACKS = {"available": False, "enabled": True}


@pytest.mark.parametrize(
    ("status", "answer", "streams", "ilm"),
    [
        (200, {"features": {"data_streams": HAS, "ilm": HAS}}, True, True),
        (200, {"features": {"data_streams": HAS, "ilm": LACKS}}, True, False),
        (200, {"features": {}}, False, False),
        (200, {}, False, False),
        (400, {"error": {}}, False, False),
        (405, {"error": "no"}, False, False),
        (403, {"error": {}}, None, None),
    ],
)
def test_what_a_server_has_is_read_from_what_it_says(
    status: int, answer: Any, streams: bool | None, ilm: bool | None
) -> None:
    assert features_of(status, answer) == (streams, ilm)
