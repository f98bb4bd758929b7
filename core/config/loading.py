"""Loading: from a file, or a mapping, to a ``RoutingConfig``; every problem at once, each with its place.

The order is: read the document, resolve the ``type`` of each sink and validate it by the sink's own model,
add the strategy's rules and routes, validate the rest, and last check what spans keys.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from logweir.config import strategies
from logweir.config import yaml_document as documents
from logweir.config.chains import find_impossible_chains
from logweir.config.checks import RouteAt, find_contradictions, find_unkept_promises
from logweir.config.fallbacks import find_impossible_fallbacks
from logweir.config.models import RouteConfig, RoutingConfig
from logweir.config.pydantic_errors import Found, describe, shown
from logweir.config.secret_files import Origin, SecretFiles
from logweir.config.sources import document_of
from logweir.config.user_modules import find_beside, import_named
from logweir.config.yaml_document import Document
from logweir.errors import ConfigError, MissingDependency
from logweir.redaction.scan import MASK
from logweir.settings.brokers import BROKERS
from logweir.sinks import registry
from logweir.sinks.contract import SinkConfig, lacking_for_retention

__all__ = [
    "ConfigSource",
    "Inspect",
    "Resolve",
    "find_nothing",
    "load",
    "load_config",
    "reread",
    "secret_files_of",
]

ConfigSource = str | Path | Mapping[str, Any] | RoutingConfig
ModelT = TypeVar("ModelT", bound=BaseModel)

#: Finds the class of a sink type; raises ``LookupError`` or ``MissingDependency``.
Resolve = Callable[[str], Any]
#: Returns the paths and the faults of a configuration that is valid by itself.
Inspect = Callable[[RoutingConfig], list[tuple[documents.Path, str]]]

_NO_ROUTES = "routes is missing; declare routes, or a strategy that brings its own"


def load_config(source: ConfigSource | Origin) -> RoutingConfig:
    """Read and validate a configuration: a path, a mapping, or one that is ready.

    Raises:
        ConfigError: With every problem and its place.
    """
    return load(source, resolve=registry.resolve, inspect=_inspect)


def find_nothing(_config: RoutingConfig) -> list[tuple[documents.Path, str]]:
    """The inspection that finds nothing."""
    return []


def load(source: ConfigSource | Origin, resolve: Resolve, inspect: Inspect = find_nothing) -> RoutingConfig:
    """Read and validate a configuration.

    Variables are filled in where the source is a file, and its relative paths begin beside it; a mapping's
    values are taken as they are.

    Args:
        source: A path, a mapping of the same shape as the file, or a ready ``RoutingConfig``.
        resolve: Finds the class of a sink type.
        inspect: Finds what only the layers above can know to be wrong.

    Raises:
        ConfigError: With every problem and its place.
    """
    if isinstance(source, RoutingConfig):
        return _checked(source, inspect)
    document = document_of(source)
    config = _Loading(document, resolve, inspect, _beside(source)).run()
    config._secret_files = _secret_files(document, config)  # noqa: SLF001 - it is nobody else's
    return config


def reread(config: RoutingConfig) -> RoutingConfig:
    """Read the files of secrets again that sinks of a configuration name.

    Returns:
        The configuration with what stands in them now; itself if that is the same.

    Raises:
        ConfigError: A file cannot be read, or its content makes the options wrong.
    """
    known = secret_files_of(config)
    if known.origin is None:
        return config
    fresh = load_config(known.origin)
    sinks = dict(config.sinks)
    for name, before in known.sinks.items():
        sink, now = config.sinks.get(name), fresh.sinks[name]
        # Whoever runs it may have changed other options, or have put another sink in this one's place.
        if type(sink) is type(before) is type(now):
            changed = {key: value for key, value in now if value != getattr(before, key)}
            sinks[name] = sink.model_copy(update=changed) if changed else sink
    if sinks == config.sinks:
        return config
    renewed = config.model_copy(update={"sinks": sinks})
    renewed._secret_files = secret_files_of(fresh)  # noqa: SLF001 - as above
    return renewed


def secret_files_of(config: RoutingConfig) -> SecretFiles:
    """The files that secrets of a configuration's sinks came from."""
    return config._secret_files  # noqa: SLF001 - as above


def _secret_files(document: Document, config: RoutingConfig) -> SecretFiles:
    of_sinks = {path: files for path, files in document.files.items() if path[0] == "sinks"}
    named = [(path[1], file) for path, files in of_sinks.items() for file in files]
    if document.origin is None or not named:
        return SecretFiles()
    folder = document.origin.folder.absolute()
    origin = replace(document.origin, folder=folder, environment=dict(document.origin.environment))
    sinks = {name: config.sinks[name] for name, _ in named if isinstance(name, str)}
    return SecretFiles(origin, tuple(sorted({folder / file for _, file in named})), sinks)


