"""Answers to queries: which lines, in which order, grouped by their labels."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from servers.loki_double import logql, rules
from servers.loki_double.entries import Entry
from servers.loki_double.labels import Labels
from servers.loki_double.limits import Limits
from servers.loki_double.rules import Refusal
from servers.loki_double.store import Store, merged
from servers.loki_double.units import SECOND, show_duration

_HOUR = 3600 * SECOND
_LEVEL = "detected_level"
#: Loki docs, Labels > Detected level: labels and metadata that name a level.
_LEVELS = ("level", "LEVEL", "Level", "severity", "SEVERITY", "Severity", "lvl", "LVL", "Lvl")


class Refused(Exception):
    """A query that is not answered."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.refusal = Refusal(status, text)


@dataclass(frozen=True)
class RangeQuery:
    """What is asked of ``query_range``."""

    query: logql.LogQuery
    start: int
    end: int
    limit: int
    backward: bool


def parse_time(text: str) -> int:
    """Nanoseconds. Source: Loki docs, HTTP API > Timestamps: seconds up to ten digits, fractions, RFC 3339."""
    if text.removeprefix("-").isdecimal():
        return int(text) * (SECOND if len(text.removeprefix("-")) <= 10 else 1)
    try:
        return int(float(text) * SECOND)
    except ValueError:
        pass
    try:
        return int(datetime.fromisoformat(text).timestamp() * SECOND)
    except ValueError:
        raise Refused(400, f'cannot parse "{text}" to a valid timestamp') from None


def parse_range_query(parameters: Mapping[str, str], limits: Limits, now: int) -> RangeQuery:
    """Read the parameters of ``query_range``; defaults are those of Loki docs, HTTP API > Query logs within a range.

    Raises:
        Refused: They are wrong, or ask for more than is allowed.
    """
    try:
        query = logql.parse(parameters.get("query", ""))
    except logql.ParseError as error:
        raise Refused(400, str(error)) from None
    end = parse_time(parameters["end"]) if "end" in parameters else now
    start = parse_time(parameters["start"]) if "start" in parameters else end - _HOUR
    limit = parse_limit(parameters)
    direction = parameters.get("direction", "backward").lower()
    if direction not in {"forward", "backward"}:
        raise Refused(400, f"invalid direction '{direction}'")
    if end <= start:
        raise Refused(400, "end timestamp must not be before or equal to start time")
    # Configuration > limits_config: max_entries_limit_per_query, max_query_length; 0 is no limit.
    most = limits.max_entries_limit_per_query
    if most and limit > most:
        raise Refused(
            400,
            f"max entries limit per query exceeded, limit > max_entries_limit_per_query ({limit} > {most})",
        )
    longest = limits.max_query_length
    if longest and end - start > longest:
        raise Refused(
            400,
            f"the query time range exceeds the limit (query length: {show_duration(end - start)}, "
            f"limit: {show_duration(longest)})",
        )
    return RangeQuery(query, start, end, limit, direction == "backward")


def parse_limit(parameters: Mapping[str, str]) -> int:
    """The number of lines that are asked for."""
    text = parameters.get("limit", "100")
    if not text.isdecimal() or int(text) == 0:
        raise Refused(400, "limit must be a positive value")
    return int(text)


def answer(store: Store, tenant: str, ask: RangeQuery, limits: Limits) -> dict[str, Any]:
    """The answer to a range query.

    Raises:
        Refused: It is larger than Loki's processes can pass on.
    """
    chosen = [stream for stream in store.streams(tenant).values() if ask.query.selects(stream.labels)]
    results: dict[tuple[tuple[str, str], ...], list[tuple[str, str]]] = {}
    count = size = 0
    for stream, entry in merged(chosen, ask.start, ask.end, backward=ask.backward):
        labels = shown_labels(stream.labels, entry, limits)
        if not ask.query.passes(entry.line, labels):
            continue
        results.setdefault(tuple(labels.items()), []).append((str(entry.stamp), entry.line))
        size += len(entry.line.encode()) + sum(len(value) for value in labels.values())
        count += 1
        if count == ask.limit:
            break
    too_large = rules.message_error(size, limits)
    if too_large is not None:
        raise Refused(too_large.status, too_large.text)
    result = [{"stream": dict(labels), "values": values} for labels, values in results.items()]
    return {"status": "success", "data": {"resultType": "streams", "result": result, "stats": {}}}


def series(store: Store, tenant: str, selectors: Sequence[str], start: int, end: int) -> dict[str, Any]:
    """The labels of streams that have entries in a range (Loki docs, HTTP API > List series)."""
    try:
        queries = [logql.parse_selector(text) for text in selectors]
    except logql.ParseError as error:
        raise Refused(400, str(error)) from None
    found = [
        dict(stream.labels)
        for stream in store.streams(tenant).values()
        if any(query.selects(stream.labels) for query in queries)
        and next(stream.between(start, end), None) is not None
    ]
    return {"status": "success", "data": found}


def shown_labels(labels: Labels, entry: Entry, limits: Limits) -> dict[str, str]:
    """Labels and structured metadata of an entry, with the level that Loki finds.

    Where metadata has the name of a label it is shown under another one (Loki docs, LogQL > Log queries:
    ``_extracted``). Of levels only those in labels and metadata are found, not those in lines
    (Loki docs, Configuration > limits_config: discover_log_levels).
    """
    shown = dict(labels)
    for name, value in entry.metadata:
        shown[f"{name}_extracted" if name in shown else name] = value
    if limits.discover_log_levels and limits.allow_structured_metadata and _LEVEL not in shown:
        shown[_LEVEL] = next((shown[name].lower() for name in _LEVELS if name in shown), "unknown")
    return shown
