"""Tokens of known issuers: each is found by the rarest sign of its prefix, as ``_`` in ``ghp_``.

So one regular expression begins with a small set of characters, and a text without tokens costs a scan for
those. The prefixes are those that the issuers document. Identifiers that are no secrets by themselves
(``AKIA…`` alone as a value, ``ACC…`` account numbers, public keys) are left for audits to read.
"""

# ruff: noqa: E501, ISC004 - tables of expressions, one issuer or sign a row
from __future__ import annotations

import re

from logweir.redaction.scan import Scan

__all__ = ["TOKEN_PROBES", "mask_aws_ids", "mask_aws_ids_in_text", "mask_tokens"]

_NEW_WORD = r"(?:(?<![A-Za-z0-9])|(?<=\\[nrt]))"

#: By the sign that ends the prefix: prefixes, and what follows. No body requires anything after its open end.
_PREFIXED = {
    "_": (
        ("gh[pousr] github_pat shp(?:at|ca|pa|ss) shptka d(?:op|oo|or)_v1 lin_(?:api|oauth) glsa glc"
         " dckr_[po]at rubygems pscale_(?:tkn|oauth|pw) sntrys sntryu figd bkua CCIPAT CCIPRJ lsv2_(?:pt|sk)"
         " [srp]k_(?:live|test|prod) whsec rdme duffel_(?:live|test) shippo_live sb_secret tvly",
         r"[A-Za-z0-9][\w+/=-]{15,}"),
        ("npm hf ntn gsk r8 sbp nfp sgp phx secret", r"[A-Za-z0-9]{20}[\w-]*"),
    ),
    "-": (
        ("gl(?:pat|oas|dt|rt|rtr|cbt|ptt|ft|imt|agent|wt|soat|ffct) xox[a-z] xoxe\\.xox[a-z] xapp pypi GOCSPX"
         " NR(?:AK|JS|II) PMAK sq0(?:atp|csp) tskey xkeysib pplx nvapi CFPAT AGE-SECRET-KEY pat-(?:na|eu)[12]",
         r"[A-Za-z0-9_][\w.-]{11,}"),
        ("sk", r"(?:(?:ant|proj|svcacct|admin|or|lf)-[\w-]{16,}|[A-Za-z0-9]{20}[\w-]*)"),
        ("key", r"[0-9a-f]{32}"),
        ("pul xai", r"[A-Za-z0-9]{32}[\w-]*"),
        ("[0-9a-f]{32}", r"[0-9a-f]{8}-[0-9a-f]{8}(?![\w-])"),
    ),
    ".": (
        ("SG hv[sbr]", r"[\w-]{16,}(?:\.[\w-]{16,})?"),
        ("s", r"[A-Za-z0-9]{24}(?![\w.-])"),
        ("ya29", r"[\w-]{10,}"),
        ("dp", r"(?:pt|st|ct|sa|scim|audit)\.[\w.-]{20,}"),
        ("dt0[a-z]\\d\\d", r"[A-Z0-9]{24}\.[A-Z0-9]{16,}"),
        ("[MNO][\\w-]{23} [MNO][\\w-]{25} [MNO][\\w-]{27}", r"[\w-]{6}\.[\w-]{27,}"),
        ("[A-Za-z0-9]{14}", r"atlasv1\.[\w=-]{20,}"),
        ("pat[A-Za-z0-9]{14}", "[0-9a-f]{64}"),
    ),
    ":": (("\\d{8} \\d{9} \\d{10} bot\\d{8} bot\\d{9} bot\\d{10}", r"AA[\w-]{32,}"),),
    "~": (("[\\w.~+-]{3}\\dQ", r"[\w.~-]{31,}"),),
    "/": (("1", r"/0[\w-]{20,}"), ("4", r"0A[\w-]{20,}")),
    "J": (
        ("ey",
         r"(?:[\w-]{5,}[.:][\w-]{3,}(?:[.:][\w-]*)*|[\w-]{5,}\.\.[\w.-]{8,}"
         r"|(?:hbGci|0eXAi|raWQi|lbmMi|jdHki|4NXQ|6aXAi|qa3Ui|pc3Mi|zdWIi|rIjoi)[\w=-]*)"),
    ),
    "p": (("da", r"i[0-9a-f]{32}"),),
}  # fmt: skip
#: These begin with the sign that they are found by.
_BEGINNING = (
    r"A(?:T(?:ATT|CTT|STT|BB)[\w=-]{16,}|Iza[\w-]{30,})",
    r"EAA[A-Za-z0-9][\w-]{40,}",
    r"\$(?:2[abxy]?\$\d\d\$[./A-Za-z0-9]{16,}|argon2(?:id|i|d)\$[\w$,=+/.-]{16,}"
    r"|(?:[156y7]|gy|apr1|md5|sha1|P|H|S)\$[\w$,=+/.-]{16,}|scrypt\$[\w$,=+/.-]{16,}|pbkdf2[\w-]*\$[\w$,=+/.-]{16,})",
)
_SHORT_PREFIXES = {"npm", "hf", "ntn", "gsk", "r8", "sbp", "nfp", "sgp", "phx", "secret", "sk", "key", "pul", "xai"} | {
    "s", "dp", "1", "4", "[0-9a-f]{32}", "\\d{8}", "\\d{9}", "\\d{10}", "da", "SG", "[A-Za-z0-9]{14}",
}  # fmt: skip


