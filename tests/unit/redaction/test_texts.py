"""Names with a sign in texts, and where the value behind them ends."""

import json
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logweir.redaction.redactor import Redactor
from logweir.redaction.texts import mask_assignments
from support.secrecies import a_scan

_default = Redactor()


def _masked(text):
    return mask_assignments(text, a_scan())


def _becomes(text, expected):
    assert _masked(text) == expected
    assert _masked(expected) == expected, "masking twice changes nothing"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("ValueError: token=S3cr", "ValueError: token=***"),
        ("error:password=S", "error:password=***"),
        ("url=https://h/p?token=S3cr", "url=https://h/p?token=***"),
        ("ERROR: login: user=bob password=S", "ERROR: login: user=bob password=***"),
        ("x" * 500 + " password=S", "x" * 500 + " password=***"),
        ("x" * 500 + "?password=S", "x" * 500 + "?password=***"),
        (':password "password": "zq9Zq9" x', ':password "***": "***" x'),
        (':password "api_key" = "zq9Zq9"', ':password "***" = "***"'),
        ('{:password "zq9:Zq9" :user "bob"}', '{:password "***" :user "bob"}'),
        ('{:password "zq9Zq9", :user "bob"}', '{:password "***", :user "bob"}'),
    ],
)
def test_r1_a_harmless_name_does_not_hide_the_secret_behind_it(text, expected):
    _becomes(text, expected)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Authorization: Bearer ***", "Authorization: Bearer ***"),
        ("Authorization: Bearer *** and more", "Authorization: Bearer *** and more"),
        ("Authorization: S3crs3cr", "Authorization: ***"),
        ('Authorization: Hawk id="a", mac="b"', "Authorization: ***"),
        ('Authorization: AWS4-X Id=a, Signature="***"', 'Authorization: AWS4-X Id=a, Signature="***"'),
        ("authorization=S3cr&x=1", "authorization=***&x=1"),
        ("curl -H 'Authorization: Foo abc1234def' https://x", "curl -H 'Authorization: ***' https://x"),
        ("['-H', 'Authorization: Foo abc1234def', 'x']", "['-H', 'Authorization: ***', 'x']"),
        (r'"a\nAuthorization: Foo abc1234\r\nHost: x"', r'"a\nAuthorization: ***\r\nHost: x"'),
        ("> Authorization: Foo abc1234def\n> Host: x", "> Authorization: ***\n> Host: x"),
        ("Host: x\r\nAuthorization: S3cr\r\n\r\nbody", "Host: x\r\nAuthorization: ***\r\n\r\nbody"),
    ],
)
def test_r2_the_line_of_an_authorization_header_is_masked_and_a_masked_scheme_stays(text, expected):
    _becomes(text, expected)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('{"passwords":["a","b"]}', '{"passwords":***}'),
        ("password=b'S'", "password=b'***'"),
        ("password=SecretStr('S')", "password=***"),
        ("password=SecretStr('**********')", "password=SecretStr('**********')"),
        ("password=S1,S2", "password=***"),
        ("password=S1,user=bob", "password=***,user=bob"),
        ("tokens: abc1, def2, ghi3", "tokens: ***"),
        ("Cookie: a=1; sid=S", "Cookie: ***"),
        ("sent Cookie: a=1; sid=S to host", "sent Cookie: *** to host"),
        ("Set-Cookie: sid=S; Path=/; HttpOnly", "Set-Cookie: ***"),
        ('"Cookie: a=1; sid=S"', '"Cookie: ***"'),
        (r'{"a": "{\"password\": \"S\", \"x\": 1}"}', r'{"a": "{\"password\": \"***\", \"x\": 1}"}'),
        (
            r'"{\"a\": \"{\\\"password\\\": \\\"S\\\", \\\"x\\\": 1}\"}"',
            r'"{\"a\": \"{\\\"password\\\": \\\"***\\\", \\\"x\\\": 1}\"}"',
        ),
        (r'"{\"password\": \"a\\\"b\", \"x\": 1}"', r'"{\"password\": \"***\", \"x\": 1}"'),
        (r'"{\"password\": \"a\\\\\", \"x\": 1}"', r'"{\"password\": \"***\", \"x\": 1}"'),
        ("password={'a': ('b', ['c'])}, x=1", "password=***, x=1"),
        ("auth={'user': 'x', 'password': 'S'}", "auth={'user': 'x', 'password': '***'}"),
        ("auth=('user','S')", "auth=***"),
        ("token=Token(id=3, password='S')", "token=Token(id=3, password='***')"),
        ("token=Token(value='S')", "token=***"),
        ('{"token": {"type": "x", "value": "S"}}', '{"token": ***}'),
        ("tokens={'a': 'S'}", "tokens=***"),
        ("token=<Token S1>", "token=***"),
        ("token=<Token user='bob' password='S'>", "token=<Token user='bob' password='***'>"),
        ("&quot;password&quot;:&quot;S&quot;,&quot;x&quot;", "&quot;password&quot;:&quot;***&quot;,&quot;x&quot;"),
        (r"\u0022password\u0022:\u0022S\u0022", r"\u0022password\u0022:\u0022***\u0022"),
    ],
)  # fmt: skip
def test_r3_no_container_wrapper_or_quote_leaves_half_of_a_secret(text, expected):
    _becomes(text, expected)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("User(password='it\\'s', id=3)", "User(password='***', id=3)"),
        ("password='it''s', x=1", "password='***', x=1"),
        ("password='it's a secret', x=1", "password='***', x=1"),
        ("PASSWORD='it'\"'\"'s' cmd", "PASSWORD='***' cmd"),
        ("PASSWORD='it'\\''s' cmd", "PASSWORD='***' cmd"),
        ('password="a""b" x', 'password="***" x'),
        ('password="""a"b""" x', 'password="""***""" x'),
        ("password='', user='x'", "password='', user='x'"),
        ('password="S2', 'password="***'),
        ("password='a\nb' x", "password='***' x"),
        ("password=“S” x", "password=“***” x"),
        ("host=h password='a b\\'c' user=u", "host=h password='***' user=u"),
        ("Pwd={S;x};Database=q", "Pwd=***;Database=q"),
        ("Password=ab;cd;Database=q", "Password=***;Database=q"),
        ("Server=h;User ID=u;Password=S;", "Server=h;User ID=u;Password=***;"),
        ("Password=S;User Id=x;Encrypt=true", "Password=***;User Id=x;Encrypt=true"),
        ("['--password=a b', 'x']", "['--password=***', 'x']"),
        ('["password"]=> string(1) "S" }', '["password"]=> string(1) "***" }'),
        ("password=abc)def) x", "password=***) x"),
        ("f(password=S)", "f(password=***)"),
        ("user[password]=S&user%5Bpassword%5D=S%26x&y=1", "user[password]=***&user%5Bpassword%5D=***&y=1"),
        ("params['password'] = 'S'", "params['password'] = '***'"),
        ('{:password=>"S", "token" => nil}', '{:password=>"***", "token" => nil}'),
        ("Map(password -> S, x -> y)", "Map(password -> ***, x -> y)"),
        ("{Password:S3cr Token:T123abc}", "{Password:*** Token:***}"),
        ("&{User:bob Password:hunter2}", "&{User:bob Password:***}"),
        ("User{password=S, token=T1}", "User{password=***, token=***}"),
        ("API Key: S1", "API Key: ***"),
        ("api key = S1", "api key = ***"),
        ("The secret was: S3cr3tS", "The secret was: ***"),
        ("<Credentials user='bob' password='S'>", "<Credentials user='bob' password='***'>"),
        ("auth: method=x1 user=bob", "auth: method=x1 user=bob"),
        ("my secret api key: S1", "my secret api key: ***"),
        ('password := "S"', 'password := "***"'),
        ('if password == "S":', 'if password == "***":'),
        ("export API_KEY=S foo", "export API_KEY=*** foo"),
        ("PGPASSWORD=*** psql; PASSWORD=S psql", "PGPASSWORD=*** psql; PASSWORD=*** psql"),
        ('$env:PASSWORD="S"', '$env:PASSWORD="***"'),
        ("spring.datasource.password=S", "spring.datasource.password=***"),
        ("[db]\npassword = correct horse\nuser = bob", "[db]\npassword = ***\nuser = bob"),
        ('time=1 password=S msg="x y"', 'time=1 password=*** msg="x y"'),
        ('{"msg": "password=S\\nuser=bob"}', '{"msg": "password=***\\nuser=bob"}'),
        (r"\u0026password=S\u0026x=1", r"\u0026password=***\u0026x=1"),
        (r"a\napi key: S1\n", r"a\napi key: ***\n"),
        (r"a\tpassword=S\tx=1", r"a\tpassword=***\tx=1"),
        ("密码：秘密x пароль=тайна1", "密码：*** пароль=***"),
        ("x contraseña=S y", "x contraseña=*** y"),
        ("password : S", "password : ***"),
    ],
)  # fmt: skip
def test_a_value_ends_where_its_syntax_ends_it(text, expected):
    _becomes(text, expected)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("password: |\n  line1\n  line2\nuser: bob", "password: |\n  ***\nuser: bob"),
        ("a:\n  password: >-\n    l1\n\n    l2\n  user: bob", "a:\n  password: >-\n    ***\n  user: bob"),
        ("passwords:\n  - a\n  - b\nx: y", "passwords:\n  - ***\nx: y"),
        ("password: !vault S1\nx: y", "password: !vault ***\nx: y"),
        ("password: correct horse battery\nx: y", "password: ***\nx: y"),
        ("On instance['password']:\n    'S'", "On instance['password']:\n    '***'"),
    ],
)
def test_values_of_several_words_and_lines_are_masked_as_a_whole(text, expected):
    _becomes(text, expected)


