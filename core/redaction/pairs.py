"""Pairs: a name and its value that travel as the members of a container, as headers and variables do."""

from __future__ import annotations

from logweir.redaction.names import Names, Secrecy

__all__ = ["secret_pair"]

_PAIR = 2


def secret_pair(container: tuple[object, ...], names: Names) -> Secrecy:
    """Return how secret the second of two is by the first, as in ``("Authorization", "Basic ...")``."""
    name = container[0] if len(container) == _PAIR else None
    if type(name) is bytes:
        name = name.decode("latin-1")
    return names.secrecy(name) if type(name) is str else Secrecy.HARMLESS
