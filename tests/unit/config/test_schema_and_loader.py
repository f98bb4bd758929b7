"""The JSON Schema and the loader agree: what the loader takes the schema takes, and a slip that a schema can name both refuse."""

import json
import re
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal, get_args, get_origin

import jsonschema
import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, Secret

from logweir.config.loading import load_config
from logweir.config.models import RoutingConfig
from logweir.config.schema import json_schema
from logweir.errors import ConfigError
from logweir.event import Kind
from logweir.settings.one_or_many import _as_list
from logweir.sinks import registry
from support.code_blocks import ROOT
from support.reference import configuration

VARIABLES = {
    "A_NUMBER": "7",
    "A_SWITCH": "yes",
    "A_DURATION": "90s",
    "A_SIZE": "64KiB",
    "A_WORD": "audit",
    "A_MODE": "0640",
    "A_SECRET": "long enough for a key",
    "NOTHING": "",
}
#: What people write where a scalar is wanted, right or wrong.
WRITTEN: list[Any] = [
    *(f"${{{name}}}" for name in VARIABLES),
    *("${UNSET:-5}", "${UNSET:-disk}", "${UNSET:-}", "${A_NUMBER}s", "$$"),
    *(None, True, False, 0, 1, 5, 2048, 10**7, 0.5, -1, 810),
    *("", "5", " 5 ", "-1", "0.5", "1_000", "yes", "Off", "TRUE", "1"),
    *("50ms", "10 S", "2h", "1w", "90d", "1MiB", "64 kb", "2GB", "80%", "03:00", "23:59", "0640", "600"),
    *("audit", "tracing", ">=error", "< warning", "info", "fund.*", "many", "soon", "big", "none", "ca"),
    *("sqlite+aiosqlite:///here.db", "http://here:3100", "redis://here:6379", "/etc/ssl/our.pem", "env"),
    *([], ["info"], ["env", {"name": "region", "limit": "20"}], {}, {"name": "a", "equals": 1}),
]


@cache
def validator() -> jsonschema.Draft202012Validator:
    return jsonschema.Draft202012Validator(json_schema(registry.known_types()))


def complaint(data: Any) -> str | None:
    """What the schema says against a file."""
    if validator().is_valid(data):
        return None
    error = jsonschema.exceptions.best_match(validator().iter_errors(data))
    return f"{error.json_path}: {error.message[:200]}"


def refusal(data: Any, folder: Path) -> str | None:
    """What the loader says against a file."""
    path = folder / "routing.yaml"
    path.write_text(yaml.safe_dump(data, sort_keys=False))
    try:
        load_config(path)
    except ConfigError as error:
        return str(error)
    return None


def example_of(section: str, key: str) -> Any:
    return configuration.example(section, key, configuration.sections()[section]["properties"][key])


def values(annotation: Any) -> st.SearchStrategy[Any]:
    """What might be written where a value of a type is wanted."""
    parts = get_args(annotation)
    if get_origin(annotation) is Annotated:
        if any(getattr(each, "func", None) is _as_list for each in parts):
            return st.one_of(values(parts[0]), values(get_args(parts[0])[0]))
        return values(parts[0])
    if annotation is Kind:
        return st.sampled_from([*Kind]).map(str)
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return mapping(annotation)
    if get_origin(annotation) in {list, tuple}:
        return st.lists(values(parts[0]), max_size=2)
    if get_origin(annotation) is dict:
        return st.dictionaries(st.sampled_from(["a", "35"]), values(parts[1]), max_size=1)
    if get_origin(annotation) is Literal:
        return st.sampled_from(parts)
    if parts and get_origin(annotation) is not Secret:
        return st.one_of(*map(values, parts))
    return st.sampled_from(WRITTEN)


def keys_of(model: type[BaseModel]) -> dict[str, Any]:
    return {field.alias or name: field for name, field in model.model_fields.items()}


def mapping(model: type[BaseModel]) -> st.SearchStrategy[dict[str, Any]]:
    """A section with what it needs and some keys, each with a value of its type or with something else."""
    fields = keys_of(model)
    needed = {key for key, field in fields.items() if field.is_required()}

    def filled(keys: set[str]) -> st.SearchStrategy[dict[str, Any]]:
        return st.fixed_dictionaries({key: value_of(model, key) for key in sorted(keys | needed)})

    return st.sets(st.sampled_from(sorted(fields)), max_size=2).flatmap(filled)


