"""Options of the VictoriaLogs sink."""

from __future__ import annotations

import re
from typing import ClassVar, Literal
from urllib.parse import urlunsplit

from pydantic import Field, SecretStr, field_validator, model_validator

from logweir.settings.proxy import ProxySetting
from logweir.settings.tls import TlsConfig
from logweir.settings.units import ByteSize, Seconds
from logweir.settings.urls import http_parts, may_hold_credentials
from logweir.sinks.shared.credentials import check_one_way, login_of, secrets_in_proxy, secrets_of
from logweir.sinks.shared.destinations import (
    Template,
    TemplatedConfig,
    check_readers,
    is_template,
    template_of,
)
from logweir.sinks.shared.headers import check_headers

__all__ = ["COLUMNS", "FIELD_PREFIX", "StreamField", "VictoriaLogsConfig"]

StreamField = Literal["env", "service", "level", "kind"]

#: What stands before the name of an event's own field.
FIELD_PREFIX = "fields."
#: The columns of an event beside its fields.
COLUMNS = (
    "id", "kind", "level", "event", "service", "env", "trace_id", "span_id", "shape", "fields", "attributes",
)  # fmt: skip
_PUSH_PATH = "/insert/jsonline"
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*")
_LONGEST_NAME = 128
_MOST_TENANTS = 2**32 - 1
#: As VictoriaLogs writes them: 07 and 7 would be one tenant under two names.
_TENANT = re.compile(r"(0|[1-9][0-9]{0,9})(?::(0|[1-9][0-9]{0,9}))?", re.ASCII)
#: What the sink says itself in every request.
_OURS = {"accountid", "projectid"}


