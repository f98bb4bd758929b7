"""What the page on redaction says in words: groups, names, values, patterns, exceptions, pseudonyms, limits."""

import hmac
import json
import re
import time
from pathlib import Path
from typing import Any, get_args

import pytest
from typer.testing import CliRunner

from logweir.capture.asking import snapshotter_of
from logweir.capture.budget import SEAM
from logweir.cli.app import app
from logweir.config.models import LimitsConfig
from logweir.config.redact import Group, RedactConfig
from logweir.redaction.patterns import GROUPS, PATTERN_NAMES
from logweir.redaction.reasons import masked

PAGE = (Path(__file__).parents[2] / "docs/reference/redaction.md").read_text()
S = "hunter2-Zk9"
KEY = "only-for-this-test"


def stored(fields: dict[str, Any], **redact: Any) -> dict[str, Any]:
    return snapshotter_of(RedactConfig(**redact))(fields)[0]


# --- groups ------------------------------------------------------------------------------------------------

NAMES = {
    "credentials": "password secret token api_key authorization cookie session_key",
    "codes": "pin otp passcodes verification_code recovery_codes access_code",
    "cards": "credit_card card_number cvv pan",
    "identity": "ssn social_security",
    "private_keys": "private_key ssh_key",
}
TEXTS = {
    "credentials": [
        f"password={S}",
        f"api_key: {S}",
        f"Bearer {S}1234",
        "Basic Ym9iOmh1bnRlcjItWms5",
        f"token {S}xyz",
    ],
    "codes": [f"otp={S}", f"pin: {S}"],
    "cards": [f"cvv={S}", "paid with 4111 1111 1111 1111"],
    "identity": [f"ssn={S}"],
    "private_keys": [
        f"private_key={S}",
        "-----BEGIN RSA PRIVATE KEY-----\nMIIEow\n-----END RSA PRIVATE KEY-----",
        "-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNza\n-----END OPENSSH PRIVATE KEY-----",
        "-----BEGIN PGP PRIVATE KEY BLOCK-----\nlQOYBF\n-----END PGP PRIVATE KEY BLOCK-----",
        "PuTTY-User-Key-File-3: ssh-ed25519\nPrivate-Lines: 1\nAAAA\nPrivate-MAC: 0a",
    ],
    "tokens": [
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.c2lnbmF0dXJlLXNpZ25hdHVyZQ",
        "ghp_" + "a1B2" * 9,
        "glpat-" + "a1B2" * 5,
        "xoxb-123456789012-" + "a1B2" * 6,
        "$2b$12$" + "a1B2" * 13,
    ],
    "sql": [f"(1045, 'no') [SQL: INSERT INTO t (a) VALUES (%s)] [parameters: ('{S}',)]"],
}
#: A word before a scheme is one of both groups.
_EITHER = {f"token {S}xyz"}


@pytest.mark.parametrize("group", get_args(Group))
def test_a_group_masks_its_names_and_forms_alone_and_no_other_group_does(group: str) -> None:
    others = [other for other in get_args(Group) if other != group]
    for name in NAMES.get(group, "").split():
        assert stored({name: S}, defaults=[group]) == {name: "***"}
        assert stored({name: S}, defaults=others) == {name: S}
    only, without = RedactConfig(defaults=[group]).redactor(), RedactConfig(defaults=others).redactor()
    for text in TEXTS[group]:
        if text not in _EITHER:
            assert "***" in only.redact_text(text)
            assert without.redact_text(text) == text


def test_passwords_in_urls_are_masked_without_any_group() -> None:
    url = f"postgresql://app:{S}@db/app"
    for defaults in (False, [], ["cards"]):
        assert stored({"url": url}, defaults=defaults) == {"url": "postgresql://app:***@db/app"}


def test_the_patterns_of_the_page_are_those_that_there_are() -> None:
    named = re.findall(r"`(\w+)`", PAGE.partition("built-in patterns (")[2].partition(")")[0])
    assert sorted(named) == sorted(PATTERN_NAMES)
    assert {name for names in GROUPS.values() for name in names} <= set(named)


@pytest.mark.parametrize(
    ("pattern", "text"),
    [("email", "bob@example.com"), ("iban", "DE02120300000000202051"), ("ipv4", "203.0.113.7")],
)
def test_what_is_personal_is_masked_where_it_is_asked_for(pattern: str, text: str) -> None:
    assert stored({"of": f"from {text}"}) == {"of": f"from {text}"}
    assert stored({"of": f"from {text}"}, patterns=[pattern]) == {"of": "from ***"}


# --- names and values --------------------------------------------------------------------------------------

