"""More tokens of known issuers, and other secrets by their form: base64 of private keys, signed cookies, hashes.

Each is written as its issuer documents it, from its first sign on. A place is only looked at where a word of
sixteen signs begins, so a text without long words costs one search.
"""

# ruff: noqa: E501 - a table of expressions, one kind a row
from __future__ import annotations

import re
from collections.abc import Iterator

from logweir.redaction.scan import Scan

__all__ = ["ISSUER_PROBES", "mask_issuers"]

_A, _W, _H = "[A-Za-z0-9]", "[A-Za-z0-9_-]", "[0-9a-f]"
_UUID = rf"{_H}{{8}}-{_H}{{4}}-{_H}{{4}}-{_H}{{4}}-{_H}{{12}}"
_MIXED = r"(?=[\w-]*[0-9])(?=[\w-]*[A-Z])(?=[\w-]*[a-z])"

_FORMS = (
    # forges, packages, builds
    rf"GR1348941{_W}{{20}}|gl(?:pat|oas|dt|rt|rtr|cbt|ptt|ft|imt|agent|wt|soat|ffct)-{_W}{{16,}}(?:\.\w{{2}}\.\w{{7,}})?",
    rf"CLOJARS_{_H}{{60}}|oy2[a-z0-9]{{43}}|sq[upa]_{_H}{{40}}|bk(?:ct|at|ua|agent)_{_W}{{32,}}|AKCp[58]{_A}{{60,}}|cmVmdGtu{_A}{{40,}}",
    rf"wandb_v1_\w{{30,}}|dbt[cu]_{_W}{{30,}}|pnu_[a-z0-9]{{32,}}|sgp_(?:{_H}{{16}}_)?{_H}{{40}}|API-[A-Z0-9]{{25,}}|pat\.{_W}{{22}}\.{_H}{{24}}\.{_A}{{20}}",
    # hosting
    rf"HRKU-(?:{_UUID}|AA{_W}{{40,}})|f(?:o1|m1[ar]|m2)_{_W}{{40,}}|vercel_blob_rw_{_A}+_{_A}{{20,}}|rnd_{_A}{{26,}}|dd[po]_{_A}{{36}}|xau_{_A}{{40,}}|retool_01[a-z0-9]{{20,}}",
    rf"v1\.0-{_H}{{24}}-{_H}{{100,}}|dckr_[po]at_{_W}{{24,}}|sb_secret_{_W}{{20,}}|pscale_(?:tkn|pw|oauth)_{_W}{{30,}}",
    # clouds
    r"(?:IQoJb3JpZ2luX2Vj|F[wQ]oGZXIvYXdz)[\w/+=%-]{60,}|ABSK[A-Za-z0-9+/]{80,}={0,2}|amzn\.mws\.[0-9a-f-]{36}|amzn1\.oa2-cs\.v1\.[0-9a-f]{64}|Atz[ra]\|[\w-]{40,}",
    r"AAAA[\w-]{7}:APA91b[\w-]{100,}",
    r"AQVN[\w-]{30,}|y[0-3]_[\w-]{40,}|t1\.[\w-]{100,}\.[\w-]{60,}|vk1\.a\.[\w-]{100,}",
    # models
    rf"api_org_{_A}{{30,}}|tgp_v1_{_W}{{30,}}|sk_{_H}{{48}}|tvly-{_W}{{24,}}|pcsk_\w{{40,}}|csk-[a-z0-9]{{40,}}|fw_{_A}{{22,}}|pa-{_W}{{42,}}|jina_{_W}{{50,}}|fc-{_H}{{32}}|e2b_{_H}{{40}}|a[ks]-{_MIXED}{_A}{{22}}(?!\w)",
    # money
    rf"access_token\$(?:production|sandbox)\$\w{{16}}\${_H}{{32}}|access-(?:production|sandbox|development)-{_UUID}|rzp_(?:live|test)_{_A}{{14,}}|(?:live|test)_{_A}{{30,}}|live_{_W}{{40,}}|sk_(?:sbox_|test_|live_)?{_UUID}",
    rf"FLWSECK(?:_TEST)?-{_H}{{32}}-X|klarna_(?:live|test)_api_{_W}{{20,}}|duffel_(?:live|test)_{_W}{{30,}}|EZ[AT]K{_A}{{50,}}|prtapi_{_H}{{32}}|[sr]k_(?:live|test|prod)_{_W}{{16,}}|sk_{_MIXED}{_W}{{36,}}",
    # watching and mailing
    rf"hc[axb]ik_01[a-z0-9]{{50,}}|pdus\+_\w{{20,}}|xa[aip]t-{_UUID}|sdk-{_UUID}|x(?:keysib|smtpsib)-{_H}{{64}}-{_A}{{16}}|re_(?=\w*\d)(?=\w*[A-Z])\w{{8,}}_\w{{20,}}|os_v2_app_[a-z0-9]{{50,}}|rootly_{_H}{{64}}",
    # work and talk
    rf"fig[dou]_{_W}{{30,}}|[01]/{_H}{{32}}|2/\d{{10,}}/\d{{10,}}:{_H}{{32}}|pk_\d{{6,}}_[A-Z0-9]{{32}}|ATTA{_H}{{64,}}|dG9rO{_A}{{50,}}=?|pat-(?:na|eu)\d-{_UUID}|00D{_A}{{12,15}}!AQ[\w.-]{{20,}}|tfp_{_W}{{40,}}|sk{_A}{{80,}}",
    rf"sl\.(?:u\.)?{_W}{{60,}}|syt_\w{{20,}}|xwfp-{_W}{{20,}}|00{_MIXED}{_W}{{40}}(?!\w)|ops_eyJ{_W}{{100,}}|st\.{_H}{{24}}\.{_H}{{32}}\.{_H}{{32}}|2{_A}{{26}}_{_A}{{20,}}",
    rf"fio-u-{_W}{{50,}}|secret-(?:live|test)-{_W}{{30,}}|key_{_H}{{64}}|at_{_A}{{10}}_\w{{40,}}|sm_pat_{_A}{{16}}|cflt{_A}{{60}}",
    # keys in base64, wallets
    r"LS0tLS1CRUdJTi(?:BQUklWQVRF|BSU0EgUFJJVk|BFQyBQUklWQVRF|BPUEVOU1NIIFBSSVZBVE|BFTkNSWVBURUQg|BEU0EgUFJJVk|BQR1AgUFJJVk)[A-Za-z0-9+/=]*",
    r"b3BlbnNzaC1rZXktdjE[A-Za-z0-9+/=]{20,}|[xyz]prv[1-9A-HJ-NP-Za-km-z]{60,}|gAAAAA[\w-]{60,}={0,2}|MDA[xyz][\w-]{60,}={0,2}|CfDJ8[\w-]{60,}",
    # sessions: PASETO, of Django, itsdangerous, Express, Rails
    r"v[1-4]\.(?:local|public)\.[\w-]{32,}(?:\.[\w-]+)?",
    r"s(?:%3A|:)[\w-]{32}\.[\w%+/]{27,}",
    # hashes of passwords: Django, Werkzeug, MySQL, PostgreSQL, Kerberos
    r"(?:pbkdf2_sha\d{1,3}|bcrypt_sha256|argon2|scrypt|pbkdf2:sha\d{1,3}:\d{1,7}|scrypt:\d{1,7}:\d{1,3}:\d{1,3})\$[\w$./+=,-]{16,}",
    r"\*[0-9A-F]{40}(?!\w)|md5[0-9a-f]{32}(?!\w)|SCRAM-SHA-(?:1|256)\$\d{1,7}:[\w+/=$:]{40,}|\$krb5\w{1,16}\$[\w$*./@-]{32,}",
)  # fmt: skip
#: Those that begin with any letter, and which only a word of this length may be.
_LONG = 34
_LONG_FORMS = (
    rf"{_H}{{32,36}}(?:FFFF)?NRAL|{_H}{{32}}-us\d{{1,2}}(?!\w)|{_A}{{8,12}}msh{_A}{{15}}p1{_A}{{5}}jsn{_A}{{12}}",
    r"[A-Za-z0-9+/]{42}\+ACR[A-Za-z0-9]{6,}|[A-Za-z0-9]{42}AzSe[A-Za-z0-9]{6,}|[\w-]{44,54}AzFu[\w-]{6,}={0,2}|[A-Za-z0-9]{74,76}(?:APIM|ACDb)[A-Za-z0-9]{4,}={0,2}|[A-Za-z0-9+/]{76}\+(?:ASt|ABa|AMC|AIo|ARm)[A-Za-z0-9+/]{4,}={0,2}|[A-Za-z0-9]{76}AZDO[A-Za-z0-9]{4}|[A-Za-z0-9+/]{86}==(?![\w=])",
    r"\.?eJ[\w-]{20,}:[\w-]{6}:[\w-]{27,}|[\w%+/]{20,4096}+={0,2}--[0-9a-f]{40,64}(?![\w-])|" + _MIXED + r"[\w-]{6,}\.[\w-]{6}\.(?=[\w-]*[A-Z])(?=[\w-]*[a-z])(?=[\w-]*\d)[\w-]{27}(?![\w-])",
)  # fmt: skip
_WORD = r"(?=[\w$.*][\w.+~|/!=:$%-]{15})"
_TOKEN = re.compile(rf"{_WORD}(?:{'|'.join(_FORMS)})", re.ASCII)
_LONG_TOKEN = re.compile(rf"{_WORD}(?:{'|'.join((*_FORMS, *_LONG_FORMS))})", re.ASCII)
#: What a token may stand behind within a run of such signs.
_BEGINS = re.compile(r"[~|!=:$*@,\-](?:(?<!-)|(?<=[^\w%]-))(?=[\w$.*])", re.ASCII)

