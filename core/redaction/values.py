"""Values under a secret's name that are no secrets: nothing, booleans, and what only says how things stand.

The name decides how much is kept: beside a password only what cannot be one, beside a token also numbers,
times, and words such as ``required``, URLs (whose own secrets are masked by ``urls``) and paths of files.
"""

from __future__ import annotations

import re

from logweir.redaction.names import Secrecy

__all__ = ["is_kept"]


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_LONGEST = 2048
_LONGEST_PHRASE = 200

#: How programs write nothing, and a boolean.
_NOTHING = frozenset({"none", "null", "nil", "true", "false", "undefined", "<null>", "(null)", "nan"})
#: What is masked already, and what is a keyed hash already, as in the audit of Vault.
_MASKED = re.compile(r"(?:[A-Za-z]{1,20} )?\*{3,}|hmac-sha256:[0-9a-f]{64}|hmac:[0-9a-f]{32}")

_UNIT = (
    r"ns|us|µs|ms|s|secs?|seconds?|m|mins?|minutes?|h|hrs?|hours?|d|days?|w|weeks?|months?|y|years?"
    r"|b|[kmg]i?b|bytes|%|tokens?|times?"
)
#: Numbers too short for codes, decimals, versions, sizes, durations, dates and times.
_MEASURE = re.compile(
    r"[+-]?\d{1,5}"
    r"|[+-]?\d{1,12}[.,]\d{1,9}|v?\d{1,4}(?:\.\d{1,4}){2,3}"
    rf"|(?:\d{{1,9}}(?:\.\d{{1,9}})? ?(?:{_UNIT})[ ,]?){{1,5}}"
    r"|p(?:\d{1,6}[ymwd]){0,4}(?:t(?:\d{1,6}(?:\.\d{1,9})?[hms]){1,3})?"
    r"|(?:\d{1,3}:)?\d{1,2}:\d\d(?:\.\d{1,9})?"
    r"|\d{4}-\d\d-\d\d(?:[t ]\d\d:\d\d(?::\d\d(?:[.,]\d{1,9})?)?(?: ?(?:z|utc|gmt|[+-]\d\d:?\d\d))?)?"
    r"|(?:(?:mon|tue|wed|thu|fri|sat|sun)[a-z]*,? )?\d{1,2}[ -][a-z]{3}[ -]\d{4}(?: \d\d:\d\d:\d\d)?"
    r"(?: (?:gmt|utc|[+-]\d{4}))?"
)
#: Addresses and names of things, all of whose parts are looked at.
_URL = re.compile(r"[a-z][a-z0-9+.-]{1,30}://[^\s\"'<>]+", re.IGNORECASE)
_PATH = re.compile(
    r"(?:~|\.{1,2})?(?:/[a-z0-9_.-]{1,64}){2,}|/[a-z]{0,16}|[a-z]{1,32}(?:[_-][a-z]{1,32}){0,3}(?:/[a-z_-]{1,64}){1,8}"
)
#: Settings with a password among them, which is masked by its name: ``host=h password=S user=u``.
_SETTINGS = re.compile(
    r"(?=.*(?i:\bpassword|\bpwd)=)[A-Za-z]\w{0,32}=[^\s=;]*(?:[ ]+[A-Za-z]\w{0,32}=[^\s=;]*){1,20}"
)
_IDENTIFIER = re.compile(
    r"arn:[a-z-]{1,12}:[\w:/.*+=,@-]+|S-1-\d{1,3}(?:-\d{1,10}){1,8}|[A-Z]{2}[0-9a-f]{32}"
)
_LIKE_A_TOKEN = re.compile(
    r"(?=[^\d]*\d)(?!(?:[A-Za-z]+|\d{1,4}|v\d)(?:[_-](?:[A-Za-z]+|\d{1,4}|v\d))*\Z)[\w-]{8,}|[\w-]{24,}"
)

