"""Redaction as routing.yaml asks for it, in a running engine: from a call to what a sink has stored."""

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import logweir
from logweir.errors import ConfigError
from logweir.runtime import current
from logweir.sinks.memory import MemorySink

KEY = "not-a-real-key-of-anybody"


def config(tmp_path: Path, **redact: Any) -> dict[str, Any]:
    return {
        "data_dir": str(tmp_path / "data"),
        "redact": redact,
        "sinks": {"out": {"type": "memory"}},
        "routes": [{"name": "all", "to": ["out"]}],
    }


@pytest.fixture
def _asked() -> Iterator[None]:
    yield
    asked.clear()


asked: list[str] = []


def shorten(path: str, value: Any) -> Any:
    """A function of the user's, which the configuration names."""
    asked.append(path)
    if path == "broken":
        raise ValueError(value)
    return value[:3] + "…" if path == "iban" else value


def stored(fields: dict[str, Any]) -> dict[str, Any]:
    """What the sink has of one event."""
    runtime = current.current()
    assert runtime is not None
    runtime.emit("x", dict(fields))
    assert logweir.flush()
    return list(MemorySink.of("out").events.values())[-1].fields


def test_a_reload_changes_what_is_masked_from_the_next_call_on(tmp_path: Path) -> None:
    fields = {"customer": "hunter2", "session_token": "hunter3"}
    logweir.start(config(tmp_path))
    assert stored(fields) == {"customer": "hunter2", "session_token": "***"}
    logweir.reload(config(tmp_path, keys=["customer"], **{"except": ["session_token"]}))
    assert stored(fields) == {"customer": "***", "session_token": "hunter3"}
    logweir.reload(config(tmp_path, defaults=False, patterns=["email"]))
    assert stored({**fields, "to": "a@example.com"}) == {**fields, "to": "***"}


def test_a_reload_with_a_wrong_redact_changes_nothing_and_shows_no_key(tmp_path: Path) -> None:
    logweir.start(config(tmp_path, keys=["customer"]))
    with pytest.raises(ConfigError, match="redact") as caught:
        logweir.reload(config(tmp_path, hash={"key": KEY[:15], "paths": ["ip"]}))
    assert KEY[:15] not in str(caught.value)
    assert stored({"customer": "hunter2"}) == {"customer": "***"}


@pytest.mark.usefixtures("_asked")
def test_a_function_of_ones_own_decides_what_is_stored(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    logweir.start(config(tmp_path, function=f"{__name__}:shorten"))
    with caplog.at_level(logging.WARNING, "logweir"):
        fields = stored({"iban": "DE02120300000000202051", "password": "hunter2", "broken": "hunter3"})
    assert fields == {"iban": "DE0…", "password": "***", "broken": "***"}
    assert set(asked) == {"iban", "broken"}
    assert "shorten raised ValueError for 'broken'; this value is masked" in caplog.text
    assert "hunter" not in caplog.text
    logweir.reload(config(tmp_path))
    assert stored({"iban": "DE02120300000000202051"}) == {"iban": "DE02120300000000202051"}
