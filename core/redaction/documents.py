"""Secrets that show by the document they stand in: a key of a JWK, the data of a Kubernetes Secret, a password file.

Their own names say nothing, such as ``d`` and ``config``, or there are none.
"""

# ruff: noqa: E501 - tables of expressions, one form a row
from __future__ import annotations

import re

from logweir.redaction.command_words import mask_places, places
from logweir.redaction.names import Secrecy
from logweir.redaction.scan import Scan
from logweir.redaction.text_names import mask_behind

__all__ = ["DOCUMENT_PROBES", "mask_documents"]

_QUOTE = r"\\{0,8}[\"']"
_KTY = re.compile(rf"{_QUOTE}kty{_QUOTE}\s?:\s?{_QUOTE}(?:EC|RSA|OKP|oct|AKP){_QUOTE}")
#: Fields of private keys, RFC 7518.
_JWK_FIELD = re.compile(rf"{_QUOTE}(?:d|p|q|dp|dq|qi|k|r|t|priv){_QUOTE}\s?:\s?{_QUOTE}([\w=+/-]{{4,}})")
_FAR = 8192

_SECRET_JSON = re.compile(rf"{_QUOTE}kind{_QUOTE}\s?:\s?{_QUOTE}Secret{_QUOTE}")
_DATA_JSON = re.compile(rf"{_QUOTE}(?:data|stringData){_QUOTE}\s?:\s?(\{{[^{{}}]{{4,65536}}+\}})")
_SECRET_YAML = re.compile(r"^[ \t]*kind:[ \t]*[\"']?Secret[\"']?[ \t]*$", re.MULTILINE)
_DATA_YAML = re.compile(
    r"^(?P<indent>[ ]*)(?:data|stringData):[ \t]*\n(?P<lines>(?:(?P=indent)[ \t]+[^\n]*+(?:\n|\Z)|[ \t]*\n)+)",
    re.MULTILINE,
)
_ENTRY = re.compile(
    r"^([ \t]*(?:[\w.\-]+:[ \t]+)?)(?![|>][+-]?[ \t]*$)(?![ \t])(?![\w.\-]+:[ \t]*$)(\S.*)$", re.MULTILINE
)

_VARIABLE = re.compile(r"variable[ ]+\"([\w-]{1,128}+)\"\s{0,8}\{[^{}]{0,800}?default\s*=\s*")

_LINES = places(
    [
        # .pgpass, htdigest, pwdump, and hashes with their scheme in braces
        (":", r"^[^\s:]{1,253}+:(?:54\d\d|6432|\*):[A-Za-z_*][\w*-]{0,63}:[^\s:]{1,64}+:(?P<b1>\S{1,256}+)$", r":(?:54\d\d|6432|\*):"),
        (":", r"^[\w.@-]{1,64}+:[\w .@-]{1,64}+:(?P<b1>[0-9a-f]{32})$", ":[0-9a-f]{32}"),
        (":::", r"^[\w.@$\\-]{1,64}+:\d{1,10}:(?P<b1>[0-9a-fA-F]{32}:[0-9a-fA-F]{32}):::"),
        ("}", r"\{(?:S?SHA(?:-?\d{3})?|S?MD5|SMD5|CRYPT|PLAIN|CLEARTEXT|CLEAR|CRAM-MD5|DIGEST-MD5|LANMAN|NTLM?|BLF-CRYPT|SHA\d{3}-CRYPT|ARGON2\w{0,2}|PBKDF2[\w-]{0,12}|SSHA\d{3}|x-\w{1,16})(?:\.(?:b64|hex|HEX))?\}(?P<b1>[^\s\"',]{4,512}+)"),
    ],
    re.MULTILINE,
)  # fmt: skip

DOCUMENT_PROBES = (
    ("}", r"[\w$./+]{4}|(?<=[A-Z\d]\})\S{4}"),
    (":", r"(?:[0-9a-fA-F]{32}|54\d\d:|\*:)|(?<=crypt:)\d|(?<=sha256:)\d|(?<=sha512:)\d"),
    ("k", r"ty\\{0,8}[\"']"),
)


def mask_documents(text: str, scan: Scan) -> str:
    """Mask what is secret by its document."""
    if scan.may_hold("kty") and "kty" in text:
        text = _mask_keys(text, scan)
    if scan.may_hold("secret") and "Secret" in text and "ata" in text:
        text = _mask_secrets(text, scan)
    if scan.may_hold("variable") and "variable" in text:
        text = mask_behind(text, _VARIABLE, scan)
    return mask_places(text, _LINES, scan)


def _mask_keys(text: str, scan: Scan) -> str:
    parts, done = [], 0
    for kty in _KTY.finditer(text):
        start = text.rfind("{", max(done, kty.start() - _FAR), kty.start())
        end = text.find("}", kty.end(), kty.end() + _FAR)
        start, end = start if start >= 0 else kty.start(), end if end >= 0 else kty.end()
        for field in _JWK_FIELD.finditer(text, max(start, done), end):
            scan.look()
            parts += [text[done : field.start(1)], scan.found("document: JWK")]
            done = field.end(1)
    return "".join([*parts, text[done:]]) if parts else text


def _mask_secrets(text: str, scan: Scan) -> str:
    if scan.secrecy("secret") is not Secrecy.SECRET:
        return text
    if _SECRET_JSON.search(text):
        text = _DATA_JSON.sub(lambda found: _data(found, scan), text)
    if _SECRET_YAML.search(text):
        documents = re.split(r"(^---[ \t]*$)", text, flags=re.MULTILINE)
        text = "".join(
            _DATA_YAML.sub(lambda found: _lines(found, scan), document)
            if _SECRET_YAML.search(document)
            else document
            for document in documents
        )
    return text


def _data(found: re.Match[str], scan: Scan) -> str:
    scan.look()
    return found.group()[: found.start(1) - found.start()] + scan.found("document: Secret")


def _lines(found: re.Match[str], scan: Scan) -> str:
    def masked(entry: re.Match[str]) -> str:
        scan.look()
        return f"{entry[1]}{scan.found('document: Secret')}"

    return found.group()[: found.start("lines") - found.start()] + _ENTRY.sub(masked, found["lines"])
