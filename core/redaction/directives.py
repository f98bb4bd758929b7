"""Names and values with a blank between: ``set DB_PASSWORD S``, ``requirepass S``, ``proxy_set_header X-Api-Key S``.

So do commands and files of settings write them. A blank is also between the words of prose, so the name
stands behind a verb or alone with its value on a line; and behind a name that is an ordinary word, such as
*token*, a plain word is rather said than a value.
"""

# ruff: noqa: E501 - tables of expressions, one form a row
from __future__ import annotations

import re

from logweir.redaction.command_words import ARGUMENT, BLANK, VALUE, mask_places, places
from logweir.redaction.names import Secrecy
from logweir.redaction.prose import is_said
from logweir.redaction.scan import OF_MATCH, Scan
from logweir.redaction.text_places import Place, lowered
from logweir.redaction.text_values import secret_span

__all__ = ["DIRECTIVE_PROBES", "mask_directives", "mask_settings"]

_LASTS = "word|passwd|phrase|pass|pwd|pw|secret|token|key|auth|psk|code|credentials?|pat|pin|authorization|cookie|key-string|dsn|database_url"
_ENDS = rf"(?i:{_LASTS})"
_NAME = rf"((?!-)[\w.\-/:@$]{{0,128}}?{_ENDS})"
_VERBED = re.compile(
    rf"(?<![\w.-])(?i:set|put|setenv|setx|add|config|env|arg|define|write|export|setfacl|update|upsert|let|edit"
    r"|\w{1,16}_param|\w{1,16}_header|requestheader set|header|passenger_env_var|env_var|setting|option)"
    rf"(?:{BLANK}-{{1,2}}[\w-]{{1,32}}+){{0,4}}(?:{BLANK}[\w./-]{{1,64}}+(?=\s))??{BLANK}[\"'(]?{_NAME}[\"']?,?[ \t]{{1,8}}(?=[^\s=:,;)|])(?!--?[A-Za-z])"
)
_LINE = re.compile(
    rf"(?:(?<![^\n])|(?<=\\n))[ \t]{{0,32}}#?{_NAME}[ \t]{{1,32}}(?=(?:\"[^\"\n]{{1,512}}\"|'[^'\n]{{1,512}}'|[^\s=:;]\S{{0,512}});?[ \t]*(?:\Z|[\r\n]|\\n))"
)
#: What both begin with: the end of a name and a blank, in lower case. They are tried only around such a place.
_NAME_ENDS = re.compile(rf"(?:{_LASTS})(?=[\"']?,?[ \t])")
_BACKWARDS = re.compile(r"[\w.\-/:@$]{0,128}+")
#: One of these is in each text in which `_VERBED` finds something.
_VERBS = (
    *("set", "put", "add", "config", "env", "arg", "define", "write", "export", "update", "upsert", "let"),
    *("edit", "param", "header", "var", "option"),
)
_LEAD, _OF_NAME, _OF_VERBED = 400, 200, 1000
_SIMPLE = frozenset(
    """
    password passwords passwd passphrase pass pwd pw secret token key auth psk code credential credentials pin
    authorization cookie
    """.split()  # noqa: SIM905 - a column of quoted words is harder to read
)
_PLAIN = re.compile(
    r"[A-Z]?[a-z]+(?:'[a-z]+)?[.,;!?]?(?=[\s\"')]|\Z)|[A-Z]{1,12}(?=\s)|[a-z]+-[a-z]+(?=[ ]\w)"
)
_BLANK = re.compile(r"[\"']?,?[ \t]{1,8}(?=\S)")
_IS_A_VERB = re.compile(r"(?i:set|get|put|add|create|delete|use|update|rotate|list|show|new|remove)-")
_PARTICIPLE = re.compile(r"[a-z]{2,}(?:ed|ing)[.,;!?]?(?=[\s\"')]|\Z)")

#: Settings of network devices, with the kind of encryption before the value, and what has no name like others.
_SETTINGS = places(
    [
        ("password ", rf"(?:enable|username \S{{1,64}}+(?: privilege \d+)?|neighbor \S{{1,64}}+|user \S{{1,64}}+) (?:insecure-)?password (?:\d )?(?![A-Z]?[a-z]+(?:[\s,.;:]|\Z)){VALUE}"),
        ("secret ", rf"(?:enable|username \S{{1,64}}+(?: privilege \d+)?) secret (?:\d )?{VALUE}"),
        ("key ", rf"(?:tacacs|radius|isakmp|server|host \S{{1,64}}+)(?:-server)?(?: host \S{{1,64}}+)? key (?:\d )?{VALUE}"),
        ("md5 ", rf"(?:message-digest-key \d{{1,3}}|authentication) md5 (?:\d )?{VALUE}"),
        ("community ", rf"(?:snmp-server |r[ow])community {VALUE}"),
        ("com2sec", rf"com2sec6? \S{{1,64}}+ \S{{1,64}}+ {VALUE}"),
        ("wpa-psk", rf"wpa-psk (?:ascii|hex) (?:\d )?{VALUE}"),
        ("PSK", rf": PSK {VALUE}"),
        (" : ", rf" : (?:EAP|XAUTH|NTLM|RSA \S{{1,128}}+) (?=\"){VALUE}"),
        ("* ", rf"^\"?[\w@.-]{{1,64}}+\"? \* (?=\"){VALUE} \*"),
        ("stats auth", r"stats auth [^\s:]{1,64}+:(?P<b1>\S{1,256}+)"),
        ("relayhost", r"relayhost [^\s:]{1,64}+:(?P<b1>\S{1,256}+)"),
        ("]:", r"^\[[\w.-]{1,253}+\]:\d{1,5} [^\s:]{1,64}+:(?P<b1>\S{1,256}+)"),
        ("wifi", rf"wifi{BLANK}(?:connect|con|hotspot){BLANK}[^\n|;]{{1,200}}?password{BLANK}{VALUE}"),
        ("mysqladmin", rf"mysqladmin{BLANK}[^\n|;]{{1,200}}?\bpassword{BLANK}{VALUE}"),
        ("initial-password", rf"set-initial-password{BLANK}{VALUE}"),
        ("rclone", rf"rclone{BLANK}config{BLANK}(?:create|update){BLANK}[^\n|;]{{1,160}}?{BLANK}(?:pass|password|secret_access_key|key|token){BLANK}{VALUE}"),
        ("_pw ", rf"(?:user|owner|input)_pw {VALUE}"),
        ("+pass", rf" \+password{BLANK}{VALUE}"),
        ("poll ", rf"poll {ARGUMENT} [^\n]{{0,200}}?password {VALUE}"),
    ]
)  # fmt: skip

