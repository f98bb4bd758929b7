"""Known shapes: secrets that show by their form alone, whatever stands around them.

Each shape has a cheap probe; :mod:`logweir.redaction.patterns` joins the probes of all into one search. A
shape that could match by chance checks itself, as an IBAN by its check digits.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from logweir.redaction.scan import MASK, Scan
from logweir.redaction.schemes import SCHEME_PROBES, mask_schemes
from logweir.redaction.shapes_issuers import ISSUER_PROBES, mask_issuers
from logweir.redaction.shapes_tokens import (
    TOKEN_PROBES,
    mask_aws_ids,
    mask_aws_ids_in_text,
    mask_tokens,
)

__all__ = ["SHAPES", "Pattern", "Probes"]


#: What to look for behind a first character, of a set as inside ``[...]``.
Probes = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Pattern:
    """A kind of secret that can be found in a text.

    Attributes:
        probes: When a text is worth a closer look: sets of first characters, each with what follows one.
        shortest: No shorter text holds such a secret.
        redact: Masks every secret in a text; may ask the scan whether a name is secret.
    """

    probes: Probes
    shortest: int
    redact: Callable[[str, Scan], str]


def _substitution(
    regex: str, replacement: str | Callable[[re.Match[str]], str] = MASK, flags: re.RegexFlag = re.ASCII
) -> Callable[[str, Scan], str]:
    compiled = re.compile(regex, flags)
    return lambda text, _scan: compiled.sub(replacement, text)


_PRIVATE_KEY = re.compile(
    r"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-{0,5}(?:[^-]|-(?!----END))*+"
    r"(?:-----END [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----)?"
    r"|PuTTY-User-Key-File-\d.*?(?:Private-MAC: *[0-9a-f]+|\Z)",
    re.ASCII | re.DOTALL,
)


def _mask_private_keys(text: str, scan: Scan) -> str:
    """Mask PEM, OpenSSH, PGP and PuTTY keys, on one line or many; one without an end reaches to the end."""
    if "PRIVATE KEY" not in text and "PuTTY" not in text:
        return text
    return _PRIVATE_KEY.sub(lambda _: scan.found("shape: private key"), text)


def _mask_all_tokens(text: str, scan: Scan) -> str:
    return _mask_each_token(text, scan) if scan.may_hold_token(_mask_each_token) else text


def _mask_each_token(text: str, scan: Scan) -> str:
    return mask_issuers(mask_tokens(text, scan), scan)


def _mask_iban(match: re.Match[str]) -> str:
    text = match.group()
    ends = [i for i in range(len(text), 14, -1) if i == len(text) or text[i] == " "]
    for end in ends:
        compact = text[:end].replace(" ", "")
        moved = compact[4:] + compact[:4]
        if 15 <= len(compact) <= 34 and int("".join(str(int(c, 36)) for c in moved)) % 97 == 1:  # noqa: PLR2004 - the standard's numbers
            return MASK + text[end:]
    return text


_AWS_ID_PROBE = r"(?:KIA|SIA)[A-Z0-9]{16}"
_OCTET = r"(?:25[0-5]|2[0-4]\d|1?\d?\d)"
SHAPES = {
    "private_key": Pattern(
        (("P", "uTTY-User-Key-File-"), (r"\-", "----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY")),
        21,
        _mask_private_keys,
    ),
    "bearer_token": Pattern(SCHEME_PROBES, 8, mask_schemes),
    "token": Pattern((*TOKEN_PROBES, *ISSUER_PROBES), 15, _mask_all_tokens),
    "jwt": Pattern((("J", "(?<=eyJ)"),), 15, mask_tokens),
    "aws_key": Pattern((("A", _AWS_ID_PROBE),), 20, mask_aws_ids),
    "aws_key_in_text": Pattern((("A", _AWS_ID_PROBE),), 21, mask_aws_ids_in_text),
    "email": Pattern(
        (("@", r"(?<=@)[\w-]{1,63}\."),),
        5,
        _substitution(r"(?<![\w.%+-])[\w.%+-]{1,64}@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+"),
    ),
    "iban": Pattern(
        (("A-Z", r"[A-Z]\d\d ?[A-Z0-9]"),),
        15,
        _substitution(r"(?<![A-Za-z0-9])[A-Z]{2}\d\d(?: ?[A-Z0-9]){11,30}(?![A-Za-z0-9])", _mask_iban),
    ),
    "ipv4": Pattern(
        (("0-9", r"[0-9.]{5}"),),
        7,
        _substitution(rf"(?<![\d.])(?:{_OCTET}\.){{3}}{_OCTET}(?!\.?\d)"),
    ),
}
