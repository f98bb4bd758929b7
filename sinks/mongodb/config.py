"""Options of the MongoDB sink."""

from __future__ import annotations

import re
from collections.abc import Mapping
from importlib.util import find_spec
from typing import Any, ClassVar, Literal
from urllib.parse import parse_qsl, unquote

from pydantic import Field, SecretStr, ValidationInfo, field_validator, model_validator
from pymongo.errors import PyMongoError
from pymongo.uri_parser import parse_uri

from logweir.event import Kind
from logweir.settings.delivery import StrictModel
from logweir.settings.tls import TlsConfig
from logweir.settings.units import Seconds
from logweir.sinks.shared.credentials import check_behind_password, check_once
from logweir.sinks.shared.destinations import Template, TemplatedConfig, is_template

__all__ = ["DEFAULT_DATABASE", "MongoConfig", "TtlConfig"]

#: Where events go if neither the url nor ``database`` names one.
DEFAULT_DATABASE = "logweir"

_URL = re.compile(
    r"mongodb(?:\+srv)?://(?P<hosts>[^/?]+)(?:/(?P<database>[^?]*))?(?:\?(?P<options>.*))?", re.DOTALL
)
_NO_NAME = re.compile(r"[/\\. \"$*<>:|?\0]")
_ENOUGH = 38  # bytes that MongoDB leaves for the name of a database, and for a field in an index's name


def _is_possible(name: str) -> bool:
    return 0 < len(name.encode()) <= _ENOUGH and not _NO_NAME.search(name)


class TtlConfig(StrictModel):
    """How long events are kept, by kind; without a time they are kept for ever."""

    audit: Seconds | None = Field(default=None, gt=0)
    """How long audit events are kept."""
    tracing: Seconds | None = Field(default=None, gt=0)
    """How long tracing events are kept."""

    def seconds(self) -> dict[Kind, float | None]:
        """The times by kind."""
        return {Kind.AUDIT: self.audit, Kind.TRACING: self.tracing}


