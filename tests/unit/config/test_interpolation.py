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
