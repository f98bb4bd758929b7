"""A request's body as it is sent: gzip, for bodies that are worth it."""

from __future__ import annotations

import gzip

__all__ = ["SMALLEST", "packed"]

#: Bytes below which a body is sent as it is.
SMALLEST = 1024
#: The level at which gzip takes a third of the time of its default for a tenth more bytes.
_LEVEL = 3


def packed(data: bytes) -> bytes:
    """Compress a body."""
    return gzip.compress(data, _LEVEL, mtime=0)
