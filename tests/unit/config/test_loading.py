"""Loading routing.yaml: every problem at once, each with its place, and never a secret."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from logweir.config.loading import load_config
from logweir.config.models import RoutingConfig
from logweir.errors import ConfigError
from logweir.sinks.registry import known_types

GOOD = """\
version: 1
service: shop
sinks:
  audit_db: {type: memory, batch: {max_events: 10, linger: 50ms}}
  logs: {type: "null", queue: {max_events: 5, max_bytes: 1MiB, when_full: drop_oldest}}
classify:
  - {kind: audit, match: {event: "fund.*"}}
routes:
  - {name: audit, match: {kind: audit}, to: audit_db}
  - {name: errors, match: {kind: tracing, level: ">=error"}, to: [logs], continue: true}
  - {name: rest, match: {kind: tracing}, to: [logs], sample: 0.5}
"""


def write(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "routing.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def problems(tmp_path: Path, text: str) -> list[str]:
    """What loading complains about, without the file's path."""
    path = write(tmp_path, text)
    with pytest.raises(ConfigError) as caught:
        load_config(path)
    return [str(problem).replace(f"{path}", "routing.yaml") for problem in caught.value.problems]


def test_a_good_file_becomes_a_configuration(tmp_path: Path) -> None:
    config = load_config(write(tmp_path, GOOD))
    assert config.service == "shop"
    assert config.sinks["audit_db"].batch.linger == 0.05
    assert config.sinks["logs"].queue.max_bytes == 2**20
    assert config.routes[0].to == ["audit_db"]
    assert config.routes[1].continue_


def test_a_mapping_is_validated_like_a_file() -> None:
    assert load_config(yaml.safe_load(GOOD)).service == "shop"
    with pytest.raises(ConfigError, match="<mapping>: sevice: unknown key 'sevice'; did you mean 'service'"):
        load_config({**yaml.safe_load(GOOD), "sevice": "x"})


def test_a_ready_configuration_passes_unchanged(tmp_path: Path) -> None:
    config = load_config(write(tmp_path, GOOD))
    assert load_config(config) is config


@pytest.mark.parametrize(
    ("change", "place_and_message"),
    [
        (
            ("service: shop", "sevice: shop"),
            "routing.yaml:2:1: sevice: unknown key 'sevice'; did you mean 'service'?",
        ),
        (
            ("max_events: 10", "max_events: many"),
            "routing.yaml:4:48: sinks.audit_db.batch.max_events: max_events must be a whole number, not 'many'",
        ),
        (
            ("linger: 50ms", "linger: 50 parsecs"),
            "routing.yaml:4:60: sinks.audit_db.batch.linger: not a duration: '50 parsecs'; "
            "write a number with ms, s, m, h, d or w, such as 50ms",
        ),
        (
            ("linger: 50ms", "linger: 9999999999"),
            "routing.yaml:4:60: sinks.audit_db.batch.linger: longer than 100 years: 9999999999; "
            "write at most 36500d",
        ),
        (
            ("linger: 50ms", "linger: 6000w"),
            "routing.yaml:4:60: sinks.audit_db.batch.linger: longer than 100 years: '6000w'; "
            "write at most 36500d",
        ),
        (
            ("type: memory", "type: memroy"),
            "routing.yaml:4:20: sinks.audit_db.type: unknown sink type 'memroy'; did you mean 'memory'? "
            f"there are {', '.join(known_types())}, or a dotted path package.module:Class",
        ),
        (
            ("to: [logs], continue", "to: [lags], continue"),
            "routing.yaml:10:67: routes[1].to[0]: route 'errors' sends to 'lags', which is not declared; "
            "did you mean 'logs'?",
        ),
        (
            ("name: errors", "name: audit"),
            "routing.yaml:10:12: routes[1].name: two routes are named 'audit'; rename one of them",
        ),
        (
            ('level: ">=error"', 'level: ">=eror"'),
            "routing.yaml:10:50: routes[1].match.level: unknown level '>=eror'; did you mean '>=error'? "
            "there are debug, info, warning, error, critical, and comparisons like >=error",
        ),
        (
            ('level: ">=error"', 'level: ">=warn"'),
            "routing.yaml:10:50: routes[1].match.level: unknown level '>=warn'; did you mean '>=warning'? "
            "there are debug, info, warning, error, critical, and comparisons like >=error",
        ),
        (
            ("service: shop", "service: ${NOT_SET}"),
            "routing.yaml:2:10: service: the variable NOT_SET is not set; set it, or write ${NOT_SET:-default}",
        ),
        (
            ("  logs:", "  audit_db:"),
            "routing.yaml:5:3: sinks.audit_db: the key 'audit_db' is written twice; remove one of them",
        ),
        (
            ("match: {kind: audit}, to", "match: {}, to"),
            "routing.yaml:10:5: routes[1]: route 'errors' is never reached: 'audit' takes its events first; "
            "move it up, narrow the other, or let that one continue",
        ),
        (
            ("to: audit_db", "to: logs"),
            "routing.yaml:5:75: sinks.logs.queue.when_full: when_full: drop_oldest would drop audit events "
            "of route 'audit'; use block",
        ),
        (
            ("{kind: tracing}, to: [logs], sample", "{}, to: [logs], sample"),
            "routing.yaml:11:5: routes[2]: sample drops events, and audit may never be dropped; "
            "add kind: tracing to the route's match",
        ),
        (("version: 1", "version: 2"), "routing.yaml:1:10: version: version must be one of 1, not 2"),
        (("sinks:\n", "sinks: 7\nx:\n"), "routing.yaml:3:8: sinks: sinks must be a mapping of keys, not 7"),
    ],
)
def test_each_fault_is_reported_with_its_place_and_the_next_step(
    tmp_path: Path, change: tuple[str, str], place_and_message: str
) -> None:
    assert change[0] in GOOD
    assert place_and_message in problems(tmp_path, GOOD.replace(*change, 1))


