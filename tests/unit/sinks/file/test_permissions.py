"""Who may read what the file sink makes, through rotation and symbolic links."""

import grp
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from logweir.sinks.file import FileConfig, FileSink
from logweir.sinks.file.rotation import rotated_files
from logweir.testing.contract import make_event
from support.permissions import mode_of, nobody, public_folder, umask


@pytest.fixture(autouse=True)
def usual_umask() -> Iterator[None]:
    with umask(0o022):
        yield


def written(path: Path, batches: int = 1, **options: Any) -> FileSink:
    sink = FileSink(FileConfig(path=path, **options))
    sink.open()
    for number in range(batches):
        sink.write([make_event(number=number)])
    return sink


def test_s3_all_that_a_file_sink_makes_is_private_by_default(tmp_path: Path) -> None:
    path = tmp_path / "logs" / "x.jsonl"
    written(path, 5, rotate={"max_bytes": 300, "keep": 2}).close()
    assert {mode_of(file) for file in path.parent.iterdir()} == {"0600"}
    assert len(list(path.parent.iterdir())) >= 4  # the file, its locks and the compressed ones
    assert mode_of(path.parent) == "0700"


def test_s3_a_mode_holds_for_all_files_whatever_the_umask(tmp_path: Path) -> None:
    path = tmp_path / "logs" / "x.jsonl"
    with umask(0o077):
        written(path, 5, mode="0640", rotate={"max_bytes": 300, "keep": 2}).close()
    assert {mode_of(file) for file in path.parent.iterdir()} == {"0640"}
    assert mode_of(path.parent) == "0750"


def test_s3_a_rotation_hands_on_the_mode_that_an_operator_gave(tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl"
    sink = written(path, rotate={"max_bytes": 1})
    path.chmod(0o660)
    sink.write([make_event()])
    sink.close()
    assert mode_of(path) == "0660"
    assert [mode_of(file) for file in rotated_files(path)] == ["0660"]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may give files to any group")
def test_s3_a_rotation_hands_on_the_group_and_the_owner(tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl"
    group = next(each.gr_gid for each in grp.getgrall() if each.gr_gid)
    sink = written(path, rotate={"max_bytes": 1})
    os.chown(path, 65534, group)
    sink.write([make_event()])
    sink.close()
    for file in [path, *rotated_files(path)]:
        assert (file.stat().st_uid, file.stat().st_gid) == (65534, group)


def test_s3_a_symbolic_link_stays_and_what_it_names_is_rotated(tmp_path: Path) -> None:
    volume = tmp_path / "volume"
    volume.mkdir()
    path = tmp_path / "x.jsonl"
    path.symlink_to(volume / "real.jsonl")
    written(path, 3, rotate={"max_bytes": 1, "compress": "none"}).close()
    assert path.is_symlink()
    assert [entry.name for entry in tmp_path.iterdir() if entry != volume] == ["x.jsonl"]
    assert len(rotated_files(volume / "real.jsonl")) == 2


async def test_s3_all_that_a_symbolic_link_ever_named_by_rotation_is_found(tmp_path: Path) -> None:
    (tmp_path / "volume").mkdir()
    path = tmp_path / "x.jsonl"
    path.symlink_to(tmp_path / "volume" / "real.jsonl")
    sink = written(path, 3, rotate={"max_bytes": 1})
    from logweir.sinks.contract import Query

    assert len([event async for event in sink.search(Query(limit=None))]) == 3
    sink.close()


def test_s3_a_link_that_is_pointed_elsewhere_is_followed(tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl"
    path.symlink_to(tmp_path / "first.jsonl")
    sink = written(path)
    path.unlink()
    path.symlink_to(tmp_path / "second.jsonl")
    sink.write([make_event()])
    sink.close()
    assert len((tmp_path / "first.jsonl").read_bytes().splitlines()) == 1
    assert len((tmp_path / "second.jsonl").read_bytes().splitlines()) == 1


@pytest.mark.parametrize("mode", ["rw-", "0888", "10640", 640, 0o640, "0000", "0044"])
def test_s3_what_is_no_mode_is_refused(mode: Any) -> None:
    with pytest.raises(ValidationError, match="not a mode"):
        FileConfig.model_validate({"path": "x", "mode": mode})


def test_a_folder_that_may_be_written_to_and_not_listed_serves_through_rotations() -> None:
    with public_folder() as folder:
        path = folder / "closed" / "x.jsonl"
        path.parent.mkdir()
        path.parent.chmod(0o333)
        with nobody():
            sink = FileSink(FileConfig(path=path, rotate={"max_bytes": 1, "compress": "none"}))
            sink.open()
            for number in range(3):
                sink.write([make_event(str(number))])
            sink.close()
        path.parent.chmod(0o755)
        assert len(rotated_files(path)) == 2
