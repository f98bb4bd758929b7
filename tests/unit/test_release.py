"""`make release` refuses what is not ready; that it does its work is tested by the page on releases."""

import subprocess
from pathlib import Path

import pytest

from distribution import release

SECTION = "\n## 1.2.0 - 2026-11-30\n\n### Added\n- A thing.\n"


def tree(folder: Path, changelog: str, version: str) -> None:
    (folder / "core").mkdir()
    (folder / "CHANGELOG.md").write_text(f"# Changelog\n\n## Unreleased\n{changelog}")
    (folder / "pyproject.toml").write_text(f'[project]\nversion = "{version}"\n')
    (folder / "core" / "__init__.py").write_text(f'__version__ = "{version}"\n')
    for command in ("init --quiet", "add --all", "-c user.name=a -c user.email=a@b commit --quiet -m all"):
        subprocess.run(["git", *command.split()], cwd=folder, check=True)


@pytest.mark.parametrize(
    ("changelog", "version", "message"),
    [
        ("", "1.2.0", "has no section of a version"),
        ("\n## 1.2.0 - 2026-11-30\n\n", "1.2.0", "the section of 1.2.0 in CHANGELOG.md is empty"),
        (
            SECTION,
            "1.2.0.dev0",
            "pyproject.toml says 1.2.0.dev0, and the newest section of CHANGELOG.md 1.2.0",
        ),
        (SECTION.replace("1.2.0", "1.2.0.dev0"), "1.2.0.dev0", "1.2.0.dev0 is a development version"),
    ],
)
def test_a_version_that_is_not_ready_is_refused(
    changelog: str, version: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tree(tmp_path, changelog, version)
    monkeypatch.setattr(release, "ROOT", tmp_path)
    with pytest.raises(SystemExit, match=f"no release: .*{message}"):
        release.main()


def test_changes_and_a_tag_of_another_commit_are_in_the_way(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tree(tmp_path, SECTION, "1.2.0")
    monkeypatch.setattr(release, "ROOT", tmp_path)
    (tmp_path / "CHANGELOG.md").write_text(f"## Unreleased\n- More.\n{SECTION}")
    with pytest.raises(SystemExit, match="commit what was changed first"):
        release.main()
    subprocess.run(["git", "tag", "v1.2.0"], cwd=tmp_path, check=True)
    subprocess.run(
        ["git", "-c", "user.name=a", "-c", "user.email=a@b", "commit", "-qam", "more"],
        cwd=tmp_path,
        check=True,
    )
    with pytest.raises(SystemExit, match=r"v1\.2\.0 is another commit already"):
        release.main()
