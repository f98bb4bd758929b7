"""The demo's output as a picture of a terminal, from what a real run printed."""

import os
import re
import subprocess
import sys
import tempfile
from io import StringIO
from pathlib import Path

from rich.console import Console
from rich.terminal_theme import TerminalTheme
from rich.text import Text

from support.pictures.svg import Look
from support.public_api import ROOT

#: What the demo printed, with its colours; written by ``make pictures``.
PRINTED = ROOT / "docs" / "images" / "demo.ansi"
_COLUMNS = 100
_THEMES = {
    "light": TerminalTheme(
        (255, 255, 255),
        (31, 35, 40),
        [
            (36, 41, 47),
            (207, 34, 46),
            (17, 99, 41),
            (125, 78, 0),
            (9, 105, 218),
            (130, 80, 223),
            (27, 124, 131),
            (110, 119, 129),
        ],
    ),
    "dark": TerminalTheme(
        (13, 17, 23),
        (230, 237, 243),
        [
            (72, 79, 88),
            (255, 123, 114),
            (63, 185, 80),
            (210, 153, 34),
            (88, 166, 255),
            (188, 140, 255),
            (57, 197, 207),
            (177, 186, 196),
        ],
    ),
}
#: As rich's own, without the fonts that it would fetch.
_FORMAT = """\
<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img" \
aria-label="The output of logweir demo">
<style>
.{unique_id}-matrix {{font-family:ui-monospace,SFMono-Regular,Menlo,Consolas,'DejaVu Sans Mono',monospace;\
font-size:{char_height}px;line-height:{line_height}px}}
{styles}
</style>
<defs>{lines}</defs>
{chrome}
<g transform="translate({terminal_x}, {terminal_y})">
{backgrounds}
<g class="{unique_id}-matrix">
{matrix}
</g>
</g>
</svg>
"""


def run() -> None:
    """Run the demo and keep what it prints."""
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "routing.yaml").write_text((ROOT / "routing.yaml").read_text())
        done = subprocess.run(
            [sys.executable, "-m", "logweir", "demo"],
            cwd=folder,
            env={**os.environ, "COLUMNS": str(_COLUMNS), "FORCE_COLOR": "1", "TTY_INTERACTIVE": "0"},
            capture_output=True,
            text=True,
            check=True,
        )
    visible = re.sub(r"\x1b\[[0-9;?]*[A-LN-Za-ln-z]", "", done.stdout)  # what moves the cursor, for progress
    lines = [line.rstrip() for line in visible.splitlines()]
    PRINTED.write_text(re.sub(r"\n{3,}", "\n\n", "\n".join(lines) + "\n"), encoding="utf-8")


def draw(look: Look) -> str:
    console = Console(width=_COLUMNS, record=True, file=StringIO(), force_terminal=True)
    console.print(Text.from_ansi("$ make demo\n" + PRINTED.read_text(encoding="utf-8")))
    text = console.export_svg(
        title="make demo", theme=_THEMES[look.name], code_format=_FORMAT, unique_id="demo"
    )
    return text.replace('stroke="rgba(255,255,255,0.35)"', f'stroke="{look.tones["group"][1]}"')
