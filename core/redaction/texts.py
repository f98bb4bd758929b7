"""Names and values in texts: ``name=value`` and ``name: value``, quoted, wrapped, in JSON, headers."""

from __future__ import annotations

import re

from logweir.redaction.names import Secrecy
from logweir.redaction.scan import Scan

__all__ = ["mask_assignments"]

_ASSIGNMENT = re.compile(
    r"([\w.-]{1,128})([\"']?\s*(?::|=>?)\s*)(\"(?:[^\"\\]|\\.)*\"?|'(?:[^'\\]|\\.)*'?|[^\s\"',;&)}\]]+)"
)


def mask_assignments(text: str, scan: Scan) -> str:
    """Mask the values of ``name=value`` and ``name: value`` where the name is secret."""

    def masked(match: re.Match[str]) -> str:
        scan.look()
        name, sign, value = match.groups()
        if scan.secrecy(name) is Secrecy.HARMLESS:
            return match.group()
        quote = value[0] if value[0] in "\"'" else ""
        return f"{name}{sign}{quote}{scan.found(f'text: {name}')}{quote}"

    return _ASSIGNMENT.sub(masked, text)