#: A sign that other probes begin with too, and what stands around it in a token without `_`, `-` or `.`.
ISSUER_PROBES = (
    ("A", r"TTA[0-9a-f]{64}|QVN[\w-]{30}|KCp[58]|BSK|(?<=gA)AAAA|z(?:Fu|Se)\w|PIM\w{4}|ZDO\w{4}|C(?:R|Db)\w{6}|(?:St|Ba|MC|Io|Rm)[\w+/]{4}|AAA[\w-]{7}:A"),
    ("S", r"0tLS1CRUdJTi"),
    ("J", r"(?<=IQoJ)b3Jp|(?<=CfDJ)8|(?<=eJ)[\w-]{20}"),
    ("G", r"(?<=F[wQ]oG)ZXIv|(?<=dG)9rO|(?<=cmVmdG)tu"),
    ("p", r"(?<=[xyz]p)rv[1-9A-Za-z]{60}"),
    ("B", r"(?<=b3B)lbnNzaC1r"),
    ("K", r"(?<=EZ[AT]K)\w{50}"),
    ("2", r"(?<=oy2)[a-z0-9]{43}"),
    ("N", r"(?<=[0-9a-fF]N)RAL"),
    ("g", r"AAAAA"),
    ("m", r"sh\w{15}p1\w{5}jsn|d5[0-9a-f]{32}"),
    ("M", r"DA[xyz][\w-]{60}"),
    ("!", r"AQ[\w.]{20}"),
    ("|", r"[\w-]{40}"),
    ("/", r"(?<=[012]/)[0-9a-f]{32}|(?<=2/)\d{10}"),
    ("*", r"[0-9A-F]{40}"),
    (r"\$", r"(?:[a-z0-9]{1,24}\$|\d{1,7}:|(?:production|sandbox)\$|[\w./+]{22}\$)"),
    ("s", r"(?<=\bs)k[A-Za-z0-9]{80}|(?:%3A|:)[\w-]{32}\."),
    (r"\-", r"(?=[\w-]{20})(?:(?<=[a-f0-9I-Z]-)|(?<=b-))|-[0-9a-f]{40}"),
    ("_", r"(?<=[a-z0-9]_)(?=[\w-]{20})"),
    ("0", r"(?<=\b00)[\w-]{40}"),
)  # fmt: skip


