"""Options of the Loki sink."""

from __future__ import annotations

import re
from typing import Annotated, ClassVar, Literal
from urllib.parse import urlunsplit

from pydantic import BeforeValidator, Field, GetJsonSchemaHandler, SecretStr, field_validator, model_validator
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from logweir.settings.delivery import StrictModel
from logweir.settings.proxy import ProxySetting
from logweir.settings.tls import TlsConfig
from logweir.settings.units import ByteSize, Seconds
from logweir.settings.urls import http_parts
from logweir.sinks.loki.labels import DEFAULT_LIMIT, refuse_unbounded
from logweir.sinks.shared.credentials import check_one_way, login_of, secrets_in_proxy, secrets_of
from logweir.sinks.shared.destinations import (
    Template,
    TemplatedConfig,
    check_readers,
    is_template,
    template_of,
)
from logweir.sinks.shared.headers import check_headers

__all__ = ["LabelConfig", "LokiConfig"]

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_PUSH_PATH = "/loki/api/v1/push"
_DAY = 86_400.0
_LONGEST_TENANT = 150
#: What the sink says itself in every request.
_OURS = {"x-scope-orgid"}


def _checked_name(value: str) -> str:
    if not _NAME.fullmatch(value) or value.startswith("__"):
        raise ValueError(f"{value!r} is no name for Loki; use letters, digits and underscores")
    return value


class LabelConfig(StrictModel):
    """One label, and how many values it may have."""

    name: str
    """What the label holds: `service`, `env`, `level`, `kind`, `event`, or a field of that name."""
    limit: int | None = Field(default=None, ge=1)
    """The most distinct values before the label is demoted to structured metadata; 100 by default. A label
    that is known to be unbounded, such as `user_id`, is refused unless its limit is stated."""

    @field_validator("name")
    @classmethod
    def _name_is_a_label_name(cls, value: str) -> str:
        return _checked_name(value)

    @model_validator(mode="after")
    def _unbounded_labels_need_a_limit(self) -> LabelConfig:
        if self.limit is None:
            refuse_unbounded(self.name)
        return self

    @property
    def most(self) -> int:
        """The limit that holds."""
        return self.limit or DEFAULT_LIMIT


