"""What the double of Loki keeps, also after its file was cut; its rates; and what a push as a whole does."""

from pathlib import Path
from typing import Any

import pytest

from servers.loki_double.entries import Entry, RawStream
from servers.loki_double.ingest import Ingest
from servers.loki_double.options import Options, parse_arguments
from servers.loki_double.rates import Bucket
from servers.loki_double.store import Store, StoredStream, merged

LABELS = (("job", "j"),)
SECOND = 10**9
NOW = 1_800_000_000 * SECOND
HOUR = 3600 * SECOND


def held(store: Store, tenant: str = "fake") -> list[Entry]:
    return [entry for stream in store.streams(tenant).values() for entry in stream.between(-(2**63), 2**63)]


def options(tmp_path: Path, *flags: str) -> Options:
    return parse_arguments(
        ["-port=1", f"-data={tmp_path}", "-validation.discover-service-name=false", *flags]
    )


def test_entries_are_in_order_of_time_and_equal_ones_are_one() -> None:
    stream = StoredStream(LABELS)
    entries = [Entry(3, "c"), Entry(1, "a"), Entry(2, "b"), Entry(2, "b", (("m", "1"),)), Entry(2, "a")]
    stream.add(stream.unknown([*entries, *entries]))
    assert stream.unknown(entries) == []
    assert stream.newest == 3
    assert [entry.line for entry in stream.between(1, 3)] == ["a", "b", "b", "a"]
    assert [entry.line for entry in stream.between(2, 4, backward=True)] == ["c", "a", "b", "b"]
    assert list(stream.between(4, 9)) == []


def test_streams_are_merged_in_both_directions() -> None:
    one, other = StoredStream(LABELS), StoredStream((("job", "k"),))
    one.add([Entry(1, ""), Entry(4, "")])
    other.add([Entry(2, ""), Entry(3, "")])
    for backward, expected in ((False, [1, 2, 3, 4]), (True, [4, 3, 2, 1])):
        found = merged([one, other], 0, 9, backward=backward)
        assert [entry.stamp for _, entry in found] == expected


def test_what_was_stored_is_there_again_and_a_torn_tail_is_cut(tmp_path: Path) -> None:
    store = Store(tmp_path)
    assert len(store.add("fake", LABELS, [Entry(1, "ß", (("m", "1"),)), Entry(2, "b")])) == 2
    store.add("other", LABELS, [Entry(3, "c")])
    first = held(store)
    store.close()
    whole = (tmp_path / "entries").read_bytes()
    for torn in (whole, whole[:-1], whole[:-1] + b"\xff", whole + b"\x05", whole + whole[:20]):
        (tmp_path / "entries").write_bytes(torn)
        store = Store(tmp_path)
        assert held(store) == first
        assert store.add("fake", LABELS, first) == []
        assert store.add("fake", LABELS, [Entry(9, "after")])
        store.close()
        again = Store(tmp_path)
        assert held(again) == [*first, Entry(9, "after")]
        again.close()


def test_a_rate_lets_through_its_burst_and_then_what_time_gives() -> None:
    seconds = [0.0]
    bucket = Bucket(10, 40, lambda: seconds[0])
    assert bucket.allows(30)
    assert not bucket.allows(11)
    assert bucket.allows(10)
    seconds[0] = 1.0
    assert not bucket.allows(11)
    assert bucket.allows(10)
    seconds[0] = 100.0
    assert not bucket.allows(41)
    assert bucket.allows(40)


class Pushes:
    """Pushes into a store, at a time that stands still."""

    def __init__(self, tmp_path: Path, *flags: str) -> None:
        self.store = Store(tmp_path)
        self.ingest = Ingest(options(tmp_path, *flags), self.store, now=lambda: NOW, clock=lambda: 0.0)

    def __call__(self, *streams: tuple[str, Any], tenant: str = "fake") -> tuple[int, str]:
        raw = [
            RawStream(f'{{job="{job}"}}', [Entry(NOW + offset, line) for offset, line in values])
            for job, values in streams
        ]
        refusal = self.ingest.push(tenant, raw)
        return (refusal.status, refusal.text) if refusal else (204, "")

    def lines(self) -> list[str]:
        return sorted(entry.line for entry in held(self.store))


