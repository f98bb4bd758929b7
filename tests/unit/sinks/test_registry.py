"""From a type in routing.yaml to the class of a sink."""

import sys
from pathlib import Path

import pytest

from logweir.errors import MissingDependency
from logweir.sinks import registry
from logweir.sinks.contract import Sink, SinkConfig
from logweir.sinks.memory import MemorySink
from logweir.sinks.null import NullSink


@pytest.fixture(autouse=True)
def _own_registrations(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "_registered", {})


def test_built_in_sinks_are_found_by_name() -> None:
    assert registry.resolve("null") is NullSink
    assert {"file", "memory", "null", "sqlite", "stdout"} <= set(registry.known_types())


def test_a_type_says_whether_its_store_knows_ids_and_is_not_doubted_where_it_cannot_be_loaded() -> None:
    assert registry.is_idempotent("sqlite")
    assert not registry.is_idempotent("victorialogs")
    assert registry.is_idempotent("nowhere")
    assert registry.is_idempotent("absent_package.module:Sink")


def test_a_registered_class_is_found_and_its_name_is_its_own() -> None:
    @registry.register_sink("mine")
    class Mine(NullSink):
        pass

    assert registry.resolve("mine") is Mine
    assert registry.register_sink("mine")(Mine) is Mine
    with pytest.raises(ValueError, match="'mine' is taken"):
        registry.register_sink("mine")(NullSink)
    with pytest.raises(ValueError, match="'file' is taken"):
        registry.register_sink("file")(Mine)


def test_a_dotted_path_is_followed() -> None:
    assert registry.resolve("logweir.sinks.memory:MemorySink") is MemorySink


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("memroy", "unknown sink type 'memroy'; did you mean 'memory'?"),
        ("no.such.module:Sink", "cannot be imported: No module named 'no'"),
        ("logweir.event:Event", "neither a Sink nor a SyncSink"),
        ("logweir.event:Absent", "cannot be imported"),
    ],
)
def test_what_cannot_be_found_is_reported_with_a_hint(name: str, message: str) -> None:
    with pytest.raises(LookupError, match=message):
        registry.resolve(name)


def test_an_installed_package_brings_its_sink_by_an_entry_point(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    info = tmp_path / "other_sinks-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: other-sinks\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[logweir.sinks]\nother = other_sinks:OtherSink\n")
    (tmp_path / "other_sinks.py").write_text(
        "from logweir.sinks.null import NullSink\nclass OtherSink(NullSink):\n    pass\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    assert registry.resolve("other").__name__ == "OtherSink"
    assert "other" in registry.known_types()
    sys.modules.pop("other_sinks")


def test_a_missing_driver_names_the_command_to_type(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "driverless.py").write_text("import a_driver_that_is_not_installed\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setitem(registry._BUILT_IN, "mysql", "driverless:Sink")
    with pytest.raises(MissingDependency, match=r"pip install 'logweir\[mysql\]'"):
        registry.resolve("mysql")


def test_importing_logweir_imports_no_driver_and_no_command_line() -> None:
    import subprocess

    code = "import logweir, sys; print([m for m in ('sqlalchemy', 'aiosqlite', 'typer', 'fastapi') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_base_class_asks_for_a_write_method() -> None:
    with pytest.raises(TypeError, match="abstract"):
        Sink(SinkConfig(type="x"))  # type: ignore[abstract]


@pytest.mark.parametrize(
    ("kind", "module", "driver"),
    [
        ("mysql", "logweir.sinks.sql.mysql", "aiomysql"),
        ("postgresql", "logweir.sinks.sql.postgresql", "asyncpg"),
    ],
)
def test_a_relational_sink_without_its_driver_names_the_extra(
    monkeypatch: pytest.MonkeyPatch, kind: str, module: str, driver: str
) -> None:
    monkeypatch.delitem(sys.modules, module, raising=False)
    monkeypatch.setitem(sys.modules, driver, None)
    with pytest.raises(MissingDependency, match=rf"pip install 'logweir\[{kind}\]'"):
        registry.resolve(kind)
