"""A login is whole or absent."""

import pytest
from pydantic import SecretStr

from logweir.sinks.shared.credentials import bearer_header, check_login, login_of

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
