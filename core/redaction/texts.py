"""Names and values in texts: ``name=value`` and ``name: value``, quoted, wrapped, in JSON and headers.

Names are found from their sign backwards, in the reversed text, because signs are rare and each of them is
looked at: a harmless name before a secret one hides nothing. All names of a text are judged once; only the
values behind secret ones are read, each once, so that the time grows with the text and no faster.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from itertools import chain

from logweir.redaction.calls import mask_calls
from logweir.redaction.command_lines import mask_command_lines
from logweir.redaction.directives import mask_directives, mask_settings
from logweir.redaction.documents import mask_documents
from logweir.redaction.halves import mask_halves
from logweir.redaction.header_lists import mask_header_lists
from logweir.redaction.logins import mask_logins
from logweir.redaction.names import Secrecy
from logweir.redaction.prose import is_hidden_at
from logweir.redaction.scan import Scan, is_latin
from logweir.redaction.sentences import mask_sentences
from logweir.redaction.tables import mask_tables
from logweir.redaction.text_pairs import mask_pairs
from logweir.redaction.text_places import Place
from logweir.redaction.text_values import secret_span
from logweir.redaction.url_encoded import mask_encoded
from logweir.redaction.xml_elements import mask_elements

__all__ = ["mask_assignments"]

# The reversed text is searched, so the parts of a name and its sign stand here in reversed order.
_SIGN = (
    r"[=:>\uff1a\uff1d](?:(?<=>)-|(?<=[=\uff1d])[=:]?+(?![!<>~])|(?<=\uff1a)"
    r"|(?<=:)(?:(?<!::)(?!:)|(?<=[ \n]:):(?!:)))"
)
_TYPE = r"(?:\s?(?:rts|gnirt[sS]|setyb|rtSterceS)\s?:)?"  # between, as in `password: str = ...`
_CLOSERS = (
    r"(?:detcetorp:|etavirp:(?:\"?[\w\\]{1,64}+\"?:)?"
    r"|[\\\"'\[\])`\u201d\u2019\u00bb]|;touq&|;(?:93|43)#&|[27]200u\\|[27]2x\\|[dD]5%){0,24}+"
)
#: With the marks of letters: those of Hebrew, Arabic, the scripts of India, Thai and their kin are no \\w.
_MARKS = r"\u0300-\u036f\u0591-\u05c7\u0610-\u061a\u064b-\u065f\u0670\u0900-\u0fff\u200c\u200d"
_NAME = rf"[\w.\-{_MARKS}]{{1,128}}+(?: [\w\-{_MARKS}]{{1,32}}+){{0,3}}[\\%]?"
_SIGNED_NAME = re.compile(rf"{_SIGN}\s{{0,16}}+{_TYPE}\s{{0,16}}+{_CLOSERS}({_NAME})")

_ESCAPE = re.compile(r"\\(?:u[0-9a-fA-F]{4}|x[0-9a-fA-F]{2}|[nrtbf])|%[0-9a-fA-F]{2}|\\")
_HEADERS = ("authorization", "cookie", "cookies", "-key", "-token")
_VERBS = frozenset({"is", "was", "are", "were"})
_HOLDS = frozenset(
    {"hash", "value", "key", "code", "number", "text", "string", "digest", "phrase", "chiave", "πρόσβασης"}
)
_COUNTED, _OF_A_SIGN = "=:<%\uff1a\uff1d", 8
_LEAD = 80
_OF_NAMES, _OF_A_NAME, _OF_A_VERDICT, _OF_A_SECRET = 340, 10, 100, 90
_OF_AN_ADDRESS = re.compile(r"\b(?:arn|urn):[\w:/.-]{3,80}+(?<=:)\Z|\bpam_\w{1,16}\(\Z")
_VISIBILITY = re.compile(r"(?:\"[\w\\]{1,64}\":)?(?:[\w\\]{1,64}:)?(?:protected|private)\]")
_LEADS = frozenset({"", "export", "set", "SET", "Set", "ENV", "env", "ARG", "declare", "setenv", "define"})
#: As JSON and headers have it that were masked.
_MASKED = re.compile(r" ?(?:\"\*\*\*\"(?=[,}\]])|Bearer \*\*\*(?=\n|\Z))")
_QUOTES = "\"'`"


def _verdict(backwards: str, scan: Scan) -> tuple[Secrecy, str]:
    """Return how secret a name is that was read backwards, and the part of it that says so.

    Names of several words end with the last one, but where they begin is open, as in ``my api key: …``.
    """
    name = backwards[::-1]
    escape = _ESCAPE.match(name)
    names = [name] if escape is None else [name[escape.end() :], name[1:]]
    secrecy, best = Secrecy.HARMLESS, ""
    for candidate in chain.from_iterable(_candidates(name.split(" "), scan) for name in names):
        verdict = scan.secrecy(candidate)
        if verdict > secrecy:
            secrecy, best = verdict, candidate
            if verdict is Secrecy.SECRET:
                break
    return secrecy, best


def _candidates(words: list[str], scan: Scan) -> Iterator[str]:
    """Yield what may be the name: the last word, and those before it where it belongs to them."""
    if len(words) > 1 and (words[-1] in _VERBS or words[-1].isdigit()):  # the password is: …, Unseal Key 1: …
        words = words[:-1]
    yield words[-1]
    for start in range(len(words) - 2, -1, -1):
        # In `Credentials user: …` only the first word is secret, and another one is the name.
        if words[-1].lower() in _HOLDS or not scan.secrecy(" ".join(words[start:-1])):
            yield " ".join(words[start:])


def _is_header(lowered: str) -> bool:
    return lowered.endswith(_HEADERS) or lowered.startswith("x-")


def _is_plural(lowered: str) -> bool:
    return lowered.endswith(("s", "cookie")) and not lowered.endswith(("credentials", "auths"))


def _place(text: str, name: str, secrecy: Secrecy, start: int, at: int) -> Place:
    """Look at what stands around a secret name, behind whose sign the value begins."""
    sign, lowered = text[at - 1], name.lower()
    before = text[max(0, start - _LEAD) : start]
    line = before.rpartition("\n")[2]
    whole = len(line) < len(before) or start <= _LEAD
    opens = before.rstrip("-")[-1:]  # an option may be quoted together with its value
    quote = opens if opens in _QUOTES and text[start + len(name)] not in _QUOTES else ""
    begins = (whole and line.strip(" \t-+|#$*/>").removesuffix(" ") in _LEADS) or before.endswith(
        ("\\n", "\\r")
    )
    return Place(
        text,
        at + (text[at : at + 1] == ">" and sign == "="),
        secrecy,
        colon=sign in ":\uff1a",
        quote=quote,
        line=bool(quote) or (begins and not (sign == "=" and name.isupper())),
        header=sign in ":\uff1a" and _is_header(lowered),
        many=_is_plural(lowered),
        indent=len(line) - len(line.lstrip(" \t")),
        session="session" in lowered,
        counts=lowered.endswith("s") or (sign == ":" and text[start + len(name)] in _QUOTES),
    )


def mask_assignments(text: str, scan: Scan) -> str:
    """Mask the values of secret names, whatever joins the two."""
    # Nearly all texts hold no part of any secret's name: then only what known programs are given is left.
    searches: tuple[Callable[[str, Scan], str], ...] = _NAMELESS
    if not is_latin(text) or scan.names(text):
        searches = _SEARCHES
        # Each sign is looked at, whatever stands before it.
        scan.pay(_OF_NAMES + len(text) + _OF_A_SIGN * sum(map(text.count, _COUNTED)))
    for search in searches:
        text = search(text, scan)
    return text


def _secret_names(names: Iterable[str], scan: Scan) -> dict[str, tuple[Secrecy, str]]:
    """Return the verdicts on those names, written backwards, which are a secret's."""
    secret = {}
    for name in names:
        scan.pay(_OF_A_NAME)
        # Most names of a text are new, and nearly all of those hold no part of a secret's.
        if not name.isascii() or scan.may_name(name[::-1]):
            scan.pay(_OF_A_VERDICT)
            verdict = _verdict(name, scan)
            if verdict[0]:
                secret[name] = verdict
    return secret


