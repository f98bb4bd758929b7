"""URLs in texts: the credentials before the host, and secret parameters of queries and fragments.

A password ends at the last ``@`` that can end it, because passwords hold any sign; so rather a part of a
path is masked than a part of a password that is not. A user stays, unless it looks like a token
(``https://TOKEN@host``) or its password says so (``TOKEN:x-oauth-basic``).
"""

from __future__ import annotations

import re
from urllib.parse import unquote

from logweir.redaction.names import Secrecy
from logweir.redaction.scan import MASK, OF_MATCH, Scan
from logweir.redaction.values import is_kept

__all__ = ["mask_urls"]

_ANY_SIGN = r"(?:(?!://)[^\s\"'<>])"
_USER_AND_PASSWORD = re.compile(
    r"://(?P<user>[^\s/?#:@\"'<>]*):(?P<password>"
    rf"(?:(?!://)[^\s/?#\"'<>])*@(?![^\s/?#@]*/[^\s/?#@]+@)"  # as it should be: without /, ? and #
    rf"|(?!\d{{1,5}}(?:[/?#\s\"']|\Z)){_ANY_SIGN}*[^\s/\"'<>]@(?=[\w\[(])"
    r"|(?!\d{1,5}(?:[/?#\s\"']|\Z))[^\s\"'<>@/:]{1,64}(?: [^\s\"'<>@:/]{1,64}){1,3}@"
    r"(?=[\w.-]{1,253}(?:[:/\s]|\Z))"
    r")",
    re.ASCII,
)
_TOKEN_AS_USER = re.compile(r"://(?=[^\s/?#:@]*\d)[\w.~+=%-]{16,}@|://[A-Za-z0-9_-]{24,}@", re.ASCII)
_LIKE_A_TOKEN = re.compile(r"(?=[^\d]*\d)[\w.~+=%-]{20,}", re.ASCII)
_NO_PASSWORDS = frozenset({"", "x-oauth-basic", "x-oauth-token", "x"})
_ENCODED = re.compile(r"(?i:(%3A%2F%2F[^\s%&]*%3A)(?:[^\s&%]|%(?!40|2F%2F))*%40)", re.ASCII)
_WITHOUT_SLASHES = re.compile(
    r":(?<=\w:)(?<!mailto:)[^\s:@/\"'<>]{1,128}@(?=(?:tcp|unix)?\(|[\w.-]{1,253}:\d{2,5}(?!\d)|[\w.-]{1,253}/\w)"
    r"|/(?<=\w/)[^\s:@/\"'<>]{1,128}@(?=//[\w.-]|[\w.-]{1,253}:\d{3,5}[:/]\w)",
    re.ASCII,
)
_PARAMETER = re.compile(r"([?&#](?:amp;)?)([\w.%\[\]-]{1,64})=([^&#\s\"'<>]+)", re.ASCII)
_PARAMETER_NAME = re.compile(r"[?&#](?:amp;)?([\w.%\[\]-]{1,64})=", re.ASCII)
_SECRET_PARAMETERS = frozenset(
    {
        "sig",
        "signature",
        "hmac",
        "policy",
        "xamzsignature",
        "xamzsecuritytoken",
        "xgoogsignature",
        "accesstoken",
    }
)
#: These sign or open something where their value is random; others of these names are identifiers.
_OFTEN_SECRET = frozenset(
    """
    key sign ticket assertion magic verifier verify hdnea hdnts hdntl md5 st ct sentrykey
    data
    """.split()  # noqa: SIM905 - a column of quoted words is harder to read
)
_RANDOM = re.compile(
    r"(?![0-9a-f]{8}-[0-9a-f]{4}-)(?=[^\d]*\d)(?=(?:[^a-z]*[a-z]){2})(?:(?=[^A-Z]*[A-Z])|(?=(?:[^\d]*\d){4}))[\w.~+=%*-]{16,4096}",
    re.ASCII,
)
#: Whole addresses that are secrets, but for their host.
_PROXY = re.compile(
    r":(?:(?:(?<=ss:)|(?<=ssr:)|(?<=tuic:)|(?<=vless:)|(?<=vmess:)|(?<=trojan:)|(?<=hysteria:)|(?<=hysteria2:))"
    r"(//)[^\s@/\"'<>]{6,4096}(?=@|[\s\"'<>#]|\Z)|(?<=otpauth-migration:)(//offline\?data=)[^\s\"'<>]{8,4096})",
    re.ASCII,
)
_OF_PLACE, _OF_PARAMETER, _OF_A_NAME = 30, 45, 30
_CODE_LENGTH = 12  # an authorization code of OAuth is longer than an error's code
_WEBHOOK = re.compile(
    r"((?:hooks\.slack\.com/(?:services|workflows|triggers)|discord(?:app)?\.com/api/(?:v\d+/)?webhooks"
    r"|\.webhook\.office\.com/webhookb2|hooks\.zapier\.com/hooks/catch)/)[^\s\"'<>]+",
    re.ASCII,
)


