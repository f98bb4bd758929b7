"""Dead letters of lines that ``logweir run`` cannot read or hand on; written many at a time."""

from __future__ import annotations

from collections.abc import Callable

from logweir.delivery.dead_letters import DeadLetter, DeadLetters

__all__ = ["LineLetters"]

_AT_ONCE = 500


class LineLetters:
    """Collects lines and writes them as dead letters, masked.

    Args:
        dead_letters: Take them.
        redact: Masks a line.
    """

    def __init__(self, dead_letters: DeadLetters, redact: Callable[[str], str]) -> None:
        self._dead_letters = dead_letters
        self._redact = redact
        self._letters: list[DeadLetter] = []

    @property
    def waiting(self) -> bool:
        """Whether some are not written yet, so that no checkpoint may pass their lines."""
        return bool(self._letters)

    def add(self, place: str, reason: str, line: bytes, letter_id: str | None = None) -> None:
        """Keep a line; with an id, it is one letter however often it comes."""
        text = self._redact(line.rstrip(b"\r\n").decode("utf-8", "surrogateescape"))
        body = text.encode("utf-8", "surrogateescape")
        self._letters.append(DeadLetter.of_line(place, reason, body, letter_id))
        if len(self._letters) >= _AT_ONCE:
            self.flush()

    def flush(self) -> None:
        """Write what waits."""
        if self._letters:
            self._dead_letters.add(self._letters)
            self._letters.clear()
