"""Secret names: which keys hold a secret, and how strongly their name says so.

A name is split into words (``userPassword``, ``X-API-Key`` and ``user_password`` alike, in any case). It is
secret if consecutive words spell a term (``names_terms``, ``names_languages``) and no other word says that it
is something else (``names_describing``): ``token_type`` describes a token, ``has_password`` asks. Whole words
count, so ``tokenizer`` and ``secretary`` are harmless. Names from the configuration are as secret as can be.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

from logweir.redaction.names_describing import ASKS, DESCRIBES, HOLDS, QUALIFIES
from logweir.redaction.names_table import CONFIGURED, folded, table_of, words_of
from logweir.redaction.names_terms import NAME_GROUPS, Place, Secrecy, Term

__all__ = ["NAME_GROUPS", "Names", "Secrecy", "words_of"]

_CACHED_NAMES = 4096
_CACHED_NAME_LENGTH = 128
_SHORT_TERM = 3
#: Of a longer name only the beginning and the end are looked at, so that its length costs nothing.
_LONGEST_NAME = 1024
_SHORTEST_PARTICIPLE = 5
#: Beyond it, asking for each term costs more than it saves.
_LARGE_VOCABULARY = 1024
#: Vault's AppRole writes ``secret_id`` for a secret; Secrets Manager and others ``secretId`` for its name.
_NAME_OF_A_SECRET = ("secretId", "SecretId")
#: Where a shell is, and was; only in capitals, for ``pwd`` is a password.
_DIRECTORIES = frozenset({"PWD", "OLDPWD"})


class Names:
    """Judges names; keeps what it said in a bounded table, and may be used from many threads at once.

    Args:
        keys: Names that are secret beside the built-in ones.
        groups: The groups of built-in names that apply, those of ``redact.defaults``.
    """

    def __init__(self, keys: Sequence[str] = (), *, groups: Collection[str] = NAME_GROUPS) -> None:
        self._table = table_of(NAME_GROUPS.intersection(groups), tuple(keys))
        self._verdicts: dict[str, Secrecy] = {}

    def secrecy(self, name: str) -> Secrecy:
        """Return how secret the value under this name is."""
        verdict = self._verdicts.get(name)
        if verdict is None:
            verdict = self._judge(name)
            if len(name) <= _CACHED_NAME_LENGTH:
                if len(self._verdicts) >= _CACHED_NAMES:
                    self._verdicts.clear()
                self._verdicts[name] = verdict
        return verdict

    def may_name(self, text: str) -> object:
        """Return something if an ASCII text may hold the name of a secret; ``None`` if it surely does not."""
        text = text.lower()
        if self._table.separators is not None:
            text = text.translate(self._table.separators)
        return self._table.may_be_secret(text)

    def may_be_named(self, text: str, words: str) -> bool:
        """Return whether an ASCII text with this vocabulary may hold the name of a secret."""
        table = self._table
        if table.separators is not None:
            return self.may_name(text) is not None
        if any(stem in text for stem in table.stems_with_digits):
            return True
        lowered = words.lower()
        if table.may_be_secret(lowered) is None:
            return False
        if len(words) > _LARGE_VOCABULARY or table.is_spelled(words):
            return True
        # What is left are terms of one stem, which no sign divides: `pin` is none in `shipping`.
        stemmed = (word for word in words.split() if table.may_be_secret(word.lower()))
        return any(any(self._spelled(words_of(word))) for word in stemmed)

    def rule_of(self, name: str) -> str:
        """Return the rule by which a name is secret, such as ``name: api key``; empty for a harmless one."""
        term = self._deciding(_bounded(name))
        if term is None:
            return ""
        return f"{'key of the configuration' if term.group == CONFIGURED else 'name'}: {term.text}"

    def _judge(self, name: str) -> Secrecy:
        if name in _DIRECTORIES:
            return Secrecy.CREDENTIAL  # so that paths stay
        name = _bounded(name)
        table, plain = self._table, name.isascii()
        text = name.lower() if plain else folded(name)
        if table.separators is not None:
            text = text.translate(table.separators)
        # Most names have no word of any term: this is all that they cost.
        suspicious = (table.may_be_secret if plain else table.folded_may_be_secret)(text)
        term = self._deciding(name) if suspicious else None
        return Secrecy.HARMLESS if term is None else term.secrecy

    def _deciding(self, name: str) -> Term | None:
        """Return the strongest term that makes a name secret: of equal ones the last."""
        words = words_of(name)
        found: Term | None = None
        for start, stop, term in self._spelled(words):
            if term.secrecy <= (found.secrecy if found else Secrecy.HARMLESS):
                continue
            if term.text == "secret id" and name.endswith(_NAME_OF_A_SECRET):
                continue
            if _applies(term, words[:start], [word for word in words[stop:] if not word.isdigit()]):
                found = term
        return found

    def _spelled(self, words: list[str]) -> Iterator[tuple[int, int, Term]]:
        """Yield the terms that words spell, and where, from the right: the longest of those that overlap."""
        table, stop = self._table, len(words)
        while stop:
            last = words[stop - 1]
            start, term = stop - 1, None
            if last in table.lasts:
                for start in range(max(0, stop - table.longest), stop):
                    term = table.terms.get("".join(words[start:stop]))
                    if term is not None:
                        break
            if term is None and not last.isdigit():
                term = table.ends_in(last)
            if term is not None:
                yield start, stop, term
            stop = start


def _bounded(name: str) -> str:
    if len(name) <= _LONGEST_NAME:
        return name
    return f"{name[: _LONGEST_NAME // 2]}_{name[-_LONGEST_NAME // 2 :]}"


def _applies(term: Term, before: list[str], after: list[str]) -> bool:
    """Whether the words around a term leave it a secret.

    Args:
        term: Of any secrecy but harmless.
        before: The words before it.
        after: Those behind it, without numbers.
    """
    if term.group == CONFIGURED and not after:
        return True
    if len(term.text) <= _SHORT_TERM and any(word.isdigit() for word in before):
        return False  # two or three letters in an identifier, such as AROA3N4PW5
    if "from" in before[1:]:
        return False  # what was taken from a token is another thing
    if term.place is Place.ANYWHERE:
        holds = not after or not (_describes(after[-1]) or "last" in after)
    else:
        holds = HOLDS.issuperset(after) and (term.place is Place.END or QUALIFIES.issuperset(before))
    return holds and ASKS.isdisjoint(before)


def _describes(word: str) -> bool:
    if word in HOLDS:
        return False
    return word in DESCRIBES or (word.endswith("ed") and len(word) >= _SHORTEST_PARTICIPLE)
