"""Several hundred ways in which real programs log a secret, with values made from a seed."""

from __future__ import annotations

from itertools import groupby
from random import Random

from corpora import (
    secrets_commands,
    secrets_connections,
    secrets_documents,
    secrets_http,
    secrets_objects,
    secrets_tokens,
)
from corpora.cases import SecretCase, Shape

__all__ = ["all_shapes", "half", "secret_cases"]

_MODULES = (
    secrets_connections,
    secrets_http,
    secrets_commands,
    secrets_documents,
    secrets_tokens,
    secrets_objects,
)


def all_shapes() -> list[Shape]:
    """Return every shape, without values."""
    return [shape for module in _MODULES for shape in module.shapes()]


def secret_cases(seed: int = 0) -> list[SecretCase]:
    """Return a case of every shape with the values of this seed."""
    return [shape.case(seed) for shape in all_shapes()]


def half(seed: int) -> tuple[list[SecretCase], list[SecretCase]]:
    """Split the shapes, each family by half, into those that are open to look at and those that are held out.

    Whoever works on the redaction may look at what fails of the open half; of the other half only at the figures.
    """
    open_half, held_out = list[SecretCase](), list[SecretCase]()
    by_family = sorted(all_shapes(), key=lambda shape: (shape.family, shape.name))
    for family, shapes in groupby(by_family, key=lambda shape: shape.family):
        drawn = list(shapes)
        random = Random(f"{seed}/{family}")
        random.shuffle(drawn)
        middle = (len(drawn) + random.randint(0, 1)) // 2
        open_half += [shape.case(seed) for shape in drawn[:middle]]
        held_out += [shape.case(seed) for shape in drawn[middle:]]
    return open_half, held_out
