"""Lists, as the walk takes them: what is plain and small is copied, option and value are read together."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from logweir.capture.budget import OF_ENTRY, OF_PLAIN, OF_PLAIN_TEXT, OF_SIGNS, BoundedTexts
from logweir.capture.truncation import ITEM_COST, is_item_mark
from logweir.redaction.names import Secrecy
from logweir.redaction.pairs import option_name

__all__ = ["SMALL_INT", "SMALL_TEXT", "Lists"]

#: Card numbers have more digits.
SMALL_INT = 10**12
#: Characters of a text that is looked at without a search.
SMALL_TEXT = 64


class Lists(BoundedTexts):
    """The items of lists; what one of them becomes is said by the walk."""

    def value(self, value: object, depth: int) -> Any:
        """Return the value in JSON's own types."""
        raise NotImplementedError

    def secret(self, value: object, secrecy: Secrecy, name: str, depth: int) -> Any:
        """Return what is stored of a value whose name says that it is secret, or may be."""
        raise NotImplementedError

    def _items(
        self,
        items: Sequence[Any],
        total: int,
        depth: int,
        under: Secrecy = Secrecy.HARMLESS,
        name: str = "",
    ) -> list[Any]:
        result: list[Any] = []
        append, shortest, option = result.append, self._redactor.shortest, None
        redactor, small = self._redactor, min(SMALL_TEXT, self._limits.max_string)
        suspicious, means_none = redactor.suspicious, redactor.means_none
        # Plain small items are copied in this loop, without a call and with the account in locals, as the
        # snapshot does with fields: to share it out among functions would take twice as long.
        size, work, room, work_room = self.size, self._work, self._room, self._work_room
        for item in self._each(items[: self._fitting(total)]):
            size += ITEM_COST
            kind = type(item)
            if not under and option is None and size <= room and work <= work_room:
                if kind is str:
                    length = len(item)
                    if item.isascii() and item[:1] != "-" and length < small:
                        work += OF_PLAIN_TEXT + length
                        plain = length < shortest or suspicious(item) is None
                        if not plain:
                            work += OF_SIGNS + length
                            plain = means_none(item)
                        if plain:
                            append(item)
                            size += length
                            continue
                elif item is None or kind is bool or (kind is int and -SMALL_INT < item < SMALL_INT):
                    append(item)
                    work += OF_PLAIN
                    continue
            self.size, self._work = size, work + OF_ENTRY
            # Far beyond what an event may have: the final cut will share out what there is already.
            if self._is_full() and not (len(result) == total - 1 and is_item_mark(item)):
                break
            secrecy, named = option if option is not None and not option_name(item) else (under, name)
            append(self._judged_item(item, secrecy, named, depth + 1))
            option = self._option(item) if kind is str and not under else None
            size, work = self.size, self._work
        self.size, self._work = size, work
        if len(result) < total:
            self.size += ITEM_COST
            append(self._cut_mark(total - len(result)))
        return result

    def _judged_item(self, item: Any, secrecy: Secrecy, named: str, depth: int) -> Any:
        return self.secret(item, secrecy, named, depth) if secrecy else self.value(item, depth)

    def _option(self, item: str) -> tuple[Secrecy, str] | None:
        name = option_name(item)
        secrecy = self._judged(name) if name else Secrecy.HARMLESS
        return (secrecy, name) if name and secrecy else None

    def _each(self, items: Sequence[Any]) -> Iterable[Any]:
        return items
