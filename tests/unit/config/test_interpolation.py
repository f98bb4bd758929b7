"""Variables in values."""

import os
from pathlib import Path

import pytest

from logweir.config.interpolation import InterpolationError, interpolate, is_one_variable


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("${A}", "one"),
        ("x${A}y${A}z", "xoneyonez"),
        ("${NONE:-two}", "two"),
        ("${EMPTY:-two}", "two"),
        ("${EMPTY}", ""),
        ("${NONE:-}", ""),
        ("${A:-two}", "one"),
        ("$$", "$"),
        ("$${A}", "${A}"),
        ("pa$$word", "pa$word"),
        ("$A and {A}", "$A and {A}"),
    ],
)
def test_variables_are_filled_in(tmp_path: Path, text: str, expected: str) -> None:
    assert interpolate(text, {"A": "one", "EMPTY": ""}, tmp_path) == expected


def test_what_a_variable_holds_is_not_filled_in_again(tmp_path: Path) -> None:
    assert interpolate("${A}", {"A": "${B} $$", "B": "x"}, tmp_path) == "${B} $$"


@pytest.mark.parametrize(
    ("content", "expected"), [("pw\n", "pw"), ("pw\r\n", "pw"), ("pw\n\n", "pw\n"), ("pw", "pw")]
)
def test_a_file_is_read_beside_the_configuration_without_its_last_line_end(
    tmp_path: Path, content: str, expected: str
) -> None:
    (tmp_path / "secret").write_bytes(content.encode())
    assert interpolate("${file:secret}", {}, tmp_path) == expected
    assert interpolate(f"${{file:{tmp_path / 'secret'}}}", {}, Path("/elsewhere")) == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("${NONE}", "the variable NONE is not set; set it, or write ${NONE:-default}"),
        ("${file:none}", "the file none cannot be read: No such file or directory"),
        ("${file:.}", "the file . cannot be read: it is a folder"),
        ("${not a name}", "is no variable"),
        ("${}", "is no variable"),
    ],
)
def test_what_cannot_be_filled_in_is_reported(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(InterpolationError) as caught:
        interpolate(text, {}, tmp_path)
    assert message in str(caught.value)


def test_one_variable_alone_is_recognised() -> None:
    assert is_one_variable("${A:-1}")
    assert not is_one_variable("${A}${B}")
    assert not is_one_variable("$$")


@pytest.mark.parametrize("text", ["${A", "x ${A and more", "${", "${A} ${B", "${A:-{}}", "$${A} ${A"])
def test_d8_a_variable_that_is_not_closed_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(InterpolationError, match="not closed"):
        interpolate(text, {"A": "one"}, tmp_path)


def test_d8_a_pipe_or_a_folder_in_the_place_of_a_file_is_refused_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(InterpolationError, match="pipe cannot be read: it is a pipe"):
        interpolate("${file:pipe}", {}, tmp_path)
    (tmp_path / "folder").mkdir()
    with pytest.raises(InterpolationError, match="folder cannot be read: it is a folder"):
        interpolate("${file:folder}", {}, tmp_path)


@pytest.mark.parametrize(
    ("url", "value", "expected"),
    [
        ("mysql://app:${V}@db/app", "p@ss", "mysql://app:p%40ss@db/app"),
        ("mysql://app:${V}@db/app", "a/b#c?d e:f%", "mysql://app:a%2Fb%23c%3Fd%20e%3Af%25@db/app"),
        ("mysql://app:${V}@db/app", "p%41ss", "mysql://app:p%2541ss@db/app"),
        ("mysql://app:${V}@db/app", "100%sure", "mysql://app:100%25sure@db/app"),
        ("mysql://app:${V}@db/app", "a+b", "mysql://app:a%2Bb@db/app"),
        ("mysql://app:${V}@db/app", "größe", "mysql://app:gr%C3%B6%C3%9Fe@db/app"),
        ("mysql://app:${V}@db/app", "plain-1_2.3~", "mysql://app:plain-1_2.3~@db/app"),
        ("mysql://${V}:pw@db/app", "a:b@c", "mysql://a%3Ab%40c:pw@db/app"),
        ("mysql://${V}:x${V}@db/app", "a@", "mysql://a%40:xa%40@db/app"),
        ("redis://:${V}@h", "p@ss", "redis://:p%40ss@h"),
        ("mysql://${V}@db/app", "app:p@s:s", "mysql://app:p%40s%3As@db/app"),
        ("mysql://${V}@db/app", "app:p%40ss", "mysql://app:p%40ss@db/app"),
        ("mysql://app:${NONE:-p@ss}@db/app", "", "mysql://app:p%40ss@db/app"),
        ("mongodb://app:${V}@h1:1,h2:2/app", "p@ss", "mongodb://app:p%40ss@h1:1,h2:2/app"),
    ],
)
def test_r11_a_variable_before_the_host_of_a_url_may_hold_any_text(
    tmp_path: Path, url: str, value: str, expected: str
) -> None:
    assert interpolate(url, {"V": value}, tmp_path) == expected


@pytest.mark.parametrize(
    "value", ["p%40ss", "p%2fss", "50%25off", "gr%C3%B6%C3%9Fe", "a+b%40c", "a%20b!$&'()*,;="]
)
def test_r11_what_a_variable_holds_encoded_already_is_taken_as_it_is(tmp_path: Path, value: str) -> None:
    assert interpolate("mysql://app:${V}@db/app", {"V": value}, tmp_path) == f"mysql://app:{value}@db/app"


@pytest.mark.parametrize(
    "text",
    [
        "${V}", "mysql://app:pw@${V}/app", "http://h/${V}", "http://h?to=${V}@x", "http://h/a${V}@b", "${V}://u:p@h",
        "a:${V}@b", "http://h#${V}@x",
    ],
)  # fmt: skip
def test_r11_elsewhere_a_variable_is_filled_in_as_it_is(tmp_path: Path, text: str) -> None:
    assert interpolate(text, {"V": "a/b@c%41"}, tmp_path) == text.replace("${V}", "a/b@c%41")


def test_r11_a_file_may_hold_any_password_too(tmp_path: Path) -> None:
    (tmp_path / "pw").write_text("p@s/s\n")
    assert interpolate("mysql://app:${file:pw}@db/app", {}, tmp_path) == "mysql://app:p%40s%2Fs@db/app"
    assert interpolate(f"mysql://app:${{file:{tmp_path}/pw}}@db", {}, tmp_path) == "mysql://app:p%40s%2Fs@db"


def test_a_dollar_sign_before_the_host_stays_one(tmp_path: Path) -> None:
    assert interpolate("mysql://app:a$$b$c@db/app", {}, tmp_path) == "mysql://app:a$b$c@db/app"
