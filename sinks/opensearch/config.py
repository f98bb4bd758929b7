"""Options of the OpenSearch sink."""

from __future__ import annotations

from pydantic import Field, SecretStr, model_validator

from logweir.settings.delivery import StrictModel
from logweir.sinks.shared.search_engine.config import LifecycleConfig, SearchEngineConfig

__all__ = ["AwsConfig", "IsmLifecycleConfig", "OpenSearchConfig"]


class AwsConfig(StrictModel):
    """How requests are signed for Amazon's service (Signature Version 4)."""

    region: str = Field(min_length=1, pattern=r"^[a-z0-9-]+$")
    """Of the domain, such as eu-central-1."""
    service: str = Field(default="es", pattern=r"^[a-z0-9-]+$")
    """`es` for a domain, `aoss` for a serverless collection."""
    access_key_id: str | None = None
    """By default what the environment says (`AWS_ACCESS_KEY_ID`), else what botocore finds."""
    secret_access_key: SecretStr | None = None
    """Belongs to `access_key_id`."""
    session_token: SecretStr | None = None
    """Of temporary credentials."""

    @model_validator(mode="after")
    def _keys_are_whole(self) -> AwsConfig:
        if (self.access_key_id is None) != (self.secret_access_key is None):
            raise ValueError("access_key_id and secret_access_key belong together; give both or none")
        if self.session_token is not None and self.access_key_id is None:
            raise ValueError("session_token needs access_key_id and secret_access_key")
        return self


class IsmLifecycleConfig(LifecycleConfig):
    """When indexes are rolled over, moved to cheaper nodes and deleted; ages count from the rollover."""

    warm_nodes: dict[str, str] = Field(default_factory=dict)
    """Attributes of the nodes that indexes move to after `warm_after`, such as `{temp: warm}`."""
    cold_nodes: dict[str, str] = Field(default_factory=dict)
    """Attributes of the nodes that indexes move to after `cold_after`."""

    @model_validator(mode="after")
    def _nodes_have_their_age(self) -> IsmLifecycleConfig:
        for name, nodes, age in (
            ("warm", self.warm_nodes, self.warm_after),
            ("cold", self.cold_nodes, self.cold_after),
        ):
            if nodes and age is None:
                raise ValueError(f"{name}_nodes needs {name}_after")
        return self


class OpenSearchConfig(SearchEngineConfig):
    """OpenSearch 2.8 and newer: full text, filters and aggregations over a great many events."""

    type: str = "opensearch"
    lifecycle: IsmLifecycleConfig | None = None
    """The ISM policy of the data stream; if not set, one that rolls over and deletes nothing."""
    aws: AwsConfig | None = None
    """Requests are signed for Amazon OpenSearch Service, instead of `username` and `password`."""

    @model_validator(mode="after")
    def _one_way_to_authenticate(self) -> OpenSearchConfig:
        if self.username is not None and self.aws is not None:
            raise ValueError("set either aws or username and password")
        return self
