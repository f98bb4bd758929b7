"""No text, however it was made, makes a pattern slower than linear."""

import contextlib
import itertools
import time

import pytest

from logweir.redaction.patterns import _PATTERNS, probe_of
from logweir.redaction.redactor import Redactor
from logweir.redaction.scan import Exhausted

_PIECES = [
    "a", "=", ":", "@", "/", "_", "-", ".", "$", "J", "~", "4", "4 ", "4444 ", "_a", "-a", ".a", "a://", "://a:",
    "://a:b@", "%3A%2F%2Fa%3A", "?a=", "&token=b", "Bearer ", "Token ", "digest a=1 ", "ghp_", "_aaaaaaaa", "sk-",
    "eyJ", "eyJa.", "SG.", "1/", "A1", "AIz", "-----BEGIN PRIVATE KEY", "-----BEGIN PRIVATE KEY-----\n-",
    "PuTTY-User-Key-File-2", "a@", "a=", "1.", "hooks.slack.com/services/",
    "'", '"', "\\", "password='", "password=[", "password={", "password: |\n", "token=['a", 'token="a\\', "cookie: a=1; ",
    "password=a,", 'password=\\"a', "password='a'b", "token={token=", "passwords:\n - a\n", "password%3D", "<", "<password>",
    "('password', ", '"name":"password",', "mysql -p", "--password ", "VALUES (", "[parameters: (", "password'", "''",
    "_a" * 40 + "_token: x ", "PASS ", "AUTH ", "AUTH PLAIN ", "AUTHENTICATE LOGIN ", "A1 LOGIN ", "HELLO 3 AUTH ", "MIGRATE ",
    "user a >", "user a ", "SETUSER a ", "NickServ IDENTIFY ", "OPER a ", "UGFzc3dvcmQ6 ", '"AUTH" "', "htpasswd -b ", "-b ",
    "rabbitmqctl ", "vault login ", "vault ", "vault login -a ", "net user a ", "net use ", "poetry config ", "mc alias set ",
    "sqlplus a/", "sqlplus ", "a/a", "lftp -u ", "open -u a,", "echo ", "echo -n ", "echo a | ", "printf a|sudo -S ", "| sudo ", "<<< ",
    "key <(echo ", 'password "; send "', "schtasks /rp ", "schtasks ", "cmdkey /p:", "put-parameter ", "SecureString ",
    "set ", "set a ", "set -a ", "set password ", "config -a -b ", "\npassword ", "api_key ", "a_param ", "a" * 16 + "_header ",
    "enable password 7 ", "username a ", "username a privilege 1 ", "poll a ", "mysqladmin ", "rclone config create ",
    "wifi connect ", "key 7 ", "login(", "login('a', ", "login('a'", "setPassword('", "a.b.", "a->", "password: str = ", "[password:private] ",
    "pam_unix(password:", "::", " :: ", "password:: ", "Authorization: Basic\n ", "\u0e31", "\u0e31=", "]", "detcetorp:", "pat-na1-", "eJaaaaaaaaaaaaaaaaaaaaaa:", "aB1-", "AAAAAAAAAAAAAAAAAAAAAAAA ", "s%3A", "v1.local.", "pbkdf2_sha256$", "%3D",
    '"kty":"EC",', '{"kty":"EC","d":"aaaa",', '"kind":"Secret","data":{', "kind: Secret\ndata:\n a: b\n", "\ndata:\n a: b",
    "a:5432:b:c:", "{SHA}", "a|password\n-|-\n", "a,password\n1,2\n", "password a: ", "password for ", "password from 'a' to 'b",
    "code is ", "is your ", "token is a1 ", "'a' for 'password' ", "'a' for ", 'String "a', "login attempt [a/", "parameters: $1 = 'a', ",
    "{password,", "(password . ", ':password "a', 's:8:"password";', "password || 'a", "IDENTIFIED BY ", "sp_addlogin 'a', ",
    "password='''", "password='a' -> 'b", "https://h/reset/a1", "/invite/", "a=1 password=2 ", "argument --password: invalid value: 'a",
    'variable "password" {', "secrets:\n a: b\n",
    '"Host","x-api-key","a",', '["Host","', '"Host","cookie","a"b', "Password for a b: x1 ", "Password for 'a ", "Password for a",
    "AUTH\\r\\n$3\\r\\na\\r\\n", 'token=\\"a\\\\\\"b', "? ', (",
]  # fmt: skip
_PARTS = 8  # of the pieces, so that no test takes long
_GROWTH = 3.0
_NOISE = 0.004  # what takes less is too short to compare
_DEAR = 0.2
_SIZES = (16_384, 32_768, 65_536)


def _cost(work, text):
    started = time.thread_time()
    with contextlib.suppress(Exhausted):
        work(text)
    return time.thread_time() - started


def _grows_linearly(work, piece):
    texts = [piece * (size // len(piece)) for size in _SIZES]
    if _cost(work, texts[-1]) < _NOISE:  # nearly all: the shorter ones take less
        return
    costs = _costs(work, texts, repeats=(3, 2, 1))  # noise only makes the dearest dearer
    found = [_growth(costs)]
    # What grows faster does so each time. On a busy machine a long text is more often interrupted than a short one: of many tries one is not.
    while (found[-1] >= _GROWTH or costs[-1] >= _DEAR) and len(found) < 4:
        costs = _costs(work, texts, repeats=[5 * 2 ** len(found)] * 3)
        assert costs[-1] < _DEAR, "a generous bound for a busy machine"
        found.append(_growth(costs))
    assert found[-1] < _GROWTH, (piece, found)


def _costs(work, texts, repeats):
    return [min(_cost(work, text) for _ in range(times)) for text, times in zip(texts, repeats, strict=True)]


def _growth(costs):
    return max(after / max(before, _NOISE / _GROWTH) for before, after in itertools.pairwise(costs))


@pytest.mark.parametrize("part", range(_PARTS))
@pytest.mark.parametrize("name", _PATTERNS)
def test_c10_each_pattern_is_linear_whatever_the_text(name, part):
    redactor = Redactor()
    for piece in _PIECES[part::_PARTS]:
        _grows_linearly(lambda text: _PATTERNS[name].redact(text, redactor.scan()), piece)


def test_c10_the_probe_of_all_patterns_is_linear():
    probe = probe_of(_PATTERNS.values())
    for piece in _PIECES:
        _grows_linearly(probe, piece)