def test_all_faults_are_reported_at_once(tmp_path: Path) -> None:
    text = (
        GOOD.replace("service", "sevice")
        .replace("max_events: 10", "max_events: x")
        .replace("name: rest, ", "")
    )
    assert len(problems(tmp_path, text)) == 3


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "routing.yaml: the file is empty; `logweir init` writes one to begin with"),
        ("# nothing\n", "routing.yaml: the file is empty; `logweir init` writes one to begin with"),
        ("- a\n- b\n", "routing.yaml:1:1: the file must be a mapping of keys, not a list"),
        ("just text", "routing.yaml:1:1: the file must be a mapping of keys, not the value 'just text'"),
    ],
)
def test_a_file_that_is_no_mapping_is_refused(tmp_path: Path, text: str, message: str) -> None:
    assert problems(tmp_path, text) == [message]


@pytest.mark.parametrize(
    "text", ["a: [", "a: b: c", "\t- x", "a: &x [*x]", "{", "a: !!python/object:os.system x", "a\x00b: 1"]
)
def test_what_is_not_yaml_is_reported_in_one_line(tmp_path: Path, text: str) -> None:
    reported = problems(tmp_path, text)
    assert reported
    assert all("\n" not in line for line in reported)


def test_a_tab_is_named_with_what_to_write_instead(tmp_path: Path) -> None:
    (problem,) = problems(tmp_path, GOOD.replace("  audit_db", "\taudit_db"))
    assert problem.startswith("routing.yaml:4:1: not valid YAML: ")
    assert problem.endswith("; indent with spaces, for YAML takes no tabs there")


def test_an_alias_bomb_is_refused(tmp_path: Path) -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 9)]
    assert "expands to more than" in problems(tmp_path, "\n".join(lines))[0]


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("[" * 5000 + "]" * 5000, "1:102"),
        ("\n".join(" " * level + "a:" for level in range(500)), "101:102"),
    ],
    ids=["brackets", "indents"],
)
def test_deep_nesting_is_refused_where_it_begins(tmp_path: Path, text: str, place: str) -> None:
    assert problems(tmp_path, text)[0] == f"routing.yaml:{place}: not valid YAML: it is nested too deeply"


def test_merge_keys_work(tmp_path: Path) -> None:
    text = GOOD.replace(
        "sinks:\n", 'sinks:\n  base: &base {type: "null", workers: 3}\n  copy: {<<: *base, workers: 4}\n'
    )
    config = load_config(write(tmp_path, text))
    assert (config.sinks["copy"].type, config.sinks["copy"].workers) == ("null", 4)


def test_a_missing_file_names_the_next_step(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="there is no such file; make one with `logweir init`"):
        load_config(tmp_path / "absent.yaml")


def test_a_missing_file_is_said_to_be_missing_where_it_was_looked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError) as caught:
        load_config("conf/routing.yaml")
    assert str(caught.value) == (
        f"conf/routing.yaml: there is no such file in {tmp_path}; make one with `logweir init`"
    )


def test_a_variable_in_a_mapping_is_reported_for_it_is_not_filled_in(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SHOP", "corner")
    mapping = {
        "service": "${SHOP}",
        "fields": {"price": "$5", "regex": "^a${2}$"},
        "sinks": {"a": {"type": "memory"}},
        "routes": [{"name": "all", "to": ["a"]}],
    }
    assert load_config(mapping).service == "${SHOP}"
    assert [record.getMessage() for record in caplog.records] == [
        "the configuration is a mapping, where variables are not filled in: ${SHOP} of service stays as it is; "
        "take it from os.environ, or write a file"
    ]


def test_a_directory_and_a_binary_file_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        load_config(tmp_path)
    (tmp_path / "binary").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigError, match="not UTF-8"):
        load_config(tmp_path / "binary")


