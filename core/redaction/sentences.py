"""Passwords within sentences: ``the password is hunter2``, ``invalid password "hunter2"``.

No sign joins name and value, so the value itself must show: it is quoted, or it mixes letters and digits as
no word does. A password that is a plain word stays there.
"""

from __future__ import annotations

import re

from logweir.redaction.prose import is_placeholder
from logweir.redaction.scan import Scan

__all__ = ["mask_sentences"]

_PASSWORD = re.compile(
    r"([pP](?<!\w\w)(?i:ass(?:words?|wd|phrase|code)))[ ](?:(?:is|was|to|set to|changed to|now)[ ])?"
    r"(?:([\"'`])(?P<quoted>[^\s\"'`]{1,256}+)\2(?!\w)|(?P<bare>[^\s\"'`=:,;()\[\]{}<>]{7,256}+))"
)
_MIXED = re.compile(
    r"(?=[^\d]*\d)(?=[^A-Za-z]*[A-Za-z])(?!(?:sha|argon|pbkdf|utf|base)-?\d)(?!\d+[A-Za-z]{1,7}\Z).+"
)


def mask_sentences(text: str, scan: Scan) -> str:
    """Mask the passwords that sentences name."""

    def masked(match: re.Match[str]) -> str:
        scan.look()
        value = match["quoted"] or match["bare"]
        full_stop = "." if match["bare"] and value.endswith(".") else ""
        if is_placeholder(value) or (match["bare"] and not _MIXED.fullmatch(value)):
            return match.group()
        if not scan.secrecy(match[1]):
            return match.group()
        start, end = match.span("quoted" if match["quoted"] else "bare")
        before, behind = match.string[match.start() : start], match.string[end : match.end()]
        return f"{before}{scan.found('text: password')}{full_stop}{behind}"

    return _PASSWORD.sub(masked, text)