class _OrName:
    """Says in the JSON Schema that the name of a label may stand for the label."""

    def __get_pydantic_json_schema__(
        self, core: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        return {"anyOf": [{"type": "string"}, handler(core)]}


#: A label, or its name alone.
Label = Annotated[
    LabelConfig,
    BeforeValidator(lambda value: {"name": value} if isinstance(value, str) else value),
    _OrName(),
]


class LokiConfig(TemplatedConfig):
    """Loki: tracing at low cost, found by a few labels and time."""

    template_key: ClassVar[str] = "tenant"

    type: str = "loki"
    url: str
    """Where Loki answers, such as `http://loki:3100`; without credentials."""
    encoding: Literal["protobuf", "json"] = "protobuf"
    """How batches are sent: `protobuf` with snappy, Loki's own, or `json` with gzip."""
    labels: tuple[Label, ...] = (
        LabelConfig(name="env"),
        LabelConfig(name="service"),
        LabelConfig(name="level"),
    )
    """What makes a stream: names of bounded values, each as `name` or `{name: ..., limit: ...}`."""
    static_labels: dict[str, str] = Field(default={"job": "logweir"}, min_length=1)
    """Labels with one fixed value, by which searches find what this sink wrote."""
    metadata: tuple[str, ...] = ("kind", "trace_id", "span_id")
    """What is sent as structured metadata, filtered without parsing: event attributes, or fields that
    hold text or numbers. Empty for servers without structured metadata; then all is in the line."""
    restamp: bool = False
    """Whether an event that Loki refuses for its time, too old or too far ahead, may be stored at another
    time; its own time is kept in the line."""
    tenant: str | None = Field(default=None, min_length=1)
    """The tenant, sent as `X-Scope-OrgID`. With placeholders, as in `{fields.tenant}`, each event goes to the
    tenant that its values name."""
    read_tenants: tuple[str, ...] = ()
    """The tenants that are read where `tenant` has placeholders, for Loki names none; by default none is."""
    username: str | None = None
    """For basic authentication."""
    password: SecretStr | None = None
    """For basic authentication."""
    bearer_token: SecretStr | None = None
    """For bearer authentication."""
    headers: dict[str, SecretStr] = Field(default_factory=dict)
    """More headers, such as those that a store which speaks Loki's protocol goes by; their values are never
    shown."""
    tls: TlsConfig = TlsConfig()
    """For an `https` url."""
    proxy: ProxySetting | None = None
    """The proxy to go through, such as `http://proxy:3128`, or `none`; by default what `HTTPS_PROXY`,
    `HTTP_PROXY` and `NO_PROXY` of the environment say. This host itself is never reached through one."""
    max_request_bytes: ByteSize = Field(default=3 * 2**20, ge=1024)
    """The most bytes (before compression) in one request: Loki takes messages of up to 4 MiB by default."""
    lookback: Seconds = Field(default=30 * _DAY, gt=0)
    """How far back a search goes that names no start."""
    query_window: Seconds = Field(default=30 * _DAY, gt=0)
    """The longest range of one query; a longer search is made of several. Loki bounds it by
    `max_query_length`."""
    retention_period: Seconds | None = Field(default=None, gt=0)
    """How long Loki is to keep what is sent: for the configuration that `provision_script` recommends."""

    @field_validator("url")
    @classmethod
    def _url_is_a_base(cls, value: str) -> str:
        parts = http_parts(value)
        if "@" in value:  # wherever it is: a password may have any sign
            raise ValueError("the url holds credentials; write them as username and password")
        if parts is None:
            raise ValueError("not the address of a Loki; write one such as http://loki:3100")
        path = parts.path.rstrip("/").removesuffix(_PUSH_PATH)
        return urlunsplit((parts.scheme, parts.netloc, path, "", ""))

    def at_destination(self, text: str) -> LokiConfig | None:
        """The options for one tenant; None if Loki takes no name of this length."""
        return self.model_copy(update={"tenant": text}) if len(text) <= _LONGEST_TENANT else None

    @field_validator("tenant")
    @classmethod
    def _tenant_may_be_a_template(cls, value: str | None) -> str | None:
        if value is not None and is_template(value):
            Template(value)
        return value

    @model_validator(mode="after")
    def _tenants_to_read_are_those_of_the_template(self) -> LokiConfig:
        check_readers(self.read_tenants, template_of(self), "tenant")
        return self

    @field_validator("static_labels")
    @classmethod
    def _static_labels_are_labels(cls, value: dict[str, str]) -> dict[str, str]:
        for name, text in value.items():
            _checked_name(name)
            if not text:
                raise ValueError(f"the label {name!r} is empty; Loki would drop it")
        return value

    @field_validator("metadata")
    @classmethod
    def _metadata_are_names(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(_checked_name(name) for name in value)

    @model_validator(mode="after")
    def _names_are_used_once(self) -> LokiConfig:
        names = [*(label.name for label in self.labels), *self.static_labels, *self.metadata]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(
                f"{', '.join(twice)} stands twice in labels, static_labels and metadata; keep one of them"
            )
        return self

    @field_validator("headers")
    @classmethod
    def _headers_can_be_sent(cls, value: dict[str, SecretStr]) -> dict[str, SecretStr]:
        check_headers(value, _OURS)
        return value

    @model_validator(mode="after")
    def _one_way_to_authenticate(self) -> LokiConfig:
        check_one_way(self.username, self.password, self.bearer_token, self.headers)
        return self

    def secrets(self) -> list[str]:
        """What must never be shown, whoever sends it back to us; the longest first."""
        given = [self.password, self.bearer_token, *self.headers.values()]
        return secrets_of(given, login_of(self.username, self.password), secrets_in_proxy(self.proxy))