_WORDS = _words("""
    absent access accept accepted active all allow allowed always anonymous any api apikey approved asked
    attached audit authenticated authorized auto automatic available bad basic batch bearer blocked both
    bound builtin cancelled canceled cert certificate change changed check checked claimed client closed
    completed confirmed connected console days hours seconds weeks unbound cookie cookies corrupt
    created current custom declined default
    deferred delegated delete deleted denied deny denies detached digest direct disabled disconnected done
    duo dynamic ecdsa ed25519 email empty enabled ended enforced enterprise error es256 es384 es512 exempt
    expected expired expires expiring external fail failed failure fido fido2 fixed forbid forbidden
    forced found full good granted group gssapi hardware header headers hmac hs256 hs384 hs512 http https
    httponly iam id idle ignored implicit inactive include incorrect inherit inherited initialized
    insecure internal introspection invalid invalidated issued jwt kerberos key keyboard interactive
    kubernetes lax ldap legacy limited live local locked login logout machine maintained mandatory manual
    masked match matched mfa minutes mismatch missing mtls mutual native negotiate never new no nobody
    none not
    ntlm oauth oauth1 oauth2 off official ok okta old omit on once open opened openid oidc optional origin
    orphan otp owner pam pass passed passkey password passwordless pending periodic permitted persistent
    personal plain policy present preferred private prohibited protected provided public publickey push
    query radius read readonly recovered redacted refresh refreshed refused registered rejected reissued
    removed renewed repeated required requested reset resolved restored restricted resumed revoked role
    rotated rotating rs256 rs384 rs512 rsa saml saml2 same sandbox scheduled scoped secure self sent
    service session set shared sha1 sha256 sha512 short sigv2 sigv4 signed silent site sms soft skipped
    sso ssh ssl standard started stale static stopped stored strict strong succeeded success successful
    supported suspended switched system temporary terminated timeout timedout tls token totp transient
    trusted u2f unauthenticated unauthorized unavailable unchanged undefined unencrypted unique unknown
    unlocked unset unsigned unspecified unsupported untrusted unused unverified updated upgraded use used
    user userpass valid validated verified version violation voice waiting weak webauthn websocket write
    wrong x509 yes
    """)
#: What only sentences have.
_OF_SENTENCES = _words("""
    a an and are at be been but by can cannot could did do does for from had has have if in into is may
    might must nor not of on or should since than that the their then there this to until was were when
    which while who will with without would you your
    """)
_BETWEEN_WORDS = re.compile(r"[\s_,;/.()\[\]-]+")
_MOST_WORDS = 5
_SHORTEST_SENTENCE = 3
_PLAIN_WORD = re.compile(r"[^\W\d_]{1,16}|\d{1,3}")


def is_kept(value: object, secrecy: Secrecy) -> bool:
    """Return whether a plain value stays though its name is secret.

    A text that stays is still searched for secrets by its form.

    Args:
        value: ``None``, ``bool``, ``int``, ``float`` or ``str``; anything else is not kept.
        secrecy: How secret the name says it is.
    """
    if secrecy is Secrecy.HARMLESS or value is None or isinstance(value, bool):
        return True
    if isinstance(value, int | float):
        return secrecy is Secrecy.CREDENTIAL
    if not isinstance(value, str) or len(value) > _LONGEST:
        return False
    text = value.strip()
    if not text or text.lower() in _NOTHING or _MASKED.fullmatch(text):
        return True
    return secrecy is Secrecy.CREDENTIAL and _says_how_things_stand(text)


def _says_how_things_stand(text: str) -> bool:
    lower = text.lower()
    if lower in _WORDS or _MEASURE.fullmatch(lower) or _is_address(text):
        return True
    if len(text) > _LONGEST_PHRASE:
        return False
    words = [word for word in _BETWEEN_WORDS.split(lower) if word]
    if 0 < len(words) <= _MOST_WORDS and _WORDS.issuperset(words):
        return True
    return len(words) >= _SHORTEST_SENTENCE and _is_sentence(text.split())


def _is_address(text: str) -> bool:
    """Whether it is a URL, a path or a documented identifier, and no part of it looks like a token."""
    if not (_URL.fullmatch(text) or _PATH.fullmatch(text)):
        return (_IDENTIFIER.fullmatch(text) or _SETTINGS.fullmatch(text)) is not None
    # The secrets before the host and in parameters are masked by `urls`, those of paths are not.
    path = re.split(r"[?#]", text, maxsplit=1)[0].rpartition("@")[2]
    return not any(_LIKE_A_TOKEN.fullmatch(part) for part in path.split("/"))


def _is_sentence(words: list[str]) -> bool:
    """Whether these are words of a language with one that only a sentence needs; secrets are none."""
    plain = [word.strip(".,;:!?()\"'") for word in words]
    if not all(_PLAIN_WORD.fullmatch(word) for word in plain if word):
        return False
    return any(word.lower() in _OF_SENTENCES for word in plain)
