"""The tests of a routing.yaml: a file of cases, each with events and what is expected to become of them.

What is wrong in the file is reported as for routing.yaml: every problem, each with its line and column.
Variables are not filled in, for a test that depends on its environment proves little.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, ValidationError, field_validator, model_validator

from logweir.config.models import RoutingConfig
from logweir.config.pydantic_errors import describe, shown
from logweir.config.sources import document_of_file
from logweir.config.yaml_document import Document, dotted
from logweir.config.yaml_document import Path as Place
from logweir.errors import ConfigError
from logweir.event import Kind
from logweir.settings.delivery import StrictModel
from logweir.settings.one_or_many import AnyNumber, OneOrMany
from logweir.settings.suggestions import no_such

__all__ = ["Expected", "Given", "RouteCase", "RouteTests", "TestFile", "load_route_tests", "tests_schema"]

_SCHEMA = "https://json-schema.org/draft/2020-12/schema"
_ADVICE = "write one with a list of cases, each with name, given and expect"


def _is_sampling(value: Any) -> Any:
    if type(value) is int or value is None or (type(value) is str and value in {"always", "never"}):
        return value
    raise ValueError(f"sampling must be always, never, or a whole number as the seed, not {shown(value)}")


Sampling = Annotated[Literal["always", "never"] | int, BeforeValidator(_is_sampling)]


class Given(StrictModel):
    """An event as it is logged."""

    event: str
    """What happened: the event's name, the message, or the action of an audit."""
    level: Literal["debug", "info", "warning", "error", "critical"] = "info"
    """Its level."""
    logger: str | None = None
    """The name of its logger."""
    kind: Kind | None = None
    """What the call says itself, as by `kind=`, `persist_db=True` or `logweir.audit`."""
    trace_id: str | None = None
    """The id of its trace, by which it is sampled where `sampling` is a number."""
    fields: dict[str, Any] = Field(default_factory=dict)
    """Everything else."""

    def to_fields(self) -> dict[str, Any]:
        """The fields of the call."""
        own = {"logger": self.logger, "trace_id": self.trace_id}
        return {**self.fields, **{name: value for name, value in own.items() if value is not None}}


class Expected(StrictModel):
    """What becomes of each event of a case; what is not said is not compared."""

    kind: Kind | None = None
    """`audit` or `tracing`."""
    outcome: Literal["routed", "sampled", "unrouted"] | None = None
    """`routed` to a sink, `sampled` out, or `unrouted`: dropped, because no route takes it."""
    routes: AnyNumber[str] | None = None
    """The routes that take it, in any order."""
    sinks: AnyNumber[str] | None = None
    """The sinks that get it, in any order."""
    labels: dict[str, dict[str, str]] | None = None
    """By sink, all labels that it has there, such as `{logs: {env: dev, level: info}}`."""
    redacted: AnyNumber[str] | None = None
    """All places where something becomes `***`, as `logweir redact` writes them: `user.password`,
    `items[0].token`, or `event` for its name."""

    @model_validator(mode="after")
    def _expects_something(self) -> Expected:
        if not self.model_fields_set:
            raise ValueError(
                "nothing is expected, so the case would always pass; say kind, sinks, or the like"
            )
        for name in sorted(self.model_fields_set):
            if getattr(self, name) is None:
                raise ValueError(f"{name} is empty; leave it out, or write [] where there is to be none")
        return self


class RouteCase(StrictModel):
    """One case."""

    name: str = Field(min_length=1)
    """What it shows, in words; no two cases have the same."""
    given: OneOrMany[Given]
    """The event, or a list of them: each must become what is expected."""
    expect: Expected
    """What becomes of them."""
    sampling: Sampling | None = None
    """As above, for this case."""


