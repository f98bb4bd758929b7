"""Commands of protocols that log in, whose secret has no name beside it: ``PASS S``, ``AUTH PLAIN S``.

FTP, POP3, IMAP, SMTP, IRC and Redis write them in capitals, each with the words before the secret. In clients'
logs they stand in quotes, behind a prompt or an arrow, or item by item. ``PASS`` and ``AUTH`` are also said of
tests and states, so there the secret must end its line.
"""

# ruff: noqa: E501 - tables of expressions, one form a row
from __future__ import annotations

from logweir.redaction.command_words import ENDS, VALUE, mask_places, places
from logweir.redaction.scan import Scan

__all__ = ["LOGIN_PROBES", "mask_logins"]

_MECHANISM = r"(?:PLAIN|LOGIN|XOAUTH2|OAUTHBEARER|CRAM-MD5|DIGEST-MD5|SCRAM-SHA-\d{1,3}(?:-PLUS)?|NTLM|GSSAPI|EXTERNAL)"
_BASE64 = r"(?P<b1>[A-Za-z0-9+/_-]{8,}+={0,2})"
#: Where a command begins: a line, a quote, a prompt, an arrow, or behind who says it.
_BEGINS = r"(?:(?<![^\n\r\"'`(>:])|(?<=[>:(\]] )|(?<=\\n)|(?<=\\r)|(?<=@\w )|(?<=@\w\w\w ))"
_CRLF = r"(?:\\r\\n|\r\n)"
_USER = r"(?:[\w.@-]{1,64}+[ \t]+)?"

_LOGINS = places(
    [
        # not what tests print: PASS test_login, PASS src/a.test.js
        ("PASS", rf"{_BEGINS}PASS[ \t]+:?(?!\S*(?i:test)|[\w./-]+\.[a-z]{{1,4}}\b){VALUE}{ENDS}"),
        ("AUTHINFO", rf"AUTHINFO PASS[ \t]+{VALUE}"),
        ("AUTH", rf"AUTH(?:ENTICATE)?[ \t]+{_MECHANISM}[ \t]+(?!{_MECHANISM}\b){_BASE64}"),
        ("AUTHENTICATE", rf"{_BEGINS}AUTHENTICATE[ \t]+(?!{_MECHANISM}\b){_BASE64}{ENDS}"),
        ("AUTH", rf"(?<![\w-])AUTH[ \t]+(?!{_MECHANISM}\b|TLS\b|SSL\b){_USER}{VALUE}{ENDS}"),
        (
            "AUTH",
            rf"(?:HELLO [23]|MIGRATE .{{1,200}}?) AUTH2?[ \t]+(?:(?![^\n]{{1,256}}KEYS){_USER})?{VALUE}",
        ),
        ("auth", rf"> auth[ \t]+{_USER}{VALUE}{ENDS}"),
        (
            "AUTH",
            r"AUTH[\"'],?[ ](?:[bu]?[\"'][\w.@-]{1,64}[\"'],?[ ](?=[bu]?[\"']))?[bu]?[\"'](?P<b1>[^\"'\s]{1,512}+)[\"']",
        ),
        # as it is sent; where two words follow, the first is the user
        (
            "AUTH",
            rf"AUTH{_CRLF}(?:\$\d{{1,4}}{_CRLF}[^\s\\]{{1,128}}+{_CRLF}(?=\$))?\$\d{{1,4}}{_CRLF}(?P<b1>[^\s\\]{{1,512}}+)",
        ),
        ("LOGIN", rf"(?<![\w-])[A-Z]{{0,8}}\d{{1,8}} LOGIN[ ](?:\"[^\"]{{1,128}}\"|\S{{1,128}}+)[ ]{VALUE}"),
        ("APOP", r"APOP \S{1,128}+ (?P<b1>[0-9a-f]{32})"),
        # the answer of SMTP to "Password:" in base64
        ("UGFzc3dvcmQ6", rf"UGFzc3dvcmQ6(?:[\s'\"]|\\[rn]){{1,8}}+(?:\w{{1,8}}: )?[b'\"]{{0,2}}{_BASE64}"),
        ("IDENTIFY", rf"(?i:NickServ)[ ]:?IDENTIFY[ ](?:[^\s:\"']{{1,64}}[ ](?=\S))?{VALUE}"),
        ("OPER", rf"{_BEGINS}OPER[ ](?!up\b|down\b)[^\s:\"']{{1,64}}+[ ]{VALUE}{ENDS}"),
        ("user ", rf"user \S{{1,64}}+ (?:[^\n>]{{0,200}} )?>{VALUE}", " >"),
        ("SETUSER", rf"SETUSER \S{{1,64}}+ (?:[^\n>]{{0,200}} )?>{VALUE}", " >"),
    ]
)

#: The last letter of such a word, with what stands before and behind it.
LOGIN_PROBES = (
    ("S", r"(?<=PASS)[ \t]"),
    ("H", r"(?<=AUTH)[ \t\"'\r\\]"),
    ("h", r"(?<=> auth) "),
    ("E", r"(?<=AUTHENTICATE)[ \t]"),
    ("N", r"(?<=\d LOGIN) "),
    ("P", r"(?<=APOP) "),
    ("Y", r"(?<=IDENTIFY) "),
    (">", r"(?<=on >)\S"),
    ("R", r"(?<=OPER) |(?<=SETUSER) "),
)


def mask_logins(text: str, scan: Scan) -> str:
    """Mask what commands log in with."""
    return mask_places(text, _LOGINS, scan, said=True)
