"""Addresses as a configuration gives them: their parts, and whether they may hold credentials."""

from __future__ import annotations

from urllib.parse import SplitResult, urlsplit

__all__ = ["http_parts", "may_hold_credentials"]


def may_hold_credentials(url: str) -> bool:
    """Return whether something in a URL may be a user or a password.

    An ``@`` before the path is behind them. Behind a colon it may be too, in any place: who reads the URL
    ``//bob:12/3@host`` takes ``bob`` for the host and ``12`` for its port.
    """
    behind = url.partition("://")[2]
    before = behind.partition("/")[0].partition("?")[0].partition("#")[0]
    return "@" in before or (":" in before.rpartition("]")[2] and "@" in behind)


def http_parts(url: str) -> SplitResult | None:
    """Return the parts of an HTTP or HTTPS URL; None where it has no host, or a port that there is not."""
    try:
        parts = urlsplit(url)
        whole = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return None
    return parts if whole else None
