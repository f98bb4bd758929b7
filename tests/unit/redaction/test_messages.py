"""Secrets never appear in what is said about a configuration."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import Field, field_validator, model_validator

from logweir.config.loading import load
from logweir.errors import ConfigError
from logweir.redaction.messages import mask, names_a_secret, secrets_in
from logweir.sinks import registry
from logweir.sinks.contract import Sink, SinkConfig

HIDDEN = "zq9hunter2zq9"


class TalkativeConfig(SinkConfig):
    url: str = ""
    password: str = ""
    note: str = ""
    parts: list[int] = Field(default_factory=list)

    @field_validator("url", "note")
    @classmethod
    def _echo(cls, value: str) -> str:
        if value:
            raise ValueError(f"I do not like {value!r}, above all {value[-12:]}")
        return value

    @model_validator(mode="after")
    def _echo_all(self) -> "TalkativeConfig":
        if self.password:
            raise ValueError(f"password {self.password} is too weak")
        return self


class TalkativeSink(Sink[TalkativeConfig]):
    Config = TalkativeConfig

    async def write(self, batch: Any) -> Any:
        raise NotImplementedError


def resolve(name: str) -> Any:
    return TalkativeSink if name == "talkative" else registry.resolve(name)


def complaint(tmp_path: Path, text: str) -> str:
    (tmp_path / "routing.yaml").write_text(text)
    with pytest.raises(ConfigError) as caught:
        load(tmp_path / "routing.yaml", resolve)
    return str(caught.value)


def with_sink(options: str) -> str:
    return f"sinks:\n  s:\n    type: talkative\n    {options}\nroutes:\n  - {{name: all, to: s}}\n"


@pytest.mark.parametrize(
    "options",
    [
        "url: ${SECRET}",
        "url: mysql://app:${SECRET}@db/app",
        f"url: mysql://app:{HIDDEN}@db/app",
        f"password: {HIDDEN}",
        f"password: [{HIDDEN}]",
        f"parts: {{password: {HIDDEN}}}",
        "note: ${SECRET}",
        "parts: ['${SECRET}']",
        "workers: ${SECRET}",
        "batch: {linger: '${SECRET}'}",
        f"api_key: {HIDDEN}",
    ],
)
def test_a_secret_is_not_shown_whatever_is_wrong_with_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: str
) -> None:
    monkeypatch.setenv("SECRET", HIDDEN)
    reported = complaint(tmp_path, with_sink(options))
    assert "sinks.s" in reported
    assert HIDDEN not in reported
    assert HIDDEN[-6:] not in reported


def test_a_numeric_secret_is_not_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET", "8675309")
    for text in (with_sink("parts: ${SECRET}"), with_sink("token: 8675309"), with_sink("password: 8675309")):
        assert "8675309" not in complaint(tmp_path, text)


def test_a_short_value_of_a_variable_does_not_garble_the_message(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SHORT", "a")
    reported = complaint(tmp_path, with_sink("workers: ${SHORT}"))
    assert "workers must be a whole number, not '***'" in reported


def paths_in(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    for key, inner in value.items() if isinstance(value, dict) else enumerate(value):
        if isinstance(inner, dict | list):
            yield from paths_in(inner, (*path, key))
        else:
            yield (*path, key)


def put(value: Any, path: tuple[Any, ...], new: Any) -> Any:
    copy = value.copy()
    copy[path[0]] = put(copy[path[0]], path[1:], new) if path[1:] else new
    return copy


def test_no_value_of_the_shipped_file_is_shown_when_it_comes_from_a_variable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SECRET", HIDDEN)
    shipped = yaml.safe_load((Path(__file__).parents[3] / "routing.yaml").read_text())
    for path in paths_in(shipped):
        (tmp_path / "routing.yaml").write_text(yaml.safe_dump(put(shipped, path, "${SECRET}")))
        try:
            load(tmp_path / "routing.yaml", registry.resolve)
        except ConfigError as error:
            assert HIDDEN not in str(error), path


def test_a_message_that_shows_a_part_of_a_secret_is_withheld() -> None:
    assert "hunter2" not in mask("cannot log in with hunter2", ["user:hunter2@host"])
    assert mask("cannot log in", ["user:hunter2@host"]) == "cannot log in"


@pytest.mark.parametrize(
    "key", ["password", "db_passwd", "API-Key", "apikey", "auth_token", "client_secret", "dsn"]
)
def test_names_of_secrets_are_known(key: str) -> None:
    assert names_a_secret(key)


@pytest.mark.parametrize(
    ("value", "secrets"),
    [
        ("mysql://u:p@h/d", ["p"]),
        ("mysql://u:p@ss@h", ["p@ss"]),
        ("mysql://u:12/p@h", ["12/p"]),
        ("redis://:p@h", ["p"]),
        ("redis://:p/w d@h/0", ["p/w d"]),
        ("u:p@h", ["p"]),
        ("http:/u:p@h", ["p"]),
        ("http//u:p@h", ["p"]),
        ("http://h/d?user=bob&passwd=hunter2&sslpassword=hunter3", ["hunter2", "hunter3"]),
        ("http://h/d;password=hunter2", ["hunter2"]),
        ("rediss://u:p@h/0?ssl_password=hunter2", ["p", "hunter2"]),
        ("u:hunter2@tcp(h:3306)/d", ["hunter2"]),
        ("ghp_" + "a1B2" * 9, ["ghp_" + "a1B2" * 9]),
        ("mysql://h/d", []),
        ("bob@example.com", []),
        ("my_sinks:FolderSink", []),
        (5, []),
    ],
)
def test_r11_what_is_secret_in_a_value_of_the_configuration_is_found(value: Any, secrets: list[str]) -> None:
    assert secrets_in(value) == secrets


@pytest.mark.parametrize(
    "value",
    [
        "http://h/d?password=V",
        "redis://u:1/V@h",
        "u:V@h",
        "kafka://h;sasl_password=V",
        "http//u:V@h",
        "Bearer V",
    ],
)
@pytest.mark.parametrize(
    "text",
    [
        "sinks:\n  s: {{type: talkative}}\nroutes:\n  - {{name: all, to: ['{v}']}}\n",
        "sinks:\n  s: {{type: '{v}'}}\nroutes:\n  - {{name: all, to: s}}\n",
        "sinks:\n  s: {{type: talkative, workers: '{v}'}}\nroutes:\n  - {{name: all, to: s}}\n",
        "sinks:\n  s: {{type: talkative, note: '{v}'}}\nroutes:\n  - {{name: all, to: s}}\n",
        "sinks:\n  s: {{type: talkative, queue: {{type: redis, url: '{v}'}}}}\nroutes:\n  - {{name: all, to: s}}\n",
    ],
    ids=["to", "type", "number", "note", "queue"],
)
def test_r11_a_url_that_is_refused_wherever_it_stands_shows_no_secret(
    tmp_path: Path, text: str, value: str
) -> None:
    reported = complaint(tmp_path, text.format(v=value.replace("V", HIDDEN)))

    assert HIDDEN not in reported
    assert HIDDEN[-6:] not in reported