def test_variables_and_files_are_filled_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WHO", "shop: # not a comment")
    monkeypatch.setenv("COUNT", "4")
    (tmp_path / "env.txt").write_text("prod\n")
    text = GOOD.replace(
        "service: shop", "service: ${WHO}\nenv: ${file:env.txt}\ndata_dir: a$$b/${NOPE:-c}"
    ).replace("type: memory,", "type: memory, workers: '${COUNT}',")
    config = load_config(write(tmp_path, text))
    assert config.service == "shop: # not a comment"
    assert config.env == "prod"
    assert config.data_dir == tmp_path / "a$b/c"
    assert config.sinks["audit_db"].workers == 4


def test_a_value_from_a_variable_is_never_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HIDDEN", "hunter2")
    reported = problems(tmp_path, GOOD.replace("max_events: 10", "max_events: '${HIDDEN}'"))
    assert "'***'" in reported[0]
    assert "hunter2" not in "".join(reported)


def test_patterns_of_redaction_are_checked_with_their_place(tmp_path: Path) -> None:
    reported = problems(tmp_path, GOOD + "redact: {patterns: [card_numbr]}\n")
    assert reported[0].startswith("routing.yaml:12:20: redact.patterns: ")
    assert "did you mean 'card_number'" in reported[0]


def test_a_callable_that_is_not_there_is_reported(tmp_path: Path) -> None:
    reported = problems(tmp_path, GOOD.replace('event: "fund.*"', "call: no.such:thing"))
    assert "routing.yaml:7:33: classify[0].match.call: 'no.such:thing' names no function" in reported[0]


@pytest.mark.parametrize("strategy", ["explicit", "hybrid", "separated"])
def test_a_strategy_brings_its_routes(tmp_path: Path, strategy: str) -> None:
    text = f"strategy: {strategy}\n" + GOOD.partition("classify:")[0]
    config = load_config(write(tmp_path, text))
    assert config.routes[0].name == "audit"
    assert bool(config.classify) == (strategy != "explicit")


def test_a_strategy_names_the_sinks_it_needs(tmp_path: Path) -> None:
    text = "strategy: hybrid\n" + GOOD.partition("classify:")[0].replace("logs", "lags")
    reported = problems(tmp_path, text)
    assert (
        "routing.yaml:1:11: strategy: strategy hybrid needs a sink named 'logs'; declare it under sinks"
        in reported
    )


def test_routes_or_a_strategy_must_be_there(tmp_path: Path) -> None:
    reported = problems(tmp_path, GOOD.partition("classify:")[0])
    assert any(
        "routes is missing; declare routes, or a strategy that brings its own" in line for line in reported
    )


def test_the_defaults_cover_what_one_kind_of_route_cannot(tmp_path: Path) -> None:
    text = GOOD + "  - {name: never, match: {level: error}, to: [logs]}\n"
    assert any(
        "'never' is never reached: 'audit' and 'rest' take its events first" in line
        for line in problems(tmp_path, text)
    )


# -- fuzzing -----------------------------------------------------------------------------------------

garbage = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=12),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)


def paths_in(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(found for key, inner in items for found in paths_in(inner, (*path, key)))]


def mutated(value: Any, path: tuple[Any, ...], replacement: Any) -> Any:
    if not path:
        return replacement
    copy = value.copy()
    copy[path[0]] = mutated(value[path[0]], path[1:], replacement)
    return copy


@given(data=st.data())
@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_file_that_is_wrong_anywhere_is_refused_with_a_place_or_loads(
    data: st.DataObject, tmp_path: Path
) -> None:
    good = yaml.safe_load(GOOD)
    path = data.draw(st.sampled_from(paths_in(good)))
    wrong = mutated(good, path, data.draw(garbage))
    file = write(tmp_path, yaml.safe_dump(wrong, allow_unicode=True))
    try:
        assert isinstance(load_config(file), RoutingConfig)
    except ConfigError as error:
        assert error.problems
        assert all(problem.message and problem.file for problem in error.problems)


@given(
    content=st.binary(max_size=200)
    | st.text(max_size=200).map(lambda text: text.encode("utf-8", "surrogatepass"))
)
@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_bytes_are_refused_or_load(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "routing.yaml").write_bytes(content)
    try:
        load_config(tmp_path / "routing.yaml")
    except ConfigError as error:
        assert error.problems
