"""The guard over labels: each combination of label values is a stream, and streams are what Loki pays for.

A label that is known to be unbounded is refused when the configuration is read. What is not known shows
at run time: a label with more distinct values than its limit is demoted, once, with a report; from then on
its values travel as structured metadata, where they cost nothing and are still found.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from logweir.diagnostics import report

__all__ = ["DEFAULT_LIMIT", "LabelGuard", "is_unbounded", "refuse_unbounded"]

#: Distinct values that a label may have, unless its limit is stated.
DEFAULT_LIMIT = 100

_UNBOUNDED = frozenset(
    {
        "account",
        "amount",
        "body",
        "client_ip",
        "correlation",
        "count",
        "customer",
        "date",
        "duration",
        "duration_ms",
        "elapsed",
        "email",
        "exception",
        "guid",
        "hash",
        "host_port",
        "id",
        "ip",
        "line",
        "message",
        "msg",
        "number",
        "path",
        "phone",
        "price",
        "query",
        "remote_addr",
        "request",
        "session",
        "size",
        "span",
        "stack",
        "time",
        "timestamp",
        "token",
        "trace",
        "traceback",
        "ts",
        "uri",
        "url",
        "user",
        "user_name",
        "username",
        "uuid",
    }
)
_UNBOUNDED_ENDINGS = re.compile(
    r".*_(id|ids|uuid|guid|ip|email|token|hash|key|url|path|at|time|ms|us|ns|count|bytes)"
)


def is_unbounded(name: str) -> bool:
    """Whether a label of this name is known to have no end of values."""
    lower = name.lower()
    return lower in _UNBOUNDED or _UNBOUNDED_ENDINGS.fullmatch(lower) is not None


def refuse_unbounded(name: str) -> None:
    """Refuse a label whose values have no end, when the configuration is read.

    Raises:
        ValueError: It is one; the message says what to do instead.
    """
    if is_unbounded(name):
        raise ValueError(
            f"{name!r} has too many values for a label: each of them makes a stream; leave it out "
            f"(it stays searchable), or state a limit: {{name: {name}, limit: 100}}"
        )


class LabelGuard:
    """Counts the distinct values of each label and demotes a label that passes its limit.

    Args:
        limits: Label name to the most values it may have.
        sink: The sink's name, for what is reported.
    """

    def __init__(self, limits: Mapping[str, int], sink: str = "loki") -> None:
        self._limits = dict(limits)
        self._sink = sink
        self._values: dict[str, set[str]] = {name: set() for name in limits}
        self._demoted: dict[str, int] = {}

    @property
    def demoted(self) -> Mapping[str, int]:
        """The labels that were demoted, each with the number of events it was missing from since."""
        return self._demoted

    def admits(self, name: str, value: str) -> bool:
        """Whether the value may be sent as a label; to be asked once for each new combination of values."""
        if name in self._demoted:
            return False
        values = self._values[name]
        values.add(value)
        if len(values) <= self._limits[name]:
            return True
        self._demote(name)
        return False

    def count(self, names: Iterable[str]) -> None:
        """Note an event that would have had these labels."""
        for name in names:
            self._demoted[name] += 1

    def _demote(self, name: str) -> None:
        limit = self._limits[name]
        self._demoted[name] = 0
        self._values[name].clear()
        report(
            f"{self._sink}.label.{name}",
            "sink %r: the label %r has more than %d values and is demoted: its values are now sent as "
            "structured metadata. Take it out of labels, or state a higher limit",
            self._sink,
            name,
            limit,
        )
