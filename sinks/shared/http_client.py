"""The HTTP client of sinks that speak HTTP themselves: who we are, what we trust, how many connections."""

from __future__ import annotations

import ssl
from collections.abc import Mapping

import httpx
from pydantic import SecretStr

__all__ = ["http_client"]


def http_client(
    *,
    base_url: str = "",
    headers: Mapping[str, str],
    username: str | None,
    password: SecretStr | None,
    bearer_token: SecretStr | None,
    trust: ssl.SSLContext | bool,
    timeout: float,
    connections: int,
) -> httpx.AsyncClient:
    """Make a client; nothing is sent, and it belongs to the event loop that uses it first.

    Args:
        base_url: What the paths of requests are relative to.
        headers: Sent with every request.
        username: With a password, for basic authentication.
        password: With a user name, for basic authentication.
        bearer_token: For bearer authentication.
        trust: What a server's certificate is verified by; False where no connection uses TLS.
        timeout: Seconds for each step of a request.
        connections: The most at once; all of them are kept open.
    """
    basic = None
    if username is not None and password is not None:
        basic = httpx.BasicAuth(username, password.get_secret_value())
    authorization = {}
    if bearer_token is not None:
        authorization["Authorization"] = f"Bearer {bearer_token.get_secret_value()}"
    return httpx.AsyncClient(
        base_url=base_url,
        headers={**headers, **authorization},
        auth=basic,
        verify=trust,
        timeout=timeout,
        limits=httpx.Limits(max_connections=connections, max_keepalive_connections=connections),
        follow_redirects=False,  # an audit trail goes where it was configured to go
    )