_OBVIOUS = {
    "`***`, numbers stay": lambda name: ({name: S}, {name: "***"}, {name: 17}),
    "numbers stay": lambda name: ({name: S}, {name: "***"}, {name: 17}),
    "`***`": lambda name: ({name: S}, {name: "***"}, {name: None}),
    "`***`, as a whole": lambda name: ({name: {"a": S, "b": 1}}, {name: "***"}, {name: None}),
    "`***`, ids and paths stay": lambda name: ({name: S}, {name: "***"}, {name: "/etc/keys/a"}),
    "as they are": lambda name: ({}, {}, {name: S}),
}


def _less_obvious() -> list[tuple[str, str]]:
    table = PAGE.partition("| names | stored | because |\n|---|---|---|\n")[2].partition("\n\n")[0]
    rows = [line.strip("| ").split(" | ") for line in table.splitlines()]
    return [(name, row[1]) for row in rows for name in re.findall(r"`([^`]+)`", row[0])]


@pytest.mark.parametrize(("name", "says"), _less_obvious())
def test_what_is_less_obvious_is_as_the_page_says(name: str, says: str) -> None:
    if says in _OBVIOUS:
        secret, hidden, stays = _OBVIOUS[says](name)
        assert stored(secret) == hidden
        assert stored(stays) == stays
    elif "URL without its password" in says or says.startswith("as above"):
        assert stored({name: f"https://u:{S}@host/a"}) == {name: "https://u:***@host/a"}
        assert stored({name: f"u:{S} host"}) == {name: "***"}
        if says.startswith("as above"):
            assert stored({name: "https://host/a/Zk9Qx7Lm3Rt5Vb8w"}) == {name: "***"}
    else:
        assert says.startswith("the first two")
        assert stored({name: S}) == {name: S if name == "secretId" else "***"}


@pytest.mark.parametrize("name", ["externalSessionId", "rootSessionId", "clientRequestToken", "ssh_public_key", "nextToken",
                                  "max_tokens", "secret_arn"])  # fmt: skip
def test_the_names_that_the_page_keeps_are_kept(name: str) -> None:
    assert stored({name: S}) == {name: S}


@pytest.mark.parametrize(
    "name",
    [
        *(
            "Kennwort",
            "mot de passe",
            "contraseña",
            "senha",
            "parola d'ordine",
            "wachtwoord",
            "hasło",
            "heslo",
        ),
        *("jelszó", "пароль", "şifre", "lösenord", "passord", "adgangskode", "salasana", "κωδικός πρόσβασης"),
        *(
            "كلمة المرور",
            "סיסמה",
            "पासवर्ड",
            "รหัสผ่าน",
            "mật khẩu",
            "kata sandi",
            "密码",
            "パスワード",
            "비밀번호",
        ),
    ],
)
def test_a_password_is_one_in_some_twenty_languages(name: str) -> None:
    assert stored({name: S}) == {name: "***"}


@pytest.mark.parametrize(
    "value",
    [
        17,
        1.5,
        None,
        True,
        "12345",
        "2026-01-02T10:00:00Z",
        "30 minutes",
        "https://host/path",
        "/etc/ssl/key",
        "expired",
    ],
)
def test_what_the_page_keeps_under_the_name_of_a_token_is_kept(value: Any) -> None:
    assert stored({"token": value}) == {"token": value}
    assert stored({"password": value}) == {"password": value if value is None or value is True else "***"}


@pytest.mark.parametrize("value", ["123456", S, "expired-Zk9Qx7Lm", "x" * 2049])
def test_what_may_be_a_token_is_masked_under_its_name(value: str) -> None:
    assert stored({"token": value}) == {"token": "***"}


def test_a_keyed_hash_stays_under_every_name() -> None:
    fields = {"password": "hmac-sha256:" + "0a" * 32, "token": "hmac-sha256:" + "0a" * 32}
    assert stored(fields) == fields


def test_two_or_more_texts_in_a_list_are_credentials() -> None:
    assert stored({"token": ["expired", "used"], "auth": [S]}) == {"token": "***", "auth": ["***"]}