def _beside(source: object) -> Path:
    """Where relative paths begin; absolute unless it is here, for a daemon may go elsewhere later."""
    if isinstance(source, Origin):
        return source.folder if source.path.parent != Path() else Path()
    folder = Path(source).parent if isinstance(source, str | Path) else Path()
    return folder if folder == Path() else folder.absolute()


def _checked(config: RoutingConfig, inspect: Inspect) -> RoutingConfig:
    routes = [RouteAt(index, route) for index, route in enumerate(config.routes)]
    contradictions = [
        *find_contradictions(routes, config.sinks),
        *find_unkept_promises(config),
        *inspect(config),
    ]
    if contradictions:
        document = Document("<RoutingConfig>")
        raise ConfigError([document.problem(path, text) for path, text in contradictions])
    return config


class _Loading:
    """One run of loading: the document, and the problems found so far."""

    def __init__(self, document: Document, resolve: Resolve, inspect: Inspect, directory: Path) -> None:
        self._directory = directory
        self._document = document
        self._resolve = resolve
        self._inspect = inspect
        self._problems = list(document.problems)
        # What could not even be read needs no second message about its value.
        self._failed = {problem.path for problem in document.problems if problem.path}

    def run(self) -> RoutingConfig:
        data = self._document.data
        if data is None and not self._problems:
            self._complain((), "the file is empty; `logweir init` writes one to begin with")
        elif data is not None and not isinstance(data, dict):
            self._complain((), f"the file must be a mapping of keys, not {_shape(data)}")
        if not isinstance(data, dict):
            raise ConfigError(self._problems)
        config = self._validate(data)
        if self._problems or config is None:
            raise ConfigError(sorted(self._problems, key=lambda problem: (problem.line, problem.column)))
        return config

    def _validate(self, data: dict[str, Any]) -> RoutingConfig | None:
        find_beside(data, self._directory)
        for index, message in import_named(data.get("imports")):
            self._complain(("imports", index), message)
        raw_sinks = data.get("sinks")
        declared = raw_sinks if isinstance(raw_sinks, dict) else {}
        sinks = {name: self._sink(name, raw) or _stand_in() for name, raw in declared.items()}
        own = self._own_routes(data.get("routes"))
        added = self._add_strategy(data, [item.route for item in own], sinks)
        routes = [*own, *(RouteAt(len(own) + position, route) for position, route in enumerate(added))]
        if isinstance(raw_sinks, dict):
            data["sinks"] = sinks
            for path, message in find_contradictions(routes, sinks):
                self._complain(path, message)
        config = self._model(RoutingConfig, data, ())
        for path, message in (*find_unkept_promises(config), *self._inspect(config)) if config else ():
            self._complain(path, message)
        return config

    def _add_strategy(
        self, data: dict[str, Any], own: Sequence[RouteConfig], sinks: Mapping[str, Any]
    ) -> list[RouteConfig]:
        """Add the classify rules and routes of the strategy to the file's own; returns the routes."""
        strategy = data.get("strategy")
        if not isinstance(strategy, str) or strategy not in strategies.STRATEGIES:
            if strategy is None and data.get("routes") is None:
                self._complain(("routes",), _NO_ROUTES, at_key=True)
            self._failed |= {"routes"} if data.get("routes") is None else set()
            return []
        added = strategies.routes(strategy, own, sinks)
        for name in dict.fromkeys(name for route in added for name in route.to if name not in sinks):
            message = f"strategy {strategy} needs a sink named {name!r}; declare it under sinks"
            self._complain(("strategy",), message)
            self._failed.add("routes")
        usable = [route for route in added if sinks.keys() >= {*route.to}]
        _append(data, "routes", usable)
        _append(data, "classify", strategies.classify_rules(strategy))
        return usable

    def _sink(self, name: str, raw: Any) -> SinkConfig | None:
        path = ("sinks", name)
        if isinstance(raw, SinkConfig):
            return raw
        if not isinstance(raw, dict):
            self._complain(path, f"a sink is a mapping of keys, not {_shape(raw)}")
            return None
        kind = raw.get("type")
        if "type" not in raw:
            self._complain(
                path, "type is missing; say which sink this is, such as `type: sqlite`", at_key=True
            )
        elif kind is None:
            self._complain(
                (*path, "type"), 'type is empty; for the sink that forgets everything write `type: "null"`'
            )
        elif not isinstance(kind, str):
            self._complain((*path, "type"), f"type must be text, not {self._show((*path, 'type'), kind)}")
        if not isinstance(kind, str):
            return None
        model = self._model_of(kind, path, elsewhere=_is_elsewhere(raw))
        return self._model(model, raw, path) if model is not None else None

    def _model_of(self, kind: str, path: documents.Path, *, elsewhere: bool) -> type[SinkConfig] | None:
        """Find the model of a sink's options; looking for it may import modules of the user's."""
        try:
            # Of a sink that another process writes to, this one need not have the driver.
            by_itself = elsewhere and self._resolve is registry.resolve
            model = registry.options_of(kind) if by_itself else self._resolve(kind).Config
        except (LookupError, MissingDependency) as error:
            reason = str(error.args[0]) if isinstance(error, LookupError) and error.args else str(error)
        except Exception as error:  # noqa: BLE001 - importing runs code of the user's, which may raise anything
            reason = f"the sink type {kind!r} cannot be imported: {type(error).__name__}: {error}"
        else:
            if isinstance(model, type) and issubclass(model, SinkConfig):
                return model
            reason = f"the Config of sink type {kind!r} does not derive from SinkConfig"
        self._complain((*path, "type"), reason)
        return None

    def _own_routes(self, raw: Any) -> list[RouteAt]:
        """The routes of the file that are valid by themselves, for the checks across routes."""
        found = [
            (index, self._attempt(RouteConfig, route, ("routes", index))[0])
            for index, route in enumerate(raw if isinstance(raw, list) else ())
        ]
        return [RouteAt(index, route) for index, route in found if route is not None]

    def _model(self, model: type[ModelT], data: Any, path: documents.Path) -> ModelT | None:
        """Validate what is at a path; what is wrong is noted."""
        valid, wrong = self._attempt(model, data, path)
        for found in wrong:
            self._complain((*path, *found.path), found.message, at_key=found.at_key)
        return valid

    def _attempt(
        self, model: type[ModelT], data: Any, path: documents.Path
    ) -> tuple[ModelT | None, list[Found]]:
        try:
            return model.model_validate(data, context={"directory": self._directory}), []
        except ValidationError as error:
            wrong = list(
                describe(error, model, data, lambda below, value: self._show((*path, *below), value))
            )
        except Exception as error:  # noqa: BLE001 - validators of the user's sinks may raise anything
            return None, [Found((), f"validating these options fails: {type(error).__name__}: {error}")]
        if self._restore_texts(data, path, [found.path for found in wrong]):
            return self._attempt(model, data, path)
        return None, wrong

    def _restore_texts(self, data: Any, path: documents.Path, wrong: list[documents.Path]) -> bool:
        """Put back the text of variables that were read as numbers and the like, where text was wanted."""
        restored = False
        for below in wrong:
            text = self._document.filled.get((*path, *below))
            if text is not None and below and documents.value_at(data, below) != text:
                documents.value_at(data, below[:-1])[below[-1]] = text
                restored = True
        return restored

    def _show(self, path: documents.Path, value: Any) -> str:
        """A value for a message; a secret is masked."""
        hidden = self._document.must_hide(path) and not isinstance(value, dict | list | None)
        return repr(MASK) if hidden else shown(value)

    def _complain(self, path: documents.Path, message: str, *, at_key: bool = False) -> None:
        problem = self._document.problem(path, message, at_key=at_key)
        if problem.path not in self._failed and problem not in self._problems:
            self._problems.append(problem)


