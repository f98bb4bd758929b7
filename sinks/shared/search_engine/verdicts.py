"""From a refused request and the items of a bulk answer to what the worker should do. Pure.

What is wrong with the event itself is rejected; what is wrong with the server, the network, the
credentials or the index is tried again, because the next event would fare no better.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from enum import Enum
from http import HTTPStatus
from typing import Any

from logweir.errors import SinkError, SinkRejected, SinkUnavailable
from logweir.sinks.shared.http_verdicts import Meaning, meaning_of
from logweir.sinks.shared.retry_after import seconds_to_wait

__all__ = ["Verdict", "first_line", "item_verdict", "refusal"]

_LONGEST = 500
#: How a `document_parsing_exception` (early 8.x: `mapper_parsing_exception`) names the field to blame, and
#: an `illegal_argument_exception` of OpenSearch the term that Lucene has no room for.
_UNINDEXABLE = ("field [fields] of type [flattened]", 'immense term in field="fields.')
#: What Elasticsearch 8 and OpenSearch 2 answer with 400 to a document that they cannot take: these, and
#: nothing else, are held against an event. Any other 400 speaks of the index or the cluster, and passes once
#: an operator has fixed it.
_OF_THE_DOCUMENT = {
    "document_parsing_exception",
    "mapper_parsing_exception",  # its name before 8.7, and in OpenSearch
    "strict_dynamic_mapping_exception",
    "x_content_parse_exception",
    "parsing_exception",
    "max_bytes_length_exceeded_exception",
}
#: `illegal_argument_exception` is said of both. Of a document: an empty id, a value that Lucene has no room
#: for, fields beyond the limits of the mapping, or another type than the mapping has. Not of it: a pipeline
#: that is missing, an alias without an index to write to.
_ARGUMENT_OF_THE_DOCUMENT = re.compile(
    r"_id is specified|immense|is too large|limit of |mapper \[|can't merge|cannot be changed from|"
    r"object mapping|nested",
    re.IGNORECASE,
)
#: What they answer to a whole request that they cannot take; the first is said of ids.
_OF_THE_REQUEST = {
    "action_request_validation_exception",
    "search_phase_execution_exception",
    "parse_exception",
}


class Verdict(Enum):
    """What became of one item of a bulk request."""

    STORED = "stored"
    DUPLICATE = "duplicate"
    RETRY = "retry"
    UNINDEXABLE = "unindexable"
    """The flattened field refuses the event's fields; they can be kept without being indexed."""
    REJECTED = "rejected"


def item_verdict(item: Mapping[str, Any]) -> tuple[Verdict, str]:
    """Return the verdict on one item, and the server's reason where there is one.

    The rules are those of the Bulk API of Elasticsearch 8 and OpenSearch 2, in which every item has the
    status that a request of its own would have had, and an ``error`` with the type of the server's exception:

    - ``create`` of an id that is there: 409, ``version_conflict_engine_exception``;
    - a document that the mapping refuses: 400, ``document_parsing_exception``, or an
      ``illegal_argument_exception`` about a field;
    - an index that is closed (400), that cannot be made because the cluster has all the shards it may
      have (400, ``validation_exception``), whose ingest pipeline is missing or whose alias has no index to
      write to (400, ``illegal_argument_exception``);
    - an index that is read only or above the flood stage of its disk (403, 429 ``cluster_block_exception``),
      or not ours to write to (403, ``security_exception``);
    - a node with a full queue: 429, ``es_rejected_execution_exception`` or ``rejected_execution_exception``;
      a shard that is not there: 503, ``unavailable_shards_exception``.
    """
    status = item["status"]
    if status < HTTPStatus.MULTIPLE_CHOICES:
        return Verdict.STORED, ""
    error = item.get("error") or {}
    kind, reason = error.get("type", ""), _reason(error) or f"status {status}"
    if status == HTTPStatus.CONFLICT and kind in {"", "version_conflict_engine_exception"}:
        return Verdict.DUPLICATE, ""
    if status == HTTPStatus.BAD_REQUEST and _is_of_the_document(kind, reason):
        unindexable = any(words in reason for words in _UNINDEXABLE)
        return Verdict.UNINDEXABLE if unindexable else Verdict.REJECTED, reason
    if status == HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
        return Verdict.REJECTED, reason
    return Verdict.RETRY, reason


def _is_of_the_document(kind: str, reason: str) -> bool:
    if kind == "illegal_argument_exception":
        return _ARGUMENT_OF_THE_DOCUMENT.search(reason) is not None
    return kind in _OF_THE_DOCUMENT


def refusal(status: int, body: Any, retry_after: str | None) -> SinkError:
    """Return the sink error that a request means which was refused as a whole.

    Args:
        status: Of the answer.
        body: Of the answer, read if it is JSON.
        retry_after: The header of the answer.
    """
    said: dict[str, Any] = body if isinstance(body, dict) else {}
    details = said.get("error") or said.get("message") or said.get("Message")  # the last two are Amazon's
    reason = _reason(details) if isinstance(details, dict) else first_line(details or "")
    message = f"status {status}: {reason}" if reason else f"status {status}"
    meaning = meaning_of(status)
    if meaning is Meaning.ACCESS_REFUSED:
        return SinkUnavailable(f"the server refuses the credentials or the privilege; {message}")
    if meaning is Meaning.TOO_LARGE:
        return SinkRejected(f"larger than the server takes (http.max_content_length); {message}")
    # A proxy may answer 400 to anything; only what the server itself says of what it was sent is held
    # against the events.
    if status == HTTPStatus.BAD_REQUEST and isinstance(details, dict) and _is_of_the_request(details):
        return SinkRejected(message)
    wait = seconds_to_wait(retry_after)
    return SinkUnavailable(message, retry_after=wait)


def _is_of_the_request(error: Mapping[str, Any]) -> bool:
    kind = str(error.get("type", ""))
    return kind in _OF_THE_REQUEST or _is_of_the_document(kind, _reason(error))


def _reason(error: Mapping[str, Any]) -> str:
    """What went wrong, with its innermost cause."""
    kind, reason = error.get("type", ""), error.get("reason") or ""
    cause: Any = error
    while isinstance(cause.get("caused_by"), dict):
        cause = cause["caused_by"]
    inner = cause.get("reason") or ""
    chain = f"{reason}: {inner}" if inner and inner != reason else reason
    return first_line(f"{kind}: {chain}" if kind else chain)


def first_line(text: object) -> str:
    """Return the beginning of a text, for a message."""
    lines = str(text).splitlines()
    return lines[0][:_LONGEST] if lines else ""
