"""What a cluster is and has, asked when the sink opens: version, limits, data streams, ILM.

A server may lack any of it (a core without its modules, a serverless project), and credentials may not be
allowed to ask; what is not known is ``None``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from logweir.sinks.elasticsearch.client import ElasticsearchClient

__all__ = ["Server", "ask_server", "features_of"]

_DEFAULT_MAX_BYTES = 100 * 2**20
_NODES = "/_nodes/http?filter_path=nodes.*.version,nodes.*.http.max_content_length_in_bytes"


@dataclass(frozen=True, slots=True)
class Server:
    """What a cluster is and has.

    Attributes:
        version: Of the oldest node; empty if it may not be asked.
        max_bytes: The smallest ``http.max_content_length`` of the nodes.
        data_streams: Whether data streams can be managed.
        ilm: Whether it has index lifecycle management.
    """

    version: str = ""
    max_bytes: int = _DEFAULT_MAX_BYTES
    data_streams: bool | None = None
    ilm: bool | None = None

    @property
    def name(self) -> str:
        """Name and version."""
        return f"Elasticsearch {self.version}".rstrip()


async def ask_server(client: ElasticsearchClient) -> Server:
    """Ask a cluster what it is and has.

    Raises:
        SinkUnavailable: It does not answer.
    """
    status, answer = await client.ask("GET", _NODES)
    nodes = list((answer.get("nodes") or {}).values()) if status == HTTPStatus.OK else []
    versions = sorted((node["version"] for node in nodes if "version" in node), key=_version_key)
    limits = [
        node["http"]["max_content_length_in_bytes"]
        for node in nodes
        if "max_content_length_in_bytes" in node.get("http", {})
    ]
    features = features_of(*await client.ask("GET", "/_xpack?categories=features"))
    return Server(
        versions[0] if versions else "",
        min(limits, default=_DEFAULT_MAX_BYTES),
        features["data_streams"],
        features["ilm"],
    )


def features_of(status: int, answer: Any) -> Mapping[str, bool | None]:
    """Read the answer to ``GET /_xpack``: what a server has (true), lacks (false), or does not say."""
    names = ("data_streams", "ilm")
    if status == HTTPStatus.FORBIDDEN:
        return dict.fromkeys(names)
    features = answer.get("features") if status == HTTPStatus.OK and isinstance(answer, dict) else None
    features = features or {}
    return {
        name: bool(features.get(name, {}).get("available") and features.get(name, {}).get("enabled"))
        for name in names
    }


def _version_key(version: str) -> list[int]:
    return [int(part) if part.isdigit() else 0 for part in version.split("-", maxsplit=1)[0].split(".")]
