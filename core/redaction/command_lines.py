"""Secrets on command lines: behind options with a secret name, and behind the options of known programs.

``--password S`` and ``['--password', 'S']`` show by their name; ``mysql -pS``, ``curl -u user:S`` and
``sshpass -p S`` only by the program before them. ``.netrc`` and PowerShell's ``ConvertTo-SecureString`` are
read here too.
"""

from __future__ import annotations

import re

from logweir.redaction.command_places import mask_command_places
from logweir.redaction.command_words import BLANK
from logweir.redaction.names import Secrecy
from logweir.redaction.prose import is_hidden_at, is_placeholder, is_said
from logweir.redaction.scan import Scan
from logweir.redaction.text_names import mask_behind
from logweir.redaction.text_places import Place, Span
from logweir.redaction.text_values import secret_span
from logweir.redaction.vocabulary import part_of

__all__ = ["PROGRAMS", "mask_command_lines"]

_OPTION = re.compile(
    r"-(?<![\w\-]-)-?([A-Za-z][\w.\-]{1,63}+)"
    r"(?:[ \t]{1,8}+(?![\-|&;<>=:,.)\]}])|\\{0,16}[\"'],\s{0,8}(?=[bu]?\\{0,16}[\"']))(?=\S)"
)
_OPTION_SAYS = re.compile(
    r"(?i:(?:option|flag|argument|parameter|switch|and|or|is|are|was|has|must|to|in|for|with)\b)"
)

# The programs, and which of their options a secret is given by, in one letter or as a word; a letter with a
# blank behind it is not written together with its value.
_PROGRAMS = {
    "mysql|mysqldump|mysqladmin|mysqlimport|mysqlshow|mysqlcheck|mysqlsh|mysqlslap|mysqlbinlog": "p",
    "mariadb|mariadb-dump|mariadb-admin|sshpass": "p",
    "mongo|mongosh|mongodump|mongorestore|mongoexport|mongoimport": "p",
    "docker login|podman login|buildah login|skopeo login|registry login|az login|oc login": "p",
    "redis-cli|valkey-cli|keydb-cli": "a",
    "curl": "u|U|-user|-proxy-user",
    "http|https|xh": "a|-auth",
    "etcdctl": "-user",
    "sqlcmd|bcp|osql|isql|unzip|zip|mosquitto_pub|mosquitto_sub|mosquitto_rr|p4": "P",
    "ldapsearch|ldapmodify|ldapadd|ldapdelete|ldapwhoami|ldappasswd": "w|s",
    "7z|7za|unrar": "p",
    "rar": "hp|p",
    "plink|pscp|psftp": "pw",
    "snmpget|snmpwalk|snmpset|snmpbulkwalk|snmptrap": "A|X|c",
    "smbclient|rpcclient": "U",
    "ipmitool": "P",
    "cqlsh|cypher-shell|rabbitmqadmin|psexec|rdesktop|ncftpput|ncftpget|ncftpls|hydra": "p",
    "crackmapexec|netexec|nxc": "p",
    "evil-winrm|elasticsearch-users|elasticsearch-reset-password|twine|useradd|usermod|medusa|influx": "p ",
    "ssh-keygen": "N|P",
    "openssl": "k |K |hmac |psk ",
    "kadmin|kadmin.local": "w |pw ",
    "security": "w |p ",
    "nuget push|gem push": "k |ApiKey ",
    "gh secret set": "b |-body",
    "az keyvault secret set": "-value",
    "doctl auth init|codecov": "t ",
    "pdftotext|pdfimages|pdftk": "upw |opw ",
    "sendemail|sendEmail": "xp ",
    "netlify|vercel": "-auth |t ",
}
_USER_BEFORE = {
    "u",
    "U",
    "a",
    "-user",
    "-auth",
    "-proxy-user",
}  # of curl, smbclient and httpie, whose value is user:password or user%password


#: Before the quote that the value has in a list.
_NEXT = r"(?:[ \t]{1,8}+|\\{0,16}[\"'],\s{0,8}(?=\\{0,16}[\"'])|=)"


def _option(letters: str) -> str:
    """Return the pattern of options, each with what stands before its value."""
    alone = [f"{letter.rstrip()}{_NEXT}" for letter in letters.split("|") if letter.endswith(" ")]
    joined = [f"{letter}{_NEXT}?" for letter in letters.split("|") if not letter.endswith(" ")]
    return rf"-(?<=[\s\"']-)(?P<option>{'|'.join(alone + joined)})(?=[^\s\-|&;])"


def _shortest(names: list[str]) -> list[str]:
    """Return those of which no other one is a part."""
    return [name for name in names if not any(other in name for other in names if other != name)]


