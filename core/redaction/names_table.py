"""The terms as they are looked up: by their joined words, by what words end in, and by their rarest word."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from functools import lru_cache
from itertools import groupby, pairwise

from logweir.redaction.names_languages import LANGUAGES, UNSPACED
from logweir.redaction.names_terms import ENDINGS, ENGLISH, HARMLESS, Place, Rows, Secrecy, Term

__all__ = ["CONFIGURED", "Table", "folded", "table_of", "words_of"]

#: The group of terms from the configuration.
CONFIGURED = "configuration"

_SHORTEST_STEM = 3
_MOST_PARTS = 4
_TABLES = 16
_LONGEST_TAIL = len("value")

_ACRONYM = re.compile(r"(?<=[A-Z])(?=[A-Z][a-z])")
_NOT_A_WORD = re.compile(r"[\W_]+|(?<=\d)(?=[^\W\d_])|(?<=[^\W\d_])(?=\d)")
_ASCII_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")


def words_of(name: str) -> list[str]:
    """Split a name into its words: at separators, at camelCase humps and around digits; without accents."""
    if name.isascii():
        return [word.lower() for word in _ASCII_WORD.findall(name)]
    composed = _ACRONYM.sub("_", unicodedata.normalize("NFKC", name))
    humps = (before.islower() and sign.isupper() for before, sign in pairwise(f"_{composed}"))
    separated = "".join(f"_{sign}" if hump else sign for hump, sign in zip(humps, composed, strict=True))
    return [word for word in _NOT_A_WORD.split(folded(separated)) if word]


def folded(text: str) -> str:
    """Return a text without case, accents and other marks of letters."""
    decomposed = unicodedata.normalize("NFKD", text.casefold())
    return "".join(sign for sign in decomposed if not unicodedata.combining(sign)).casefold()


class Table:
    """The terms of some groups, and those of the configuration.

    Args:
        terms: What is secret, and the harmless phrases that hold its words.
        endings: Those of them that a word may end in that is written without blanks.

    Attributes:
        terms: The terms by their joined words, in singular and plural.
        lasts: The words that a term may end with.
        longest: How many words of a name may be one term.
        separators: What is left out of a name before it is searched, for ``str.translate``, where users wrote
            terms: they may have written in one word what a program writes in two.
        may_be_secret: Finds something in each lower-case ASCII name that spells a secret, and in few others.
        folded_may_be_secret: The same for folded names of all scripts.
        stems_with_digits: What of ``may_be_secret`` is no word of letters.
    """

    def __init__(self, terms: Iterable[Term], endings: Iterable[Term]) -> None:
        split = [(words_of(term.text), term) for term in terms]
        self.terms = {"".join(words): term for words, term in split}
        lasts = {words[-1] for words, _ in split} | self.terms.keys()
        own = ["".join(words) for words, term in split if term.group == CONFIGURED]
        lasts |= {text[start:] for text in own for start in range(len(text))}
        self.lasts = frozenset(lasts | {f"{word}s" for word in lasts})
        self.longest = max(_MOST_PARTS, *(len(words) for words, _ in split))
        self.separators = dict.fromkeys(map(ord, " ._-/:[]"), "") if own else None
        self._endings = {"".join(words_of(term.text)): term for term in endings}
        longest_first = sorted(map(re.escape, self._endings), key=len, reverse=True)
        tails = r"(?:s|hash|value|text)?\Z"
        self._reach = max(map(len, longest_first), default=0) + _LONGEST_TAIL
        self._ending = re.compile(f"({'|'.join(longest_first)}){tails}" if self._endings else r"(?!)")
        secret = [(words, term) for words, term in split if term.secrecy is not Secrecy.HARMLESS]
        for words, term in secret:
            if not words[-1].endswith("s"):
                self.terms.setdefault(f"{''.join(words)}s", term)
        stems = _stems([words for words, _ in secret])
        self.may_be_secret = _any_of(stem for stem in stems if stem.isascii()).search
        self.stems_with_digits = [stem for stem in stems if stem.isascii() and not stem.isalpha()]
        self._spellings = [
            (sorted((part for word in words for part in _parts(word, stems)), key=len), words)
            for words, _ in secret
            if all(word.isascii() for word in words) and (len(words) > 1 or words[0] not in stems)
        ]
        self.folded_may_be_secret = _any_of(stems).search

    def is_spelled(self, vocabulary: str) -> bool:
        """Return whether a vocabulary may spell some secret term that is more than one stem."""
        lowered = vocabulary.lower()
        found = [
            words
            for parts, words in self._spellings
            # The longest is the rarest.
            if parts[-1] in lowered and all(part in lowered for part in parts)
        ]
        if not found:
            return False
        # Parts of other words are none: `connect upstream` is no connection string.
        whole = {word for run in vocabulary.split() for word in words_of(run)}
        return any(
            len(words) == 1
            or "".join(words) in lowered
            or any(word in whole or f"{word}s" in whole for word in words)
            for words in found
        )

    def ends_in(self, word: str) -> Term | None:
        """Return the term that a word ends in, as ``userpassword`` does."""
        match = self._ending.search(word, max(0, len(word) - self._reach))
        return self._endings[match[1]] if match else None


@lru_cache(maxsize=_TABLES)
def table_of(groups: frozenset[str], keys: tuple[str, ...]) -> Table:
    """Return the terms of groups and of the configuration."""
    spaced, unspaced = [*_terms_of((*ENGLISH, *LANGUAGES), groups)], [*_terms_of(UNSPACED, groups)]
    harmless = [Term(text, Secrecy.HARMLESS, Place.ANYWHERE, "") for text in HARMLESS.split(", ")]
    own = [
        Term(" ".join(words), Secrecy.SECRET, Place.ANYWHERE, CONFIGURED)
        for words in map(words_of, keys)
        if words
    ]
    by_text = {"".join(words_of(term.text)): term for term in spaced}
    endings = [by_text[text] for text in ENDINGS.split(", ") if text in by_text]
    return Table([*spaced, *unspaced, *harmless, *own], [*unspaced, *endings])


def _terms_of(rows: Rows, groups: frozenset[str]) -> Iterator[Term]:
    for group, secrecy, place, texts in rows:
        if group in groups:
            yield from (Term(text, secrecy, place, group) for text in texts.split(", "))


def _stems(split: list[list[str]]) -> list[str]:
    """Return one word of each term: the one that most of them share, so that few are looked for."""
    common = Counter(word for words in split for word in words)

    def rank(word: str) -> tuple[bool, int, int]:
        return len(word) >= _SHORTEST_STEM, common[word], len(word)

    stems = {max(words, key=rank) for words in split}
    return sorted(stem for stem in stems if not any(other in stem for other in stems - {stem}))


def _parts(word: str, stems: Collection[str]) -> list[str]:
    """Return what of a term's word is in each text that has it: a compound may be written as words."""
    stem = next((stem for stem in stems if stem in word), word)
    if not word.isalpha():
        return []
    return [word] if stem == word else [word[:_SHORTEST_STEM], stem, word[-_SHORTEST_STEM:]]


def _any_of(stems: Iterable[str]) -> re.Pattern[str]:
    branches = (
        f"{re.escape(first)}(?:{'|'.join(re.escape(stem[1:]) for stem in same)})"
        for first, same in groupby(stems, key=lambda stem: stem[0])
    )
    return re.compile("|".join(branches) or r"(?!)")
