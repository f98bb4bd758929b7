"""Secrets that are arguments of calls, as tracebacks and lines of code show them: ``login('bob', 'S')``.

What a call is given at which place is known for those that log in and those that read passwords; others have
a name that is secret itself, as in ``setPassword("S")``.
"""

# ruff: noqa: E501 - tables of expressions, one form a row
from __future__ import annotations

import re

from logweir.redaction.prose import is_placeholder
from logweir.redaction.scan import OF_MATCH, Scan
from logweir.redaction.text_places import Span

__all__ = ["CALL_PROBES", "mask_calls"]

_LAST = -1
#: The place of the secret among the arguments, of which there are at least two where it is the last.
_PLACES = {
    **dict.fromkeys(
        """
        login authenticate attempt auth httpbasicauth httpdigestauth httpproxyauth basicauth basic_auth setbasicauth
        withbasicauth plaincredentials plainauthprovider networkcredential simple_bind simple_bind_s bind_s
        username_pw_set set_credentials setcredentials credentials passwordauthentication passwordcredentials
        usernamepasswordcredentials usernamepasswordauthenticationtoken setusernamepassword ftp_login
        ssh2_auth_password signin sign_in logon log_in signinwithemailandpassword createuserwithemailandpassword
        create_user create_superuser createuser basiccredentials basicauthentication pgp_sym_encrypt pgp_sym_decrypt
        aes_encrypt aes_decrypt passwordauthenticator basicawscredentials awscredentials
        """.split(),  # noqa: SIM905 - a column of quoted words is harder to read
        _LAST,
    ),
    **dict.fromkeys(
        "mysqli mysqli_connect mysql_connect mysql_pconnect real_connect mysqli_real_connect pdo __construct getconnection ldap_bind imap_open odbc_connect".split(),  # noqa: SIM905
        2,
    ),
    **dict.fromkeys("hashpw password_hash crypt bcrypt oci_password_hash".split(), 0),  # noqa: SIM905
    "oci_connect": 1,
}
_ASKED = re.compile(
    r"(?i:get|has|is|find|load|fetch|read|list|require|need|missing|expect|invalid|ask|prompt|input|delete|remove|describe|no|parse)(?=[A-Z_])|getpass|askpass"
)
_CALL = re.compile(r"(?<![\w.$])((?:[\w$]{1,64}(?:->|::|\.)){0,6}+)([A-Za-z_]\w{2,63}+)\(\s{0,8}(?=[^)\s])")
_CALLED = re.compile(r"\((\w{3,64}+)")
_ITEM = re.compile(
    r"\s*((?:[bBuUrRnNfF@]?\"(?:[^\"\\\n]|\\.){0,512}+\"|[bBuUrRnNfF@]?'(?:[^'\\\n]|\\.){0,512}+'|[^\s,()\"'][^,()\"'\n]{0,128}+"
    r"|\([^()\n]{0,256}+\)){1,4}+|)\s*(,|\))"
)
_LITERAL = re.compile(r"[bBuUrRnNfF@]?([\"'])(.+)\1", re.DOTALL)
_NAME = re.compile(r"[A-Za-z_][\w. ]{0,32}")
_RANDOM = re.compile(r"(?=[^\d]*\d)(?=[^A-Za-z]*[A-Za-z])\S{8,}")
_MOST = 8

CALL_PROBES = ((r"\(", r"[bBuUN]?['\"]|[\w. #:/@=$-]{1,64},\s?[bBuUN]?['\"]"),)


def mask_calls(text: str, scan: Scan) -> str:
    """Mask the arguments of calls that are secrets."""
    if "(" not in text:
        return text
    # Hardly any call is one of these: its name is read backwards, from its parenthesis.
    names = {name[::-1] for name in _CALLED.findall(text[::-1])}
    scan.pay(OF_MATCH * len(names))
    if not any(name.lower() in _PLACES or scan.secrecy(name) for name in names):
        return text
    scan.pay(len(text))
    parts, done = [], 0
    for call in _CALL.finditer(text):
        if call.start() < done:
            continue
        for start, end in _secrets(call, scan):
            parts += [text[done:start], scan.found(f"call: {call[2]}")]
            done = end
    return "".join([*parts, text[done:]]) if parts else text


def _secrets(call: re.Match[str], scan: Scan) -> list[Span]:
    name = call[2]
    place = _PLACES.get(name.lower())
    if name.lower() == "__construct" and "PDO" not in call[1]:
        return []
    scan.pay(OF_MATCH)
    if place is None and (_ASKED.match(name) or not (secrecy := scan.secrecy(name))):
        return []
    scan.look()
    items = _arguments(call)
    if place is not None:
        index = len(items) - 1 if place == _LAST else place
        chosen = items[index : index + 1] if (place != _LAST or len(items) > 1) and index < len(items) else []
    else:
        chosen = items if len(items) <= 2 or secrecy > 1 else []  # noqa: PLR2004 - a name and a value
    return [span for item in chosen if (span := _literal(item, is_secret=place is not None or secrecy > 1))]


def _arguments(call: re.Match[str]) -> list[re.Match[str]]:
    items: list[re.Match[str]] = []
    at = call.end()
    while len(items) < _MOST:
        item = _ITEM.match(call.string, at)
        if item is None:
            return []
        items.append(item)
        if item[2] == ")":
            return items
        at = item.end()
    return []


def _literal(item: re.Match[str], *, is_secret: bool) -> Span | None:
    """Where the text of an argument stands, if it is a secret: any by its place or name, or else what is random."""
    found = _LITERAL.fullmatch(item[1])
    if found is None or is_placeholder(found[2]) or not found[2].strip():
        return None
    if not (is_secret or _RANDOM.fullmatch(found[2])):
        return None
    start = item.start(1)
    return start + found.start(2), start + found.end(2)
