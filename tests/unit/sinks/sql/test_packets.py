"""Whether rows fit into what MySQL takes in one packet."""

from typing import Any

import pymysql.converters
import pytest
from hypothesis import given
from hypothesis import strategies as st

from logweir.errors import SinkRejected
from logweir.sinks.sql.packets import _size, require_packets

MEGABYTE = 2**20


@given(st.text(st.characters(codec="utf-8")))
def test_a_text_is_measured_as_the_driver_writes_it(text: str) -> None:
    assert _size(text) == len(pymysql.converters.escape_string(text).encode())


@pytest.mark.parametrize(
    ("rows", "limit", "fits"),
    [
        ([("x" * 1000, 1, None)] * 100_000, 64 * MEGABYTE, True),  # joined to statements of a megabyte
        ([("x" * 1000,), ("x" * 65 * MEGABYTE,)], 64 * MEGABYTE, False),
        ([("x" * 1000,)] * 100, 65_536, False),  # a batch can be too much for a small packet
        ([("x" * 1000,)] * 30, 65_536, True),
        ([("ü" * 20_000,)], 65_536, True),  # four bytes each would not fit, two do
        ([("'" * 40_000,)], 65_536, False),  # written as two each
        ([{"extra_info": {"a": "x" * 70_000}}], 65_536, False),
    ],
)
def test_what_does_not_fit_is_refused(rows: Any, limit: int, fits: bool) -> None:
    if fits:
        require_packets(rows, limit)
    else:
        with pytest.raises(SinkRejected, match="more than the server's max_allowed_packet"):
            require_packets(rows, limit)