def value_of(model: type[BaseModel], key: str) -> st.SearchStrategy[Any]:
    field = keys_of(model)[key]
    known = [
        rules["properties"][key]
        for name, rules in configuration.sections().items()
        if name == model.__name__ and key in rules["properties"]
    ]
    typical = [configuration.example(model.__name__, key, rule) for rule in known]
    right = [each for each in typical if each is not None]
    typed = values(Annotated[(field.annotation, *field.metadata)] if field.metadata else field.annotation)
    return st.one_of(*([st.sampled_from(right)] if right else []), typed, st.sampled_from(WRITTEN))


def least(kind: str) -> dict[str, Any]:
    """The least that a sink of a type needs."""
    rules = configuration.sections()[f"sink.{kind}"]
    return {
        "type": kind,
        **{key: example_of(f"sink.{kind}", key) for key in rules["required"] if key != "type"},
    }


@st.composite
def files(draw: st.DrawFn) -> dict[str, Any]:
    kind = draw(st.sampled_from(registry.known_types()))
    model = registry.options_of(kind)
    own = sorted({*keys_of(model)} - {"type", "model"})
    keys = draw(st.lists(st.sampled_from(own), max_size=2, unique=True))
    sink = {**least(kind), **{key: draw(value_of(model, key)) for key in keys}}
    data: dict[str, Any] = {"sinks": {"one": sink, "audit_db": {"type": "sqlite"}, "logs": {"type": "null"}}}
    data |= draw(
        st.sampled_from(
            [
                {"routes": [{"name": "all", "to": ["one"]}]},
                {"routes": [{"name": "all", "to": "one"}], "strategy": None},
                {"strategy": "hybrid"},
                {"strategy": "explicit", "routes": None, "classify": None},
                {"strategy": "${UNSET:-separated}", "routes": []},
                {"routes": None},
            ]
        )
    )
    above = sorted({*keys_of(RoutingConfig)} - {"sinks", "imports", "enrich"})
    for key in draw(st.lists(st.sampled_from(above), max_size=2, unique=True)):
        data[key] = draw(value_of(RoutingConfig, key))
    return data


@pytest.fixture(autouse=True)
def variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in VARIABLES.items():
        monkeypatch.setenv(name, value)


