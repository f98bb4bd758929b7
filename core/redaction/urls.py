"""URLs in texts: the credentials before the host, and secret parameters of queries and fragments."""

from __future__ import annotations

import re

from logweir.redaction.scan import Scan

__all__ = ["mask_urls"]

_USER_AND_PASSWORD = re.compile(r"(://[^\s/?#:@]*:)[^\s/]*@", re.ASCII)


def mask_urls(text: str, scan: Scan) -> str:
    """Mask the secret parts of every URL in a text."""
    return _USER_AND_PASSWORD.sub(lambda match: f"{match[1]}{scan.found('url: password')}@", text)
