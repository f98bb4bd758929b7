"""Values under a secret's name that are no secrets: nothing, booleans, and what only says how things stand.

The name decides how much is kept: beside a password only what cannot be one, beside a token also numbers,
times and enumerations, such as ``"auth": "required"``.
"""

from __future__ import annotations

from logweir.redaction.names import Secrecy

__all__ = ["is_kept"]


def is_kept(value: object, secrecy: Secrecy) -> bool:
    """Return whether a plain value stays though its name is secret.

    Args:
        value: ``None``, ``bool``, ``int``, ``float`` or ``str``; anything else is not kept.
        secrecy: How secret the name says it is.
    """
    return secrecy is Secrecy.HARMLESS or value is None or type(value) is bool
