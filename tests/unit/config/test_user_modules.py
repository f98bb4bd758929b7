"""Sinks and functions of the user's, named in routing.yaml, in a process that has imported nothing of theirs."""

import subprocess
import sys
from pathlib import Path

import pytest

SINK = """\
from logweir import Sink, SinkConfig, WriteResult, register_sink

class FolderSink(Sink[SinkConfig]):
    Config = SinkConfig
    async def write(self, batch):
        return WriteResult()

@register_sink("decorated")
class Decorated(FolderSink):
    pass
"""
ROUTES = "routes: [{name: all, to: [mine]}]\n"


def check(directory: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(Path(sys.executable).with_name("logweir")), "explain", '{"event": "x"}', *arguments],
        cwd=directory,
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )


@pytest.mark.parametrize("beside", ["file", "here"])
@pytest.mark.parametrize(
    "text",
    [
        'sinks: {mine: {type: "my_sinks:FolderSink"}}\n',
        "imports: [my_sinks]\nsinks: {mine: {type: decorated}}\n",
    ],
)
def test_x2_modules_beside_the_file_or_the_current_directory_are_found(
    tmp_path: Path, beside: str, text: str
) -> None:
    here, there = tmp_path / "here", tmp_path / "there"
    here.mkdir()
    there.mkdir()
    (there / "routing.yaml").write_text(text + ROUTES)
    ((there if beside == "file" else here) / "my_sinks.py").write_text(SINK)
    result = check(here, "-c", "../there/routing.yaml")
    assert result.returncode == 0, result.stderr
    assert "sinks: mine" in result.stdout


def test_x2_an_import_that_fails_is_reported_with_its_place(tmp_path: Path) -> None:
    (tmp_path / "routing.yaml").write_text("imports: [nosuch]\nsinks: {mine: {type: memory}}\n" + ROUTES)
    result = check(tmp_path)
    assert result.returncode == 2
    assert "routing.yaml:1:11: imports[0]: the module 'nosuch' cannot be imported" in result.stderr
