"""From Loki's answer to what it means for each entry. Pure; the only place that knows Loki's words.

Loki validates entry by entry and answers 400 with a text that groups what it refused; the other entries
are stored. The text names limits, streams and times, not entries, and may leave some out. So a refusal
counts as one of certain entries only if exactly as many entries fit it as Loki says it refused; what is
in doubt is asked again in smaller parts (see :mod:`logweir.sinks.loki.writing`).
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from http import HTTPStatus

from logweir.errors import SinkUnavailable
from logweir.sinks.loki.encode import Entry
from logweir.sinks.shared.http_verdicts import Meaning, is_about_the_address, meaning_of
from logweir.sinks.shared.retry_after import seconds_to_wait

__all__ = ["Answer", "Fault", "Outcome", "Refusal", "Throttled", "is_too_large", "read_answer", "unreachable"]

#: Answers that may speak of some entries alone, though they need not: 429 is said of a stream too many, 500
#: of a time before the schema; both are also said of Loki as a whole.
_PARTIAL = {HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.INTERNAL_SERVER_ERROR}
_CHECK_LOGIN = "; check username and password, bearer_token or tenant"
_HINTS: dict[int, str] = {
    HTTPStatus.UNAUTHORIZED: _CHECK_LOGIN,
    HTTPStatus.FORBIDDEN: _CHECK_LOGIN,
    HTTPStatus.NOT_FOUND: "; is the url that of a Loki?",
}
_NANOS = 10**9
_LONGEST_MESSAGE = 400


class Throttled(SinkUnavailable):
    """Loki asks for less. Of a stream that is too fast it may have stored the first entries."""


class Fault(StrEnum):
    """What Loki holds against an entry."""

    LINE_TOO_LONG = "line too long"
    TOO_OLD = "too old"
    TOO_NEW = "too far ahead"
    LABELS = "labels"
    STREAMS = "too many streams"
    METADATA = "structured metadata"
    NO_METADATA = "no structured metadata"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Refusal:
    """One thing that Loki said of some entries.

    Attributes:
        fault: What is wrong with them.
        reason: Loki's own words.
        fits: Whether it may have been said of this entry.
        count: Of how many entries it was said; None if of all that fit.
        limit: The limit that Loki named.
    """

    fault: Fault
    reason: str
    fits: Callable[[Entry], bool]
    count: int | None = None
    limit: int | None = None


class Outcome(StrEnum):
    """What happened to a request."""

    STORED = "stored"
    TOO_LARGE = "too large"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Answer:
    """Loki's answer to a request.

    Attributes:
        outcome: What happened.
        reason: Loki's own words.
        refusals: What it said of which entries.
    """

    outcome: Outcome
    reason: str = ""
    refusals: Sequence[Refusal] = field(default=())

    def blamed(self, entries: Sequence[Entry]) -> dict[int, Refusal]:
        """The entries that were certainly refused, by their position."""
        return _blamed(entries, self.refusals)


def read_answer(status: int, text: str, headers: Mapping[str, str], now: datetime | None = None) -> Answer:
    """Say what an answer means.

    Raises:
        SinkUnavailable: Nothing is known to be stored, and the same request may succeed later.
    """
    reason = text.strip()[:_LONGEST_MESSAGE] or f"status {status}"
    # 204 is the answer to a push (Loki's HTTP API, "Ingest logs"); VictoriaLogs answers an empty 200. A 200
    # with a text comes from something else, and must not count as stored.
    if status == HTTPStatus.NO_CONTENT or (status == HTTPStatus.OK and not text.strip()):
        return Answer(Outcome.STORED)
    if is_too_large(status, text):
        # If the request holds a single entry, its line is what is too long.
        return Answer(Outcome.TOO_LARGE, reason, [Refusal(Fault.LINE_TOO_LONG, reason, _nothing)])
    # 400 is final for the entries it is about (Loki's page on request validation: not retryable), and for no
    # others.
    if status == HTTPStatus.BAD_REQUEST and not _is_about_us(text):
        return Answer(Outcome.REFUSED, reason, list(_refusals(text)))
    if status in _PARTIAL and (refusals := list(_refusals(text))):
        return Answer(Outcome.REFUSED, reason, refusals)
    failure = Throttled if status == HTTPStatus.TOO_MANY_REQUESTS else SinkUnavailable
    wait = seconds_to_wait(headers.get("retry-after"), now)
    raise failure(_explained(status, reason), retry_after=wait)


def is_too_large(status: int, text: str) -> bool:
    """Whether a request, or the answer to it, is larger than Loki's messages may be."""
    return meaning_of(status) is Meaning.TOO_LARGE or any(words in text for words in _TOO_LARGE)


def _is_about_us(text: str) -> bool:
    """Whether a 400 is about the tenant, the request's form or a gateway, and not about what was sent."""
    lowered = text.lower()
    return is_about_the_address(text) or any(words in lowered for words in _NOT_THE_ENTRIES)