def _append(data: dict[str, Any], key: str, added: Sequence[Any]) -> None:
    """Add to a list of the document; what is there and no list is left for validation to report."""
    own = data.get(key) or []
    if isinstance(own, list):
        data[key] = [*own, *added]


def _stand_in() -> SinkConfig:
    """Stands in for a sink that is wrong, so that what names it can be validated."""
    return SinkConfig(type="unknown")


def _shape(value: Any) -> str:
    """What kind of value the whole of something is, in a reader's words."""
    return f"the value {shown(value)}" if isinstance(value, str | int | float) else shown(value)


def _inspect(config: RoutingConfig) -> list[tuple[tuple[str | int, ...], str]]:
    """Find what is wrong with the patterns of redaction, and what sinks lack, which only they know."""
    try:
        config.redact.redactor()
    except ConfigError as error:
        return [(("redact", "patterns"), problem.message) for problem in error.problems]
    return [
        *find_impossible_chains(config, registry.resolve),
        *find_impossible_fallbacks(config, registry.resolve),
        *(
            (("sinks", name, "retention"), f"{problem}; remove retention, or give the sink another type")
            for name, sink in config.sinks.items()
            for problem in _lacking(sink)
        ),
    ]


def _is_elsewhere(raw: dict[str, Any]) -> bool:
    queue = raw.get("queue")
    return isinstance(queue, dict) and (
        queue.get("deliver") == "elsewhere" or queue.get("type") in [*BROKERS]
    )


def _lacking(sink: SinkConfig) -> Iterator[str]:
    """What a sink cannot do that its retention needs."""
    for rule in sink.retention or ():
        problem = lacking_for_retention(registry.resolve(sink.type), archive=rule.archive is not None)
        if problem:
            yield f"sinks of type {sink.type} cannot have this: {problem}"
