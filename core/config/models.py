"""The models of routing.yaml: what may be written in it and what each key means.

The keys of ``sinks`` are validated by each sink's own ``SinkConfig``; everything else is here. Rules
that span keys are validators whose message is one sentence that names the keys.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    Field,
    PrivateAttr,
    SecretStr,
    SerializeAsAny,
    WithJsonSchema,
    field_validator,
    model_validator,
)

from logweir.config.input import InputConfig
from logweir.config.levels import COMPARISONS, split_level, unknown_level
from logweir.config.redact import RedactConfig
from logweir.config.regexes import compiled
from logweir.config.secret_files import SecretFiles
from logweir.config.user_modules import FunctionPath
from logweir.event import LEVELS, Kind
from logweir.settings.delivery import StrictModel
from logweir.settings.one_or_many import OneOrMany
from logweir.settings.operations import DeadLettersConfig, MetricsConfig
from logweir.settings.units import ByteSize, Seconds
from logweir.sinks.contract import SinkConfig

__all__ = [
    "AuditConfig",
    "ClassifyRule",
    "FieldMatch",
    "InputConfig",
    "LimitsConfig",
    "MatchConfig",
    "RedactConfig",
    "RouteConfig",
    "RoutingConfig",
    "Strategy",
]

Strategy = Literal["explicit", "hybrid", "separated"]


#: A name of a level, or a comparison with one.
_Level = Annotated[
    str,
    WithJsonSchema(
        {
            "type": "string",
            "pattern": rf"^((>=|>|<=|<|==)?\s*({'|'.join(LEVELS)})\s*)$",
            "examples": [">=error"],
        }
    ),
]


class FieldMatch(StrictModel):
    """A condition on one field of the event; all the conditions given must hold."""

    name: str
    """The field's name; dots reach into nested fields and lists, as in `order.currency` or `tags.0`."""
    equals: Any = None
    """The value, or an item of a list, must equal this one."""
    in_: list[Any] | None = Field(default=None, alias="in")
    """The value, or an item of a list, must be one of these."""
    glob: str | None = None
    """The value, as text, must match this glob (`*`, `?`, `[...]`)."""
    regex: str | None = None
    """The value, as text, must contain a match of this regular expression."""
    exists: bool | None = None
    """The field must be there (`true`) or be absent (`false`)."""

    @model_validator(mode="after")
    def _has_a_condition(self) -> FieldMatch:
        if not self.model_fields_set & {"equals", "in_", "glob", "regex", "exists"}:
            raise ValueError("give at least one of equals, in, glob, regex or exists")
        return self

    @field_validator("regex")
    @classmethod
    def _regex_compiles(cls, value: str | None) -> str | None:
        if value is not None:
            compiled(value)
        return value


class MatchConfig(StrictModel):
    """Conditions on an event; all those given must hold, and an empty match takes everything."""

    kind: Kind | None = None
    """`audit` or `tracing`."""
    level: OneOrMany[_Level] | None = None
    """A level name, a list of them, or a comparison such as `>=error` or `<warning`."""
    event: OneOrMany[str] | None = None
    """Globs on the event's name, as in `fund.*`; any of them."""
    logger: OneOrMany[str] | None = None
    """Globs on the logger's name (the field `logger`), as in `sqlalchemy.*`; any of them."""
    field: OneOrMany[FieldMatch] | None = None
    """A condition on a field, or a list of conditions which must all hold."""
    call: FunctionPath | None = None
    """Dotted path (`package.module:function`) of a function from the fields to true or false."""
    any: list[MatchConfig] | None = Field(default=None, min_length=1)
    """At least one of these matches must hold."""
    all: list[MatchConfig] | None = Field(default=None, min_length=1)
    """Every one of these matches must hold."""
    not_: MatchConfig | None = Field(default=None, alias="not")
    """This match must not hold."""

    @field_validator("level")
    @classmethod
    def _level_is_known(cls, value: list[str] | None) -> list[str] | None:
        for item in value or []:
            comparison, name = split_level(item)
            if name not in LEVELS or comparison not in COMPARISONS:
                raise ValueError(unknown_level(item))
            if comparison and value != [item]:
                raise ValueError(f"a list of levels holds plain names, not the comparison {item!r}")
        return value


class ClassifyRule(StrictModel):
    """One rule of classification; the first rule that matches decides the kind."""

    kind: Kind
    """What a matching event is: `audit` or `tracing`."""
    match: MatchConfig
    """Which events the rule decides."""

    @model_validator(mode="after")
    def _kind_is_the_answer(self) -> ClassifyRule:
        if self.match.kind is not None:
            raise ValueError(
                "a classify rule decides the kind, so its match cannot ask for one; remove match.kind"
            )
        return self


class LimitsConfig(StrictModel):
    """How large one event may be; what is larger is truncated with a mark and counted."""

    max_depth: int = Field(default=32, ge=1, le=200)
    """The deepest nesting that is kept."""
    max_string: int = Field(default=65_536, ge=16)
    """The most characters of one string."""
    max_items: int = Field(default=10_000, ge=1)
    """The most items of one list or mapping."""
    max_event_bytes: ByteSize = Field(default=262_144, ge=1024)
    """The most bytes (approximate) of one event."""


