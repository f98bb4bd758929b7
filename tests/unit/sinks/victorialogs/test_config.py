"""The options of the sink: what is refused, and what is never shown."""

from typing import Any

import pytest
from pydantic import ValidationError

from logweir.sinks.victorialogs import VictoriaLogsConfig

URL = "http://victorialogs:9428"


@pytest.mark.parametrize("url", [URL, f"{URL}/", f"{URL}/insert/jsonline", f"{URL}/insert/jsonline?debug=1"])
def test_the_url_is_that_of_the_server(url: str) -> None:
    assert VictoriaLogsConfig(url=url).url == URL


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"url": "victorialogs:9428"}, "not the address"),
        ({"url": "http://u:p@host:9428"}, "credentials"),
        ({"account_id": -1}, "greater than or equal to 0"),
        ({"project_id": 2**32}, "less than or equal to 4294967295"),
        ({"headers": {"AccountID": "7"}}, "the sink's own"),
        ({"headers": {"a b": "7"}}, "no name of a header"),
        ({"headers": {"VL-Debug": "1"}}, "would change what is stored"),
        ({"username": "u"}, "belong together"),
        ({"bearer_token": "t", "headers": {"Authorization": "x"}}, "several ways"),
        ({"stream_fields": ["trace_id"]}, "'env', 'service', 'level' or 'kind'"),
        ({"stream_fields": ["env", "env"]}, "stands twice"),
        ({"static_fields": {}}, "at least 1"),
        ({"static_fields": {"level": "x"}}, "the event's own"),
        ({"static_fields": {"_msg": "x"}}, "no name for a field"),
        ({"static_fields": {"a,b": "x"}}, "no name for a field"),
        ({"static_fields": {"job": ""}}, "empty"),
        ({"message_field": "a,b"}, "comma"),
    ],
)
def test_what_cannot_work_is_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        VictoriaLogsConfig.model_validate({"url": URL, **options})


def test_secrets_are_not_shown_and_known() -> None:
    config = VictoriaLogsConfig.model_validate(
        {"url": URL, "username": "app", "password": "hunter2-hunter2", "headers": {"X-Key": "s3cr3t-s3cr3t"}}
    )
    assert "hunter2" not in repr(config)
    assert "s3cr3t" not in repr(config)
    assert {"hunter2-hunter2", "s3cr3t-s3cr3t"} < set(config.secrets())