def unreachable(kind: str, words: str) -> SinkUnavailable:
    """What a failure of the connection means."""
    return SinkUnavailable(f"no answer from Loki: {kind}: {words[:_LONGEST_MESSAGE]}")


def _nothing(_entry: Entry) -> bool:
    return False


def _explained(status: int, reason: str) -> str:
    if meaning_of(status) is Meaning.TAKEN:
        return f"answered {status} where Loki answers 204; is the url that of a Loki? ({reason})"
    hint = _HINTS.get(status, "")
    return f"Loki answered {status}{hint}: {reason}"


# -- what Loki says ---------------------------------------------------------------------------------------

# The words are those that Loki 3.7 answered with, as the tests met them. "N errors like: " groups equal ones.
# Each is described under
# https://grafana.com/docs/loki/latest/operations/request-validation-rate-limits/. Words that are not known
# here cost requests and the remedy, never the other entries: what is refused is then found by halving.

#: 400s that only a change of the configuration ends: the events wait for it (enforced labels, blocked
#: ingestion, and what a Loki with `auth_enabled` says to a push without a tenant).
_NOT_THE_ENTRIES = (
    "missing required labels",
    "ingestion blocked for user",
    "no org id",
    "multiple org ids",
    "tenant id is",
    "tenant id contains",
    "tenant id '",
    "content type",
    "content-type",
)

#: gRPC between Loki's processes (`grpc_server_max_recv_msg_size`, 4 MiB), passed on under several statuses.
_TOO_LARGE = ("received message larger than max", "message size too large", "trying to send message larger")
_COUNT = r"(?:(?P<count>\d+) errors like: )?"
#: A line too long; the limit is `max_line_size`.
_TOO_LONG = re.compile(
    _COUNT
    + r"max entry size '(?P<limit>\d+)' bytes exceeded for stream '.*?' while adding an entry with length "
    r"'(?P<length>\d+)' bytes",
    re.DOTALL,
)
#: Too old (`reject_old_samples_max_age`), too new (`creation_grace_period`): in seconds, entries unnamed.
_TIME = re.compile(
    _COUNT + r"entry for stream '.*?' has timestamp too (?P<which>new|old): "
    r"(?P<time>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ)"
    r"(?:, oldest acceptable timestamp is: \S+Z)?",
    re.DOTALL,
)
#: Of the ingester: it names `max_returned_stream_errors` entries (10), then how many there were.
_BEHIND = re.compile(
    r"(?P<reason>entry (?:too far behind|out of order)[^\n]*)',\n(?:entry with timestamp [^\n]*\n)*"
    r"user '[^\n]*', total ignored: (?P<count>\d+) out of \d+ for stream: (?P<labels>\{[^\n]*\})"
)
_OLDEST = re.compile(r"oldest acceptable timestamp is: (\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ)")
_IGNORED = re.compile(r"entry with timestamp (\d{4}-\d\d-\d\d \d\d:\d\d:\d\d)(?:\.(\d+))? \+0000 UTC ignored")
#: Unix seconds: nothing before this time can be stored, whatever its stream.
_NO_SCHEMA = re.compile(r"no schema config found for time (?P<time>-?\d+)")
#: `max_label_names_per_series`, `max_label_name_length`, `max_label_value_length`, duplicate names.
_LABELS = re.compile(
    r"(?:entry for )?stream '(?P<labels>\{.*?\})' has "
    r"(?:\d+ label names; limit \d+|label (?:name|value) too long: |duplicate label name: )",
    re.DOTALL,
)
#: `max_global_streams_per_user`, with 429: it may pass when other streams end.
_STREAMS = re.compile(
    r"maximum active stream limit exceeded when trying to create stream (?P<labels>\{.*\}), reduce", re.DOTALL
)
#: `max_structured_metadata_size`, `max_structured_metadata_entries_count`.
_METADATA_BYTES = re.compile(
    _COUNT + r"stream '.*?' has structured metadata too large: '\d+' bytes, limit: '(?P<limit>\d+)'"
)
_METADATA_NUMBER = re.compile(
    _COUNT + r"stream '.*?' has too many structured metadata labels: '\d+', limit: '(?P<limit>\d+)'"
)
#: Said of Loki as a whole, until `allow_structured_metadata` is set.
_NO_METADATA = "includes structured metadata, but this feature is disallowed"
_PAIR = re.compile(r'([A-Za-z_][A-Za-z0-9_]*)=("(?:[^"\\]|\\.)*")')


