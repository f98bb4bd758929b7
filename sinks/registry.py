"""The registry: from a ``type`` in routing.yaml to the class of a sink.

A type is looked for among the registered classes, then the built-in ones (imported when first asked
for) and the entry points of the group ``logweir.sinks``; with a colon it is a dotted path,
``package.module:Class``.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from importlib.metadata import entry_points
from typing import Any, TypeVar

from logweir.errors import MissingDependency
from logweir.settings.suggestions import did_you_mean
from logweir.sinks.contract import Sink, SinkConfig, SyncSink

__all__ = ["SinkClass", "is_idempotent", "known_types", "options_of", "register_sink", "resolve"]

SinkClass = type[Sink[Any]] | type[SyncSink[Any]]
SinkT = TypeVar("SinkT", bound=SinkClass)

ENTRY_POINT_GROUP = "logweir.sinks"

_BUILT_IN = {
    "elasticsearch": "logweir.sinks.elasticsearch.sink:ElasticsearchSink",
    "file": "logweir.sinks.file:FileSink",
    "http": "logweir.sinks.http.sink:HttpSink",
    "loki": "logweir.sinks.loki.sink:LokiSink",
    "memory": "logweir.sinks.memory:MemorySink",
    "mongodb": "logweir.sinks.mongodb.sink:MongoSink",
    "mysql": "logweir.sinks.sql.mysql:MysqlSink",
    "null": "logweir.sinks.null:NullSink",
    "opensearch": "logweir.sinks.opensearch.sink:OpenSearchSink",
    "otlp": "logweir.sinks.otlp.sink:OtlpSink",
    "postgresql": "logweir.sinks.sql.postgresql:PostgresqlSink",
    "sqlite": "logweir.sinks.sql.sink:SqlSink",
    "stdout": "logweir.sinks.stdout:StdoutSink",
    "victorialogs": "logweir.sinks.victorialogs.sink:VictoriaLogsSink",
}
#: Where the options of a built-in sink stand by themselves: reading them needs no driver.
_OPTIONS = {
    "elasticsearch": "logweir.sinks.elasticsearch.config:ElasticsearchConfig",
    "http": "logweir.sinks.http.config:HttpConfig",
    "loki": "logweir.sinks.loki.config:LokiConfig",
    "mysql": "logweir.sinks.sql.config:MysqlConfig",
    "opensearch": "logweir.sinks.opensearch.config:OpenSearchConfig",
    "postgresql": "logweir.sinks.sql.config:PostgresqlConfig",
    "sqlite": "logweir.sinks.sql.config:SqliteConfig",
    "victorialogs": "logweir.sinks.victorialogs.config:VictoriaLogsConfig",
}
_registered: dict[str, SinkClass] = {}


def register_sink(name: str) -> Callable[[SinkT], SinkT]:
    """Register a sink class under a type name; a class decorator.

    Raises:
        ValueError: The name belongs to another class, or to a built-in sink.
    """

    def register(sink_class: SinkT) -> SinkT:
        taken = _registered.get(name)
        if name in _BUILT_IN or (taken is not None and taken is not sink_class):
            raise ValueError(f"the sink type {name!r} is taken; choose another name")
        _registered[name] = sink_class
        return sink_class

    return register


def known_types() -> list[str]:
    """The names that ``type`` may have, dotted paths aside."""
    return sorted(
        {*_registered, *_BUILT_IN, *(point.name for point in entry_points(group=ENTRY_POINT_GROUP))}
    )


def resolve(name: str) -> SinkClass:
    """Return the class of a sink type.

    Raises:
        LookupError: There is no such type; the message names those that exist.
        MissingDependency: Its driver is not installed.
    """
    if name in _registered:
        return _registered[name]
    if name in _BUILT_IN:
        return _load(_BUILT_IN[name], name)
    if ":" in name:
        return _load(name, name)
    for point in entry_points(group=ENTRY_POINT_GROUP, name=name):
        return _checked(point.load(), name)
    raise LookupError(_unknown(name))


def options_of(name: str) -> type[SinkConfig]:
    """Return the options of a sink type that this process does not write to, without its driver if it can be.

    Raises:
        LookupError: There is no such type; the message names those that exist.
        MissingDependency: Its options cannot be read without its driver, which is not installed.
    """
    if name in _OPTIONS:
        module_name, _, class_name = _OPTIONS[name].partition(":")
        options: type[SinkConfig] = getattr(import_module(module_name), class_name)
        return options
    return resolve(name).Config


def is_idempotent(name: str) -> bool:
    """Whether the sinks of a type store an event id once; True where its class cannot be loaded here."""
    try:
        return resolve(name).idempotent
    except (LookupError, MissingDependency):
        return True


def _load(path: str, name: str) -> SinkClass:
    module_name, _, class_name = path.partition(":")
    try:
        return _checked(getattr(import_module(module_name), class_name), name)
    except ModuleNotFoundError as error:
        if name in _BUILT_IN and not str(error.name).startswith("logweir"):
            raise MissingDependency(f"sink type {name!r}", name) from None
        raise LookupError(f"the sink type {name!r} cannot be imported: {error}") from None
    except (ImportError, AttributeError) as error:
        raise LookupError(f"the sink type {name!r} cannot be imported: {error}") from None


def _checked(found: Any, name: str) -> SinkClass:
    if isinstance(found, type) and issubclass(found, Sink | SyncSink):
        return found
    raise LookupError(f"the sink type {name!r} is {found!r}, which is neither a Sink nor a SyncSink")


def _unknown(name: str) -> str:
    known = known_types()
    question = did_you_mean(name, known)
    hint = f"{question} " if question else ""
    names = ", ".join(known)
    return f"unknown sink type {name!r}; {hint}there are {names}, or a dotted path package.module:Class"
