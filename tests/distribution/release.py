"""``make release``: from a commit that says which version it is to files that can be published, the same everywhere.

The version is that of the newest section of CHANGELOG.md, and pyproject.toml and ``core/__init__.py`` have to say the same. What git
knows must be committed. Both distributions are built and tried, their checksums are written, and the commit is tagged. Nothing
leaves the machine.
"""

import re
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

from packaging.version import Version

from distribution.build import build, checksums
from distribution.environments import environment, try_out, unpacked
from support.tree import ROOT

SMOKE = Path(__file__).with_name("smoke.py")
_SECTION = re.compile(
    r"^## (?P<version>\d\S*) - (?P<day>\d{4}-\d\d-\d\d)\n(?P<text>.*?)(?=^## |\Z)", re.MULTILINE | re.DOTALL
)


def main() -> None:
    """Do all of it, or end with what is in the way."""
    version, notes = _newest()
    for file, said in _said().items():
        _require(said == version, f"{file} says {said}, and the newest section of CHANGELOG.md {version}")
    _require(not Version(version).is_devrelease, f"{version} is a development version")
    _require(not _git("status", "--porcelain", "--untracked-files=no"), "commit what was changed first")
    tag, head = f"v{version}", _git("rev-parse", "HEAD")
    tagged = _git("rev-parse", "--verify", "--quiet", f"{tag}^{{commit}}", fails=True)
    _require(
        tagged in {"", head},
        f"{tag} is another commit already: a version that was published is never replaced",
    )
    out = ROOT / "dist"
    for old in out.glob("*"):
        old.unlink()
    sdist, wheel = build(out)
    _require(wheel.name == f"logweir-{version}-py3-none-any.whl", f"{wheel.name} was built")
    with tempfile.TemporaryDirectory() as folder:
        python = environment(Path(folder, "venv"), unpacked(wheel, Path(folder, "site")), {"demo"})
        problem = try_out(python, SMOKE, "demo")
    _require(problem is None, f"what was built does not work:\n{problem}")
    (out / "SHA256SUMS").write_text(checksums(sdist, wheel))
    if not tagged:
        _git(
            "tag",
            "--annotate",
            tag,
            "--cleanup=verbatim",
            "--message",
            f"logweir {version}\n\n{notes.strip()}\n",
        )
    sys.stdout.write(f"{tag} is built, tried and tagged:\n{(out / 'SHA256SUMS').read_text()}")


def _newest() -> tuple[str, str]:
    """The version of the newest section of the changelog, and its text."""
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    found = _SECTION.search(text)
    _require(found, "CHANGELOG.md has no section of a version, such as ## 1.2.0 - 2026-11-30")
    assert found is not None
    _require(found["text"].strip(), f"the section of {found['version']} in CHANGELOG.md is empty")
    return found["version"], found["text"]


def _said() -> dict[str, str]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    source = (ROOT / "core" / "__init__.py").read_text(encoding="utf-8")
    return {
        "pyproject.toml": project["version"],
        "core/__init__.py": re.findall(r'^__version__ = "(.*)"$', source, re.MULTILINE)[0],
    }


def _git(*arguments: str, fails: bool = False) -> str:
    done = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=False)
    _require(fails or done.returncode == 0, f"git {arguments[0]}: {done.stderr.strip()}")
    return done.stdout.strip() if done.returncode == 0 else ""


def _require(holds: object, otherwise: str) -> None:
    if not holds:
        sys.exit(f"no release: {otherwise}")


if __name__ == "__main__":
    main()
