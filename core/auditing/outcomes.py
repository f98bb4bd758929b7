"""How a call ended: success, failed, or a word for an exception by which a framework ends a good call."""

from __future__ import annotations

__all__ = ["name_outcome", "outcome_of"]

_words: dict[type[BaseException], str] = {
    GeneratorExit: "success",  # a consumer that closes a generator early has what it wanted
}


def name_outcome(error: type[BaseException], word: str) -> None:
    """Let calls that end by such an exception be recorded with this status."""
    _words[error] = word


def outcome_of(error: BaseException | None) -> str:
    """Return the status of a call that raised this, or nothing."""
    if error is None:
        return "success"
    for known in type(error).__mro__:
        if known in _words:
            return _words[known]
    return "failed"