#: The last letters of a name, with a blank or a quote behind them.
DIRECTIVE_PROBES = (
    ("Ss", r"(?i:ecret)[\"']?[ \t][^\s]|(?<=(?i:pas)[Ss])[\"']?[ \t]\S|(?<=(?i:p)[Ss])(?i:k) "),
    ("Pp", r"(?i:hrase)[\"']?[ \t]|[wW][dD]?[\"']?[ \t]"),
    ("Kk", r"(?i:en|ey)[\"'][ \t]|(?<=(?i:ps)[Kk])[\"']?[ \t]|(?i:ey-string) "),
    ("Hh", r"(?<=(?i:aut)[Hh])[\"']?[ \t]"),
    ("Mm", r"(?i:munity) |d5 "),
    ("2", r"(?<=com2)sec "),
    ("PpTt", r"(?i:at|in)[\"']?[ \t](?=[\"']?\S{4})"),
)


def mask_settings(text: str, scan: Scan) -> str:
    """Mask the values of settings that are known as a whole."""
    return mask_places(text, _SETTINGS, scan)


def mask_directives(text: str, scan: Scan) -> str:
    """Mask the values of names that stand behind them."""
    parts, done = [], 0
    verbed = any(map(scan.may_hold, _VERBS))
    for end in _ends_of_names(text, scan, _OF_VERBED if verbed else _OF_NAME):
        match = _directive(text, done, end, verbed=verbed) if end > done else None
        if match is None:
            continue
        scan.look()
        secrecy = scan.secrecy(match[1])
        if secrecy is Secrecy.HARMLESS or _is_prose(match, secrecy):
            continue
        span = secret_span(Place(text, match.end(), secrecy), scan)
        if span is not None:
            parts += [text[done : span[0]], scan.found(f"text: {match[1]}")]
            done = span[1]
    return "".join([*parts, text[done:]]) if parts else text


def _ends_of_names(text: str, scan: Scan, cost: int) -> list[int]:
    """Return where secret names end that have a blank behind them; what is done there costs so much each."""
    ends = []
    for found in _NAME_ENDS.finditer(lowered(text)):
        scan.pay(OF_MATCH)
        end = found.end()
        blank = _BLANK.match(text, end)
        if blank and _PARTICIPLE.match(text, blank.end()):
            continue  # said of it, whatever stands before: token refreshed
        backwards = _BACKWARDS.match(text[max(0, end - _LONGEST_NAME) : end][::-1])
        if backwards and scan.secrecy(backwards.group()[::-1]):
            scan.pay(cost)
            ends.append(end)
    return ends


def _directive(text: str, done: int, end: int, *, verbed: bool) -> re.Match[str] | None:
    """Return what stands around a name that ends here, if it is behind a verb, or alone on its line."""
    if verbed:
        for match in _VERBED.finditer(text, max(done, end - _LEAD), end + _BLANKS):
            if match.end(1) == end:
                return match
    near = max(done, end - _LONGEST_LINE)
    written = text.rfind("\\n", near, end)
    line = max(text.rfind("\n", near, end) + 1, written + 2 if written >= 0 else 0)
    alone = _LINE.match(text, line) if line or end <= _LONGEST_LINE else None
    return alone if alone is not None and alone.end(1) == end else None


def _is_prose(match: re.Match[str], secrecy: Secrecy) -> bool:
    text, at = match.string, match.end()
    if _IS_A_VERB.match(match[1]):
        return True
    end = at
    while end < len(text) and end - at < _LONGEST and not text[end].isspace():
        end += 1
    if is_said(text, at, end, secrecy) or _PARTICIPLE.match(text, at):
        return True
    return match[1].lower() in _SIMPLE and _PLAIN.match(text, at) is not None


_LONGEST = 64
_LONGEST_NAME = 128
_LONGEST_LINE = 256  # of one up to where its name ends
_BLANKS = 12  # and quotes, behind a name
