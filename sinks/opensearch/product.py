"""What OpenSearch does in its own way: flat objects, ISM, and how it says what it has."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from itertools import pairwise
from typing import Any, ClassVar

from logweir.sinks.opensearch.config import IsmLifecycleConfig
from logweir.sinks.shared.search_engine.config import SearchEngineConfig
from logweir.sinks.shared.search_engine.contract import Client, Features, Product, Request
from logweir.sinks.shared.search_engine.layout import Layout
from logweir.sinks.shared.search_engine.provisioning import put
from logweir.sinks.shared.search_engine.schema import MANAGED_BY, PRIORITY, duration

__all__ = ["OpenSearch", "ism_policy"]

_POLICIES = "/_plugins/_ism/policies"
#: ISM has no field for notes; its description is where a policy says whose it is.
_DESCRIPTION = f"managed by {MANAGED_BY}"


class OpenSearch(Product):
    """OpenSearch 2.8 and newer."""

    name = "OpenSearch"
    lifecycle = "ISM"
    page = "docs/how-to/opensearch.md"
    may_ask = "`indices:admin/data_stream/get` and `cluster:admin/opendistro/ism/policy/get`"
    fields_mapping: ClassVar[Mapping[str, Any]] = {"type": "flat_object"}
    time_sort: ClassVar[Mapping[str, Any]] = {"numeric_type": "date_nanos"}
    index_settings: ClassVar[Mapping[str, Any]] = {}

    async def features(self, client: Client) -> Features:
        """See :meth:`Product.features`; a server without the plugin knows no path of ISM's.

        A data stream that nothing rolls over would be one index for ever, so that it takes both.
        """
        ism = _is_known(*await client.ask("GET", f"{_POLICIES}/{MANAGED_BY}"))
        streams = _is_known(*await client.ask("GET", f"/_data_stream/{MANAGED_BY}"))
        if ism is None or streams is None:
            return Features(None, ism)
        return Features(ism and streams, ism)

    def policy(self, config: SearchEngineConfig) -> Request:
        """See :meth:`Product.policy`."""
        return Request(f"{_POLICIES}/{config.index}", ism_policy(config))

    def policy_settings(self, config: SearchEngineConfig) -> Mapping[str, Any]:
        """See :meth:`Product.policy_settings`; here the policy names its indexes."""
        return {}

    async def update_policy(self, client: Client, config: SearchEngineConfig) -> None:
        """See :meth:`Product.update_policy`; who replaces a policy has to name its version."""
        target, body = self.policy(config)
        status, found = await client.ask("GET", target)
        if status != HTTPStatus.OK:
            await put(client, target, body)
        elif found["policy"].get("description") == _DESCRIPTION:
            version = f"if_seq_no={found['_seq_no']}&if_primary_term={found['_primary_term']}"
            await put(client, f"{target}?{version}", body)

    async def lacking(self, client: Client, layout: Layout) -> list[str]:
        """See :meth:`Product.lacking`; the security plugin answers this to administrators alone."""
        return []


def _is_known(status: int, answer: Any) -> bool | None:
    """Whether a server has what a path belongs to; None if we may not ask."""
    if status == HTTPStatus.FORBIDDEN:
        return None
    # What no plugin answers is a bad request whose error is a text: "no handler found for uri".
    unknown = status in {HTTPStatus.BAD_REQUEST, HTTPStatus.METHOD_NOT_ALLOWED}
    return not unknown and (status == HTTPStatus.OK or isinstance(answer, dict))


def ism_policy(config: SearchEngineConfig) -> dict[str, Any]:
    """Return the body of ``PUT _plugins/_ism/policies/<index>``.

    A data stream without a policy would never roll over, so that there is one in any case. ISM has no tiers
    of its own: where ``warm_nodes`` names their attributes, indexes are moved to those nodes.
    """
    lifecycle = config.lifecycle
    if not isinstance(lifecycle, IsmLifecycleConfig):
        lifecycle = IsmLifecycleConfig()
    rollover = {
        "min_index_age": duration(lifecycle.rollover_after),
        "min_primary_shard_size": f"{lifecycle.rollover_size}b",
    }
    # Merging leaves an index read only, in which nothing could be erased.
    merged: list[dict[str, Any]] = [{"force_merge": {"max_num_segments": 1}}, {"read_write": {}}]
    stages: list[tuple[str, float | None, list[dict[str, Any]]]] = [
        ("hot", 0, [_priority(100), {"rollover": rollover}]),
        ("warm", lifecycle.warm_after, [_priority(50), *_moved(lifecycle.warm_nodes), *merged]),
        ("cold", lifecycle.cold_after, [_priority(0), *_moved(lifecycle.cold_nodes), {"read_only": {}}]),
        ("delete", lifecycle.delete_after, [{"delete": {}}]),
    ]
    used = [(name, age, actions) for name, age, actions in stages if age is not None]
    states = [{"name": name, "actions": actions, "transitions": []} for name, _, actions in used]
    for (state, _), (following, (_, age, _)) in pairwise(zip(states, used, strict=True)):
        conditions = {"min_rollover_age": duration(age)}
        state["transitions"] = [{"state_name": following["name"], "conditions": conditions}]
    template = {"index_patterns": [config.index], "priority": PRIORITY}
    policy = {
        "description": _DESCRIPTION,
        "default_state": "hot",
        "states": states,
        "ism_template": [template],
    }
    return {"policy": policy}


def _priority(priority: int) -> dict[str, Any]:
    return {"index_priority": {"priority": priority}}


def _moved(nodes: Mapping[str, str]) -> list[dict[str, Any]]:
    return [{"allocation": {"require": dict(nodes), "wait_for": False}}] if nodes else []
