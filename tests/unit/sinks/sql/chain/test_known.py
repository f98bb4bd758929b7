"""What ``data_dir`` knows of chains: a file that is whole, or refused."""

from pathlib import Path

import pytest
from sqlalchemy.engine import make_url

from logweir.errors import SinkRejected
from logweir.sinks.sql.chain.known import Known, KnownChains
from logweir.sinks.tamper_evidence import Head

KNOWN = Known("an-id", [Head("one", 41, "ab" * 32), Head("two", 7, "cd" * 32)])


def chains(folder: Path) -> KnownChains:
    return KnownChains(folder, "audit", make_url(f"sqlite:///{folder / 'audit.db'}"), "audit_log")


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
