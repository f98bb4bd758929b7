"""Through which proxy a sink speaks to its server: the key ``proxy``."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, SecretStr

from logweir.settings.urls import http_parts

__all__ = ["NO_PROXY", "ProxySetting"]

#: What ``proxy`` says to go past those of the environment.
NO_PROXY = "none"


def _checked(value: SecretStr) -> SecretStr:
    text = value.get_secret_value()
    parts = http_parts(text)
    if text != NO_PROXY and (parts is None or parts.path.strip("/") or parts.query):
        raise ValueError('not a proxy; write one such as http://proxy:3128, or "none"')
    return value


#: The address of a proxy, which may hold credentials, or ``none``.
ProxySetting = Annotated[SecretStr, AfterValidator(_checked)]
