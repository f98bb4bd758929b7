"""The pytest plugin: the fixture ``logweir_capture``."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from logweir.testing.captured import Captured

__all__ = ["logweir_capture"]


@pytest.fixture
def logweir_capture() -> Iterator[Captured]:
    """The events that the test logs; see :func:`logweir.testing.capture`."""
    # Every pytest run loads this plugin, also those that never log: what costs is imported here.
    from logweir.testing.captured import capture  # noqa: PLC0415

    with capture() as captured:
        yield captured