class RouteConfig(StrictModel):
    """Which events go to which sinks; the first matching route wins unless it says `continue: true`."""

    name: str = Field(min_length=1)
    """The route's name, for `explain` and metrics."""
    match: MatchConfig = Field(default_factory=MatchConfig)
    """Which events the route takes; `{}` takes everything."""
    to: OneOrMany[str]
    """The names of the sinks which receive the events."""
    continue_: bool = Field(default=False, alias="continue")
    """Whether later routes may take the event too."""
    sample: float = Field(default=1.0, ge=0.0, le=1.0)
    """The share of events that is kept, whole traces together; tracing only."""

    @model_validator(mode="after")
    def _audit_is_never_sampled(self) -> RouteConfig:
        if self.sample < 1 and self.match.kind is not Kind.TRACING:
            raise ValueError(
                "sample drops events, and audit may never be dropped; add kind: tracing to the route's match"
            )
        return self


class AuditConfig(StrictModel):
    """What audit calls wait for, and whether tampering with audit rows shows."""

    acknowledge: Literal["accepted", "durable", "stored"] = "durable"
    """`accepted` returns when the event is queued in memory, `durable` when it is on disk (or, for a sink
    with a memory queue, stored), `stored` when its sinks have it."""
    timeout: Seconds = Field(default=10.0, gt=0)
    """How long an audit call waits for its acknowledgement."""
    on_failure: Literal["raise", "continue"] = "continue"
    """What `@audit_log` does when its event was not acknowledged: `raise` fails the call, `continue` reports
    it and goes on. `await logweir.audit(...)` always raises."""
    chain: bool = False
    """Whether the rows of relational sinks are linked by hashes, so that `logweir verify` finds a row that
    was changed, deleted, moved or inserted."""
    chain_key: SecretStr | None = Field(default=None, min_length=16)
    """The key of the hashes (HMAC-SHA-256), as in `${file:/run/secrets/chain}`, kept where whoever may write
    to the database cannot read it. Without one anybody can compute the hashes anew."""

    saved_heads: list[Path] = Field(default_factory=list)
    """Files of `logweir verify --save-heads`, as on a read-only mount: a start is refused where rows are gone
    that one of them knows."""

    @model_validator(mode="after")
    def _key_belongs_to_a_chain(self) -> AuditConfig:
        if self.chain_key is not None and not self.chain:
            raise ValueError("audit.chain_key is the key of audit.chain; set chain: true, or remove the key")
        return self


#: What means something to the capture itself.
_NO_STATIC_FIELDS = frozenset(
    {"trace_id", "span_id", "persist_db", "kind", "exc_info", "stack_info", "logger"}
)


class RoutingConfig(StrictModel):
    """The whole of routing.yaml."""

    version: Literal[1] = 1
    """The version of this format."""
    strategy: Strategy | None = None
    """A preset that adds rules and routes after yours: `explicit` (V1), `hybrid` (V2), `separated` (V3)."""
    service: str = Field(default="app", min_length=1)
    """The name of the service, in every event."""
    env: str = Field(default="dev", min_length=1)
    """The environment, in every event."""
    data_dir: Path = Path(".logweir")
    """Where queues and dead letters keep their files: on a local disk, and for this file alone."""
    imports: list[str] = Field(default_factory=list)
    """Modules to import first: those whose decorators register sinks, so that commands know them too."""
    classify: list[ClassifyRule] = Field(default_factory=list)
    """Rules that separate audit from tracing; explicit `persist_db` or `kind` in the event wins over all."""
    redact: RedactConfig = Field(default_factory=RedactConfig)
    """What is kept secret."""
    limits: LimitsConfig = Field(default_factory=LimitsConfig)
    """How large one event may be."""
    fields: dict[str, Any] = Field(default_factory=dict)
    """Fields of every event, such as `{host: ${HOSTNAME:-}, version: "1.2"}`; what is logged, or bound to a
    logger, under the same name wins."""
    enrich: list[FunctionPath] = Field(default_factory=list)
    """Dotted paths (`package.module:function`) of functions that add fields to every event: processors of
    structlog's, which get `None`, the level and the event dict, and return it."""
    input: InputConfig = Field(default_factory=InputConfig)
    """How `logweir run` reads lines of other loggers."""
    audit: AuditConfig = Field(default_factory=AuditConfig)
    """What audit calls wait for, and whether tampering with their rows shows."""
    dead_letters: DeadLettersConfig = Field(default_factory=DeadLettersConfig)
    """How long dead letters are kept."""
    metrics: MetricsConfig | None = None
    """Where each process serves its metrics to Prometheus; not at all by default."""
    sinks: dict[str, SerializeAsAny[SinkConfig]] = Field(min_length=1)
    """The sinks, each by its name."""
    routes: list[RouteConfig] = Field(min_length=1)
    """The routes, in order; the first match wins."""
    drain_timeout: Seconds = 10.0
    """How long a stop, an exit or SIGTERM waits for the queues to empty."""

    _secret_files: SecretFiles = PrivateAttr(default_factory=SecretFiles)

    @field_validator("fields")
    @classmethod
    def _are_fields(cls, value: dict[str, Any]) -> dict[str, Any]:
        for name in value:
            if name in _NO_STATIC_FIELDS:
                raise ValueError(f"{name} is no field that could be the same in every event; name another")
        return value

    @field_validator("data_dir")
    @classmethod
    def _stays_where_it_is(cls, value: Path) -> Path:
        """A daemon, or a fork's child, may change its working directory later."""
        return value.absolute()