class MongoConfig(TemplatedConfig):
    """MongoDB: documents in a collection, found by time, name, trace and any field."""

    template_key: ClassVar[str] = "collection"

    type: str = "mongodb"
    url: SecretStr
    """The servers: `mongodb://user:password@host/database?tls=true`, or `mongodb+srv://`.
    Options in it (TLS, `authSource`, `compressors`, timeouts) go to the driver."""
    username: str | None = None
    """The user, if the url names none; taken as it is, without %XX."""
    password: SecretStr | None = None
    """The password, if the url has none; taken as it is, without %XX."""
    tls: TlsConfig | None = None
    """Encryption, where the url does not say it; `certificate` holds the key as well."""
    driver: Literal["motor", "pymongo"] = "motor"
    """The client: `motor`, or `pymongo` for PyMongo's own asynchronous client, which succeeds it."""
    database: str | None = None
    """The database; by default the one in the url, otherwise `logweir`."""
    collection: str = "logs"
    """The collection. With placeholders, as in `logs_{fields.tenant}`, each event goes to the collection that
    its values name."""
    provision: bool = False
    """Whether the sink may create the collection and its indexes."""
    w: Literal["majority"] | int = "majority"
    """How many servers must have a batch before it counts as stored; `majority` outlives the primary."""
    journal: bool = True
    """Whether a batch counts as stored only once it is in the journal on disk."""
    ttl: TtlConfig = TtlConfig()
    """How long events are kept, by kind: `{tracing: 30d, audit: null}`; the server deletes them."""
    indexed_fields: list[str] = Field(default_factory=list)
    """Fields, dotted for nested ones, that get an index with time: those you search by."""
    text_field: bool = False
    """Whether documents also hold name and fields as one text, in which the server searches. Without it a
    search for text fetches the events that its other conditions leave, and looks into them itself."""
    time_series: bool = False
    """Whether `provision` creates a time-series collection: smaller, but it has no unique `_id`."""

    @field_validator("url")
    @classmethod
    def _url_is_mongodbs(cls, value: SecretStr) -> SecretStr:
        url = value.get_secret_value()
        match = _URL.fullmatch(url)
        if not match:
            raise ValueError("not a MongoDB URL; write one such as mongodb://user:password@host:27017/logs")
        check_behind_password(match["hosts"].rpartition("@")[0], match["database"])
        if url.startswith("mongodb://"):  # the other scheme is resolved by DNS, which is not done here
            try:
                parse_uri(url)
            except (PyMongoError, ValueError) as error:
                reason = type(error).__name__  # its text may quote the password
                raise ValueError(
                    f"MongoDB's driver refuses this URL ({reason}); look at its options, and write special "
                    "characters in user and password as %XX"
                ) from None
        return value

    @field_validator("driver")
    @classmethod
    def _driver_is_installed(cls, value: str) -> str:
        if find_spec(value) is None:
            raise ValueError(f"driver {value} is not installed; type: pip install 'logweir[mongodb]'")
        return value

    def at_destination(self, text: str) -> MongoConfig | None:
        """The options for one collection; None if it cannot have this name."""
        return self.model_copy(update={"collection": text}) if _is_possible(text) else None

    @field_validator("collection")
    @classmethod
    def _collection_may_be_a_template(cls, value: str) -> str:
        if is_template(value):
            Template(value)
        return value

    @field_validator("database", "collection")
    @classmethod
    def _name_is_possible(cls, value: str | None, info: ValidationInfo) -> str | None:
        if value is None or (info.field_name == "collection" and is_template(value)):
            return value
        if not _is_possible(value):
            raise ValueError(
                f"{value!r} is no name for it; use letters, digits, _ and -, at most {_ENOUGH} bytes"
            )
        return value

    @field_validator("w")
    @classmethod
    def _writes_are_acknowledged(cls, value: str | int) -> str | int:
        if isinstance(value, int) and value < 1:
            raise ValueError("w: 0 would lose events in silence; use majority, or a number from 1")
        return value

    @field_validator("indexed_fields")
    @classmethod
    def _fields_can_be_indexed(cls, value: list[str]) -> list[str]:
        for name in value:
            parts = name.split(".")
            if any(not part or part.startswith("$") or "\0" in part for part in parts):
                raise ValueError(f"no index can be made for the field {name!r}; its parts must have names")
        return value

    @model_validator(mode="after")
    def _credentials_are_given_once(self) -> MongoConfig:
        before, at, _ = self.url.get_secret_value().partition("://")[2].rpartition("@")
        user, _, password = before.partition(":") if at else ("", "", "")
        check_once(user, password, self.username, self.password)
        return self

    @model_validator(mode="after")
    def _time_series_have_one_ttl(self) -> MongoConfig:
        if self.time_series and self.ttl.audit != self.ttl.tracing:
            raise ValueError(
                "a time-series collection has one ttl: give audit and tracing the same, or each a sink"
            )
        return self

    @model_validator(mode="after")
    def _tls_is_said_once(self) -> MongoConfig:
        if self.tls is None:
            return self
        if any(name.startswith(("tls", "ssl")) for name in self.url_options):
            raise ValueError("the url has options of TLS, and so has tls; keep one of them")
        if self.tls.key is not None:
            raise ValueError("the driver of MongoDB takes certificate and key in one file: put both into it")
        return self

    @property
    def database_name(self) -> str:
        """The database that is written to."""
        match = _URL.fullmatch(self.url.get_secret_value())
        in_url = unquote((match and match["database"]) or "")
        return self.database or in_url or DEFAULT_DATABASE

    @property
    def url_options(self) -> Mapping[str, Any]:
        """The options that the url gives, their names in lower case."""
        match = _URL.fullmatch(self.url.get_secret_value())
        given = parse_qsl((match and match["options"]) or "", keep_blank_values=True)
        return {name.lower(): value for name, value in given}
