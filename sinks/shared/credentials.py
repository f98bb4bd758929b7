"""A login and a token, as routing.yaml holds them and as requests carry them."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Mapping
from urllib.parse import unquote, unquote_plus, urlsplit

from pydantic import SecretStr

from logweir.redaction.scan import MASK

__all__ = [
    "bearer_header",
    "check_behind_password",
    "check_login",
    "check_once",
    "check_one_way",
    "login_of",
    "secrets_in_proxy",
    "secrets_in_url",
    "secrets_of",
    "without_secrets",
]

#: A shorter secret would be found, and masked, in what any server says.
_SHORTEST_SECRET = 4
#: A shorter part of a url is rather one of its words than a key.
_SHORTEST_PART = 8


def check_login(username: str | None, password: SecretStr | None) -> None:
    """Check that a login is complete.

    Raises:
        ValueError: One of the two is missing.
    """
    if (username is None) != (password is None):
        raise ValueError("username and password belong together; give both or none")


def check_one_way(
    username: str | None,
    password: SecretStr | None,
    token: SecretStr | None,
    headers: Mapping[str, SecretStr],
) -> None:
    """Check that a request authenticates in one way at most: by a login, a token or a header.

    Raises:
        ValueError: There are several, or the login is not complete.
    """
    check_login(username, password)
    ways = {
        "username": username is not None,
        "bearer_token": token is not None,
        "the header Authorization": "authorization" in {name.lower() for name in headers},
    }
    taken = [name for name, given in ways.items() if given]
    if len(taken) > 1:
        raise ValueError(f"{' and '.join(taken)} are several ways to authenticate; keep one of them")


def check_behind_password(*parts: str | None) -> None:
    """Check that no part of a password was taken for the host or the database of a URL, which messages show.

    Raises:
        ValueError: One of the parts has an ``@``.
    """
    if any(part and "@" in part for part in parts):
        raise ValueError(
            "the url has an @ behind its password, or in it; write @ as %40 and / as %2F there, or give "
            "username and password by keys of their own"
        )


def check_once(
    user_in_url: str | None, password_in_url: str | None, username: str | None, password: SecretStr | None
) -> None:
    """Check that user and password are each given once, in the URL or by a key, and no password alone.

    Raises:
        ValueError: One is given twice, or the user is missing.
    """
    if user_in_url and username is not None:
        raise ValueError("the url names a user, and so does username; remove one of them")
    if password_in_url and password is not None:
        raise ValueError("the url has a password, and so has password; remove one of them")
    if password is not None and not (user_in_url or username):
        raise ValueError("there is a password without a user; add username")


def login_of(username: str | None, password: SecretStr | None) -> tuple[str, str] | None:
    """Return the login of basic authentication, if there is one."""
    if username is None or password is None:
        return None
    return username, password.get_secret_value()


def bearer_header(token: SecretStr | None) -> dict[str, str]:
    """Return the header of bearer authentication (RFC 6750, section 2.1), or none without a token."""
    return {} if token is None else {"Authorization": f"Bearer {token.get_secret_value()}"}


def secrets_of(
    given: Iterable[SecretStr | None], login: tuple[str, str] | None = None, more: Iterable[str] = ()
) -> list[str]:
    """What must never be shown, whoever sends it back to us, and as JSON too; the longest first.

    Args:
        given: The secrets of the configuration.
        login: That of basic authentication, whose header holds the password in another form.
        more: Others.
    """
    known = {secret.get_secret_value() for secret in given if secret is not None} | {*more}
    if login is not None:
        known.add(_in_header(login))
    # In an answer of JSON they may stand escaped.
    known |= {
        json.dumps(secret, ensure_ascii=ascii_only)[1:-1] for secret in known for ascii_only in (True, False)
    }
    return sorted((secret for secret in known if len(secret) >= _SHORTEST_SECRET), key=len, reverse=True)


def secrets_in_url(url: str) -> set[str]:
    """What may be keys in a URL: parts of its path, values of its query, as written and unescaped."""
    parts = urlsplit(url)
    values = {pair.partition("=")[2] or pair for pair in parts.query.split("&")}
    pieces = {*parts.path.split("/"), *values}
    pieces |= {*map(unquote, pieces), *map(unquote_plus, values)}
    return {parts.query, *(piece for piece in pieces if len(piece) >= _SHORTEST_PART)}


def secrets_in_proxy(proxy: SecretStr | None) -> set[str]:
    """What is secret in the address of a proxy: the password, and the login as its header holds it."""
    parts = urlsplit(proxy.get_secret_value() if proxy is not None else "")
    if parts.password is None:
        return set()
    password = unquote(parts.password)
    return {parts.password, password, _in_header((unquote(parts.username or ""), password))}


def _in_header(login: tuple[str, str]) -> str:
    """The login as a header of basic authentication holds it (RFC 7617)."""
    return base64.b64encode(":".join(login).encode()).decode()


def without_secrets(said: bytes, secrets: Iterable[bytes]) -> bytes:
    """Mask our secrets in what was said, which a server, or a gateway, may have sent back."""
    for secret in secrets:
        said = said.replace(secret, MASK.encode())
    return said
