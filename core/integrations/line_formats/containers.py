"""What a container runtime cut into pieces, whole again; stdout and stderr are woven into one file."""

from __future__ import annotations

from typing import Any

__all__ = ["Pieces"]

_Fields = dict[str, Any]
#: Characters after which a line is handed on though its end has not come.
_MOST = 16 << 20
#: Docker cuts at 16 KiB: a shorter piece without a line end is the end of a line.
_SHORTER = 15_000


class Pieces:
    """Keeps the beginnings of lines until their end comes."""

    def __init__(self) -> None:
        self._begun: dict[str, list[_Fields]] = {}
        self._size = 0

    def __bool__(self) -> bool:
        """Whether a line is begun."""
        return bool(self._begun)

    def whole(self, fields: _Fields, text: str) -> list[_Fields]:
        """The lines that this piece ends, with the time of their first one; none while more is to come.

        Args:
            fields: Of a piece.
            text: The name of the field with its text.
        """
        stream = str(fields.get("stream"))
        said = fields.get(text)
        said = said if type(said) is str else ""
        tag = fields.get("tag")
        # CRI marks a piece; Docker cuts a line by leaving its line end to the last one.
        is_piece = tag.startswith("P") if type(tag) is str else not said.endswith("\n")
        before = self._begun.get(stream)
        if not is_piece and before is None:
            return [fields]
        done: list[_Fields] = []
        if is_piece and before is not None and tag is None and len(str(before[-1].get(text))) < _SHORTER:
            done.append(self._joined(stream, text))  # whoever writes these, lines have no end in them
        self._begun.setdefault(stream, []).append(fields)
        self._size += len(said)
        if not is_piece or self._size >= _MOST:
            done.append(self._joined(stream, text))
        return done

    def rest(self, text: str) -> list[_Fields]:
        """The lines whose end has not come."""
        return [self._joined(stream, text) for stream in list(self._begun)]

    def _joined(self, stream: str, text: str) -> _Fields:
        pieces = self._begun.pop(stream)
        if not self._begun:
            self._size = 0
        whole = pieces[-1] | {name: value for name, value in pieces[0].items() if name != "tag"}
        whole[text] = "".join(str(piece.get(text) or "") for piece in pieces)
        return whole