@pytest.mark.parametrize(
    "text",
    [
        "password: must not be empty",
        "Invalid token: unexpected character",
        "secret: not found",
        "authorization: user 42 may read",
        "token expired",
        "KeyError: 'password'",
        "SyntaxError: unexpected token: }",
        "unexpected token: '}'",
        "Token: Access denied for bob",
        "set-cookie: not set",
        "password: required",
        "password:required|min:8",
        "def login(password: str, token: bytes)",
        "INSERT x WHERE password=%(password)s AND token=? AND token=$1",
        "password: ${DB_PASSWORD}",
        "getpass('Password: ', stream=x) and input(\"Your password: \") or input('Token: ')",
        "if not (user or password): return x",
        "login --user=<user> --password=<password>",
        "password=[REDACTED] token=<hidden> pin=**** secret=xxxxxxxx",
        "password=None, password=true, password=",
        "secret://foo and std::token::foo",
        "Enter password:\nwelcome",
        "password=*** token='***' pin=\"***\" secret=b'***'",
    ],
)
def test_what_says_how_things_stand_is_kept(text):
    assert _masked(text) == text


def test_the_rule_of_what_was_found_is_noted():
    found = []
    mask_assignments("api key: S1 x password=S", a_scan(found.append))

    assert found == ["text: api key", "text: password"]