class RouteTests(StrictModel):
    """The whole of a file of tests."""

    version: Literal[1] = 1
    """The version of this format."""
    config: str = "routing.yaml"
    """The routing file; a relative path begins beside this file."""
    environment: dict[str, str] = Field(default_factory=dict)
    """Variables for the routing file, such as `{DB_PASSWORD: none}`; they win over those of the process."""
    sampling: Sampling = "always"
    """What `sample` of a route does: `always` keeps, `never` leaves out, and a number is a seed: the ids of
    events without a trace are made of it, so that a share of them is kept, the same each time."""
    cases: list[RouteCase] = Field(min_length=1)
    """The cases."""

    @field_validator("environment")
    @classmethod
    def _can_be_set(cls, environment: dict[str, str]) -> dict[str, str]:
        for name, value in environment.items():
            if not name or "=" in name or "\0" in name + value:
                raise ValueError(f"no variable can be {name!r}: its name has a character at least and no =")
        return environment


@dataclass(frozen=True, slots=True)
class TestFile:
    """A file of tests that was read.

    Attributes:
        path: Where it is.
        tests: What it says.
        document: The same, with the place of each key.
    """

    path: Path
    tests: RouteTests
    document: Document

    __test__ = False  # pytest takes it for a test where it is imported

    @property
    def config(self) -> Path:
        """The routing file."""
        return self.path.parent / self.tests.config

    def line(self, *place: str | int) -> int:
        """The line of the key at a place."""
        return self.document.problem(place, "", at_key=True).line

    def require(self, config: RoutingConfig, has_labels: Callable[[str], bool]) -> None:
        """Refuse expectations of routes and sinks that there are not, which are slips and no failures.

        Args:
            config: What the routing file says.
            has_labels: Whether events have labels in a sink of this name.

        Raises:
            ConfigError: With each such name and its place.
        """
        problems = [
            self.document.problem(place, message)
            for index, case in enumerate(self.tests.cases)
            for place, message in _unknown(case.expect, config, has_labels, ("cases", index, "expect"))
        ]
        if problems:
            raise ConfigError(problems)


def load_route_tests(path: Path) -> TestFile:
    """Read and validate a file of tests.

    Raises:
        ConfigError: With every problem and its place.
    """
    document = document_of_file(path, _ADVICE, str)
    if document.problems:
        raise ConfigError(document.problems)
    if not isinstance(document.data, dict):
        fact = "the file is empty" if document.data is None else "the file must be a mapping of keys"
        raise ConfigError([document.problem((), f"{fact}; {_ADVICE}")])
    try:
        tests = RouteTests.model_validate(document.data)
    except ValidationError as error:
        found = describe(error, RouteTests, document.data, lambda _, value: shown(value))
        problems = [document.problem(each.path, each.message, at_key=each.at_key) for each in found]
        raise ConfigError(list(dict.fromkeys(problems))) from None
    if problems := [document.problem(place, message) for place, message in _repeated(tests.cases)]:
        raise ConfigError(problems)
    return TestFile(path, tests, document)


def tests_schema() -> dict[str, Any]:
    """The JSON Schema of a file of tests."""
    return {"$schema": _SCHEMA, **RouteTests.model_json_schema(), "title": "logweir route tests"}


def _repeated(cases: list[RouteCase]) -> Iterator[tuple[Place, str]]:
    seen: set[str] = set()
    for index, case in enumerate(cases):
        if case.name in seen:
            yield ("cases", index, "name"), f"two cases are named {case.name!r}; name one of them differently"
        seen.add(case.name)


def _unknown(
    expected: Expected, config: RoutingConfig, has_labels: Callable[[str], bool], place: Place
) -> Iterator[tuple[Place, str]]:
    routes = [route.name for route in config.routes]
    for index, name in enumerate(expected.routes or ()):
        if name not in routes:
            yield (*place, "routes", index), no_such("route", name, routes)
    for index, name in enumerate(expected.sinks or ()):
        if name not in config.sinks:
            yield (*place, "sinks", index), no_such("sink", name, config.sinks)
    for name in expected.labels or ():
        if name not in config.sinks:
            yield (*place, "labels", name), no_such("sink", name, config.sinks)
        elif not has_labels(name):
            where = dotted(("sinks", name))
            yield (
                (*place, "labels", name),
                f"{where} is of type {config.sinks[name].type}, which has no labels",
            )
