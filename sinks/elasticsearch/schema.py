"""The index template and the ILM policy. Pure.

``fields`` is one ``flattened`` field, so that the mapping never grows with what is logged; what the
mapping does not name is kept and not indexed (``dynamic: false``). Long values are kept and found by full
text, but not by filters (``ignore_above``), since a term of Lucene ends at 32 kB.
"""

from __future__ import annotations

import json
from typing import Any

from logweir.sinks.elasticsearch.config import ElasticsearchConfig, LifecycleConfig
from logweir.sinks.elasticsearch.layout import Layout

__all__ = ["IGNORE_ABOVE", "MANAGED_BY", "index_template", "lifecycle_policy", "script"]

#: Characters beyond which a value is not indexed as a whole.
IGNORE_ABOVE = 1024
#: Nesting that the fields may have.
_MOST_DEPTH = 100
#: Above the templates that Elasticsearch brings itself.
_PRIORITY = 500
MANAGED_BY = "logweir"
_META = {"managed_by": MANAGED_BY}

_KEYWORD = {"type": "keyword", "ignore_above": IGNORE_ABOVE}


def index_template(config: ElasticsearchConfig, layout: Layout, *, ilm: bool) -> dict[str, Any]:
    """Return the body of ``PUT _index_template/<index>``."""
    settings: dict[str, Any] = {
        "mode": "standard",  # other modes rebuild the source, and an event would come back changed
        "codec": "best_compression",
        "number_of_shards": config.shards,
    }
    if config.replicas is not None:
        settings["number_of_replicas"] = config.replicas
    if ilm:
        settings["lifecycle"] = {"name": config.index}
    template: dict[str, Any] = {"settings": {"index": settings}, "mappings": _mappings()}
    body: dict[str, Any] = {
        "index_patterns": layout.patterns,
        "priority": _PRIORITY,
        "template": template,
        "_meta": _META,
    }
    if layout.streaming:
        body["data_stream"] = {}
    else:
        template["aliases"] = {layout.name: {}}
    return body


def _mappings() -> dict[str, Any]:
    return {
        "dynamic": False,
        "date_detection": False,
        "properties": {
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
            "fields": {"type": "flattened", "ignore_above": IGNORE_ABOVE, "depth_limit": _MOST_DEPTH},
        },
    }


def lifecycle_policy(config: ElasticsearchConfig) -> dict[str, Any]:
    """Return the body of ``PUT _ilm/policy/<index>``; moving to the nodes of a phase is ILM's own default.

    A data stream without a policy would never roll over, so that there is one in any case.
    """
    lifecycle = config.lifecycle or LifecycleConfig()
    rollover = {
        "max_age": _duration(lifecycle.rollover_after),
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
            phases[name] = {"min_age": _duration(age), "actions": actions}
    return {"policy": {"phases": phases, "_meta": _META}}


def script(config: ElasticsearchConfig, layout: Layout, *, ilm: bool) -> str:
    """Return the requests that provision, as Kibana's console takes them."""
    requests: list[tuple[str, dict[str, Any]]] = []
    if ilm:
        requests.append((f"PUT _ilm/policy/{config.index}", lifecycle_policy(config)))
    body = index_template(config, layout, ilm=ilm)
    requests.append((f"PUT _index_template/{config.index}", body))
    return "\n".join(f"{request}\n{json.dumps(body, indent=2)}\n" for request, body in requests)


def _duration(seconds: float) -> str:
    """In Elasticsearch's words, in the largest unit that is exact."""
    milliseconds = round(seconds * 1000)
    for unit, length in (("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000)):
        if milliseconds % length == 0:
            return f"{milliseconds // length}{unit}"
    return f"{milliseconds}ms"
