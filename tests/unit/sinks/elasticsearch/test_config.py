"""The options, and what they refuse."""

import subprocess
import sys
from typing import Any

import pytest
from pydantic import ValidationError

from logweir.sinks.elasticsearch.config import ElasticsearchConfig
from logweir.sinks.elasticsearch.sink import ElasticsearchSink


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"url": "localhost:9200"}, "not the URL of a node"),
        ({"url": "http://user:hush@h:9200"}, "leave user and password out of the URL"),
        ({"url": "http://h:9200/?pretty"}, "ends with its port"),
        ({"url": []}, "at least 1 item"),
        ({"url": ["http://a:1", "http://a:1"]}, "names a node twice"),
        ({"url": ["http://a:1", "https://b:1"]}, "either all nodes are reached by https or none"),
        ({"index": "App"}, "is no index name"),
        ({"index": "-app"}, "is no index name"),
        ({"username": "u"}, "belong together"),
        ({"username": "u", "password": "p", "api_key": "k"}, "either api_key or username"),
        ({"client_key": "k.pem"}, "key belongs to certificate"),
        ({"lifecycle": {"warm_after": "9d", "delete_after": "7d"}}, "longer than the one before"),
        ({"layout": "daily", "lifecycle": {"warm_after": "9d"}}, "needs a data stream"),
    ],
)
def test_options_that_make_no_sense_are_refused(options: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError, match=words) as caught:
        ElasticsearchConfig(**options)
    messages = [problem["msg"] for problem in caught.value.errors()]
    assert not any("hush" in message for message in messages)


def test_secrets_are_not_shown() -> None:
    config = ElasticsearchConfig(username="u", password="hush")
    sink = ElasticsearchSink(config)
    assert "hush" not in repr(config) + repr(sink) + sink.provision_script()


def test_the_package_elasticsearch_is_not_hidden_by_the_folder() -> None:
    program = (
        "import logweir.sinks.elasticsearch.sink, elasticsearch; print(elasticsearch.AsyncElasticsearch)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert "elasticsearch.AsyncElasticsearch" in done.stdout