#: All signs of these tokens, and those around them that are looked at; a run of them holds a token as a whole.
_SIGNS = re.compile(r"[\w.+~|/!=:$%*@,-]", re.ASCII)
_RUNS = bytes(120 if _SIGNS.match(chr(code)) else 32 for code in range(256))
_SHORTEST = b"x" * 16
_OF_KNOWN, _OF_PLACE, _OF_LONG_PLACE, _USUAL = 15, 30, 45, 64


def _places(text: str, start: int, end: int) -> Iterator[int]:
    """Yield where a token may begin in a run."""
    yield start
    if text[start - 1 : start] == "\\" and text[start] in "nrt":
        yield start + 1
    for sign in _BEGINS.finditer(text, start, end - len(_SHORTEST) + 1):
        yield sign.end()


def mask_issuers(text: str, scan: Scan) -> str:
    """Mask these tokens."""
    # Most texts have hardly any word so long, and the bytes that say so are made and searched in no time.
    runs = text.encode("ascii", "replace").translate(_RUNS)
    parts, done = [], 0
    harmless: set[str] = set()
    start = runs.find(_SHORTEST)
    while start >= 0:
        end = runs.find(b" ", start)
        end = len(text) if end < 0 else end
        run = text[max(0, start - 1) : end]
        if run in harmless:  # a log repeats its paths, hosts and programs
            scan.pay(_OF_KNOWN)
            start = runs.find(_SHORTEST, end)
            continue
        harmless.add(run)
        scan.pay(max(0, end - start - _USUAL) >> 2)
        for at in _places(text, start, end):
            long = end - at >= _LONG
            scan.pay(_OF_LONG_PLACE if long else _OF_PLACE)
            pattern = _LONG_TOKEN if long else _TOKEN
            match = pattern.match(text, at, end) if at >= done else None
            if match is not None:
                harmless.discard(run)
                parts += [text[done:at], scan.found("shape: token")]
                done = match.end()
        start = runs.find(_SHORTEST, end)
    return "".join([*parts, text[done:]]) if parts else text
