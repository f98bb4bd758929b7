"""What may be written under `redact`, what is refused and how, and that its key is never shown."""

from pathlib import Path
from typing import Any

import pytest

from logweir.config.loading import load_config
from logweir.config.models import RoutingConfig
from logweir.config.redact import RedactConfig
from logweir.errors import ConfigError

KEY = "not-a-real-key-of-anybody"
REST = "sinks: {mine: {type: memory}}\nroutes: [{name: all, to: [mine]}]\n"


def load(tmp_path: Path, redact: str) -> RoutingConfig:
    path = tmp_path / "routing.yaml"
    path.write_text(f"redact: {redact}\n{REST}", encoding="utf-8")
    return load_config(path)


def problem(tmp_path: Path, redact: str) -> str:
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, redact)
    return str(caught.value)


@pytest.mark.parametrize(
    ("redact", "message"),
    [
        (
            "{defaults: [credential]}",
            "redact.defaults: unknown group 'credential'; did you mean 'credentials'?",
        ),
        ("{defaults: [all]}", "redact.defaults: unknown group 'all'; there are credentials, codes, cards"),
        ("{defaults: 7}", "redact.defaults: defaults must be true, false or a list of credentials"),
        ("{defaults: [[cards]]}", "unknown group"),
        ("{except: [a..b]}", "redact.except[0]: 'a..b' is no path from '..b' on"),
        ("{except: ['*']}", "redact.except[0]: '*' names no field"),
        ("{except: ['items[3].token']}", "'items[3].token' names one item of a list"),
        ("{exept: [a]}", "redact.exept: unknown key 'exept'; did you mean 'except'?"),
        (
            "{hash: {paths: [ip]}}",
            "redact.hash: redact.hash needs a key that is text: write key: ${HASH_KEY}",
        ),
        ('{hash: {key: "", paths: [ip]}}', "redact.hash.key: redact.hash needs a key that is text"),
        (f"{{hash: {{key: {KEY}}}}}", "redact.hash.paths: paths is missing"),
        (f"{{hash: {{key: {KEY}, paths: []}}}}", "redact.hash.paths: paths must not be empty"),
        (f"{{hash: {{key: {KEY}, paths: [a.]}}}}", "redact.hash.paths[0]: 'a.' is no path"),
        ("{function: 'nosuch:thing'}", "redact.function: 'nosuch:thing' names no function (No module named"),
        ("{function: 'os:nosuch'}", "redact.function: 'os:nosuch' names no function"),
        ("{function: 'os:name'}", "redact.function: 'os:name' names no function but str"),
        ("{function: 'asyncio:sleep'}", "redact.function: 'asyncio:sleep' is an async function"),
    ],
)
def test_what_is_wrong_is_said_with_its_key(tmp_path: Path, redact: str, message: str) -> None:
    assert message in problem(tmp_path, redact)


@pytest.mark.parametrize(
    "key", ["short-of-sixteen"[:15], "8231764", "['a-list-as-a-key']", "{a: my-key}", "1.5"]
)
def test_a_key_that_is_refused_is_not_shown(tmp_path: Path, key: str) -> None:
    assert key.strip("[']{}").removeprefix("a: ") not in refused_key(tmp_path, key)


