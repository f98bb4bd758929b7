"""Runs the demo and draws all pictures."""

from support.pictures import terminal
from support.pictures.all import FOLDER, pictures

FOLDER.mkdir(exist_ok=True)
terminal.run()
for name, text in pictures().items():
    (FOLDER / name).write_text(text, encoding="utf-8")