_texts = st.lists(
    st.one_of(
        st.text(max_size=6),
        st.sampled_from(
            [*("password", "token", "cookie", "authorization", "api key", "=", ":", ": ", "=>", "'", '"', "\\", '\\"', "\n"),
            *("(", "[", "{", ")", "]", "}", ",", ";", "&", " ", "***", "S3cr", "not", "name", "b'", "- ", "|", "%", "  ")]
        ),
    ),
    max_size=14,
).map("".join)  # fmt: skip


@given(_texts)
def test_masking_twice_changes_nothing(text):
    once = _masked(text)

    assert _masked(once) == once


@given(_texts, st.sampled_from(["password='{}'", '"password": "{}"', "password={}", "x: 1, password=b'{}'"]))
def test_a_secret_is_found_whatever_stands_before_it(before, form):
    assert "zq9Zq9" not in _masked(f"{before} {form.format('zq9Zq9')} x")


@pytest.mark.parametrize("escape", ["\x1b", "\\u001b", "\\x1b", "\\033", "\\e", "\\\\u001b"])
def test_r8_colours_between_a_name_and_its_value_hide_nothing(escape):
    colour, end = f"{escape}[1;36m", f"{escape}[0m"

    masked = Redactor().redact_text(f"{colour}user{end}=bob {colour}password{end}={colour}S1-x{end} ok")

    assert masked == "user=bob password=*** ok"
    assert (
        Redactor().redact_text(f"token {colour}Bearer{end} {colour}abcdef123456{end}") == "token Bearer ***"
    )
    for text in (f"{colour}user{end}={colour}bob{end}", f"{colour}a{end}: b"):
        assert Redactor().redact_text(text) == text