#: The programs to which secrets are given by options of one letter.
PROGRAMS = frozenset(name.split(" ")[0] for names in _PROGRAMS for name in names.split("|"))
_PROGRAMS_OF = [
    (
        found := _shortest([name.split(" ")[0] for name in names.split("|")]),
        {part_of(name) for name in found},
        re.compile(rf"({names.replace(' ', BLANK)})(?![\w\-.=:])"),
        re.compile(_option(letters)),
    )
    for names, letters in _PROGRAMS.items()
]
_SHORT_OPTION = re.compile(r"-(?<=[\s\"']-)(?:[abcdhkopstuwxAKNPUX]|-user|-proxy-user|-auth|-body|-value)")
_BEFORE_PROGRAMS = frozenset("/\\\"'`$(&|;>= \t\n") | {""}
_PIPE = re.compile(r"[^\n|;]{0,2000}+")
_USER = re.compile(r"(?:\\{0,16}[\"'])?[^\s:%\"'@/]{1,128}+[:%](?=\S)")
_NETRC = re.compile(r"login\s{1,8}\S{1,128}+\s{1,8}(?:account\s{1,8}\S{1,128}+\s{1,8})?(password)\s{1,8}")
_SECURE_STRING = re.compile(r"(?i:ConvertTo-SecureString)(?:\s+-String)?\s+(?=[\"'])(?:-\w+\s+)*")


def mask_command_lines(text: str, scan: Scan) -> str:
    """Mask what options and places give away."""
    text = mask_command_places(text, scan)
    if "-" in text:
        text = mask_behind(text, _OPTION, scan, _argument)
        text = _mask_programs(text, scan)
        if "ecure" in text:
            text = _mask_spans(text, _SECURE_STRING, scan)
    return mask_behind(text, _NETRC, scan, _argument) if "login" in text else text


def _argument(match: re.Match[str], secrecy: Secrecy, scan: Scan) -> Span | None:
    text, at = match.string, match.end()
    if is_hidden_at(text, at):
        return None
    if _OPTION_SAYS.match(text, at) or is_said(text, at, _end_of_word(text, at), secrecy):
        return None
    return secret_span(Place(text, at, secrecy), scan)


def _end_of_word(text: str, at: int) -> int:
    end = at
    while end < len(text) and end - at <= _LONGEST_WORD and not text[end].isspace():
        end += 1
    return end


_LONGEST_WORD = 64


def _mask_spans(text: str, pattern: re.Pattern[str], scan: Scan) -> str:
    parts, done = [], 0
    for match in pattern.finditer(text):
        scan.look()
        span = secret_span(Place(text, match.end(), Secrecy.SECRET), scan)
        if span is not None and match.start() >= done:
            parts += [text[done : span[0]], scan.found("text: SecureString")]
            done = span[1]
    return "".join([*parts, text[done:]]) if parts else text


def _mask_programs(text: str, scan: Scan) -> str:
    if _SHORT_OPTION.search(text) is None:
        return text
    known = scan.words
    for names, parts, program, option in _PROGRAMS_OF:
        if (known is None or any(part in known for part in parts)) and any(name in text for name in names):
            text = _mask_options(text, program, option, scan)
    return text


def _mask_options(text: str, program: re.Pattern[str], option: re.Pattern[str], scan: Scan) -> str:
    parts, done, searched = [], 0, 0
    for found in program.finditer(text):
        if (
            found.start() < searched
            or text[max(0, found.start() - 1) : found.start()] not in _BEFORE_PROGRAMS
        ):
            continue
        scan.look()
        line = _PIPE.match(text, found.end())
        searched = line.end() if line else found.end()
        for given in option.finditer(text, found.end(), searched):
            scan.look()
            span = _option_value(given, found.group(), scan) if given.start() >= done else None
            if span is not None:
                parts += [text[done : span[0]], scan.found(f"command: {found.group()}")]
                done = span[1]
        searched = max(searched, done)
    return "".join([*parts, text[done:]]) if parts else text


def _option_value(option: re.Match[str], program: str, scan: Scan) -> Span | None:
    text, at = option.string, option.end()
    letters = re.split(r"[\s\"',=]", option["option"], maxsplit=1)[0]
    if letters in _USER_BEFORE and program not in {"redis-cli", "valkey-cli", "keydb-cli"}:
        user = _USER.match(text, at)
        if user is None:
            return None
        quote = text[at] if text[at] in "\"'" else ""
        end = text.find(quote, user.end()) if quote else _end_of_word(text, user.end())
        end = len(text) if end < 0 else end
        value = text[user.end() : end]
        return None if is_placeholder(value) or not value else (user.end(), end)
    return secret_span(Place(text, at, Secrecy.SECRET), scan)
