"""Files that logweir keeps for itself, with a byte in them that is no UTF-8: each says what it is, none raises."""

from pathlib import Path

import pytest

from logweir.stores.archive.journal import Journal
from logweir.stores.migration import Checkpoint
from logweir.stores.saved_heads import SavedHeadsError, open_saved_heads, sink_of

ABOUT = b'{"format":"logweir audit heads 2","sink":"audit_db","saved":"2026-01-01","table":""}\n'
DAMAGED = [b"\xff\xfe\n", ABOUT.replace(b"audit_db", b"audit\xff"), ABOUT + b'{"writer":"\xff"}\n']


@pytest.mark.parametrize("content", DAMAGED)
def test_a_file_of_heads_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "heads.jsonl"
    path.write_bytes(content)
    with pytest.raises(SavedHeadsError, match=r"heads\.jsonl: it"):
        open_saved_heads(path, "audit_db")


def test_nobody_knows_whose_a_file_of_heads_is(tmp_path: Path) -> None:
    path = tmp_path / "heads.jsonl"
    path.write_bytes(DAMAGED[1])
    with pytest.raises(SavedHeadsError, match="it is no file of heads"):
        sink_of(path)


@pytest.mark.parametrize(
    "content", [b'{"\xff":"2026-01-01T00:00:00Z"}', b'{"all":"2026-01-01T00:00:00"}', b"{"]
)
def test_what_retention_did_counts_as_never_done(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "retention").mkdir()
    (tmp_path / "retention/audit_db.done").write_bytes(content)
    assert Journal(tmp_path, "audit_db").last_done() == {}


def test_what_retention_left_half_done_is_nothing(tmp_path: Path) -> None:
    (tmp_path / "retention").mkdir()
    (tmp_path / "retention/audit_db.run").write_bytes(
        b'{"url":"\xff","sink":"audit_db","day":"2026-01-01","run":"r"}'
    )
    assert Journal(tmp_path, "audit_db").unfinished() is None


@pytest.mark.parametrize(
    "content",
    [
        b'{"source":"\xff"}',
        b'{"source":"a","target":"b","start":null,"kind":null,"time_us":253402300800000000,"read":1}',
        b'{"source":"a","target":"b","start":null,"kind":null,"time_us":-62135596800000001,"read":1}',
    ],
)
def test_a_move_begins_anew(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "move.json"
    path.write_bytes(content)
    assert Checkpoint(path).load() is None