def _mask_signed(text: str, scan: Scan) -> str:
    backwards = text[::-1]
    secret = _secret_names(set(_SIGNED_NAME.findall(backwards)), scan)
    if not secret:
        return text
    signed = [
        (len(text) - found.start(), len(text) - found.end(1), secret[found[1]])
        for found in _SIGNED_NAME.finditer(backwards)
        if found[1] in secret
    ]
    scan.pay(_OF_A_SECRET * len(signed))
    parts, done = [], 0
    for at, start, (secrecy, name) in reversed(signed):
        if at < done:
            continue
        if _MASKED.match(text, at) or is_hidden_at(text, at + (text[at : at + 1] == " ")):
            continue  # a text with a secret is searched again
        scan.look()
        begin = text.find(name, start, at)
        if name == "PASS" and text.endswith("--- ", 0, begin):
            continue  # what Go says of a test
        if _VISIBILITY.match(text, at) or text.startswith("***@", at):
            continue  # a user before a masked password, or of a property of PHP, whose value stands behind it
        if _OF_AN_ADDRESS.search(text[max(0, begin - _LEAD) : begin]) and not text[at : at + 1].isspace():
            continue  # arn:aws:secretsmanager:eu-west-1:111122223333:secret:prod/mail names a secret
        span = secret_span(_place(text, name, secrecy, begin, at), scan)
        if span is not None:
            parts += [text[done : span[0]], scan.found(f"text: {name}")]
            done = span[1]
    return "".join([*parts, text[done:]]) if parts else text


#: In this order: what knows more about the syntax around a value first.
_SEARCHES = (
    mask_documents,
    mask_tables,
    mask_logins,
    mask_settings,
    mask_directives,
    mask_calls,
    mask_pairs,
    mask_header_lists,
    mask_halves,
    mask_elements,
    mask_encoded,
    _mask_signed,
    mask_command_lines,
    mask_sentences,
)
#: Those which find secrets without a secret's name beside them.
_NAMELESS = (
    mask_documents,
    mask_tables,
    mask_logins,
    mask_settings,
    mask_calls,
    mask_command_lines,
    mask_sentences,
)
