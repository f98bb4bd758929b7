"""Addresses that are shown, or sent to as they are, and must hold no credentials."""

from __future__ import annotations

__all__ = ["may_hold_credentials"]


def may_hold_credentials(url: str) -> bool:
    """Return whether something in a URL may be a user or a password.

    An ``@`` before the path is behind them. Behind a colon it may be too, in any place: who reads the URL
    ``//bob:12/3@host`` takes ``bob`` for the host and ``12`` for its port.
    """
    behind = url.partition("://")[2]
    before = behind.partition("/")[0].partition("?")[0].partition("#")[0]
    return "@" in before or (":" in before.rpartition("]")[2] and "@" in behind)