@pytest.mark.parametrize("text", ["'password password='S1-x' x", "'password='S1-x''", 'x "token="S1-x" y'])
def test_r3_a_quote_behind_a_quoted_name_opens_a_value_where_a_word_follows(text):
    assert "S1-x" not in Redactor().redact_text(text)
    assert Redactor().redact_text("ask('password=') x") == "ask('password=') x"


def test_r10_the_name_of_a_secret_in_an_address_is_no_assignment():
    address = "arn:aws:secretsmanager:eu-west-1:111122223333:secret:prod/mail-AbCdEf"

    assert _masked(address) == address


@pytest.mark.parametrize(
    "text",
    [
        "x token=S", "x token: S", "token -> S", "密码：S", "密码＝S", "token%3DS", "('password', 'S')", '["token","S"]',
        "<password>S</password>", "mysqldump --password S", "mysql -pS",
        "curl -u user:S h", "redis-cli -a S ping", "login u password S", "password is hunter2", "--token S",
        "IDENTIFIED BY 'S'", "Failing row contains (1, S)", "x VALUES ('S')", "Duplicate entry 'S' for key 'api_token'",
    ],
)  # fmt: skip
def test_a_text_is_looked_at_whatever_form_it_has(text):
    assert _default.suspicious(text) is not None


_QUOTED_IN = {
    "dumps": json.dumps,
    "repr": repr,
    "field": lambda text: json.dumps({"msg": text, "n": 1}),
    "said": lambda text: f'said "{text}" to bob',
    "body": lambda text: f"body='{text}' x",
}
_QUOTED = {
    "json": lambda secret: json.dumps({"user": "bob", "password": secret, "n": 1}),
    "dict": lambda secret: repr({"password": secret, "user": "bob"}),
    "pair": lambda secret: json.dumps(["password", secret]),
}


@pytest.mark.parametrize("inner", _QUOTED)
@pytest.mark.parametrize("outer", [*product(_QUOTED_IN, repeat=2)], ids="-".join)
def test_r3_a_quoted_secret_within_quoted_texts_is_masked_as_a_whole(inner, outer):
    redactor = Redactor()
    for secret in ("Hunter2Zk9", "Hun ter2Zk9", 'Hun"ter2Zk9', "Hun'ter2Zk9", "Hun\\ter2Zk9", "Hun,ter2}Zk9"):
        text = _QUOTED[inner](secret)
        for name in outer:
            text = _QUOTED_IN[name](text)
        masked = redactor.redact_text(text)

        assert "Hun" not in masked
        assert "Zk9" not in masked
        assert redactor.redact_text(masked) == masked
