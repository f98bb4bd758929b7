"""A routing.yaml that is wrong anywhere, in any way, loads or is refused with a place: nothing else."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from logweir.config.loading import load_config
from logweir.errors import ConfigError

GOOD = """\
version: 1
strategy: separated
service: shop
env: test
data_dir: .logweir
drain_timeout: 5s
classify:
  - {kind: audit, match: {event: ["fund.*"], logger: "shop.*"}}
  - {kind: audit, match: {any: [{level: ">=error"}, {not: {field: {name: a, in: [1, 2]}}}]}}
redact: {keys: [iban], patterns: [card_number], defaults: true}
limits: {max_depth: 8, max_string: 100, max_items: 10, max_event_bytes: 64KiB}
audit: {acknowledge: stored, timeout: 1s, on_failure: raise}
sinks:
  audit_db:
    type: memory
    keep: 10
    workers: 2
    queue: {type: memory, max_events: 10, max_bytes: 1MiB, when_full: block, block_timeout: 1s}
    batch: {max_events: 5, max_bytes: 1KiB, linger: 10ms}
    retry: {initial: 1ms, max: 1s, timeout: 1s, max_attempts: 3}
  logs: {type: "null"}
  search: {type: file, path: x.jsonl, rotate: {max_bytes: 1MiB, keep: 2}}
routes:
  - {name: audit, match: {kind: audit}, to: audit_db}
  - {name: errors, match: {kind: tracing, level: [error], all: [{field: [{name: a, glob: "x*"}]}]}, to: [logs], continue: true}
  - {name: rest, match: {kind: tracing, field: {name: a, regex: "^x", exists: true}}, to: [logs], sample: 0.5}
