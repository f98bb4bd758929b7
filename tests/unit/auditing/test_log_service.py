"""``LogService``: its twins for synchronous code take the same, the user is found, and records check everything."""

import inspect
from typing import Any

import pytest

from logweir import AuditRecord, LogService
from logweir.auditing import record as record_module
from logweir.context import bind
from logweir.errors import AuditError
from logweir.testing import Captured

METHODS = [
    name
    for name, method in vars(LogService).items()
    if inspect.iscoroutinefunction(method) and name[0] != "_"
]


@pytest.fixture(autouse=True)
def own_registry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(record_module, "_registry", {})


@pytest.mark.parametrize("name", METHODS)
def test_each_method_has_a_twin_for_synchronous_code_that_takes_the_same(name: str) -> None:
    assert inspect.signature(getattr(LogService, name)) == inspect.signature(
        getattr(LogService, f"{name}_sync")
    )


def test_the_user_of_the_context_is_the_default_and_one_that_is_said_wins(logweir_capture: Captured) -> None:
    with bind(user_id=9):
        LogService().create_audit_log_sync(action="a")
        LogService().create_audit_log_sync(action="b", user_id=7)
        LogService().create_log_sync("c")
    LogService().create_audit_log_sync(action="d")
    assert [event.fields.get("user_id") for event in logweir_capture.events] == [9, 7, 9, None]


@pytest.mark.parametrize("given", [{"amount": "10"}, {"extra_info": {"amount": "10"}}])
async def test_a_record_checks_keywords_and_extra_info_alike(given: Any, logweir_capture: Captured) -> None:
    class Transfer(AuditRecord, action="fund.transfer"):
        amount: int

    event = await LogService().create_audit_log(action="fund.transfer", **given)
    assert event.fields["amount"] == 10
    with pytest.raises(AuditError, match="amount: Field required"):
        await LogService().create_audit_log(action="fund.transfer", extra_info={"note": "n"})
    with pytest.raises(AuditError, match=r"extra_info\.amount: Input should be a valid integer"):
        await LogService().create_audit_log(action="fund.transfer", extra_info={"amount": "many"})
    assert [event.name for event in logweir_capture.arrived] == ["fund.transfer"]
