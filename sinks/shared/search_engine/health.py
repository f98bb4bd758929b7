"""What ``logweir check`` says of a search engine: the cluster's health, and what the server lacks."""

from __future__ import annotations

import time
from http import HTTPStatus

from logweir.errors import SinkRejected
from logweir.sinks.results import Health, HealthStatus
from logweir.sinks.shared.search_engine.config import SearchEngineConfig
from logweir.sinks.shared.search_engine.contract import Client, Product
from logweir.sinks.shared.search_engine.provisioning import Plan, require_template
from logweir.sinks.shared.search_engine.readiness import trouble_with_bulk, troubles_of_index

__all__ = ["describe", "health_of"]


async def health_of(client: Client, config: SearchEngineConfig, decided: Plan) -> Health:
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
        await require_template(client, config, decided)
    except SinkRejected as error:
        troubles.append(str(error))
    lacking = await client.product.lacking(client, decided.layout)
    found = describe(client.product, config, decided, color, lacking)
    if not troubles:
        return found
    return Health(HealthStatus.DEGRADED, "; ".join([*troubles, found.detail]), found.server)


def describe(
    product: Product, config: SearchEngineConfig, decided: Plan, color: str | None, lacking: list[str]
) -> Health:
    """Put what is known into words. Pure.

    Args:
        product: What the server runs.
        config: What is asked for.
        decided: How events are stored.
        color: The cluster's health, or None if it may not be asked.
        lacking: Privileges that the credentials lack.
    """
    name, server = decided.layout.name, decided.server
    facts = [f"cluster {color}" if color else "the cluster's health may not be asked"]
    if decided.layout.streaming:
        facts.append(f"data stream {name}")
        if decided.managed:
            facts.append(f"{product.lifecycle} policy {name}")
    else:
        facts.append(f"daily indexes {name}-YYYY.MM.DD behind the alias {name}")
    if server.data_streams is False:
        facts.append("the server manages no data streams")
    if server.lifecycle is False:
        facts.append(f"the server has no {product.lifecycle}")
    unkept = config.lifecycle is not None and not decided.managed
    if unkept:
        facts.append("nothing keeps `lifecycle`; delete by pruning")
    if lacking:
        facts.append(f"the credentials lack {', '.join(lacking)} on {name}")
    status = HealthStatus.DEGRADED if color == "red" or unkept or lacking else HealthStatus.OK
    return Health(status, "; ".join(facts), server.name)
