"""What failed requests mean."""

from typing import Any

import elastic_transport
import pytest
from elasticsearch import ApiError, ConnectionTimeout

from logweir.errors import SinkRejected, SinkUnavailable
from logweir.sinks.elasticsearch.verdicts import failure


def error(kind: str, reason: str = "why", **more: Any) -> dict[str, Any]:
    return {"type": kind, "reason": reason, **more}


def answered(status: int, body: Any = None, **headers: str) -> ApiError:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    node = elastic_transport.NodeConfig("http", "h", 1)
    headers_ = elastic_transport.HttpHeaders(named)
    meta = elastic_transport.ApiResponseMeta(status, "1.1", headers_, 0.1, node)
    return ApiError("no", meta, body)


@pytest.mark.parametrize("status", [401, 403, 404, 405, 408, 429, 500, 502, 503, 504])
def test_a_request_that_failed_for_everybodys_reasons_is_tried_again(status: int) -> None:
    assert isinstance(failure(answered(status)), SinkUnavailable)


def test_a_request_that_elasticsearch_itself_refuses_is_rejected_but_not_one_that_a_proxy_does() -> None:
    said = {"error": error("action_request_validation_exception", "id is too long")}
    assert isinstance(failure(answered(400, said)), SinkRejected)
    assert "id is too long" in str(failure(answered(400, said)))
    unknown = {"error": error("media_type_header_exception", "Invalid media-type value")}
    assert isinstance(failure(answered(400, unknown)), SinkUnavailable)
    assert isinstance(failure(answered(400, "<html>Bad Request</html>")), SinkUnavailable)
    assert isinstance(failure(answered(413)), SinkRejected)


def test_the_servers_wish_to_wait_is_passed_on() -> None:
    for text, seconds in {"7": 7.0, "soon": None}.items():
        failed = failure(answered(429, retry_after=text))
        assert isinstance(failed, SinkUnavailable)
        assert failed.retry_after == seconds, text


@pytest.mark.parametrize(
    "raised", [elastic_transport.ConnectionError("reset"), ConnectionTimeout("late"), RuntimeError("odd")]
)
def test_a_request_without_an_answer_is_tried_again(raised: Exception) -> None:
    assert isinstance(failure(raised), SinkUnavailable)
