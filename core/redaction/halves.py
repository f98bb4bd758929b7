"""Names in two halves: the key in ``{"api": {"key": "..."}}`` is an API key, as ``api_key`` is."""

from __future__ import annotations

import re

from logweir.redaction.scan import Scan
from logweir.redaction.text_places import Place
from logweir.redaction.text_values import secret_span

__all__ = ["MOST_HALVES", "SECOND_HALVES", "mask_halves"]

#: Larger objects are data and no settings.
MOST_HALVES = 64

_FIRSTS_OF = {
    ("key", "keys"): """
        api access private encryption decryption signing master shared subscription license licence ssh tls
        ssl gpg pgp deploy fernet hmac aes
    """,
    ("code",): "mfa tfa 2fa verification",
    ("codes",): "mfa tfa 2fa verification recovery backup",
    ("phrase",): "seed recovery",
}
#: The second halves that make a secret of each first one.
SECOND_HALVES: dict[str, frozenset[str]] = {
    first: frozenset(
        second for seconds, firsts in _FIRSTS_OF.items() if first in firsts.split() for second in seconds
    )
    for first in " ".join(_FIRSTS_OF.values()).split()
}

_OPENS = re.compile(r"[:=](?<=[\w\"'=][:=])\s{0,8}\{|[:=](?<= [:=])\s{0,8}\{")
_FIRST = re.compile(r"(?<![\w.\-])(\w{2,16})\\{0,16}[\"']?\s?\Z")
_SECOND = re.compile(r"[{}]|(?<![\w.\-])(keys?|codes?|phrase)\\{0,16}[\"']?\s?[:=]>?\s{0,8}", re.IGNORECASE)
_LEAD, _NEAR = 40, 256


def mask_halves(text: str, scan: Scan) -> str:
    """Mask the second halves of names within objects in texts."""
    if "{" not in text:
        return text
    parts, done = [], 0
    for opens in _OPENS.finditer(text):
        scan.look()
        first = _FIRST.search(text[max(0, opens.start() - _LEAD) : opens.start()])
        seconds = SECOND_HALVES.get(first[1].lower()) if first else None
        if first is None or seconds is None or opens.start() < done:
            continue
        scan.look()
        for second in _SECOND.finditer(text, opens.end(), opens.end() + _NEAR):
            if second[1] is None:
                break
            name = f"{first[1]} {second[1]}"
            secrecy = scan.secrecy(name)
            if second.start() < done or second[1].lower() not in seconds or not secrecy:
                continue
            span = secret_span(Place(text, second.end(), secrecy, many=name.endswith("s")), scan)
            if span is not None:
                parts += [text[done : span[0]], scan.found(f"text: {name}")]
                done = span[1]
    return "".join([*parts, text[done:]]) if parts else text
