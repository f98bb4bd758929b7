"""From the client's errors to what the worker should do; the shared verdicts judge what is refused. Pure."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from elastic_transport import ApiError, ConnectionTimeout, SerializationError, TransportError
from elasticsearch import UnsupportedProductError

from logweir.errors import SinkError, SinkUnavailable
from logweir.sinks.shared.search_engine.verdicts import first_line, refusal

__all__ = ["failure"]


def failure(error: Exception, hide: Callable[[Any], Any] = lambda body: body) -> SinkError:
    """Return the sink error that a failed request means; the client is elasticsearch-py 8.

    Args:
        error: What the client raised.
        hide: Returns the body of an answer as it may be shown.
    """
    if isinstance(error, UnsupportedProductError):
        return SinkUnavailable("what answers is not Elasticsearch; look at the url")
    if isinstance(error, ApiError):
        return refusal(error.meta.status, hide(error.body), error.meta.headers.get("retry-after"))
    if isinstance(error, ConnectionTimeout):
        return SinkUnavailable("the server did not answer in time")
    if isinstance(error, SerializationError):
        return SinkUnavailable("the server's answer is not the JSON that was expected")
    if isinstance(error, TransportError):
        return SinkUnavailable(f"the server cannot be reached: {first_line(error.message)}")
    return SinkUnavailable(f"{type(error).__name__}: {first_line(error)}")
