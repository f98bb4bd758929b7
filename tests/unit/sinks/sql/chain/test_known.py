"""What is known of chains outside of their database, and what an operator's acceptance makes of a broken table."""

import os
import stat
from pathlib import Path

import pytest
from sqlalchemy import make_url

from logweir.errors import SinkRejected
from logweir.sinks.sql.chain import known as module
from logweir.sinks.sql.chain.known import Known, KnownChains
from logweir.sinks.tamper_evidence import Head, Trouble
from support.chains import KEY, Place, audit_event, findings

KNOWN = Known("an-id", [Head("one", 41, "ab" * 32), Head("two", 7, "cd" * 32)])


def head(writer: str, seq: int) -> Head:
    return Head(writer, seq, f"{writer}{seq}")


def chains(folder: Path, url: str = "sqlite+aiosqlite:///audit.db", table: str = "audit_log") -> KnownChains:
    return KnownChains(folder, "out", make_url(url), table)


def test_of_a_chain_the_last_end_counts_whichever_comes_last() -> None:
    known = Known("t", [head("a", 3), head("b", 1)])
    assert known.with_heads([head("a", 5), head("c", 1)]).heads == [head("b", 1), head("a", 5), head("c", 1)]
    assert known.with_heads([head("a", 2)]).heads == [head("b", 1), head("a", 3)]
    assert known.with_heads([]).heads == known.heads


def test_of_many_chains_the_newest_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_MOST", 2)
    known = Known("t", [head("a", 1), head("b", 1)]).with_heads([head("a", 2), head("c", 1)])
    assert known.heads == [head("a", 2), head("c", 1)]


def test_what_is_written_is_read_and_nobody_else_may_look(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        file = chains(tmp_path / "data")
        assert file.read() is None
        for number in range(2):
            known = Known("t", [head("a", number + 1)])
            file.write(known)
            assert file.read() == known
    finally:
        os.umask(before)
    for path in (file.path.parent, file.path):
        assert not stat.S_IMODE(path.stat().st_mode) & 0o077, path
    assert [*file.path.parent.iterdir()] == [file.path]


def test_a_note_that_cannot_be_kept_is_reported_and_leaves_the_former(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    file, known = chains(tmp_path), Known("t", [head("a", 1)])
    file.write(known)

    def full(_descriptor: int) -> None:
        raise OSError("no space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", full)
        file.write(known.with_heads([head("a", 2)]))
    assert "what is known of chains cannot be kept" in caplog.text
    assert file.read() == known
    assert [*file.path.parent.iterdir()] == [file.path]


@pytest.mark.parametrize("damage", [b"", b"{}", b"\xff"])
def test_a_damaged_note_is_no_empty_one(tmp_path: Path, damage: bytes) -> None:
    file = chains(tmp_path)
    file.write(Known("t"))
    file.path.write_bytes(damage)
    with pytest.raises(SinkRejected, match="which knows the chains of audit_log"):
        file.read()


def test_a_place_is_known_by_what_it_is_and_not_by_how_it_is_named(tmp_path: Path) -> None:
    path = chains(tmp_path).path
    assert chains(tmp_path, f"sqlite+aiosqlite:///{Path.cwd() / 'audit.db'}").path == path
    assert chains(tmp_path, "sqlite+aiosqlite:///audit.db?timeout=3").path == path
    server = "mysql+aiomysql://app:{}@{}/app"
    others = [
        chains(tmp_path, "sqlite+aiosqlite:///other.db"),
        chains(tmp_path, table="other"),
        *(chains(tmp_path, server.format("x", host)) for host in ("one", "one:3307", "two")),
    ]
    assert len({path, *(other.path for other in others)}) == 6
    assert chains(tmp_path, server.format("another", "one")).path == others[2].path


async def test_ids_that_somebody_added_are_reported_until_an_operator_accepts_a_break(tmp_path: Path) -> None:
    place = Place("sqlite", f"sqlite+aiosqlite:///{tmp_path / 'audit.db'}", "audit_log")
    async with place.opened(key=KEY) as sink:
        await sink.write([audit_event(number) for number in range(1, 4)])
        assert await findings(sink) == []
        await place.run(
            "INSERT INTO TABLE__chain_ids SELECT number + 1, 'forged', started_us, reason, detail, mac"
            " FROM TABLE__chain_ids"
        )
        (finding,) = await findings(sink)
        assert finding.trouble is Trouble.CHANGED
        assert "the ids of the table are not those that were written" in finding.detail
        await sink.accept_new_chain("somebody has added an id")
        await sink.write([audit_event(4)])
        assert await findings(sink) == []
        assert len(await place.run("SELECT * FROM TABLE__chain_ids")) == 2


def test_s1_a_changed_byte_is_refused_and_never_taken_for_what_was_known(tmp_path: Path) -> None:
    file = chains(tmp_path)
    assert file.read() is None
    file.write(KNOWN)
    assert file.read() == KNOWN
    content = file.path.read_bytes()
    for place in range(len(content)):
        for change in (0x01, 0xFF):
            file.path.write_bytes(content[:place] + bytes([content[place] ^ change]) + content[place + 1 :])
            with pytest.raises(SinkRejected, match="which knows the chains of audit_log: "):
                file.read()


def test_a_file_of_before_without_a_checksum_is_read(tmp_path: Path) -> None:
    file = chains(tmp_path)
    file.path.parent.mkdir()
    file.path.write_text(
        '{"format":"logweir known chains 1","table":"audit_log","table_id":"an-id","heads":[["one",41,"ab"]]}'
    )
    assert file.read() == Known("an-id", [Head("one", 41, "ab")])
