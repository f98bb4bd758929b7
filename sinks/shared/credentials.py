"""A login and a token, as routing.yaml holds them and as requests carry them."""

from __future__ import annotations

from pydantic import SecretStr

__all__ = ["bearer_header", "check_login", "login_of"]


def check_login(username: str | None, password: SecretStr | None) -> None:
    """See that a login is whole.

    Raises:
        ValueError: One of the two is missing.
    """
    if (username is None) != (password is None):
        raise ValueError("username and password belong together; give both or none")


def login_of(username: str | None, password: SecretStr | None) -> tuple[str, str] | None:
    """Return the login of basic authentication, if there is one."""
    if username is None or password is None:
        return None
    return username, password.get_secret_value()


def bearer_header(token: SecretStr | None) -> dict[str, str]:
    """Return the header of bearer authentication (RFC 6750, section 2.1), or none without a token."""
    return {} if token is None else {"Authorization": f"Bearer {token.get_secret_value()}"}
