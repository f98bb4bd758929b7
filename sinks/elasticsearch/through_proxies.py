"""Nodes that are reached through a proxy, as every sink that speaks HTTP reaches its server.

The client itself knows no proxies; the session of aiohttp that it makes for a node does, request by request.
"""

from __future__ import annotations

from typing import Any

from elastic_transport import AiohttpHttpNode
from pydantic import SecretStr

from logweir.sinks.shared.proxies import proxy_for

__all__ = ["node_class_for"]


def node_class_for(setting: SecretStr | None) -> type[AiohttpHttpNode]:
    """Return the class of the nodes of a sink with this ``proxy``."""

    class Node(AiohttpHttpNode):
        """A node behind the proxy of its address, if it has one."""

        def _create_aiohttp_session(self) -> None:
            super()._create_aiohttp_session()  # type: ignore[no-untyped-call,unused-ignore]
            proxy = proxy_for(self.base_url, setting)
            if proxy is not None and self.session is not None:
                self.session = _Through(self.session, proxy)  # type: ignore[assignment]

    return Node


class _Through:
    """A session whose requests go through a proxy."""

    def __init__(self, session: Any, proxy: str) -> None:
        self._session = session
        self._proxy = proxy

    def request(self, *arguments: Any, **options: Any) -> Any:
        """Begin a request."""
        return self._session.request(*arguments, proxy=self._proxy, **options)

    async def close(self) -> None:
        """Close the connections."""
        await self._session.close()
