"""What ``logweir check`` says of an Elasticsearch sink: the cluster's health, and what the server lacks."""

from __future__ import annotations

import time
from http import HTTPStatus
from typing import Any

from logweir.errors import SinkRejected
from logweir.sinks.elasticsearch.client import ElasticsearchClient
from logweir.sinks.elasticsearch.config import ElasticsearchConfig
from logweir.sinks.elasticsearch.provisioning import Plan, see_template
from logweir.sinks.elasticsearch.readiness import trouble_with_bulk, troubles_of_index
from logweir.sinks.results import Health, HealthStatus

__all__ = ["describe", "health_of"]


async def health_of(client: ElasticsearchClient, config: ElasticsearchConfig, decided: Plan) -> Health:
    """Ask the cluster how it is.

    Raises:
        SinkError: It does not answer.
    """
    status, answer = await client.ask("GET", "/_cluster/health?filter_path=status,number_of_nodes")
    color = answer["status"] if status == HTTPStatus.OK and isinstance(answer, dict) else None
    index = decided.layout.index_of(time.time_ns())
    if trouble := await trouble_with_bulk(client.ask, index):
        return Health(HealthStatus.DOWN, trouble, decided.server.name)
    troubles = await troubles_of_index(client.ask, index)
    try:
        await see_template(client, decided)
    except SinkRejected as error:
        troubles.append(str(error))
    found = describe(config, decided, color, await _privileges(client, decided))
    if not troubles:
        return found
    return Health(HealthStatus.DEGRADED, "; ".join([*troubles, found.detail]), found.server)


async def _privileges(client: ElasticsearchClient, decided: Plan) -> list[str]:
    """The privileges on the index that the credentials lack; none where there is no security."""
    names = [decided.layout.name, *decided.layout.patterns]
    wanted = ["create_doc", "auto_configure", "read", "view_index_metadata"]
    body = {"index": [{"names": names, "privileges": wanted}]}
    status, answer = await client.ask("POST", "/_security/user/_has_privileges", body)
    if status != HTTPStatus.OK or not isinstance(answer, dict):
        return []
    lacking: dict[str, Any] = {}
    for privileges in answer.get("index", {}).values():
        lacking |= {name: False for name, granted in privileges.items() if not granted}
    return sorted(lacking)


def describe(config: ElasticsearchConfig, decided: Plan, color: str | None, lacking: list[str]) -> Health:
    """Put what is known into words. Pure.

    Args:
        config: What is asked for.
        decided: How events are stored.
        color: The cluster's health, or None if it may not be asked.
        lacking: Privileges that the credentials lack.
    """
    name, server = decided.layout.name, decided.server
    facts = [f"cluster {color}" if color else "the cluster's health may not be asked"]
    if decided.layout.streaming:
        facts.append(f"data stream {name}")
        if decided.ilm:
            facts.append(f"ILM policy {name}")
    else:
        facts.append(f"daily indexes {name}-YYYY.MM.DD behind the alias {name}")
    if server.data_streams is False:
        facts.append("the server manages no data streams")
    if server.ilm is False:
        facts.append("the server has no ILM")
    unkept = config.lifecycle is not None and not decided.ilm
    if unkept:
        facts.append("nothing keeps `lifecycle`; delete by pruning")
    if lacking:
        facts.append(f"the credentials lack {', '.join(lacking)} on {name}")
    status = HealthStatus.DEGRADED if color == "red" or unkept or lacking else HealthStatus.OK
    return Health(status, "; ".join(facts), server.name)
