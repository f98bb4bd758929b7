"""Card numbers in texts: an issuer's prefix and length, a valid check digit, and written as cards are.

The ranges of issuers are those of ISO/IEC 7812; the check digit is Luhn's. One number in ten has a valid
check digit by chance, so a number counts only where it stands for itself: as one run of digits that is no
part of an identifier (``blk_4…``), of a decimal or of a negative number, or in the groups of printed cards.
Rows of 13 and of 17 to 19 digits without groups are more often barcodes, times or snowflakes: a word such as
*card* must stand before them.
"""

from __future__ import annotations

import re

from logweir.redaction.scan import Scan

__all__ = ["mask_cards"]

_ISSUED = re.compile(
    r"4(?:\d{12}|\d{15}|\d{18})"  # Visa
    r"|(?:5[1-5]\d\d|222[1-9]|22[3-9]\d|2[3-6]\d\d|27[01]\d|2720)\d{12}"  # Mastercard
    r"|3[47]\d{13}"  # American Express
    r"|3(?:0[0-5]|[689]\d)\d{11}"  # Diners Club
    r"|(?:6011|64[4-9]\d|65\d\d|62\d\d|35(?:2[89]|[3-8]\d))\d{12}"  # Discover, UnionPay, JCB
    r"|62\d{15,17}"  # UnionPay
    r"|(?:50[0-9]\d|5[6-9]\d\d|6[37]\d\d)\d{12,15}",  # Maestro
    re.ASCII,
)
#: One sign between groups: blanks (also those that do not break), dashes, dots, underscores.
_GAP = r"[ \t\xa0\u2007\u2009\u202f._\-\u2010-\u2015]{1,3}"
_WRITTEN = re.compile(
    rf"[2-6](?<!\d[2-6])\d{{3}}(?:"
    rf"\d{{9,15}}"
    rf"|({_GAP})(?:\d{{4}}\1\d{{4}}\1\d{{4}}|\d{{6}}\1\d{{4,5}}|\d{{3}}\1\d{{3}}\1\d{{3}}|\d{{12}})"
    rf"|\d\d({_GAP})(?:\d{{10}}|\d{{4}}\2\d{{5}})"
    rf"|\d{{4}}({_GAP})\d{{8}}"
    rf")(?!\d)",
    re.ASCII,
)
#: Longer cards whose prefixes are so few that hardly another number is one.
_OF_ONE_ISSUER = re.compile(r"(?:5018|5020|5038|5893|6304|6759|676[1-3])\d{12,15}|62\d{15,17}", re.ASCII)
_NO_DIGITS = re.compile(r"\D+", re.ASCII)
_PART_OF_A_NUMBER = re.compile(r"\d[.,]|[^\W\d_][_-]", re.ASCII)
_CARD_WORD = re.compile(r"(?:card|visa|\bpan\b|karte|carte|tarjeta)[^\d\n]{0,16}\Z", re.IGNORECASE)
_USUAL_LENGTHS = frozenset({14, 15, 16})
_OF_A_NUMBER = 110
_DOUBLED = str.maketrans("0123456789", "0246813579")


def _check_digit_holds(digits: str) -> bool:
    """Luhn's check digit (ISO/IEC 7812-1): from the last digit leftwards every second one is doubled."""
    return (sum(map(int, digits[::-2])) + sum(map(int, digits[-2::-2].translate(_DOUBLED)))) % 10 == 0


def _is_card(text: str, start: int, end: int) -> bool:
    written = text[start:end]
    digits = written if written.isdigit() else _NO_DIGITS.sub("", written)
    if not _ISSUED.fullmatch(digits) or not _check_digit_holds(digits):
        return False
    if len(digits) < end - start:
        return True  # in groups: nothing else is written so
    if _OF_ONE_ISSUER.match(digits):
        return True
    if _CARD_WORD.search(text, max(0, start - 32), start):
        return True
    decimal = text[end : end + 1] == "." and text[end + 1 : end + 2].isdigit()
    joined = _PART_OF_A_NUMBER.search(text, max(0, start - 2), start)
    minus = text[start - 1 : start] == "-"
    return len(digits) in _USUAL_LENGTHS and not decimal and not joined and not minus


def mask_cards(text: str, scan: Scan) -> str:
    """Mask every card number in a text."""
    result, done = [], 0
    match = _WRITTEN.search(text)
    while match is not None:
        scan.pay(_OF_A_NUMBER)
        start, end = match.span()
        if _is_card(text, start, end):
            result += [text[done:start], scan.found("shape: card number")]
            done = end
        else:
            end = start + 4  # a card may begin at the next group
        match = _WRITTEN.search(text, end)
    return "".join([*result, text[done:]]) if done else text