def _refusals(text: str) -> Iterator[Refusal]:
    yield from _long_lines(text)
    yield from _times(text)
    yield from _behind(text)
    for match in _NO_SCHEMA.finditer(text):
        limit = (int(match["time"]) + 1) * _NANOS
        yield Refusal(Fault.TOO_OLD, _words(match[0]), lambda entry, limit=limit: entry.stamp < limit)  # type: ignore[misc]
    for pattern, fault in ((_LABELS, Fault.LABELS), (_STREAMS, Fault.STREAMS)):
        for match in pattern.finditer(text):
            yield Refusal(fault, _words(match[0]), _in_stream(match["labels"]))
    for match in _METADATA_BYTES.finditer(text):
        limit = int(match["limit"])
        yield Refusal(
            Fault.METADATA,
            _words(match[0]),
            lambda entry, limit=limit: sum(len(n) + len(v.encode()) for n, v in entry.metadata) > limit,  # type: ignore[misc]
            _counted(match),
        )
    for match in _METADATA_NUMBER.finditer(text):
        limit = int(match["limit"])
        yield Refusal(
            Fault.METADATA,
            _words(match[0]),
            lambda entry, limit=limit: len(entry.names) > limit,  # type: ignore[misc]
            _counted(match),
        )
    if _NO_METADATA in text:
        yield Refusal(Fault.NO_METADATA, _words(text), lambda entry: bool(entry.names))


def _long_lines(text: str) -> Iterator[Refusal]:
    """All long lines are one refusal: Loki groups them by their length."""
    matches = list(_TOO_LONG.finditer(text))
    if matches:
        limit = int(matches[0]["limit"])
        count = sum(_counted(match) for match in matches)
        yield Refusal(
            Fault.LINE_TOO_LONG, _words(matches[0][0]), lambda entry: len(entry.line) > limit, count, limit
        )


def _times(text: str) -> Iterator[Refusal]:
    """Times that are too new, or too old, are one refusal each: Loki groups them by the second."""
    for which, fault in (("new", Fault.TOO_NEW), ("old", Fault.TOO_OLD)):
        matches = [match for match in _TIME.finditer(text) if match["which"] == which]
        if matches:
            seconds = {_second(match["time"]) for match in matches}
            count = sum(_counted(match) for match in matches)
            yield Refusal(
                fault,
                _words(matches[0][0]),
                lambda entry, seconds=seconds: entry.stamp // _NANOS in seconds,  # type: ignore[misc]
                count,
            )


def _behind(text: str) -> Iterator[Refusal]:
    """Times that are too far behind the newest of their stream; Loki names the first few, and how many."""
    for match in _BEHIND.finditer(text):
        belongs, count = _in_stream(match["labels"]), int(match["count"])
        oldest = _OLDEST.search(match["reason"])
        named = {_nanos(found) for found in _IGNORED.finditer(text)}
        # Without a bound (an old Loki in strict order) the oldest of the named stands in for it.
        before = _second(oldest[1]) * _NANOS if oldest else min(named, default=0)
        yield Refusal(
            Fault.TOO_OLD,
            _words(match["reason"]),
            lambda entry, belongs=belongs, named=named, before=before: (  # type: ignore[misc]
                belongs(entry) and (entry.stamp in named or entry.stamp < before)
            ),
            count,
        )


def _in_stream(labels: str) -> Callable[[Entry], bool]:
    """Whether an entry is of this stream; Loki adds a label of its own."""
    # `service_name` is Loki's own, made up by `discover_service_name`.
    wanted = {name: _unquoted(text) for name, text in _PAIR.findall(labels)}

    def belongs(entry: Entry) -> bool:
        own = dict(entry.stream.labels)
        return {**wanted, **own} == wanted and wanted.keys() - own.keys() <= {"service_name"}

    return belongs


def _unquoted(text: str) -> str:
    try:
        return str(json.loads(text, strict=False))
    except ValueError:
        return text[1:-1]


def _counted(match: re.Match[str]) -> int:
    return int(match["count"] or 1)


def _second(text: str) -> int:
    return int(datetime.fromisoformat(text).timestamp())


def _nanos(match: re.Match[str]) -> int:
    return _second(f"{match[1]}+00:00") * _NANOS + int((match[2] or "").ljust(9, "0"))


def _words(text: str) -> str:
    """Loki's words, without how many there were, in a length that can be read."""
    text = re.sub(r"^\d+ errors like: ", "", text)
    return text if len(text) <= _LONGEST_MESSAGE else f"{text[:_LONGEST_MESSAGE]}…"


def _blamed(entries: Sequence[Entry], refusals: Sequence[Refusal]) -> dict[int, Refusal]:
    blamed: dict[int, Refusal] = {}
    for refusal in refusals:
        fitting = [position for position, entry in enumerate(entries) if refusal.fits(entry)]
        # As many fit as Loki refused: then it is these. Otherwise nobody can know, and the request is halved.
        if refusal.count in {None, len(fitting)}:
            blamed.update((position, refusal) for position in fitting if position not in blamed)
    return blamed
