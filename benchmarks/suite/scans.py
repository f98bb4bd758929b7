"""Which questions make a store go through everything that it keeps. Pure.

It follows from what a store has an index for: the relational sinks for the id, the trace, the time and the
user in time, but not for words within texts; a file for nothing. Loki narrows by its labels and the time
alone. A search engine finds words by its index, and looks at two columns of every event to count by hour
and level.
"""

from __future__ import annotations

from logweir.benchmarks.suite.truth import CLASSES, QueryClass

__all__ = ["reads_bodies", "scans"]

_NO_WORDS: frozenset[QueryClass] = frozenset({"full_text", "aggregation"})
_BY_TIME: frozenset[QueryClass] = frozenset({"exact", "trace", "full_text", "aggregation"})
_SCANS: dict[str, frozenset[QueryClass]] = {
    "file": frozenset(CLASSES),
    "sqlite": _NO_WORDS,
    "mysql": _NO_WORDS,
    "postgresql": _NO_WORDS,
    "mongodb": _NO_WORDS,
    "elasticsearch": frozenset({"aggregation"}),
    "opensearch": frozenset({"aggregation"}),
    "loki": _BY_TIME,
    "victorialogs": _BY_TIME,
}
#: These keep columns or filters apart, and need not read the events themselves.
_COLUMNS = frozenset({"elasticsearch", "opensearch", "victorialogs"})


def scans(kind: str, question: QueryClass) -> bool:
    """Whether a type of store is known to answer a class of question by going through everything."""
    return question in _SCANS.get(kind, frozenset())


def reads_bodies(kind: str) -> bool:
    """Whether a scan reads the events themselves: its bytes are those of the store without indexes."""
    return kind not in _COLUMNS