"""
FORMS = ("block", "flow")

scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=10)
    | st.dates()
    | st.binary(max_size=3)
    | st.sampled_from(
        ["${NOT_SET}", "${", "${file:/}", "$$", "memory", "a:b", ":", "(", "[z-a]", "9e999s", ">=error", "*"]
    )
)
garbage = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6) | st.integers(), inner, max_size=3)
    ),
    max_leaves=6,
)


def paths_in(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [found for key, inner in items for found in ((*path, key), *paths_in(inner, (*path, key)))]


PATHS = paths_in(yaml.safe_load(GOOD))


def mutate(data: Any, path: tuple[Any, ...], change: str, new: Any) -> None:
    """Change what is at a path, in place; a path that an earlier mutation took away is left alone."""
    for part in path[:-1]:
        if not isinstance(data, dict | list) or (isinstance(data, dict) and part not in data):
            return
        if isinstance(data, list) and (not isinstance(part, int) or part >= len(data)):
            return
        data = data[part]
    key = path[-1]
    if isinstance(data, dict) and key in data:
        if change == "rename":
            data[str(new)] = data.pop(key)
        elif change == "delete":
            del data[key]
        else:
            data[key] = new
    elif isinstance(data, list) and isinstance(key, int) and key < len(data):
        data[key] = new


mutations = st.lists(
    st.tuples(st.sampled_from(PATHS), st.sampled_from(["rename", "delete", "replace"]), garbage),
    min_size=1,
    max_size=4,
)


def load_or_refuse(path: Path) -> None:
    try:
        load_config(path)
    except ConfigError as error:
        assert error.problems
        for problem in error.problems:
            assert problem.message
            assert problem.file == str(path)
            assert problem.line > 0
            assert problem.column > 0
            assert "\n" not in str(problem)


def test_the_file_that_is_mutated_is_good(tmp_path: Path) -> None:
    path = tmp_path / "routing.yaml"
    path.write_text(GOOD)
    assert [route.name for route in load_config(path).routes] == ["audit", "errors", "rest"]


@given(changes=mutations, flow=st.booleans())
@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_wrong_in_every_key(changes: list[tuple[Any, ...]], flow: bool, tmp_path: Path) -> None:
    data = yaml.safe_load(GOOD)
    for path, change, new in changes:
        mutate(data, path, change, new)
    file = tmp_path / "routing.yaml"
    file.write_text(yaml.safe_dump(data, allow_unicode=True, default_flow_style=flow), encoding="utf-8")
    load_or_refuse(file)


@given(position=st.integers(0, len(GOOD)), cut=st.integers(0, 20), put=st.text(max_size=5))
@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_wrong_in_every_character(position: int, cut: int, put: str, tmp_path: Path) -> None:
    file = tmp_path / "routing.yaml"
    file.write_bytes((GOOD[:position] + put + GOOD[position + cut :]).encode("utf-8", "surrogatepass"))
    try:
        load_or_refuse(file)
    except AssertionError:
        file.read_bytes().decode("utf-8")  # only what is not text has no place
        raise


@given(
    data=st.dictionaries(
        st.sampled_from(["sinks", "routes", "classify", "strategy", "service", "x"]) | st.integers(), garbage
    )
)
@settings(max_examples=80, deadline=None)
def test_any_mapping(data: dict[Any, Any]) -> None:
    try:
        load_config(data)
    except ConfigError as error:
        assert error.problems


def test_a_key_with_line_breaks_and_escapes_is_reported_on_one_line(tmp_path: Path) -> None:
    path = tmp_path / "routing.yaml"
    path.write_text(GOOD + '"a\\n\\e[31m": 1\n')
    with pytest.raises(ConfigError) as caught:
        load_config(path)
    assert str(caught.value).startswith(
        f"{path}:{GOOD.count(chr(10)) + 1}:1: a\\n\\x1b[31m: unknown key 'a\\n"
    )
    assert str(caught.value).isprintable()


def test_a_mapping_that_contains_itself_is_refused() -> None:
    endless: dict[str, Any] = {}
    endless["sinks"] = endless
    with pytest.raises(ConfigError, match="contains itself"):
        load_config(endless)


@pytest.mark.parametrize("source", [None, 5, ["routing.yaml"], b"routing.yaml"])
def test_what_is_no_configuration_is_refused(source: Any) -> None:
    with pytest.raises(ConfigError, match="a configuration is a path, a mapping or a RoutingConfig"):
        load_config(source)


def test_a_path_that_no_system_has_is_refused() -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        load_config("a\0b")


def test_a_huge_file_is_refused_unread(tmp_path: Path) -> None:
    (tmp_path / "huge").write_bytes(b"#" * (2**20 + 1))
    with pytest.raises(ConfigError, match="larger than 1 MiB"):
        load_config(tmp_path / "huge")


def test_a_byte_order_mark_is_ignored(tmp_path: Path) -> None:
    (tmp_path / "marked").write_bytes(b"\xef\xbb\xbf" + GOOD.encode())
    assert load_config(tmp_path / "marked").service == "shop"


def test_text_that_looks_like_a_number_in_a_variable_stays_text(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NAME", "007")
    monkeypatch.setenv("COUNT", "3")
    text = GOOD.replace("service: shop", "service: ${NAME}").replace("workers: 2", "workers: ${COUNT}")
    (tmp_path / "routing.yaml").write_text(text)
    config = load_config(tmp_path / "routing.yaml")
    assert config.service == "007"
    assert config.sinks["audit_db"].workers == 3


@pytest.mark.parametrize("sink_type", [":x", "x:", "os:path", "no.such:Class", ".a:b", "os:getcwd", ""])
def test_a_type_that_leads_nowhere_is_reported_at_its_place(tmp_path: Path, sink_type: str) -> None:
    (tmp_path / "routing.yaml").write_text(GOOD.replace('{type: "null"}', f'{{type: "{sink_type}"}}'))
    with pytest.raises(ConfigError) as caught:
        load_config(tmp_path / "routing.yaml")
    [problem] = caught.value.problems
    assert problem.path == "sinks.logs.type"
    assert (problem.line, problem.column) == (21, 16)


def test_a_sink_whose_module_raises_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "broken_sink_module.py").write_text("1 / 0\n")
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "routing.yaml").write_text(GOOD.replace('"null"', '"broken_sink_module:Sink"'))
    with pytest.raises(ConfigError, match="cannot be imported: ZeroDivisionError"):
        load_config(tmp_path / "routing.yaml")