class VictoriaLogsConfig(TemplatedConfig):
    """VictoriaLogs: tracing at low cost, each field a column; at least once, for it knows no ids."""

    template_key: ClassVar[str] = "tenant"

    type: str = "victorialogs"
    url: str
    """Where VictoriaLogs answers, such as `http://victorialogs:9428`; without credentials."""
    account_id: int = Field(default=0, ge=0, le=_MOST_TENANTS)
    """The tenant's account, sent as `AccountID`."""
    project_id: int = Field(default=0, ge=0, le=_MOST_TENANTS)
    """The tenant's project, sent as `ProjectID`."""
    tenant: str | None = None
    """Instead of the two: `ACCOUNT:PROJECT` or `ACCOUNT` with placeholders, as in `{fields.account}:7`; each
    event goes to the tenant that its values name."""
    overflow: str = "0"
    """The number in place of the values for events that have none, or none that is a number for a tenant, and
    for those of one tenant too many."""
    read_tenants: tuple[str, ...] = ()
    """The tenants that are read where `tenant` has placeholders; by default none is."""
    stream_fields: tuple[StreamField, ...] = ("env", "service")
    """What makes a stream, beside `static_fields`: values that do not change while a process runs."""
    static_fields: dict[str, str] = Field(default={"job": "logweir"}, min_length=1)
    """Stream fields with one fixed value, by which searches find what this sink wrote."""
    message_field: str | None = Field(
        default=None, min_length=1, max_length=_LONGEST_NAME - len(FIELD_PREFIX)
    )
    """The field whose text is the message (`_msg`) of events that have it; the event's name by default."""
    max_columns: int = Field(default=500, ge=1, le=1500)
    """How many names of fields become columns; events with further names have their fields as JSON in one
    column. VictoriaLogs drops what has more than 2,000 columns within a block of a stream."""
    gzip: bool = True
    """Whether requests are compressed."""
    max_request_bytes: ByteSize = Field(default=8 * 2**20, ge=1024)
    """The most bytes (before compression) in one request."""
    retention_period: Seconds | None = Field(default=None, gt=0)
    """How long the server keeps events (its `-retentionPeriod`), where it does not show that itself."""
    username: str | None = None
    """For basic authentication."""
    password: SecretStr | None = None
    """For basic authentication."""
    bearer_token: SecretStr | None = None
    """For bearer authentication."""
    headers: dict[str, SecretStr] = Field(default_factory=dict)
    """More headers; their values are never shown."""
    tls: TlsConfig = TlsConfig()
    """For an `https` url."""
    proxy: ProxySetting | None = None
    """The proxy to go through, such as `http://proxy:3128`, or `none`; by default what `HTTPS_PROXY`,
    `HTTP_PROXY` and `NO_PROXY` of the environment say. This host itself is never reached through one."""

    @field_validator("url")
    @classmethod
    def _url_is_a_base(cls, value: str) -> str:
        if may_hold_credentials(value):
            raise ValueError("the url holds credentials, or may: write them as username and password")
        parts = http_parts(value)
        if parts is None:
            raise ValueError("not the address of a VictoriaLogs; write one such as http://victorialogs:9428")
        path = parts.path.rstrip("/").removesuffix(_PUSH_PATH)
        return urlunsplit((parts.scheme, parts.netloc, path, "", ""))

    def at_destination(self, text: str) -> VictoriaLogsConfig | None:
        """The options for one tenant; None if these are no numbers that VictoriaLogs takes."""
        found = _TENANT.fullmatch(text)
        account, project = (int(found[1]), int(found[2] or 0)) if found else (-1, -1)
        if not 0 <= account <= _MOST_TENANTS or not 0 <= project <= _MOST_TENANTS:
            return None
        return self.model_copy(update={"account_id": account, "project_id": project, "tenant": None})

    @field_validator("tenant")
    @classmethod
    def _tenant_is_a_template(cls, value: str | None) -> str | None:
        if value is not None:
            if not is_template(value):
                raise ValueError(f"{value!r} has no placeholder; write account_id and project_id instead")
            Template(value)
        return value

    @model_validator(mode="after")
    def _tenant_is_said_once(self) -> VictoriaLogsConfig:
        check_readers(self.read_tenants, template_of(self), "tenant")
        if self.tenant is not None and (self.account_id or self.project_id):
            raise ValueError("tenant stands instead of account_id and project_id; keep one of them")
        return self

    @field_validator("stream_fields")
    @classmethod
    def _stream_fields_are_named_once(cls, value: tuple[StreamField, ...]) -> tuple[StreamField, ...]:
        if len(set(value)) < len(value):
            raise ValueError("a name stands twice in stream_fields; keep one of them")
        return value

    @field_validator("static_fields")
    @classmethod
    def _static_fields_are_columns(cls, value: dict[str, str]) -> dict[str, str]:
        for name, text in value.items():
            if not _NAME.fullmatch(name) or len(name) > _LONGEST_NAME:
                raise ValueError(f"{name!r} is no name for a field; use letters, digits and underscores")
            if name in COLUMNS:
                raise ValueError(f"the field {name!r} is the event's own; take another name")
            if not text:
                raise ValueError(f"the field {name!r} is empty; VictoriaLogs would drop it")
        return value

    @field_validator("headers")
    @classmethod
    def _headers_can_be_sent(cls, value: dict[str, SecretStr]) -> dict[str, SecretStr]:
        check_headers(value, _OURS)
        for name in value:
            if name.lower().startswith("vl-"):  # VL-Debug and VL-Ignore-Fields lose events silently
                raise ValueError(f"the header {name} would change what is stored; leave it out")
        return value

    @field_validator("message_field")
    @classmethod
    def _message_field_can_be_named(cls, value: str | None) -> str | None:
        if value is not None and ("," in value or not value.isprintable() or value != value.strip()):
            raise ValueError("a name with a comma or blanks around it cannot be asked of VictoriaLogs")
        return value

    @model_validator(mode="after")
    def _one_way_to_authenticate(self) -> VictoriaLogsConfig:
        check_one_way(self.username, self.password, self.bearer_token, self.headers)
        return self

    def secrets(self) -> list[str]:
        """What must never be shown, whoever sends it back to us; the longest first."""
        given = [self.password, self.bearer_token, *self.headers.values()]
        return secrets_of(given, login_of(self.username, self.password), secrets_in_proxy(self.proxy))
