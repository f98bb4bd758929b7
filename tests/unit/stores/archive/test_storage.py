"""Where archives are kept."""

from pathlib import Path

from logweir.stores.archive.storage import Storage
from support.permissions import mode_of, umask


def test_s3_files_of_an_archive_on_this_machine_are_private(tmp_path: Path) -> None:
    storage = Storage(str(tmp_path / "archive"))
    with umask(0o022):
        storage.write(storage.path("day", "manifest.json"), b"{}")
    assert mode_of(tmp_path / "archive" / "day" / "manifest.json") == "0600"
