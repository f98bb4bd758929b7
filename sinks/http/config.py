"""Options of the HTTP sink."""

from __future__ import annotations

from typing import Any, Literal
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, field_validator, model_validator

from logweir.settings.delivery import StrictModel
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
from logweir.sinks.shared.documents import Form, check_rename
from logweir.sinks.shared.headers import check_header_name, check_headers

__all__ = ["HttpConfig", "SignConfig"]

_CONCURRENCY = 8
#: What the sink says itself in every request.
_OURS = {"idempotency-key"}


class SignConfig(StrictModel):
    """A signature by which the receiver knows that a request is ours, and fresh."""

    secret: SecretStr
    """What only we and the receiver know."""
    header: str = "X-Logweir-Signature"
    """The header of the signature: `sha256=` and hexadecimal digits."""
    timestamp_header: str = "X-Logweir-Timestamp"
    """The header of the seconds since 1970 at which it was signed; they are signed too."""
    algorithm: Literal["sha256", "sha512"] = "sha256"
    """The hash of the HMAC."""

    @field_validator("secret")
    @classmethod
    def _secret_is_long(cls, value: SecretStr) -> SecretStr:
        if len(value.get_secret_value()) < 16:  # noqa: PLR2004 - as short as a key may be
            raise ValueError("a secret of less than 16 characters can be guessed; take a longer one")
        return value

    @field_validator("header", "timestamp_header")
    @classmethod
    def _header_is_a_name(cls, value: str) -> str:
        return check_header_name(value)


class HttpConfig(SinkConfig):
    """A webhook: events as JSON to an HTTP address."""

    type: str = "http"
    url: SecretStr
    """Where to send events; without credentials. It may be a secret itself, and is never shown."""
    method: Literal["POST", "PUT", "PATCH"] = "POST"
    """The method of a request."""
    format: Literal["json", "ndjson", "single"] = "json"
    """What a request holds: a JSON array of events, a line of JSON for each, or one event as an object."""
    mode: Literal["batch", "single"] | None = None
    """`single` is `format: single`, `batch` any other; an earlier spelling."""
    fields: Form = "nested"
    """The names that an event has: its own, with its fields in an object (`nested`) or beside them (`flat`),
    or those of the Elastic Common Schema (`ecs`) or of OpenTelemetry (`otel`)."""
    rename: dict[str, str] = Field(default_factory=dict)
    """Other names for keys of the event itself, such as `{event: _msg, time: _time}`."""
    concurrency: int = Field(default=_CONCURRENCY, ge=1, le=256)
    """With `format: single`: how many requests are under way at once, and how many a worker takes at once
    unless `batch.max_events` says otherwise."""
    headers: dict[str, SecretStr] = Field(default_factory=dict)
    """More headers; their values are never shown."""
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
    sign: SignConfig | None = None
    """Signs each request by HMAC."""
    gzip: bool = False
    """Whether bodies are compressed."""

    @model_validator(mode="before")
    @classmethod
    def _single_events_come_by_the_handful(cls, value: Any) -> Any:
        """A batch must be through within ``retry.timeout``; a request for each of 500 events may not be."""
        if not isinstance(value, dict):
            return value
        if value.get("mode") == "single":
            value = {"format": "single", **value}
        if value.get("format") != "single":
            return value
        batch = value.get("batch", {})
        if not isinstance(batch, dict) or "max_events" in batch:
            return value
        return {**value, "batch": {**batch, "max_events": value.get("concurrency", _CONCURRENCY)}}

    @field_validator("url")
    @classmethod
    def _url_is_an_address(cls, value: SecretStr) -> SecretStr:
        parts = http_parts(value.get_secret_value())
        if may_hold_credentials(value.get_secret_value()):
            raise ValueError(
                "the url holds credentials, or may: write them as username and password, another @ as %40"
            )
        if parts is None:
            raise ValueError("not an address to send to; write one such as https://hooks.example/logs")
        return value

    @field_validator("headers")
    @classmethod
    def _headers_can_be_sent(cls, value: dict[str, SecretStr]) -> dict[str, SecretStr]:
        check_headers(value, _OURS)
        return value

    @model_validator(mode="after")
    def _says_one_thing(self) -> HttpConfig:
        if self.mode is not None and (self.mode == "single") is not (self.format == "single"):
            raise ValueError(f"mode: {self.mode} contradicts format: {self.format}; leave mode out")
        check_rename(self.fields, self.rename)
        return self

    @model_validator(mode="after")
    def _one_way_to_authenticate(self) -> HttpConfig:
        check_one_way(self.username, self.password, self.bearer_token, self.headers)
        return self

    def secrets(self) -> list[str]:
        """What must never be shown, whoever sends it back to us; the longest first."""
        signing = self.sign.secret if self.sign is not None else None
        given = [self.password, self.bearer_token, signing, *self.headers.values()]
        url = self.url.get_secret_value()
        parts = urlsplit(url)
        more = (
            {parts.path, f"{parts.path}?{parts.query}"} | secrets_in_url(url) | secrets_in_proxy(self.proxy)
        )
        return secrets_of(given, login_of(self.username, self.password), more)