@pytest.mark.parametrize("key", ["short-of-sixteen"[:15], "8231764", "1.5", "true"])
@pytest.mark.parametrize("written", ["${HASH_KEY}", '"${HASH_KEY}"'])
def test_a_refused_key_of_a_variable_is_not_shown(
    tmp_path: Path, key: str, written: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HASH_KEY", key)
    assert key not in refused_key(tmp_path, written)


def refused_key(tmp_path: Path, key: str) -> str:
    said = problem(tmp_path, f"\n  hash:\n    paths: [ip]\n    key: {key}")
    assert "routing.yaml:4:10: redact.hash.key: " in said
    return said.partition("redact.hash.key: ")[2]


def test_a_variable_that_is_not_set_is_named(tmp_path: Path) -> None:
    said = problem(tmp_path, '{hash: {key: "${HASH_KEY_OF_NOBODY}", paths: [ip]}}')
    assert "redact.hash.key: the variable HASH_KEY_OF_NOBODY is not set" in said


def test_a_key_of_digits_in_a_variable_is_a_text(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HASH_KEY", digits := "31415926535897932384")
    config = load(tmp_path, "\n  hash:\n    paths: [ip]\n    key: ${HASH_KEY}")
    assert config.redact.hash is not None
    assert config.redact.hash.key.get_secret_value() == digits


def test_the_key_is_in_nothing_that_is_printed(tmp_path: Path) -> None:
    config = load(tmp_path, f"{{hash: {{key: {KEY}, paths: [ip]}}}}")
    for text in (repr(config), str(config.redact), config.model_dump_json(), repr(config.redact.redactor())):
        assert KEY not in text


@pytest.mark.parametrize("other", ["except: [a..b]", "sevice: x", "keys: 7", "patterns: ['(']"])
def test_another_problem_does_not_show_the_key(tmp_path: Path, other: str) -> None:
    assert KEY not in problem(tmp_path, f"{{hash: {{key: {KEY}, paths: [ip]}}, {other}}}")


@pytest.mark.parametrize("defaults", [True, False, [], ["cards"], ["credentials", "codes", "cards"]])
def test_defaults_are_all_none_or_groups(defaults: Any) -> None:
    assert RedactConfig(defaults=defaults).defaults == defaults


def test_a_group_has_its_patterns_and_no_others() -> None:
    text = "Bearer abcdef123456 paid with 4111 1111 1111 1111"
    assert (
        RedactConfig(defaults=["cards"]).redactor().redact_text(text) == "Bearer abcdef123456 paid with ***"
    )
    assert RedactConfig(defaults=["credentials"]).redactor().redact_text(text).startswith("Bearer *** paid")


@pytest.mark.parametrize(
    ("settings", "name"),
    [
        ({"defaults": ["codes"]}, "otp"),
        ({"defaults": ["cards"]}, "cvv"),
        ({"defaults": ["identity"]}, "ssn"),
        ({"defaults": ["private_keys"]}, "private_key"),
        ({"defaults": False, "keys": ["iban"]}, "iban"),
        ({"defaults": ["tokens"], "keys": ["iban"]}, "iban"),
    ],
)
def test_names_that_apply_are_found_in_texts_too_and_others_are_not(settings: Any, name: str) -> None:
    redactor = RedactConfig(**settings).redactor()

    assert redactor.redact_text(f"Pay({name}='x7', password='x7')") == f"Pay({name}='***', password='x7')"


def test_without_names_no_text_is_searched_for_them() -> None:
    for settings in ({"defaults": False}, {"defaults": ["tokens", "sql"]}):
        assert RedactConfig(**settings).redactor().redact_text("password=x7") == "password=x7"


def test_patterns_add_to_the_defaults() -> None:
    redactor = RedactConfig(patterns=["email"]).redactor()
    assert redactor.redact_text("Bearer abcdef123456 of a@example.com") == "Bearer *** of ***"


def test_without_defaults_only_what_is_said_is_masked() -> None:
    redactor = RedactConfig(patterns=["email"], keys=["iban"], defaults=False).redactor()
    assert redactor.redact_text("Bearer abcdef123456 of a@example.com") == "Bearer abcdef123456 of ***"
    assert redactor.secrecy("iban")
    assert not redactor.secrecy("password")


def test_an_excepted_name_is_harmless_and_a_path_says_nothing_about_names() -> None:
    redactor = RedactConfig(**{"except": ["session_token", "user.password"]}).redactor()
    assert not redactor.secrecy("sessionToken")
    assert redactor.secrecy("password")
    assert redactor.secrecy("token")
    assert redactor.paths is not None
    user = redactor.paths.child("user")
    assert user is not None
    assert user.child("password").verdict == "keep"  # type: ignore[union-attr]


def test_where_nothing_is_said_of_paths_there_is_no_tree() -> None:
    assert RedactConfig(**{"except": ["session_token"]}).redactor().paths is None


def test_a_hashed_path_gets_pseudonyms_by_the_key() -> None:
    paths = RedactConfig(hash={"key": KEY, "paths": ["user.email"]}).redactor().paths  # type: ignore[arg-type]
    assert paths is not None
    verdict = paths.child("user").child("email").verdict  # type: ignore[union-attr]
    assert callable(verdict)
    assert verdict("a@example.com") == verdict("a@example.com") != verdict("b@example.com")
    assert verdict.rule == "hash"  # type: ignore[attr-defined]


def test_a_function_of_ones_own_is_found_beside_the_file(tmp_path: Path) -> None:
    (tmp_path / "beside_for_redaction.py").write_text("def mask(path, value):\n    return 'seen'\n")
    own = load(tmp_path, "{function: 'beside_for_redaction:mask'}").redact.own_function()
    assert own is not None
    assert own.ask(fields := {"a": 1}) is True
    assert fields == {"a": "seen"}
    assert RedactConfig().own_function() is None
