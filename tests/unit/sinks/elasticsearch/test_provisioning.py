"""Which layout is chosen."""

from typing import Any

import pytest

from logweir.errors import SinkRejected
from logweir.sinks.elasticsearch.config import ElasticsearchConfig
from logweir.sinks.elasticsearch.product import Elasticsearch
from logweir.sinks.shared.search_engine.provisioning import choose
from logweir.sinks.shared.search_engine.server import Server

LIFE: dict[str, Any] = {"delete_after": "90d"}


@pytest.mark.parametrize(
    ("layout", "lifecycle", "streams", "ilm", "stands", "expected"),
    [
        ("auto", None, True, True, False, (True, True)),
        ("data_stream", None, None, None, False, (True, False)),
        ("auto", LIFE, True, True, False, (True, True)),
        ("auto", LIFE, True, False, False, (True, False)),
        ("auto", LIFE, False, False, False, (False, False)),
        ("auto", LIFE, True, True, True, (False, False)),
        ("auto", LIFE, None, None, True, (False, False)),
        ("daily", LIFE, True, True, False, (False, False)),
        ("data_stream", LIFE, None, None, False, (True, True)),
        ("data_stream", LIFE, False, False, False, (True, False)),
    ],
)
def test_the_layout_is_what_is_asked_for_or_what_stands_there_or_what_the_server_can(
    layout: Any, lifecycle: Any, streams: bool | None, ilm: bool | None, stands: bool, expected: Any
) -> None:
    config = ElasticsearchConfig(layout=layout, lifecycle=lifecycle)
    decided = choose(
        Elasticsearch(),
        config,
        Server("Elasticsearch", data_streams=streams, lifecycle=ilm),
        daily_stands=stands,
    )
    assert (decided.layout.streaming, decided.managed) == expected


def test_a_server_that_does_not_say_what_it_has_is_not_guessed_at() -> None:
    with pytest.raises(SinkRejected, match="cluster privilege `monitor`"):
        choose(Elasticsearch(), ElasticsearchConfig(), Server("Elasticsearch"), daily_stands=False)
