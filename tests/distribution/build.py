"""``make dist``: the source distribution and the wheel, the same bytes for the same commit, with their checksums.

The wheel is built out of the source distribution, so that both are known to be whole. Times are those of the
commit (or of ``SOURCE_DATE_EPOCH``), owners and permissions are nobody's.
"""

import argparse
import gzip
import hashlib
import io
import os
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

from support.tree import ROOT, copy_tree

_EARLIEST = 315532800  # 1980, before which a wheel cannot have been made
_BUILD = "import sys; from setuptools import build_meta as b; getattr(b, sys.argv[1])(sys.argv[2])"


def build(out: Path) -> tuple[Path, Path]:
    """Build both below a folder; returns the source distribution and the wheel."""
    out.mkdir(parents=True, exist_ok=True)
    made_at = _time()
    with tempfile.TemporaryDirectory() as folder:
        tree = copy_tree(Path(folder, "tree"))
        _backend("build_sdist", tree, out, made_at)
        (sdist,) = out.glob("*.tar.gz")
        _normalise(sdist, made_at)
        with tarfile.open(sdist) as archive:
            archive.extractall(folder, filter="data")
        _backend("build_wheel", Path(folder, sdist.name.removesuffix(".tar.gz")), out, made_at)
    (wheel,) = out.glob("*.whl")
    return sdist, wheel


def _time() -> int:
    """Seconds since 1970 that all files get."""
    if given := os.environ.get("SOURCE_DATE_EPOCH"):
        return int(given)
    command = ["git", "log", "-1", "--format=%ct"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    return int(done.stdout) if done.returncode == 0 else _EARLIEST


def _backend(hook: str, tree: Path, out: Path, made_at: int) -> None:
    """Let setuptools build, with no network; what it says is shown only if it fails."""
    environment = {**os.environ, "SOURCE_DATE_EPOCH": str(made_at), "PYTHONHASHSEED": "0"}
    command = [sys.executable, "-c", _BUILD, hook, str(out.absolute())]
    done = subprocess.run(
        command, cwd=tree, env=environment, umask=0o022, capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        sys.exit(f"{hook} failed:\n{done.stdout}{done.stderr}")


def _normalise(sdist: Path, made_at: int) -> None:
    """Write an archive anew: sorted, at one time, of no owner."""
    with tarfile.open(sdist) as given:
        members = [(member, given.extractfile(member)) for member in given.getmembers() if member.isfile()]
        content = io.BytesIO()
        with tarfile.open(fileobj=content, mode="w", format=tarfile.PAX_FORMAT) as written:
            for member, file in sorted(members, key=lambda pair: pair[0].name):
                member.mtime, member.uid, member.gid, member.uname, member.gname = made_at, 0, 0, "", ""
                member.mode = 0o755 if member.mode & 0o100 else 0o644
                member.pax_headers = {}
                written.addfile(member, file)
    with sdist.open("wb") as target, gzip.GzipFile("", "wb", 9, target, mtime=made_at) as packed:
        packed.write(content.getvalue())


def checksums(*files: Path) -> str:
    """The lines that ``sha256sum --check`` reads."""
    return "".join(f"{hashlib.sha256(file.read_bytes()).hexdigest()}  {file.name}\n" for file in files)


def main() -> None:
    """Build into a folder, which must have nothing that was built before."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=ROOT / "dist")
    out = parser.parse_args().out
    for old in [*out.glob("*.tar.gz"), *out.glob("*.whl"), *out.glob("SHA256SUMS")]:
        old.unlink()
    sdist, wheel = build(out)
    (out / "SHA256SUMS").write_text(checksums(sdist, wheel))
    sys.stdout.write((out / "SHA256SUMS").read_text())


if __name__ == "__main__":
    main()
