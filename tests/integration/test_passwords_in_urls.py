"""A password that a URL cannot hold as it is works, and no part of it is shown by anything that speaks of the sink."""

import logging
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pymongo import MongoClient
from pymongo.uri_parser import parse_uri
from sqlalchemy.engine import make_url
from typer.testing import CliRunner

import logweir
from logweir.cli.app import app
from logweir.config.loading import load_config
from logweir.errors import ConfigError
from logweir.sinks.contract import SinkContext
from logweir.sinks.mongodb.client import _options
from support.waiting import eventually

#: Parts that are nobody's host, user or word: wherever one appears, a password does.
PARTS = ("zqhead", "zqtail")
PASSWORDS = [
    "zqhead@zqtail",
    "zqhead/zqtail",
    "zqhead#zqtail",
    "zqhead?zqtail",
    "zqhead:zqtail",
    "zqhead zqtail",
    "zqhead%41zqtail",
    "zqhead%zqtail",
    "zqhead@zqtail/zqhead@zqtail",
    "zqhead+zqtail",
    "zqhead@123/zqtail",
    "1@zqhead",
    "123/zqhead@zqtail",
    "123/zqhead",
]
URLS = {
    "mysql": "mysql+aiomysql://app:{password}@127.0.0.1:{port}/app",
    "postgresql": "postgresql+asyncpg://app:{password}@127.0.0.1:{port}/app",
    "mongodb": "mongodb://app:{password}@127.0.0.1:{port}/app",
}
OF_HTTP = {
    "elasticsearch": "http://app:{password}@127.0.0.1:{port}",
    "opensearch": "http://app:{password}@127.0.0.1:{port}",
    "loki": "http://app:{password}@127.0.0.1:{port}",
    "http": "http://app:{password}@127.0.0.1:{port}/hook",
    "sqlite": "sqlite+aiosqlite://app:{password}@127.0.0.1:{port}/audit.db",
}