# --- forms -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("n 4111111111111111", "n ***"),
        ("n 36700102000000", "n ***"),
        ("n 378282246310005", "n ***"),
        ("n 4222222222222", "n 4222222222222"),
        ("card 4222222222222", "card ***"),
        ("n 4000000000000000006", "n 4000000000000000006"),
        ("card 4000000000000000006", "card ***"),
        ("n 4111-1111-1111-1111, 3782 822463 10005", "n ***, ***"),
        ("x_4111111111111111", "x_4111111111111111"),
        ("x-4111111111111111", "x-4111111111111111"),
        ("n 4111111111111111.5", "n 4111111111111111.5"),
        ("n -4111111111111111", "n -4111111111111111"),
        ("n 4111111111111112", "n 4111111111111112"),
    ],
)
def test_cards_are_told_from_numbers_as_the_page_says(text: str, expected: str) -> None:
    assert masked(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (f"https://bob:{S}@host/a", "https://bob:***@host/a"),
        (f"https://{'a1B2' * 9}@host/a", "https://***@host/a"),
        (f"https://host/a?user=bob&token={S}&page=2", "https://host/a?user=bob&token=***&page=2"),
        (f"https://host/a?X-Amz-Signature={'0a' * 32}&page=2", "https://host/a?X-Amz-Signature=***&page=2"),
        ("https://bob@host/a?q=x#top", "https://bob@host/a?q=x#top"),
    ],
)
def test_of_a_url_what_is_secret_is_masked_and_the_rest_stays(text: str, expected: str) -> None:
    assert masked(text) == expected


def test_an_aws_key_id_stays_alone_unless_it_is_asked_for() -> None:
    name = {"accessKeyId": "AKIAIOSFODNN7EXAMPLE"}
    assert stored(name) == name
    assert stored(name, patterns=["aws_key"]) == {"accessKeyId": "***"}
    assert stored({"x": "used AKIAIOSFODNN7EXAMPLE"}) == {"x": "used ***"}


# --- keys, except, hash, function --------------------------------------------------------------------------


def test_a_key_that_ends_a_name_wins_over_words_that_describe() -> None:
    fields = {"last_customer_id": S, "customer_id_count": 3, "text": f"customer id: {S}"}
    expected = {**fields, "last_customer_id": "***", "text": "customer id: ***"}
    assert stored(fields, keys=["customer_id"]) == expected
    assert stored(fields, keys=["customer_id"], defaults=False) == expected


def test_a_name_that_is_excepted_is_harmless_everywhere_and_its_forms_are_not() -> None:
    fields = {
        "a": [{"Session-Token": S}, ["session_token", S], {"name": "session_token", "value": S}],
        "text": f"session_token={S} https://h/?session_token={S}",
    }
    assert stored(fields, **{"except": ["session_token"]}) == fields
    card = {"session_token": "4111111111111111"}
    assert stored(card, **{"except": ["session_token"]}) == {"session_token": "***"}


@pytest.mark.parametrize(
    ("path", "kept", "masks"),
    [
        ("request.secret", {"request": {"secret": {"a": [f"password={S}"]}}}, {"secret": S}),
        ("fields.token", {"token": S}, {"a": {"token": S}}),
        ("a.secret_id", {"a": {"secretId": S, "secret_id": S}}, {"b": {"secret_id": S}}),
        ("items[].token", {"items": [{"token": S}]}, {"token": S}),
        ("items.token", {"items": [[{"token": S}]]}, {"token": S}),
        ("headers.*.token", {"headers": {"x": {"token": S}, "token": S}}, {"x": {"token": S}}),
        ('annotations["auth.io/token"]', {"annotations": {"auth.io/token": S}}, {"auth.io/token": S}),
        ("annotations.auth.io/token", {"annotations": {"auth.io/token": S}}, {"auth.io/token": S}),
    ],
)
def test_a_path_is_kept_whole_and_no_other_place(
    path: str, kept: dict[str, Any], masks: dict[str, Any]
) -> None:
    assert stored(kept, **{"except": [path]}) == kept
    assert S not in json.dumps(stored(masks, **{"except": [path]}))


def _check(redact: str) -> Any:
    Path("routing.yaml").write_text(
        f"redact: {redact}\nsinks: {{a: {{type: memory}}}}\nroutes: [{{name: all, to: [a]}}]\n"
    )
    return CliRunner().invoke(app, ["check"], env={"COLUMNS": "200"})


def test_check_warns_of_an_exception_that_nothing_calls_secret() -> None:
    assert "colour" in _check("{except: [colour, token]}").output


@pytest.mark.parametrize(
    "redact",
    ["{hash: {key: fifteen-letters, paths: [a]}}", "{hash: {paths: [a]}}", "{function: 'no_module_of_mine:f'}", "{defaults: [card]}",
     "{except: ['a..b']}", "{patterns: ['(']}"],
)  # fmt: skip
def test_what_cannot_be_meant_ends_with_exit_code_2(redact: str) -> None:
    assert _check(redact).exit_code == 2


