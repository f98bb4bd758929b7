"""Signature Version 4 of Amazon's services, and where the credentials for it come from.

The algorithm is that of "Create a signed AWS API request" (IAM user guide): the request in a canonical form,
hashed; the hash, the time and the scope in a text; the text signed by a key derived from the secret.
"""

from __future__ import annotations

import hashlib
import hmac
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any
from urllib.parse import quote, unquote

from logweir.errors import SinkUnavailable
from logweir.sinks.opensearch.config import AwsConfig

__all__ = ["Credentials", "Signer", "canonical_query", "credentials_of"]

_ALGORITHM = "AWS4-HMAC-SHA256"
_UNRESERVED = "-_.~"
_MISSING = (
    "there are no credentials of AWS: give access_key_id and secret_access_key, or set AWS_ACCESS_KEY_ID"
)


@dataclass(frozen=True, slots=True)
class Credentials:
    """Who signs."""

    access_key_id: str
    secret_access_key: str = field(repr=False)
    session_token: str | None = field(default=None, repr=False)


def credentials_of(config: AwsConfig) -> Callable[[], Credentials]:
    """Return what gives the credentials: those of the configuration, the environment, or botocore's chain.

    What it returns may read files and ask servers: call it in a thread. It raises SinkUnavailable if there
    are no credentials.
    """
    if config.access_key_id is not None and config.secret_access_key is not None:
        token = config.session_token.get_secret_value() if config.session_token else None
        given = Credentials(config.access_key_id, config.secret_access_key.get_secret_value(), token)
        return lambda: given
    chain: list[Any] = []
    return lambda: _of_environment() or _of_botocore(chain)


def _of_environment() -> Credentials | None:
    key, secret = os.environ.get("AWS_ACCESS_KEY_ID"), os.environ.get("AWS_SECRET_ACCESS_KEY")
    if not key or not secret:
        return None
    return Credentials(key, secret, os.environ.get("AWS_SESSION_TOKEN") or None)


def _of_botocore(chain: list[Any]) -> Credentials:
    """Ask botocore's chain (profiles, containers, roles), which is kept: it renews what expires."""
    try:
        # An extra, and slow to import.
        from botocore.exceptions import BotoCoreError  # noqa: PLC0415
        from botocore.session import get_session  # noqa: PLC0415
    except ModuleNotFoundError:
        hint = "; for profiles and roles: pip install 'logweir[aws]'"
        raise SinkUnavailable(_MISSING + hint) from None
    try:
        found = chain[0] if chain else get_session().get_credentials()
        if found is None:
            raise SinkUnavailable(_MISSING)
        chain[:] = [found]
        frozen = found.get_frozen_credentials()
    except BotoCoreError as error:
        raise SinkUnavailable(f"the credentials of AWS cannot be had: {error}") from None
    return Credentials(frozen.access_key, frozen.secret_key, frozen.token)


def canonical_query(query: str) -> str:
    """Return a query as it is signed, which is how it must be sent: each part encoded, and in order."""
    parts = [part.partition("=") for part in query.split("&") if part]
    return "&".join(
        f"{name}={value}"
        for name, value in sorted((_encoded(name), _encoded(value)) for name, _, value in parts)
    )


def _encoded(text: str) -> str:
    return quote(unquote(text), safe=_UNRESERVED)


@dataclass(frozen=True, slots=True)
class Signer:
    """Signs requests for one service in one region.

    Attributes:
        region: Of the service.
        service: Its name.
        credentials: Gives the credentials; see :func:`credentials_of`.
        now: Gives the time.
    """

    region: str
    service: str
    credentials: Callable[[], Credentials]
    now: Callable[[], datetime] = lambda: datetime.now(UTC)

    def headers(self, method: str, host: str, path: str, query: str, body: bytes) -> dict[str, str]:
        """Return the headers that a request is sent with.

        Args:
            method: Of HTTP.
            host: The header ``host``, with the port where it is not the scheme's own.
            path: As it is sent.
            query: As :func:`canonical_query` returned it.
            body: As it is sent.

        Raises:
            SinkUnavailable: There are no credentials.
        """
        who = self.credentials()
        moment = f"{self.now():%Y%m%dT%H%M%SZ}"
        digest = hashlib.sha256(body).hexdigest()
        signed = {"host": host, "x-amz-content-sha256": digest, "x-amz-date": moment}
        if who.session_token is not None:
            signed["x-amz-security-token"] = who.session_token
        canonical = _canonical_request(method, path, query, signed, digest)
        scope = f"{moment[:8]}/{self.region}/{self.service}/aws4_request"
        text = "\n".join((_ALGORITHM, moment, scope, hashlib.sha256(canonical.encode()).hexdigest()))
        key = _signing_key(who.secret_access_key, moment[:8], self.region, self.service)
        signature = hmac.new(key, text.encode(), hashlib.sha256).hexdigest()
        del signed["host"]  # the client's own
        signed["authorization"] = (
            f"{_ALGORITHM} Credential={who.access_key_id}/{scope}, "
            f"SignedHeaders={';'.join(sorted({*signed, 'host'}))}, Signature={signature}"
        )
        return signed


def _canonical_request(method: str, path: str, query: str, headers: Mapping[str, str], digest: str) -> str:
    lines = "".join(f"{name}:{headers[name].strip()}\n" for name in sorted(headers))
    # Every service but S3 encodes a path once more than it is sent.
    return "\n".join(
        (method, quote(path, safe=f"/{_UNRESERVED}"), query, lines, ";".join(sorted(headers)), digest)
    )


@lru_cache(maxsize=4)
def _signing_key(secret: str, date: str, region: str, service: str) -> bytes:
    key = f"AWS4{secret}".encode()
    for part in (date, region, service, "aws4_request"):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    return key