@pytest.fixture
def port() -> Iterator[int]:
    """A port at which nobody answers while the test runs."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield taken.getsockname()[1]


def configuration(folder: Path, kind: str, url: str, options: str = "") -> Path:
    # A driver that looks for a server does so for the whole timeout.
    path = folder / "routing.yaml"
    path.write_text(
        f"data_dir: {folder / 'data'}\n"
        f"sinks:\n  s: {{type: {kind}, url: '{url}', retry: {{timeout: 200ms, initial: 10ms}}, "
        f"queue: {{type: memory}}{options}}}\n"
        "routes:\n  - {name: all, to: [s], match: {}}\n"
    )
    return path


def shown_by_check(path: Path) -> str:
    result = CliRunner().invoke(app, ["check", "-c", str(path)])
    assert result.exit_code != 0
    return f"{result.output}{result.stderr}{result.exception!r}"


def assert_hidden(text: str) -> None:
    assert not [part for part in PARTS if part in text]


@pytest.mark.parametrize("kind", URLS)
@pytest.mark.parametrize("password", PASSWORDS)
def test_r11_any_password_from_a_variable_is_the_one_that_is_sent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, password: str
) -> None:
    monkeypatch.setenv("DB_PASSWORD", password)
    path = configuration(tmp_path, kind, URLS[kind].format(password="${DB_PASSWORD}", port=1))

    sink: Any = load_config(path).sinks["s"]

    assert credentials(sink) == ("app", password, "127.0.0.1", 1)


def credentials(sink: Any) -> tuple[Any, ...]:
    """The user, password, host and port with which a driver connects."""
    if sink.type == "mongodb":
        options = _options(sink, SinkContext(name="s"))
        url = sink.url.get_secret_value()
        client: MongoClient[Any] = MongoClient(url, connect=False, **options)
        login = client.options.pool_options._credentials
        client.close()
        return (login.username, login.password, *parse_uri(url)["nodelist"][0])
    url = sink.address
    return url.username, url.password, url.host, url.port


@pytest.mark.parametrize("kind", URLS)
@pytest.mark.parametrize("password", PASSWORDS)
def test_r11_check_shows_no_part_of_a_password_from_a_variable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, port: int, kind: str, password: str
) -> None:
    monkeypatch.setenv("DB_PASSWORD", password)
    path = configuration(tmp_path, kind, URLS[kind].format(password="${DB_PASSWORD}", port=port))

    shown = shown_by_check(path)

    assert_hidden(shown)
    assert "down" in shown


@pytest.mark.parametrize("kind", [*URLS, *OF_HTTP])
@pytest.mark.parametrize("password", PASSWORDS)
@pytest.mark.parametrize("whole", [False, True])
def test_r11_check_shows_no_part_of_a_password_that_is_written_into_a_url_as_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, port: int, kind: str, password: str, whole: bool
) -> None:
    url = (URLS | OF_HTTP)[kind].format(password=password, port=port)
    monkeypatch.setenv("URL", url)
    path = configuration(tmp_path, kind, "${URL}" if whole else url)

    assert_hidden(shown_by_check(path))


@pytest.mark.parametrize("kind", URLS)
def test_r11_reports_and_metrics_of_a_failing_sink_show_no_part_of_a_password(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, port: int, kind: str
) -> None:
    monkeypatch.setenv("DB_PASSWORD", "zqhead@zqtail/zqhead")
    path = configuration(tmp_path, kind, URLS[kind].format(password="${DB_PASSWORD}", port=port))

    with caplog.at_level(logging.DEBUG, logger="logweir"):
        runtime = logweir.start(path)
        logweir.get_logger().info("one")
        eventually(lambda: any(record.levelno >= logging.WARNING for record in caplog.records))
        seen = f"{logweir.metrics()!r}{runtime!r}"
        logweir.stop(timeout=0.1)

    assert_hidden(seen + caplog.text)


@pytest.mark.parametrize("kind", URLS)
def test_r11_keys_of_their_own_take_a_user_and_a_password_as_they_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, port: int, kind: str
) -> None:
    monkeypatch.setenv("DB_PASSWORD", "zqhead%40@/zqtail")
    url = URLS[kind].format(password="", port=port).replace("app:@", "")
    path = configuration(tmp_path, kind, url, ", username: 'a@b', password: '${DB_PASSWORD}'")

    sink = load_config(path).sinks["s"]

    assert credentials(sink) == ("a@b", "zqhead%40@/zqtail", "127.0.0.1", port)
    assert_hidden(repr(sink) + shown_by_check(path))


@pytest.mark.parametrize("kind", URLS)
def test_r11_the_user_may_be_in_the_url_and_the_password_a_key(tmp_path: Path, kind: str) -> None:
    url = URLS[kind].format(password="", port=1).replace("app:@", "app@")

    sink = load_config(configuration(tmp_path, kind, url, ", password: 'zqhead@'")).sinks["s"]

    assert credentials(sink) == ("app", "zqhead@", "127.0.0.1", 1)


@pytest.mark.parametrize("kind", URLS)
@pytest.mark.parametrize(
    ("before_host", "options", "says"),
    [
        ("app:zqhead@", ", password: zqtail", "the url has a password, and so has password"),
        ("app:zqhead@", ", username: bob", "the url names a user, and so does username"),
        ("", ", password: zqtail", "without a user; add username"),
    ],
)
def test_r11_a_user_or_a_password_that_is_given_twice_or_alone_is_refused(
    tmp_path: Path, kind: str, before_host: str, options: str, says: str
) -> None:
    url = URLS[kind].format(password="", port=1).replace("app:@", before_host)

    with pytest.raises(ConfigError, match=says) as refused:
        load_config(configuration(tmp_path, kind, url, options))

    assert_hidden(str(refused.value))


def test_a_password_with_a_slash_that_worked_in_a_url_still_does() -> None:
    assert make_url("mysql+aiomysql://app:a/b#c?d@db/app").password == "a/b#c?d"
