"""What Elasticsearch does in its own way: flattened fields, ILM, and how it says what it has."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, ClassVar

from logweir.sinks.shared.search_engine.config import LifecycleConfig, SearchEngineConfig
from logweir.sinks.shared.search_engine.contract import Client, Features, Product, Request
from logweir.sinks.shared.search_engine.layout import Layout
from logweir.sinks.shared.search_engine.provisioning import put_ours
from logweir.sinks.shared.search_engine.schema import IGNORE_ABOVE, META, duration

__all__ = ["Elasticsearch", "features_of", "lifecycle_policy"]

#: Nesting that the fields may have.
_MOST_DEPTH = 100


class Elasticsearch(Product):
    """Elasticsearch 8 and newer."""

    name = "Elasticsearch"
    lifecycle = "ILM"
    page = "docs/how-to/elasticsearch.md"
    may_ask = "cluster privilege `monitor`"
    fields_mapping: ClassVar[Mapping[str, Any]] = {
        "type": "flattened",
        "ignore_above": IGNORE_ABOVE,
        "depth_limit": _MOST_DEPTH,
    }
    time_sort: ClassVar[Mapping[str, Any]] = {
        "numeric_type": "date_nanos",
        "format": "strict_date_optional_time_nanos",
    }
    # Other modes rebuild the source, and an event would come back changed.
    index_settings: ClassVar[Mapping[str, Any]] = {"mode": "standard"}

    async def features(self, client: Client) -> Features:
        """See :meth:`Product.features`."""
        return features_of(*await client.ask("GET", "/_xpack?categories=features"))

    def policy(self, config: SearchEngineConfig) -> Request:
        """See :meth:`Product.policy`."""
        return Request(f"/_ilm/policy/{config.index}", lifecycle_policy(config))

    def policy_settings(self, config: SearchEngineConfig) -> Mapping[str, Any]:
        """See :meth:`Product.policy_settings`."""
        return {"lifecycle": {"name": config.index}}

    async def update_policy(self, client: Client, config: SearchEngineConfig) -> None:
        """See :meth:`Product.update_policy`."""
        await put_ours(client, *self.policy(config))

    async def lacking(self, client: Client, layout: Layout) -> list[str]:
        """See :meth:`Product.lacking`; none where there is no security."""
        names = [layout.name, *layout.patterns]
        wanted = ["create_doc", "auto_configure", "read", "view_index_metadata"]
        body = {"index": [{"names": names, "privileges": wanted}]}
        status, answer = await client.ask("POST", "/_security/user/_has_privileges", body)
        if status != HTTPStatus.OK or not isinstance(answer, dict):
            return []
        missing: dict[str, Any] = {}
        for privileges in answer.get("index", {}).values():
            missing |= {name: False for name, granted in privileges.items() if not granted}
        return sorted(missing)


def features_of(status: int, answer: Any) -> Features:
    """Read the answer to ``GET /_xpack``."""
    if status == HTTPStatus.FORBIDDEN:
        return Features(None, None)
    features = answer.get("features") if status == HTTPStatus.OK and isinstance(answer, dict) else None
    features = features or {}
    return Features(*(_is_there(features.get(name, {})) for name in ("data_streams", "ilm")))


def _is_there(feature: Mapping[str, Any]) -> bool:
    return bool(feature.get("available") and feature.get("enabled"))


def lifecycle_policy(config: SearchEngineConfig) -> dict[str, Any]:
    """Return the body of ``PUT _ilm/policy/<index>``; moving to the nodes of a phase is ILM's own default.

    A data stream without a policy would never roll over, so that there is one in any case.
    """
    lifecycle = config.lifecycle or LifecycleConfig()
    rollover = {
        "max_age": duration(lifecycle.rollover_after),
        "max_primary_shard_size": f"{lifecycle.rollover_size}b",
    }
    phases: dict[str, Any] = {"hot": {"actions": {"rollover": rollover, "set_priority": {"priority": 100}}}}
    for name, age, actions in (
        (
            "warm",
            lifecycle.warm_after,
            {"set_priority": {"priority": 50}, "forcemerge": {"max_num_segments": 1}},
        ),
        ("cold", lifecycle.cold_after, {"set_priority": {"priority": 0}, "readonly": {}}),
        ("delete", lifecycle.delete_after, {"delete": {}}),
    ):
        if age is not None:
            phases[name] = {"min_age": duration(age), "actions": actions}
    return {"policy": {"phases": phases, "_meta": META}}