@pytest.fixture
def pushes(tmp_path: Path) -> Pushes:
    return Pushes(tmp_path)


def test_what_is_right_is_stored_though_the_answer_is_400(pushes: Pushes) -> None:
    assert pushes(("a", [(0, "good"), (HOUR, "new")]))[0] == 400
    assert pushes(("a", [(0, "good")]), ("b", [(HOUR, "new")]), ("c", [(0, "other")]))[0] == 400
    assert pushes.lines() == ["good", "other"]
    assert pushes()[0] == 422


def test_only_the_last_streams_refusal_is_answered(pushes: Pushes) -> None:
    late = [(-5 * HOUR, "late"), (0, "in time")]
    assert pushes(("a", [(0, "x")]), ("b", [(0, "y")]))[0] == 204
    assert pushes(("a", late), ("b", [(1, "z")]))[0] == 204
    status, text = pushes(("b", [(2, "v")]), ("a", late))
    assert status == 400
    assert "total ignored: 1 out of 2" in text
    assert pushes.lines() == ["in time", "v", "x", "y", "z"]


def test_a_stream_that_cannot_begin_stores_nothing_and_the_next_does(tmp_path: Path) -> None:
    pushes = Pushes(
        tmp_path, "-ingester.max-global-streams-per-user=1", "-validation.reject-old-samples=false"
    )
    assert pushes(("a", [(10**9 - NOW, "old"), (0, "x")]))[0] == 500
    assert pushes(("a", [(0, "x")]))[0] == 204
    assert pushes(("a", [(10**9 - NOW, "old")]))[0] == 400
    assert pushes(("b", [(0, "y")]))[0] == 429
    assert pushes(("b", [(0, "y")]), tenant="other")[0] == 204
    assert pushes.lines() == ["x"]


def test_a_tenants_rate_refuses_all_and_a_streams_what_is_beyond(tmp_path: Path) -> None:
    flags = ("-distributor.ingestion-burst-size-mb=1", "-ingester.per-stream-rate-limit-burst=600KB")
    pushes = Pushes(tmp_path, *flags, "-distributor.max-line-size=0")
    large = "x" * (400 << 10)
    assert pushes(("a", [(0, large), (1, large), (2, large)]))[0] == 429
    assert pushes.lines() == []
    status, text = pushes(("a", [(0, large), (1, large)]))
    assert status == 429
    assert "Per stream rate limit exceeded" in text
    assert pushes.lines() == [large]


def test_a_message_of_more_than_four_mebibytes_is_refused_as_a_whole(tmp_path: Path) -> None:
    pushes = Pushes(tmp_path, "-distributor.max-line-size=0")
    assert pushes(("a", [(0, "x" * (4 << 20))]))[0] == 500
    assert pushes.lines() == []
    assert pushes(("a", [(0, "x" * ((4 << 20) - 100))]))[0] == 429  # the rest of the tenant's burst


def test_each_so_many_pushes_half_is_stored_and_the_answer_is_an_error(tmp_path: Path) -> None:
    pushes = Pushes(tmp_path, "-fail-every=2:503")
    assert pushes(("a", [(0, "1")]))[0] == 204
    assert pushes(("a", [(1, "2"), (2, "3")]), ("b", [(3, "4"), (4, "5")]))[0] == 503
    assert pushes.lines() == ["1", "2", "3"]
    assert pushes(("a", [(1, "2"), (2, "3")]), ("b", [(3, "4"), (4, "5")]))[0] == 204
    assert pushes.lines() == ["1", "2", "3", "4", "5"]
