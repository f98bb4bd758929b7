"""The index template. Pure.

``fields`` is one field of a type that takes all that is in it, so that the mapping never grows with what is
logged; what the mapping does not name is kept and not indexed (``dynamic: false``). Long values are kept and
found by full text, but not by filters (``ignore_above``), since a term of Lucene ends at 32 kB.
"""

from __future__ import annotations

import json
from typing import Any

from logweir.sinks.shared.documents import STANDARD_NAMES
from logweir.sinks.shared.search_engine.config import SearchEngineConfig
from logweir.sinks.shared.search_engine.contract import Product, Request
from logweir.sinks.shared.search_engine.layout import Layout

__all__ = [
    "IGNORE_ABOVE",
    "MANAGED_BY",
    "META",
    "PRIORITY",
    "duration",
    "ecs_properties",
    "index_template",
    "script",
]

#: Characters beyond which a value is not indexed as a whole.
IGNORE_ABOVE = 1024
#: Above the templates that a server brings itself.
PRIORITY = 500
MANAGED_BY = "logweir"
META = {"managed_by": MANAGED_BY}

_KEYWORD = {"type": "keyword", "ignore_above": IGNORE_ABOVE}


def index_template(
    product: Product, config: SearchEngineConfig, layout: Layout, *, managed: bool
) -> dict[str, Any]:
    """Return the body of ``PUT _index_template/<index>``; ``managed`` says whether it has a policy."""
    settings: dict[str, Any] = {
        **product.index_settings,
        "codec": "best_compression",
        "number_of_shards": config.shards,
    }
    if config.replicas is not None:
        settings["number_of_replicas"] = config.replicas
    if managed:
        settings |= product.policy_settings(config)
    template: dict[str, Any] = {"settings": {"index": settings}, "mappings": _mappings(product, config)}
    body: dict[str, Any] = {
        "index_patterns": layout.patterns,
        "priority": PRIORITY + config.precedence,
        "template": template,
        "_meta": META,
    }
    if layout.streaming:
        body["data_stream"] = {}
    else:
        template["aliases"] = {layout.name: {}}
    return body


def _mappings(product: Product, config: SearchEngineConfig) -> dict[str, Any]:
    properties = _properties(product)
    if config.fields == "ecs":
        _merge(properties, ecs_properties())
    return {"dynamic": False, "date_detection": False, "properties": properties}


def ecs_properties() -> dict[str, Any]:
    """Return the mappings of the fields that ECS has a name for.

    A number that is no 64-bit integer is kept and not indexed.
    """
    number = {"type": "long", "ignore_malformed": True}
    by_path: dict[str, Any] = {"event.dataset": _KEYWORD, "event.duration": number}
    by_path |= {found.ecs: number if found.type is int else _KEYWORD for found in STANDARD_NAMES.values()}
    made: dict[str, Any] = {}
    for path, mapping in by_path.items():
        inner = mapping
        for name in reversed(path.split(".")):
            inner = {"properties": {name: inner}}
        _merge(made, inner["properties"])
    return made


def _merge(into: dict[str, Any], more: dict[str, Any]) -> None:
    """Add properties to those of the same objects."""
    for name, mapping in more.items():
        if name in into and "properties" in into[name]:
            _merge(into[name]["properties"], mapping["properties"])
        else:
            into[name] = mapping


def _properties(product: Product) -> dict[str, Any]:
    return {
        "@timestamp": {"type": "date_nanos"},
        "message": {"type": "text", "norms": False},
        "tags": _KEYWORD,
        "event": {
            "properties": {
                "id": {"type": "keyword"},
                "kind": _KEYWORD,
                "action": _KEYWORD,
                "original": {"type": "keyword", "index": False, "doc_values": False},
            }
        },
        "log": {"properties": {"level": _KEYWORD}},
        "service": {"properties": {"name": _KEYWORD, "environment": _KEYWORD}},
        "trace": {"properties": {"id": _KEYWORD}},
        "span": {"properties": {"id": _KEYWORD}},
        "fields": product.fields_mapping,
    }


def script(product: Product, config: SearchEngineConfig, layout: Layout, *, managed: bool) -> str:
    """Return the requests that provision, as the console of Kibana and of the Dashboards takes them."""
    template = index_template(product, config, layout, managed=managed)
    requests = [Request(f"/_index_template/{config.index}", template)]
    if managed:
        requests.insert(0, product.policy(config))
    return "\n".join(
        f"PUT {target.removeprefix('/')}\n{json.dumps(body, indent=2)}\n" for target, body in requests
    )


def duration(seconds: float) -> str:
    """In the servers' words, in the largest unit that is exact."""
    milliseconds = round(seconds * 1000)
    for unit, length in (("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000)):
        if milliseconds % length == 0:
            return f"{milliseconds // length}{unit}"
    return f"{milliseconds}ms"