#: Checked first, because they cost little: most places of these signs are no end of a prefix.
_GATES = {
    "_": r"(?<=[A-Za-z0-9]_)(?=[A-Za-z0-9]{8})",
    "-": r"(?<=[A-Za-z0-9]-)(?=[\w.-]{12})(?:(?<=[g-zG-Z]-)|(?<=xox[a-f]-)|(?<=[0-9a-f]{8}-)(?=[0-9a-f]{8}-))",
    ".": r"(?<=[A-Za-z0-9_-]\.)(?=[\w-]{16}|[a-z]{2,5}\.[\w.-]{20}|[\w-]{6}\.[\w-]{27}|atlasv1|(?<=29\.)[\w-])",
    "/": r"(?<=[14]/)",
    "~": r"(?<=Q~)",
    "J": r"(?<=eyJ)",
    ":": r"(?=AA)",
    "p": r"(?<=dap)",
}


def _alternatives() -> str:
    return "|".join(
        [f"{re.escape(sign)}{_GATES[sign]}(?:{_tails(sign, rows)})" for sign, rows in _PREFIXED.items()]
        + list(_BEGINNING)
    )


def _tails(sign: str, rows: tuple[tuple[str, str], ...]) -> str:
    tails = []
    for prefixes, body in rows:
        widths: dict[object, list[str]] = {}
        for prefix in _written_out(prefixes.split(" ")):
            new_word = r"(?:(?<![\w-])|(?<=\\[nrt]))" if sign == "J" else ""
            new_word = _NEW_WORD if prefix in _SHORT_PREFIXES else new_word
            width = len(re.sub(r"\[[^]]*\]", "x", prefix))
            widths.setdefault(prefix if "{" in prefix or "\\" in prefix else width, []).append(
                new_word + prefix
            )
        tails += [f"(?<=((?:{'|'.join(same)}){re.escape(sign)})){body}" for same in widths.values()]
    return "|".join(tails)


def _written_out(prefixes: list[str]) -> list[str]:
    """Write out the alternatives of prefixes of several lengths: a look behind has one length."""
    result = []
    for prefix in prefixes:
        match = re.search(r"\(\?:([^)]*)\)", prefix)
        if match:
            result += [prefix[: match.start()] + one + prefix[match.end() :] for one in match[1].split("|")]
        else:
            result.append(prefix)
    return result


_OF_A_SIGN, _OF_A_DASH = 3, 9
_TOKEN = re.compile(_alternatives(), re.ASCII)
#: The sign that ends a prefix, and what follows, roughly: enough to tell a token from an ordinary word, a UUID or
#: an address.
TOKEN_PROBES = (
    ("_", r"(?<=[a-zA-Z0-9]_)[A-Za-z0-9](?=[\w+/=-]{15})[a-z_+/=-]{0,15}+[A-Z0-9]"),
    (r"\-", r"(?<=[g-zG-Z]-)(?=[\w.-]{12})|(?<=xox[a-f]-)|(?<=[0-9a-f]{32}-)"),
    (
        r"\.",
        r"(?=[\w-]{2})(?:[\w-]{16}|[a-z]{2,5}\.[\w.-]{20}|[\w-]{6}\.[\w-]{27}|(?<=ya29\.)|atlasv1)",
    ),
    (":", r"(?<=\d:)AA[\w-]{20}"),
    (r"\~", r"(?<=Q~)[\w.~-]{20}"),
    ("/", r"(?<=[14]/)/?0[\w-]{20}"),
    ("J", "(?<=eyJ)"),
    ("p", "(?<=dap)i[0-9a-f]{32}"),
    ("A", "T[ACSB]|Iza"),
    ("E", r"AA[\w-]{20}"),
    (r"\$", r"[a-z0-9]{1,8}\$"),
)


def mask_tokens(text: str, scan: Scan) -> str:
    """Mask the tokens of known issuers, prefix and all."""
    letters = text.count("J") + text.count("p")
    scan.pay((letters >> 1) + _OF_A_SIGN * sum(map(text.count, "_.:~/")) + _OF_A_DASH * text.count("-"))
    result, done = [], 0
    for match in _TOKEN.finditer(text):
        start = match.start(match.lastindex) if match.lastindex else match.start()
        if start >= done:
            result += [text[done:start], scan.found("shape: token")]
        done = max(done, match.end())
    return "".join([*result, text[done:]]) if result else text


_AWS_ID = re.compile(r"A(?<![A-Z0-9]A)(?:KIA|SIA)[A-Z0-9]{16}(?![A-Z0-9])", re.ASCII)


def mask_aws_ids(text: str, scan: Scan) -> str:
    """Mask the ids of AWS access keys."""
    return _AWS_ID.sub(lambda _: scan.found("shape: aws key"), text) if "IA" in text else text


def mask_aws_ids_in_text(text: str, scan: Scan) -> str:
    """Mask the ids of AWS access keys inside a text; alone, one is an identifier that audits name."""
    return text if _AWS_ID.fullmatch(text) else mask_aws_ids(text, scan)
