"""Options that the sinks of both products have."""

from __future__ import annotations

import re
from typing import Annotated, ClassVar, Literal, Self
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    PrivateAttr,
    SecretStr,
    WithJsonSchema,
    field_validator,
    model_validator,
)

from logweir.settings.delivery import StrictModel
from logweir.settings.proxy import ProxySetting
from logweir.settings.tls import TlsConfig
from logweir.settings.units import ByteSize, Seconds
from logweir.settings.urls import http_parts
from logweir.sinks.shared.credentials import check_login, login_of, secrets_in_proxy, secrets_of
from logweir.sinks.shared.destinations import TemplatedConfig, check_template, is_template

__all__ = ["LifecycleConfig", "SearchEngineConfig"]

_DAY_SECONDS = 86400.0
_INDEX = re.compile(r"[a-z0-9][a-z0-9._-]{0,199}")
#: What ends as a daily index does would be one of another destination's, whose events would go there.
_DAY = re.compile(r"-\d{4}\.\d\d\.\d\d$")


def _checked_url(value: str) -> str:
    parts = http_parts(value)
    if "@" in value:  # wherever it is: a password may have any sign
        raise ValueError("leave user and password out of the URL; write them as `username` and `password`")
    if parts is None:
        raise ValueError("not the URL of a node; write one such as http://localhost:9200")
    if parts.query or parts.fragment:
        raise ValueError("the URL of a node ends with its port, or with a path before the API's own")
    return value


NodeUrls = Annotated[
    tuple[Annotated[str, AfterValidator(_checked_url)], ...],
    BeforeValidator(lambda value: [value] if isinstance(value, str) else value),
    Field(min_length=1),
    WithJsonSchema(
        {"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}, "minItems": 1}]}
    ),
]


class LifecycleConfig(StrictModel):
    """When indexes are rolled over, moved to cheaper nodes and deleted; ages count from the rollover."""

    rollover_after: Seconds = Field(default=7 * _DAY_SECONDS, ge=1)
    """A new backing index begins at this age."""
    rollover_size: ByteSize = Field(default=50 * 2**30, ge=2**20)
    """A new backing index begins when a primary shard is this large."""
    warm_after: Seconds | None = None
    """Then to warm nodes, merged into one segment a shard; by default never."""
    cold_after: Seconds | None = None
    """Then to cold nodes, read only; by default never."""
    delete_after: Seconds | None = None
    """Then deleted; by default never."""

    @model_validator(mode="after")
    def _ages_ascend(self) -> LifecycleConfig:
        ages = [age for age in (self.warm_after, self.cold_after, self.delete_after) if age is not None]
        if ages != sorted(set(ages)):
            raise ValueError(
                "warm_after, cold_after and delete_after must each be longer than the one before"
            )
        return self


class SearchEngineConfig(TemplatedConfig):
    """What a sink writes into, and how."""

    template_key: ClassVar[str] = "index"

    url: NodeUrls = ("http://localhost:9200",)
    """One node or several; when one fails, the next is asked."""
    index: str = "app-logs"
    """The data stream, or the alias and prefix of daily indexes. With placeholders, as in
    `logs-{fields.tenant}`, each event goes to those that its values name."""
    layout: Literal["auto", "data_stream", "daily"] = "auto"
    """`data_stream` rolls over by `lifecycle`; `daily` makes an index for each day of the events' own time
    (UTC). `auto` takes what stands there already, else a data stream where the server can manage one."""
    lifecycle: LifecycleConfig | None = None
    """The policy of the data stream; if not set, one that rolls over and deletes nothing."""
    provision: bool = False
    """Whether the sink may create its index template and the policy of its data stream."""
    shards: int = Field(default=1, ge=1, le=1024)
    """Primary shards of each index."""
    replicas: int | None = Field(default=None, ge=0, le=16)
    """Copies of each shard; the server's default if not set."""
    fields: Literal["nested", "ecs"] = "nested"
    """`ecs` gives fields that the Elastic Common Schema has a name for that name (`http_status` becomes
    `http.response.status_code`); all others stay in `fields`. Searches find events of both forms."""
    full_text: bool = True
    """Whether the values of the fields can be found by full text; otherwise only the event's name can."""
    username: str | None = None
    """Basic authentication, with `password`."""
    password: SecretStr | None = None
    """Basic authentication, with `username`."""
    tls: TlsConfig = TlsConfig()
    """For `https` urls."""
    proxy: ProxySetting | None = None
    """The proxy to go through, such as `http://proxy:3128`, or `none`; by default what `HTTPS_PROXY`,
    `HTTP_PROXY` and `NO_PROXY` of the environment say. This host itself is never reached through one."""
    compress: bool = True
    """Whether requests are sent as gzip."""
    max_request_bytes: ByteSize | None = Field(default=None, ge=1024)
    """The most bytes in one request, before compression; by default `http.max_content_length`."""

    _is_destination: bool = PrivateAttr(default=False)

    def at_destination(self, text: str) -> Self | None:
        """The options for one index; None if none can have this name beside the others."""
        if not _INDEX.fullmatch(text) or _DAY.search(text):
            return None
        made = self.model_copy(update={"index": text})
        made._is_destination = True  # noqa: SLF001 - of our own class
        return made

    @property
    def precedence(self) -> int:
        """What the index template is to have above others, so that daily indexes of `a-1b` are not `a`'s."""
        return len(self.index) if self._is_destination else 0

    @field_validator("index")
    @classmethod
    def _index_is_a_name(cls, value: str) -> str:
        if is_template(value):
            check_template(value, "index")
        elif not _INDEX.fullmatch(value):
            raise ValueError(
                f"{value!r} is no index name; use lower-case letters, digits, '.', '_' and '-', "
                "beginning with a letter or digit"
            )
        return value

    @model_validator(mode="after")
    def _options_agree(self) -> SearchEngineConfig:
        check_login(self.username, self.password)
        if len(set(self.url)) != len(self.url):
            raise ValueError("url names a node twice")
        if len({urlsplit(node).scheme for node in self.url}) != 1:
            raise ValueError("either all nodes are reached by https or none")
        if self.layout == "daily" and self.lifecycle is not None and self.lifecycle.warm_after is not None:
            raise ValueError("lifecycle.warm_after needs a data stream; remove it, or layout: daily")
        return self

    def secrets(self) -> list[str]:
        """What must never be shown, whoever sends it back to us; the longest first."""
        return secrets_of(
            [self.password], login_of(self.username, self.password), secrets_in_proxy(self.proxy)
        )
