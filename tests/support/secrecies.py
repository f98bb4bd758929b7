"""How secret names are in the tests of texts: a model of two degrees that depends on no table of names."""

from logweir.redaction.names import Secrecy, words_of
from logweir.redaction.scan import Scan

_STRONG = {
    "password", "passwords", "passwd", "passphrase", "pwd", "pass", "secret", "secrets", "cvv", "pin", "otp",
    "пароль", "密码", "contraseña", "contrasena",
}  # fmt: skip
_WEAK = {"token", "tokens", "auth", "authorization", "cookie", "session", "credential", "credentials"}
_KEYS = {"api key", "api keys", "private key", "access key"}


def secrecy(name):
    words = words_of(name)
    last = words[-1] if words else ""
    if last in _STRONG:
        return Secrecy.SECRET
    weak = last in _WEAK or " ".join(words[-2:]) in _KEYS
    return Secrecy.CREDENTIAL if weak else Secrecy.HARMLESS


def a_scan(found=None):
    return Scan(secrecy, found=found)