@given(files())
@settings(
    max_examples=30,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
def test_what_the_loader_takes_the_schema_takes(tmp_path: Path, data: dict[str, Any]) -> None:
    if not validator().is_valid(data) and refusal(data, tmp_path) is None:
        pytest.fail(f"the loader takes what the schema refuses: {complaint(data)}")


#: Parts of a file that both take; each stands for a way of writing.
TAKEN = {
    "a label by its name": {"type": "loki", "url": "http://loki:3100", "labels": ["env", {"name": "level"}]},
    "a variable for a number": {"type": "null", "workers": "${A_NUMBER}"},
    "a number in quotes": {"type": "null", "workers": "2"},
    "a variable for a switch": {"type": "sqlite", "provision": "${A_SWITCH}"},
    "a switch as YAML 1.2 reads it": {"type": "sqlite", "provision": "yes"},
    "a variable for one of a few words": {"type": "null", "queue": {"when_full": "${UNSET:-block}"}},
    "a variable that is empty, for nothing": {"type": "null", "retry": {"max_attempts": "${NOTHING:-}"}},
    "a variable in a duration": {"type": "null", "batch": {"linger": "${A_NUMBER}ms"}},
    "a variable for a mode": {"type": "sqlite", "mode": "${A_MODE}"},
    "a size as text": {"type": "null", "batch": {"max_bytes": "64 kib"}},
    "a share": {"type": "null", "fallback": {"to": "other", "queue": "80%"}},
    "an age and a time of day": {"type": "sqlite", "retention": {"after": "90d", "at": "03:00"}},
    "the same as PyYAML reads it": {"type": "sqlite", "retention": [{"after": "${UNSET:-90d}", "at": 810}]},
    "an earlier spelling": {"type": "elasticsearch", "url": "https://es:9200", "verify_tls": False},
    "an earlier spelling inside": {"type": "http", "url": "https://a.example", "tls": {"cert": "/c.pem"}},
    "a variable for a type": {"type": "${UNSET:-stdout}", "format": "console"},
}


@pytest.mark.parametrize("name", TAKEN)
def test_both_take(name: str, tmp_path: Path) -> None:
    sinks = {"one": TAKEN[name], "other": {"type": "null"}}
    data = {"sinks": sinks, "routes": [{"name": "all", "to": "one"}]}
    assert (refusal(data, tmp_path), complaint(data)) == (None, None)


def test_a_key_of_the_chain_may_be_a_variable_that_is_shorter_than_a_key(tmp_path: Path) -> None:
    audit = {"chain": True, "chain_key": "${A_SECRET}"}
    data = {"sinks": {"one": {"type": "sqlite"}}, "routes": [{"name": "all", "to": "one"}], "audit": audit}
    assert (refusal(data, tmp_path), complaint(data)) == (None, None)


#: Slips in the options of a sink that both refuse.
REFUSED = {
    "a key that there is not": {"type": "null", "worker": 2},
    "a list for a number": {"type": "null", "workers": [2]},
    "a switch for a number": {"type": "null", "workers": True},
    "a word for a number": {"type": "null", "workers": "many"},
    "a number out of bounds": {"type": "null", "workers": 0},
    "a word that there is not": {"type": "null", "queue": {"when_full": "blok"}},
    "a word for a duration": {"type": "null", "batch": {"linger": "soon"}},
    "a duration below the least": {"type": "null", "retry": {"timeout": 0}},
    "a word for a size": {"type": "null", "batch": {"max_bytes": "big"}},
    "a size below the least": {"type": "null", "queue": {"max_bytes": 100}},
    "a share of more than all": {"type": "null", "fallback": {"to": "other", "queue": 1.5}},
    "an age in minutes": {"type": "sqlite", "retention": {"after": "90m"}},
    "a time of day that there is not": {"type": "sqlite", "retention": {"after": "90d", "at": "25:00"}},
    "a mode as a number": {"type": "sqlite", "mode": 640},
    "a word for a switch": {"type": "sqlite", "provision": "maybe"},
    "nothing where something is needed": {"type": "loki"},
    "nothing for a number": {"type": "null", "workers": None},
    "a number for a text": {"type": "sqlite", "table": 5},
    "a level that there is not": {"type": "null", "__match": {"level": ">=eror"}},
}


@pytest.mark.parametrize("name", REFUSED)
def test_both_refuse(name: str, tmp_path: Path) -> None:
    sink = dict(REFUSED[name])
    route = {"name": "all", "to": "one", "match": sink.pop("__match", {})}
    data = {"sinks": {"one": sink, "other": {"type": "null"}}, "routes": [route]}
    assert refusal(data, tmp_path) is not None
    assert complaint(data) is not None


@pytest.mark.parametrize("above", [{}, {"strategy": None}, {"routes": []}, {"routes": None}], ids=str)
def test_both_ask_for_routes_or_a_strategy(above: dict[str, Any], tmp_path: Path) -> None:
    data = {"sinks": {"audit_db": {"type": "sqlite"}, "logs": {"type": "null"}}, **above}
    assert refusal(data, tmp_path) is not None
    assert complaint(data) is not None


FILES = sorted([ROOT / "routing.yaml", *ROOT.glob("examples/**/*.yaml")])
ROUTING_FILES = [path for path in FILES if re.search("^(routes|strategy):", path.read_text(), re.MULTILINE)]


@pytest.mark.parametrize("path", ROUTING_FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_both_take_the_files_of_the_examples(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    urls = {
        "REDIS_URL": "redis://here:6379",
        "MYSQL_URL": "mysql+aiomysql://here/app",
        "MONGODB_URL": "mongodb://here",
    }
    for name in re.findall(r"\$\{(\w+)\}", path.read_text()):
        monkeypatch.setenv(name, urls.get(name, "http://here:3100"))
    load_config(path)
    assert complaint(yaml.safe_load(path.read_text())) is None


def test_the_default_of_sqlite_is_shown() -> None:
    assert "****" not in json.dumps(json_schema(registry.known_types()))
    assert (
        configuration.sections()["sink.sqlite"]["properties"]["url"]["default"]
        == "sqlite+aiosqlite:///audit.db"
    )
