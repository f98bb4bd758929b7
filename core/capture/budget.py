"""What a call may cost, and its texts: cleaned, redacted and cut within that.

What a call costs is bounded twice, whatever it holds: by what is written (``size``), and by what it takes to
get there (``work``: each container, each object that is encoded, each name that was not met before, and what
its scan pays for each text that is searched). A field may take what is left of these, but what the fields
behind it are entitled to.
"""

from __future__ import annotations

import re

from logweir.capture.truncation import ITEM_COST, text_cost
from logweir.config.models import LimitsConfig
from logweir.encoding.cuts import is_cut, joined, kept_ends
from logweir.encoding.values import clean_text
from logweir.redaction.names import Secrecy
from logweir.redaction.redactor import Redactor
from logweir.redaction.scan import WORK, Exhausted, Scan, cost_of_probe
from logweir.redaction.vocabulary import LONG_TEXT

__all__ = [
    "OF_CONTAINER",
    "OF_ENTRY",
    "OF_KEY",
    "OF_MEMBER",
    "OF_NEW_NAME",
    "OF_OBJECT",
    "OF_PLAIN",
    "OF_PLAIN_TEXT",
    "OF_SECRET",
    "OF_SIGNS",
    "SEAM",
    "WORK",
    "BoundedTexts",
]

#: What things cost, in the units of :data:`logweir.redaction.scan.WORK`.
OF_CONTAINER = 60
OF_ENTRY = 16
#: What the look at a key for labels costs, before its entry.
OF_KEY = 3
OF_OBJECT = 250
#: What was taken from a container that is no list.
OF_MEMBER = 14
#: A number or the like in a list; a short text there, and one with a sign.
OF_PLAIN, OF_PLAIN_TEXT, OF_SIGNS = 8, 24, 45
OF_SECRET = 95
OF_NEW_NAME = 300
_OF_LETTER, _OF_LONG_LETTER, _LONG_NAME, _LONGEST_NAME = 5, 26, 64, 1024
#: How far beyond its cut a long text is searched for secrets.
SEAM = 4096

_WRITTEN = 2  # at most so many times the size of an event is written before the final cut
_OF_SEARCHED = 6  # about what a character costs that is searched
_READ = 3  # judging a text costs its number of characters divided by two to the power of this
_READ_TWICE = 4  # the same, once more, for a text that is so long that its ends are judged alone
_CHEAPEST = 2  # at best, how many characters are probed for one unit
_DEAREST = 8  # what a character costs at most that is probed
_PROBED = 1024  # how many characters of a long text are probed
_OF_TEXT = 90  # what any text costs, however short it is
_SHORT = 256  # a text that is never cut for what the call has cost
_DEAREST_SEARCH = 24  # what a character costs at most that is searched, if it is not judged by pieces before
_DEAREST_SIGN = 1200  # what a sign such as = costs at most, behind which a secret stands
_DEAR_SEAM = 1024  # the seam behind the beginning of a text that is cut for what it costs, if its end is kept
_OF_ANY_SEARCH = 8000  # what a search of a long text takes beside what each character of it costs
_SEAM_OF_A_START = 512  # the same if its end is not kept, whose beginning may be the half of a secret
_NEAR_A_CUT = 256  # how near to a cut something may have become a secret that was none
_DOUBT = 5  # pieces of a text may hide its cost divided by two to the power of this
_SPARE = 4  # one part of so many is left unspent, because pieces only show about what a text costs


