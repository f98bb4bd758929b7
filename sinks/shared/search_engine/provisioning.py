"""Choosing the layout, and creating the index template and the policy, or checking that they are there.

What somebody else made under our name is left alone: only a template or a policy that says that logweir
manages it is brought to what routing.yaml says.
"""

from __future__ import annotations

from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from logweir.diagnostics import report
from logweir.errors import SinkRejected
from logweir.sinks.shared.search_engine.config import SearchEngineConfig
from logweir.sinks.shared.search_engine.contract import Client, Product
from logweir.sinks.shared.search_engine.layout import Layout
from logweir.sinks.shared.search_engine.schema import MANAGED_BY, ecs_properties, index_template
from logweir.sinks.shared.search_engine.server import Server

__all__ = ["Plan", "choose", "ensure_template", "plan", "provision", "put", "put_ours", "require_template"]


_MADE = {HTTPStatus.OK, HTTPStatus.CREATED}


@dataclass(frozen=True, slots=True)
class Plan:
    """How a sink stores on the server at hand.

    Attributes:
        server: What the server is and has.
        layout: Where events stand.
        managed: Whether a policy looks after the indexes.
    """

    server: Server
    layout: Layout
    managed: bool


async def plan(client: Client, config: SearchEngineConfig, server: Server) -> Plan:
    """Decide how to store; see :func:`choose`.

    Raises:
        SinkRejected: The server does not say what it has, and nothing says what to do.
    """
    daily_stands = False
    if config.layout == "auto":
        status, _ = await client.ask("GET", f"/_alias/{config.index}")
        daily_stands = status == HTTPStatus.OK
    return choose(client.product, config, server, daily_stands=daily_stands)


def choose(product: Product, config: SearchEngineConfig, server: Server, *, daily_stands: bool) -> Plan:
    """Decide between a data stream and daily indexes. Pure.

    Args:
        product: What the server runs.
        config: What is asked for.
        server: What there is.
        daily_stands: Whether daily indexes stand there already: their events would not be found anew.

    Raises:
        SinkRejected: The server does not say what it has, and nothing says what to do.
    """
    if config.layout == "auto" and not daily_stands and server.data_streams is None:
        raise SinkRejected(
            f"the credentials may not ask what the server has ({product.may_ask}); grant it, or set "
            "`layout: data_stream`"
        )
    streaming = config.layout == "data_stream" or (
        config.layout == "auto" and bool(server.data_streams) and not daily_stands
    )
    # Where the server does not say what it has, and the layout is named, it may have policies: one is tried.
    silent = server.lifecycle is None and config.lifecycle is not None
    return Plan(server, Layout(config.index, streaming), streaming and (bool(server.lifecycle) or silent))


async def provision(client: Client, config: SearchEngineConfig, decided: Plan) -> None:
    """Create or update what is ours, or check that it is there.

    Raises:
        SinkRejected: The template is missing and may not be created, or the server refuses it.
    """
    if decided.layout.streaming and config.precedence:
        await _require_no_index(client, decided.layout.name)
    if not config.provision:
        await require_template(client, config, decided)
        return
    if decided.managed:
        await client.product.update_policy(client, config)
    template = index_template(client.product, config, decided.layout, managed=decided.managed)
    ours = await put_ours(client, f"/_index_template/{config.index}", template)
    if ours and config.fields == "ecs":
        await _map_ecs(client, config)


async def _require_no_index(client: Client, name: str) -> None:
    """Check that a stream that an event names does not lead into an index of somebody else's."""
    status, found = await client.ask("GET", f"/_resolve/index/{name}")
    if status == HTTPStatus.OK and not found.get("data_streams") and any(found.values()):
        raise SinkRejected(f"{name} is there and is no data stream; remove it, or write another template")


