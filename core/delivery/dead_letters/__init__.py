"""Dead letters: what will never be stored as it is, kept on disk with the reason until someone decides.

A letter is a redacted event that a sink refused or, for unreadable input of ``logweir run``, the line
with its file and number.
"""

from logweir.delivery.dead_letters.letter import DeadLetter, LetterBox, Selection
from logweir.delivery.dead_letters.pruning import DeadLetterPruner
from logweir.delivery.dead_letters.store import DeadLetters, Position, Totals

__all__ = ["DeadLetter", "DeadLetterPruner", "DeadLetters", "LetterBox", "Position", "Selection", "Totals"]
