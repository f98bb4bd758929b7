"""Examples of texts in which the secrets are marked: ``password=⟦hunter2⟧``.

A table has one example a line, in which ``␤`` is the end of a line. An empty mark ``⟦⟧`` is filled with passwords of
several kinds. An example that begins with ``~`` may lose more than its secrets.
"""

import re

from logweir.redaction.redactor import Redactor

#: Letters and digits; signs that end many values; words; a number.
PASSWORDS = (
    "sT5Q5-_3v8W83B",
    "Zpx*#!9$Ac^kaW",
    "hunter2x",
    "QzmPdkewVbn",
    "correct-horse-battery",
    "83920174",
)
_MARK = re.compile(r"⟦(.*?)⟧", re.DOTALL)
_default = Redactor()


def examples(table):
    """Return the examples of a table; each is the list of its ``(text, expected, secrets, exact)``."""
    rows = [line.strip().replace("␤", "\n") for line in table.splitlines()]
    return [_filled(row) for row in rows if row and not row.startswith("## ")]


def _filled(row):
    exact = not row.startswith("~")
    row = row.removeprefix("~")
    filled = [row.replace("⟦⟧", f"⟦{password}⟧") for password in (PASSWORDS if "⟦⟧" in row else ("",))]
    return [(_MARK.sub(r"\1", one), _MARK.sub("***", one), _MARK.findall(one), exact) for one in filled]


def texts(table):
    """Return the lines of a table of harmless texts."""
    return [line.strip().replace("␤", "\n") for line in table.splitlines() if line.strip()]


def leaks(stored, secrets):
    """Return the secrets of which half can be read in what is stored."""
    return [secret for secret in secrets if any(part in stored for part in _halves(secret))]


def _halves(secret):
    width = max(5, (len(secret) + 1) // 2)
    return [secret[at : at + width] for at in range(max(1, len(secret) - width + 1))]


def check(example, redactor=_default):
    """Assert that the secrets of an example are masked, and that masking twice changes nothing."""
    for text, expected, secrets, exact in example:
        stored = redactor.redact_text(text)
        assert not leaks(stored, secrets), f"{text!r} is stored as {stored!r}"
        if exact:
            assert stored == expected
        assert redactor.redact_text(stored) == stored
