"""Which proxy a request goes through: one rule for every sink that speaks HTTP. Reads the environment.

``HTTP_PROXY``, ``HTTPS_PROXY``, ``ALL_PROXY`` and ``NO_PROXY`` hold unless a sink's ``proxy`` says otherwise.
What is on this host is never asked for through a proxy, which would look for it on its own.
"""

from __future__ import annotations

from ipaddress import ip_address
from urllib.parse import urlsplit
from urllib.request import getproxies_environment, proxy_bypass

from pydantic import SecretStr

from logweir.settings.proxy import NO_PROXY

__all__ = ["proxy_for"]


def proxy_for(url: str, setting: SecretStr | None) -> str | None:
    """Return the proxy for a URL, as a URL that may hold credentials; None if it is asked directly.

    Args:
        url: What is asked for.
        setting: The sink's ``proxy``.
    """
    parts = urlsplit(url)
    host = parts.hostname or ""
    if _is_here(host):
        return None
    if setting is not None:
        chosen = setting.get_secret_value()
        return None if chosen == NO_PROXY else chosen
    proxies = getproxies_environment()
    if proxy_bypass(f"{host}:{parts.port}" if parts.port else host, proxies):
        return None
    found = proxies.get(parts.scheme) or proxies.get("all")
    return found if not found or "://" in found else f"http://{found}"


def _is_here(host: str) -> bool:
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
