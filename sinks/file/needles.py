"""What the bytes of a line must hold if its event can be meant: looked for before a line is decoded. Pure.

To find bytes in a line takes a hundredth of what decoding it does. They only rule lines out; what is decoded
is compared with the query. A text is looked for if every JSON encoder writes it as it is.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from operator import methodcaller

from logweir.sinks.contract import Query

__all__ = ["Needles"]

_UNESCAPED = re.compile(r"[A-Za-z0-9 _.:,;@=*()#%~-]+")
#: A text that a number may have, which can be written in more than one way.
_OF_A_NUMBER = re.compile(r"[0-9.eE+-]*")


class Needles:
    """What of a query can be looked for in the bytes of a line.

    Args:
        query: The query.
    """

    def __init__(self, query: Query) -> None:
        self._needles = [text.encode() for text in _texts(query) if _UNESCAPED.fullmatch(text)]

    def __bool__(self) -> bool:
        return bool(self._needles)

    def sift(self, lines: Iterable[bytes]) -> Iterable[bytes]:
        """Return the lines whose event can be one that is asked for."""
        for needle in self._needles:
            lines = filter(methodcaller("__contains__", needle), lines)
        return lines

    def may_be_in(self, line: bytes) -> bool:
        """Whether the event of a line can be one that is asked for."""
        return all(needle in line for needle in self._needles)


def _texts(query: Query) -> Iterator[str]:
    """The texts that stand somewhere in each line that is meant, those first that are rare."""
    if query.trace_id is not None:
        yield query.trace_id
    if query.text is not None and not _OF_A_NUMBER.fullmatch(query.text):
        yield query.text
    yield from (value for value in query.fields.values() if isinstance(value, str))
    if query.name is not None:
        yield query.name
    if query.service is not None:
        yield query.service
