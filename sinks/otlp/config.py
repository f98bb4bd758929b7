"""Options of the OTLP sink."""

from __future__ import annotations

from urllib.parse import urlunsplit

from pydantic import Field, SecretStr, field_validator, model_validator

from logweir.settings.proxy import ProxySetting
from logweir.settings.tls import TlsConfig
from logweir.settings.urls import http_parts, may_hold_credentials
from logweir.sinks.contract import SinkConfig
from logweir.sinks.shared.credentials import (
    check_one_way,
    login_of,
    secrets_in_proxy,
    secrets_in_url,
    secrets_of,
)
from logweir.sinks.shared.headers import check_headers

__all__ = ["OtlpConfig"]

_PATH = "/v1/logs"


class OtlpConfig(SinkConfig):
    """OTLP, OpenTelemetry's protocol, over HTTP: to a collector, or a store that speaks it."""

    type: str = "otlp"
    url: str
    """Where the receiver answers, such as `http://collector:4318`; `/v1/logs` is added. No credentials."""
    resource: dict[str, str | bool | int | float] = Field(default_factory=dict)
    """Attributes of the resource beside `service.name` and `deployment.environment.name`."""
    headers: dict[str, SecretStr] = Field(default_factory=dict)
    """More headers, such as a key of a vendor's; their values are never shown."""
    username: str | None = None
    """For basic authentication."""
    password: SecretStr | None = None
    """For basic authentication."""
    bearer_token: SecretStr | None = None
    """For bearer authentication."""
    tls: TlsConfig = TlsConfig()
    """For an `https` url."""
    proxy: ProxySetting | None = None
    """The proxy to go through, such as `http://proxy:3128`, or `none`; by default what `HTTPS_PROXY`,
    `HTTP_PROXY` and `NO_PROXY` of the environment say. This host itself is never reached through one."""
    gzip: bool = True
    """Whether requests are compressed."""

    @field_validator("url")
    @classmethod
    def _url_is_a_base(cls, value: str) -> str:
        if may_hold_credentials(value):
            raise ValueError("the url holds credentials, or may: write them as username and password")
        parts = http_parts(value)
        if parts is None:
            raise ValueError("not the address of a receiver; write one such as http://collector:4318")
        path = parts.path.rstrip("/").removesuffix(_PATH) + _PATH
        return urlunsplit((parts.scheme, parts.netloc, path, parts.query, ""))

    @field_validator("headers")
    @classmethod
    def _headers_can_be_sent(cls, value: dict[str, SecretStr]) -> dict[str, SecretStr]:
        check_headers(value)
        return value

    @model_validator(mode="after")
    def _one_way_to_authenticate(self) -> OtlpConfig:
        check_one_way(self.username, self.password, self.bearer_token, self.headers)
        return self

    def secrets(self) -> list[str]:
        """What must never be shown, whoever sends it back to us; the longest first."""
        given = [self.password, self.bearer_token, *self.headers.values()]
        more = secrets_in_url(self.url) | secrets_in_proxy(self.proxy)
        return secrets_of(given, login_of(self.username, self.password), more)
