"""Why something failed, in the words of a server or a plug-in, without the secrets that they quote.

The defaults of the model mask it: what a message of ours shows does not depend on a configuration.
"""

from __future__ import annotations

from functools import cache

from logweir.redaction.redactor import Redactor

__all__ = ["masked"]


def masked(reason: str) -> str:
    """Return a reason, or any other message of ours, with every secret in it replaced by ``***``."""
    return _redactor().redact_text(reason)


@cache
def _redactor() -> Redactor:
    return Redactor()