class BoundedTexts:
    """The account of one call, and its texts.

    Args:
        redactor: Knows what is secret.
        limits: How large an event may be.
        scan: What the texts are searched with.
        fields: How many fields the event has.

    Attributes:
        size: What was written so far, in bytes (about).
        cut: Whether something was cut.
        spent: Whether it was because of what the call has cost.
    """

    def __init__(self, redactor: Redactor, limits: LimitsConfig, scan: Scan | None, fields: int) -> None:
        self._redactor = redactor
        self._limits = limits
        self._fields = fields = max(1, fields)
        self._given_scan = scan
        self._behind = fields
        self._whole = _WRITTEN * limits.max_event_bytes
        # What each field is entitled to, whatever those before it took: half of all is shared out.
        self._share = self._whole // (2 * fields)
        self._work_share = WORK // (2 * fields)
        self._work = self._room = self._work_room = 0
        self.size = 0
        self.cut = False
        self.spent = False

    def make_room(self) -> None:
        """Let the next field take what is left, but what the fields behind it are entitled to."""
        behind = self._behind = self._behind - 1 if self._behind else 0
        self._room = self._whole - behind * self._share
        self._work_room = WORK - behind * self._work_share

    @property
    def _scan(self) -> Scan:
        scan = self._given_scan
        if scan is None:
            scan = self._given_scan = self._redactor.scan()
        scan.left = self._work_room - self._work
        return scan

    def _is_full(self) -> bool:
        if self._work > self._work_room:
            self.spent = True
            return True
        return self.size > self._room

    def _is_overdrawn(self) -> bool:
        """Whether even what every field is entitled to is used up: too many fields with new names."""
        self.spent = self.spent or self._work > WORK
        return self._work > WORK

    def _cut_mark(self, lost: int) -> str:
        self.cut = True
        return self._written(f"…[truncated {lost} items]")

    def _written(self, text: str) -> str:
        self.size += text_cost(text)
        return text

    def _kept(self, total: int) -> int:
        """How many members are kept: all, or one less than the limit, for the mark."""
        return total if total <= self._limits.max_items else self._limits.max_items - 1

    def _fitting(self, total: int) -> int:
        """How many items there may be room for."""
        return min(
            self._kept(total),
            max(0, min(self._room - self.size, self._work_room - self._work)) // ITEM_COST + 2,
        )

    def _judged(self, name: str) -> Secrecy:
        """Judge what may be a name; it is paid for, since it may be a new one."""
        length = min(len(name), _LONGEST_NAME)
        self._work += OF_NEW_NAME + _OF_LETTER * length + _OF_LONG_LETTER * max(0, length - _LONG_NAME)
        return self._redactor.secrecy(name)

    def _is_plain(self, text: str) -> bool:
        """Whether a short text is stored as it is, as most are; to search it would cost ten times as much."""
        if not text.isascii() or self._work > self._work_room or len(text) > self._limits.max_string:
            return False
        self._work += OF_PLAIN_TEXT + OF_ENTRY + len(text)
        if self._redactor.suspicious(text) is None:
            return True
        self._work += OF_SIGNS + len(text)
        return self._redactor.means_none(text)

    def _redacted(self, text: str) -> str:
        return self._searched(text) if self._is_suspicious(text) else text

    def _is_suspicious(self, text: str) -> bool:
        """Probe a text whether it must be searched; a long one is, for it costs less than to probe it all."""
        if len(text) < self._redactor.shortest:
            return False
        probed = text if len(text) <= LONG_TEXT else text[:_PROBED]
        found = self._redactor.suspicious(probed)
        if found is None:
            self._work += cost_of_probe(probed)
            return len(probed) < len(text)
        if isinstance(found, re.Match):
            self._work += cost_of_probe(probed[: found.end()])
        return True

    def _searched(self, text: str) -> str:
        scan = self._scan
        try:
            return self._redactor.searched(text, scan)
        finally:
            self._work = self._work_room - scan.left

    def _searchable(self, text: str) -> int:
        """Return how much of a suspicious text can be paid for: all, or the part that is kept of it."""
        scan = self._scan
        signs = text.count("=") + text.count(":")
        if len(text) * _DEAREST_SEARCH <= scan.left and signs * _DEAREST_SIGN <= scan.left:
            return len(text)
        try:
            cost = self._redactor.estimated(text, scan)
        except Exhausted:
            return scan.left // _DEAREST_SEARCH
        finally:
            self._work = self._work_room - scan.left
        if cost + (cost >> _DOUBT) <= scan.left:
            return len(text)
        paid = len(text) * (scan.left - min(_OF_ANY_SEARCH, scan.left // _SPARE)) // cost
        paid -= paid // _SPARE
        both = paid - SEAM - _DEAR_SEAM
        return both if both > SEAM else max(0, paid - _SEAM_OF_A_START - _NEAR_A_CUT)

    def _bounded_text(self, text: str, lost: int = 0) -> str:
        """Return the text cleaned, redacted and cut: in this order, so that no half of a secret remains.

        Args:
            text: The text, whose middle may be missing if it is very long.
            lost: How many characters are missing.
        """
        self._work += _OF_TEXT
        longest = self._limits.max_string
        if len(text) > _SHORT:
            longest = min(longest, self._affordable(text, longest))
        if not lost and (len(text) <= longest + SEAM or is_cut(text, longest)):
            text = clean_text(text)
            if self._is_suspicious(text):
                searchable = self._searchable(text)
                if len(text) > LONG_TEXT:
                    searchable = max(_SHORT, searchable)  # to try all of it would be in vain
                if _SHORT <= searchable < len(text):
                    self.spent = True
                    return self._cut(text, min(longest, searchable), 0, dear=True)
                text = self._searched(text)
            if len(text) <= longest or is_cut(text, longest):
                return text
        return self._cut(text, longest, lost)

    def _cut(self, text: str, longest: int, lost: int, *, dear: bool = False) -> str:
        """Return the beginning and the end of a text, redacted, with the mark of what is missing between.

        Args:
            text: The text.
            longest: How many characters are kept.
            lost: How many characters are missing already.
            dear: Whether the search for secrets at the seams is what the text is cut for.
        """
        self.cut = True
        if longest <= 0:
            return joined("", len(text) + lost, "")
        # Further than it is kept, for a secret may lie across the cut; but not all, for it may be huge.
        only_start = dear and longest <= SEAM
        head, wanted = (longest, 0) if only_start else kept_ends(text, longest)
        seam = _SEAM_OF_A_START if only_start else _DEAR_SEAM if dear else SEAM
        before = self._work
        start = self._redacted(clean_text(text[: head + seam]))[:head]
        tail = self._second(wanted, (self._work - before) // (head + seam) + 1) if dear else wanted
        end = self._redacted(clean_text(text[-tail - SEAM :]))[-tail:] if tail else ""
        if dear:
            # Within a word, the mark of the cut would be read as a part of a value behind a name.
            start = start[: max(start.rfind(" "), start.rfind("\n"), head - _NEAR_A_CUT) + 1]
            end = end[end.find("\n", 0, _NEAR_A_CUT) + 1 :]
        # Again, so that the snapshot of this snapshot is equal to it: cutting may have made a secret of what
        # was none, such as a number that is now short enough for a card's.
        if self._redacted(start[-_NEAR_A_CUT:]) != start[-_NEAR_A_CUT:]:
            start = self._redacted(start)[:head]
        if self._redacted(end[:_NEAR_A_CUT]) != end[:_NEAR_A_CUT]:
            end = self._redacted(end)[-tail:]
        kept = len(start) + len(end) if dear else longest
        return joined(start, len(text) - kept + lost, end)

    def _second(self, tail: int, price: int) -> int:
        """Return how much of a text's end there is left for, if each of its characters costs so much."""
        paid = (self._work_room - self._work - _OF_ANY_SEARCH) // price - SEAM
        return tail if paid >= tail else paid if paid >= _SHORT else 0

    def _affordable(self, text: str, longest: int) -> int:
        """Return how many characters of a text there is room and time for."""
        room = max(_SHORT, self._room - self.size)
        work = self._work_room - self._work
        kept = min(longest, room, max(_SHORT, work * _CHEAPEST))
        searched = min(len(text), kept + SEAM)
        self._work += searched >> _READ
        if len(text) > kept + SEAM:
            self._work += searched >> _READ_TWICE
            # Both ends are probed, and perhaps searched, with their seams.
            cost = self._cost_of_ends(text, searched)
        else:
            cost = min(searched, LONG_TEXT) * _DEAREST
            if cost > work:
                cost = cost_of_probe(text if len(text) <= LONG_TEXT else text[:_PROBED])
        if cost <= work:
            self.spent = self.spent or kept < min(longest, room, len(text))
            return kept
        self.spent = True
        if searched == len(text):
            cost *= 2  # for its ends will be probed once more
        return max(0, min(room, work * searched // cost - SEAM))

    def _cost_of_ends(self, text: str, searched: int) -> int:
        """Return about what so many characters of a text take, shared out among its ends."""
        start, end = text[: searched - searched // 2], text[len(text) - searched // 2 :]
        cost = cost_of_probe(start[:_PROBED]) + cost_of_probe(end[:_PROBED])
        if cost > self._work_room - self._work:
            return cost  # there is not enough for the probes alone
        if any(self._is_suspicious(part) for part in (start, end)):
            cost += _OF_SEARCHED * searched
        return cost
