"""Writes the pages of the reference that come from the code."""

from support.reference.pages import FOLDER, pages

for gone in (FOLDER / "api").glob("*.md"):
    gone.unlink()
(FOLDER / "api").mkdir(exist_ok=True)
for name, text in pages().items():
    (FOLDER / name).write_text(text, encoding="utf-8")
