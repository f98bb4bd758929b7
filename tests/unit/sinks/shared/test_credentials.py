"""A login is whole or absent."""

import pytest
from pydantic import SecretStr

from logweir.sinks.shared.credentials import (
    bearer_header,
    check_login,
    login_of,
    secrets_in_proxy,
    secrets_in_url,
)

SECRET = SecretStr("hunter2")


@pytest.mark.parametrize(("username", "password"), [("ann", None), (None, SECRET)])
def test_half_a_login_is_refused_without_showing_it(username: str | None, password: SecretStr | None) -> None:
    with pytest.raises(ValueError, match="belong together") as raised:
        check_login(username, password)
    assert "hunter2" not in str(raised.value)


def test_what_requests_carry() -> None:
    check_login("ann", SECRET)
    check_login(None, None)
    assert login_of("ann", SECRET) == ("ann", "hunter2")
    assert login_of(None, None) is None
    assert bearer_header(SECRET) == {"Authorization": "Bearer hunter2"}
    assert bearer_header(None) == {}


def test_the_parts_of_a_url_that_may_be_keys() -> None:
    url = "https://hooks.example/v1/T00%2Fsecret-key?token=a+token%3D&x=short&lonely-key&k=cGFkZGVk=="
    assert secrets_in_url(url) == {
        "token=a+token%3D&x=short&lonely-key&k=cGFkZGVk==",
        "T00%2Fsecret-key",
        "T00/secret-key",
        "a+token%3D",
        "a+token=",
        "a token=",
        "lonely-key",
        "cGFkZGVk==",
    }


def test_what_is_secret_in_the_address_of_a_proxy() -> None:
    assert secrets_in_proxy(None) == secrets_in_proxy(SecretStr("http://proxy:3128")) == set()
    assert secrets_in_proxy(SecretStr("http://ann:p%40ss@proxy:3128")) == {"p%40ss", "p@ss", "YW5uOnBAc3M="}
