"""Card numbers in texts: runs of digit groups with an issuer's prefix and length and a valid check digit.

The ranges of issuers are those of ISO/IEC 7812; the check digit is Luhn's.
"""

from __future__ import annotations

import re
from itertools import accumulate

from logweir.redaction.scan import Scan

__all__ = ["mask_cards"]

_CARD = re.compile(
    r"4(?:\d{12}|\d{15}|\d{18})"  # Visa
    r"|(?:5[1-5]\d\d|222[1-9]|22[3-9]\d|2[3-6]\d\d|27[01]\d|2720)\d{12}"  # Mastercard
    r"|3[47]\d{13}"  # American Express
    r"|3(?:0[0-5]|[689]\d)\d{11}"  # Diners Club
    r"|(?:6011|64[4-9]\d|65\d\d|62\d\d|35(?:2[89]|[3-8]\d))\d{12}"  # Discover, UnionPay, JCB
    r"|(?:50[0-9]\d|5[6-9]\d\d|6[37]\d\d)\d{12}",  # Maestro
    re.ASCII,
)
_DIGIT_GROUPS = re.compile(r"(?<!\d)\d+(?:[ -]\d+)*", re.ASCII)
_DIGITS = re.compile(r"\d+", re.ASCII)
_SHORTEST_CARD = 13
_LONGEST_CARD = 19


def _masked_run(run: str, scan: Scan) -> str:
    """Mask the card numbers in a run of digit groups; they begin and end where groups do."""
    if len(run) < _SHORTEST_CARD:
        return run
    scan.look()
    groups = [group.span() for group in _DIGITS.finditer(run)]
    digits = "".join([run[start:end] for start, end in groups])
    if len(digits) < _SHORTEST_CARD:
        return run
    ends = [0, *accumulate(end - start for start, end in groups)]  # of each group, among the digits
    luhn = _LuhnSums(digits)
    result, done, first = [], 0, 0
    while first < len(groups):
        last = _last_group_of_card(digits, ends, first, luhn)
        if last is not None:
            result += [run[done : groups[first][0]], scan.found("shape: card number")]
            done, first = groups[last][1], last
        first += 1
    return "".join([*result, run[done:]])


def _last_group_of_card(digits: str, ends: list[int], first: int, luhn: _LuhnSums) -> int | None:
    start = ends[first]
    for last in range(first, min(len(ends) - 1, first + _LONGEST_CARD)):
        end = ends[last + 1]
        if end - start > _LONGEST_CARD:
            return None
        if end - start >= _SHORTEST_CARD and luhn.holds(start, end) and _CARD.fullmatch(digits, start, end):
            return last
    return None


class _LuhnSums:
    """Luhn's check digit (ISO/IEC 7812-1) for any part of a long row of digits, each at the same small cost.

    From the last digit leftwards every second one is doubled. So there are two ways to double a row, and
    the sums of both up to each place give the sum of any part.
    """

    def __init__(self, digits: str) -> None:
        values = [int(digit) for digit in digits]
        doubled = [sum(divmod(2 * value, 10)) for value in values]
        self._sums = [
            [0, *accumulate(doubled[i] if i % 2 == parity else values[i] for i in range(len(values)))]
            for parity in (0, 1)
        ]

    def holds(self, start: int, end: int) -> bool:
        sums = self._sums[end % 2]
        return (sums[end] - sums[start]) % 10 == 0


def mask_cards(text: str, scan: Scan) -> str:
    """Mask every card number in a text."""
    return _DIGIT_GROUPS.sub(lambda match: _masked_run(match.group(), scan), text)
