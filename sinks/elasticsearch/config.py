"""Options of the Elasticsearch sink."""

from __future__ import annotations

from typing import Any

from pydantic import ConfigDict, SecretStr, model_validator

from logweir.settings.tls import TlsConfig, in_one_room, with_earlier_spellings
from logweir.sinks.shared.credentials import login_of, secrets_in_proxy, secrets_of
from logweir.sinks.shared.search_engine.config import LifecycleConfig, SearchEngineConfig

__all__ = ["ElasticsearchConfig"]

#: TLS as it was spelt before it had a key of its own.
_FLAT_TLS = {"ca": "ca", "verify_tls": "verify", "client_certificate": "certificate", "client_key": "key"}


class ElasticsearchConfig(SearchEngineConfig):
    """Elasticsearch 8 and newer: full text, filters and aggregations over a great many events."""

    model_config = ConfigDict(json_schema_extra=with_earlier_spellings(_FLAT_TLS, TlsConfig))

    type: str = "elasticsearch"
    lifecycle: LifecycleConfig | None = None
    """The ILM policy of the data stream; if not set, one that rolls over and deletes nothing."""
    api_key: SecretStr | None = None
    """An API key as Elasticsearch shows it, encoded."""

    @model_validator(mode="before")
    @classmethod
    def _tls_was_spelt_flat(cls, value: Any) -> Any:
        return in_one_room(value, _FLAT_TLS, "elasticsearch")

    @model_validator(mode="after")
    def _one_way_to_authenticate(self) -> ElasticsearchConfig:
        if self.username is not None and self.api_key is not None:
            raise ValueError("set either api_key or username and password")
        return self

    def secrets(self) -> list[str]:
        """See :meth:`SearchEngineConfig.secrets`."""
        return secrets_of(
            [self.password, self.api_key],
            login_of(self.username, self.password),
            secrets_in_proxy(self.proxy),
        )