async def ensure_template(client: Client, config: SearchEngineConfig, decided: Plan) -> None:
    """Check that the template is still there; make it anew if that is allowed.

    Raises:
        SinkRejected: It is gone, and may not be made.
    """
    try:
        await require_template(client, config, decided)
    except SinkRejected:
        if not config.provision:
            raise
        report(f"{config.index}.template", "the index template %s was gone; it is made anew", config.index)
        await provision(client, config, decided)


async def _map_ecs(client: Client, config: SearchEngineConfig) -> None:
    """Let indexes that stand already, from before ``fields: ecs``, index the names that ECS has."""
    target = f"/{config.index}/_mapping"
    status, answer = await client.ask("PUT", target, {"properties": ecs_properties()})
    if status not in {HTTPStatus.OK, HTTPStatus.NOT_FOUND}:
        raise SinkRejected(f"PUT {target} is refused with status {status}: {_reason(answer)}")


async def put_ours(client: Client, target: str, body: dict[str, Any]) -> bool:
    """Create something, or bring ours to this body; leave another's alone. Return whether it is ours.

    Raises:
        SinkRejected: The server refuses it.
    """
    status, found = await client.ask("GET", target)
    ours = status != HTTPStatus.OK or _is_ours(found)
    if ours:
        await put(client, target, body)
    return ours


async def put(client: Client, target: str, body: dict[str, Any]) -> None:
    """Create something.

    Raises:
        SinkRejected: The server refuses it.
    """
    status, answer = await client.ask("PUT", target, body)
    if status not in _MADE:
        raise SinkRejected(f"PUT {target} is refused with status {status}: {_reason(answer)}")


def _is_ours(found: Any) -> bool:
    """Whether what stands under our name says that logweir manages it."""
    templates = found.get("index_templates")
    if templates is not None:
        return all(
            one["index_template"].get("_meta", {}).get("managed_by") == MANAGED_BY for one in templates
        )
    return all(one["policy"].get("_meta", {}).get("managed_by") == MANAGED_BY for one in found.values())


async def require_template(client: Client, config: SearchEngineConfig, decided: Plan) -> None:
    """Check that the template maps the fields: without it, the first event would decide on the mapping.

    Raises:
        SinkRejected: It does not, or is missing.
    """
    example = decided.layout.index_of(0)
    properties = await _mapped_properties(client, decided, example)
    if properties is None:
        return  # credentials that may only write cannot look
    fields = properties.get("fields", {})
    wanted = client.product.fields_mapping["type"]
    if fields.get("type") != wanted:
        raise SinkRejected(
            f"no index template makes `fields` {wanted} in {example}; set provision: true, or create the "
            f"template of {client.product.page}"
        )
    if config.fields == "ecs" and "dataset" not in properties.get("event", {}).get("properties", {}):
        raise SinkRejected(
            f"no index template maps the names of `fields: ecs` in {example}; set provision: true, or create "
            f"the template of {client.product.page}"
        )


async def _mapped_properties(client: Client, decided: Plan, example: str) -> dict[str, Any] | None:
    """The fields of the index that the next event goes to; None if we may not look."""
    if decided.layout.streaming:  # OpenSearch fails to simulate what exists
        status, answer = await client.ask("GET", f"/{example}/_mapping")
        if status == HTTPStatus.OK and answer:
            newest: dict[str, Any] = answer[max(answer)]
            return newest.get("mappings", {}).get("properties", {})  # type: ignore[no-any-return]
    status, answer = await client.ask("POST", f"/_index_template/_simulate_index/{example}")
    if status == HTTPStatus.FORBIDDEN:
        return None
    found: dict[str, Any] = answer.get("template", {}) if status == HTTPStatus.OK else {}
    return found.get("mappings", {}).get("properties", {})  # type: ignore[no-any-return]


def _reason(answer: Any) -> str:
    error = answer.get("error") if isinstance(answer, dict) else None
    if isinstance(error, dict):
        return str(error.get("reason", ""))[:500]
    return str(error or "")[:500]