#: What follows such a step of a path is a link that only one may have.
_LINK = re.compile(
    r"(/(?:reset|reset[_-]password|password[_/-]reset|passwords?/(?:edit|reset)|invite|invitations?|confirm|confirmation|verify"
    r"|verify[_-]email|activate|activation|magic|magic[_-]link|unlock|unsubscribe|sso|share|login/token|webhooks?|hooks?|integration|with/key)/)"
    r"((?=[\w-]*\d)(?=[\w-]*[A-Za-z])[\w-]{20,512}+)(?![\w.-]*\.(?:html?|js|css|png|md))"
)


def mask_urls(text: str, scan: Scan) -> str:
    """Mask the secret parts of every URL in a text."""
    if "@" in text:
        scan.pay(_OF_PLACE * text.count("@"))
        if "://" in text:
            text = _USER_AND_PASSWORD.sub(lambda match: _userinfo(match, scan), text)
            text = _TOKEN_AS_USER.sub(lambda _: f"://{scan.found('url: token')}@", text)
        text = _WITHOUT_SLASHES.sub(lambda match: f"{match[0][0]}{scan.found('url: password')}@", text)
    if "%40" in text:
        text = _ENCODED.sub(lambda match: f"{match[1]}{scan.found('url: password')}%40", text)
    if "=" in text and ("?" in text or "&" in text or "#" in text):
        text = _mask_parameters(text, scan)
    if "/" in text:
        scan.pay(text.count("/"))
        text = _LINK.sub(lambda match: f"{match[1]}{scan.found('url: link')}", text)
    if "://" in text:
        text = _PROXY.sub(lambda match: f":{match[1] or match[2]}{scan.found('url: key')}", text)
    if "hook" in text:
        text = _WEBHOOK.sub(lambda match: f"{match[1]}{scan.found('url: webhook')}", text)
    return text


def _userinfo(match: re.Match[str], scan: Scan) -> str:
    user, password = match["user"], match["password"][:-1]
    if password in _NO_PASSWORDS or _LIKE_A_TOKEN.fullmatch(user):
        user = scan.found("url: token") if user else ""
    return f"://{user}:{password if password in _NO_PASSWORDS else scan.found('url: password')}@"


def _mask_parameters(text: str, scan: Scan) -> str:
    names = _PARAMETER_NAME.findall(text)
    different = set(names)  # a log repeats its few
    scan.pay(OF_MATCH * len(names) + _OF_A_NAME * len(different))
    secret = {name: judged for name in different if (judged := _judged(name, scan))}
    if not secret:
        return text
    return _PARAMETER.sub(lambda match: _parameter(match, secret, scan), text)


def _judged(name: str, scan: Scan) -> tuple[str, str, Secrecy] | None:
    """Return a parameter's name as it is meant, compact and how secret it is; ``None`` of a harmless one."""
    plain = unquote(name) if "%" in name else name
    compact = plain.replace("-", "").replace("_", "").lower()
    secrecy = Secrecy.HARMLESS
    if not plain.isascii() or scan.may_name(plain):
        scan.look()
        secrecy = scan.secrecy(plain)
    if compact in _SECRET_PARAMETERS:
        secrecy = max(secrecy, Secrecy.CREDENTIAL)
    return (plain, compact, secrecy) if secrecy or compact == "code" or compact in _OFTEN_SECRET else None


def _parameter(match: re.Match[str], secret: dict[str, tuple[str, str, Secrecy]], scan: Scan) -> str:
    scan.pay(_OF_PARAMETER)
    sign, name, value = match.groups()
    if name not in secret:
        return match.group()
    plain, compact, secrecy = secret[name]
    if compact == "code" and len(value) >= _CODE_LENGTH:
        secrecy = max(secrecy, Secrecy.CREDENTIAL)
    if secrecy is Secrecy.HARMLESS and compact in _OFTEN_SECRET and _RANDOM.fullmatch(value):
        secrecy = Secrecy.SECRET
    if value == MASK or is_kept(value, secrecy):
        return match.group()
    scan.pay(_OF_PARAMETER)
    return f"{sign}{name}={scan.found(f'url: {plain}')}"
