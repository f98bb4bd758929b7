"""What a cluster is and has, asked when the sink opens: version, limits, data streams, a lifecycle.

A server may lack any of it (a core without its modules, a serverless project), and credentials may not be
allowed to ask; what is not known is ``None``.
"""

from __future__ import annotations

from dataclasses import dataclass
from http import HTTPStatus

from logweir.sinks.shared.search_engine.contract import Client

__all__ = ["Server", "ask_server"]

_DEFAULT_MAX_BYTES = 100 * 2**20
_NODES = "/_nodes/http?filter_path=nodes.*.version,nodes.*.http.max_content_length_in_bytes"


@dataclass(frozen=True, slots=True)
class Server:
    """What a cluster is and has.

    Attributes:
        product: Its name.
        version: Of the oldest node; empty if it may not be asked.
        max_bytes: The smallest ``http.max_content_length`` of the nodes.
        data_streams: Whether data streams can be managed.
        lifecycle: Whether it has what rolls over, moves and deletes indexes.
    """

    product: str
    version: str = ""
    max_bytes: int = _DEFAULT_MAX_BYTES
    data_streams: bool | None = None
    lifecycle: bool | None = None

    @property
    def name(self) -> str:
        """Name and version."""
        return f"{self.product} {self.version}".rstrip()


async def ask_server(client: Client) -> Server:
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
    features = await client.product.features(client)
    return Server(
        client.product.name,
        versions[0] if versions else "",
        min(limits, default=_DEFAULT_MAX_BYTES),
        features.data_streams,
        features.lifecycle,
    )


def _version_key(version: str) -> list[int]:
    return [int(part) if part.isdigit() else 0 for part in version.split("-", maxsplit=1)[0].split(".")]