def test_pseudonyms_are_made_as_the_page_says() -> None:
    def pseudonym(text: str) -> str:
        return "hmac:" + hmac.new(KEY.encode(), text.encode(), "sha256").hexdigest()[:32]

    fields = {
        "user": {"email": "a@b.c"},
        "password": S,
        "n": 42,
        "t": "42",
        "all": ["a", {"b": "c"}],
        "none": None,
    }
    fields |= {"yes": True, "empty": "", "said": "user email a@b.c"}
    paths = ["user.email", "password", "n", "t", "all", "none", "yes", "empty"]
    replaced = stored(fields, hash={"key": KEY, "paths": paths}, **{"except": ["password", "user.email"]})

    assert replaced == {
        **fields,
        "user": {"email": pseudonym("a@b.c")},
        "password": pseudonym(S),
        "n": pseudonym("42"),
        "t": pseudonym("42"),
        "all": [pseudonym("a"), {"b": pseudonym("c")}],
    }
    snapshot = snapshotter_of(RedactConfig(hash={"key": KEY, "paths": ["long"]}), LimitsConfig(max_string=64))
    kept = snapshotter_of(RedactConfig(), LimitsConfig(max_string=64))({"x": "ab" * 99})[0]["x"]
    assert snapshot({"long": "ab" * 99})[0] == {"long": pseudonym(kept)}


_asked: list[str] = []


def own(path: str, value: Any) -> Any:
    _asked.append(path)
    if path == "slow" or path.startswith("slow["):
        time.sleep(0.003)
    if path == "raises":
        raise ValueError(value)
    return f"password={S}" if path == "leaks" else value


def test_the_function_of_ones_own_is_asked_and_guarded_as_the_page_says() -> None:
    snapshot = snapshotter_of(RedactConfig(function=f"{__name__}:own"))
    _asked.clear()

    fields = {"user": {"email": "a"}, "items": [{"note": "b"}], "raises": "c", "leaks": "d", "token": S}
    assert snapshot(fields)[0] == {
        "user": {"email": "a"},
        "items": [{"note": "b"}],
        "raises": "***",
        "leaks": "password=***",
        "token": "***",
    }
    assert set(_asked) == {"user.email", "items[0].note", "raises", "leaks"}
    assert snapshot.text("a name of an event") == "a name of an event"
    assert snapshot({"first": "a", "slow": "b", "last": "c"})[0] == {
        "first": "a",
        "slow": "***",
        "last": "***",
    }


# --- limits ------------------------------------------------------------------------------------------------


def test_in_a_long_text_a_name_is_seen_that_is_divided_between_its_words() -> None:
    snapshot = snapshotter_of(RedactConfig())
    around = "alpha beta gamma delta. " * 100

    for name in ("card_cid", "cardCid", "card-cid", "cardcid"):
        assert snapshot.text(f"{around}{name}={S} {around}") == f"{around}{name}=*** {around}"


def test_a_text_that_asks_for_more_looks_than_a_call_may_take_is_cut_or_masked_whole() -> None:
    snapshot = snapshotter_of(RedactConfig())

    few, more, many = (" ".join(f"password{n}={S}" for n in range(count)) for count in (150, 300, 2000))
    assert snapshot.text(few).count("***") == 150
    for text in (more, many):
        kept = snapshot.text(text)
        assert S not in kept
        assert "truncated" in kept
        assert 50 < kept.count("***") < 200
    _, masked = snapshot.explain({f"x{number}": many for number in range(16)})
    assert [place.rule for place in masked][-1] == "too long to be searched"

    names = " ".join(f"n{n}=1" for n in range(6000))
    assert snapshot.text(names) == names


def test_sentences_are_understood_in_english() -> None:
    assert masked("password: is wrong") == "password: is wrong"
    assert masked("password: ist falsch") == "password: ***"


@pytest.mark.parametrize("cut", range(-20, 20, 4))
def test_no_half_of_a_secret_remains_where_a_text_is_cut(cut: int) -> None:
    snapshot = snapshotter_of(RedactConfig(), LimitsConfig(max_string=200))
    text = "a " * (50 + cut) + f"password={S * 3} " + "b " * SEAM

    assert S not in snapshot.text(text)
    assert "hunter2" not in snapshot({"x": text, "y": [text[::-1]]})[0]["x"]


def test_of_a_long_name_both_ends_are_looked_at() -> None:
    name = "x" * 9000
    assert list(stored({f"{name}_password": S}).values()) == ["***"]
    assert list(stored({f"password_{name}": S}).values()) == ["***"]


def test_a_name_beside_its_value_has_at_most_128_characters() -> None:
    short, long = "a_" * 60 + "password", "a_" * 61 + "password"
    assert stored({"x": [short, S]}) == {"x": [short, "***"]}
    assert stored({"x": [long, S]}) == {"x": [long, S]}
