from __future__ import annotations

import asyncio
from decimal import Decimal
from typing import Any

import pytest

from logweir.auditing import record as record_module
from logweir.auditing.audit import audit, audit_sync
from logweir.auditing.record import AuditRecord
from logweir.context.binding import bind
from logweir.errors import AuditError, NotRunning
from logweir.event import Kind
from logweir.runtime import current as runtime


@pytest.fixture(autouse=True)
def own_registry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(record_module, "_registry", {})


async def test_an_audit_is_stored_with_all_that_was_said(recorder: Any):
    with bind(trace_id="0af7651916cd43dd8448eb211c80319c", request_id="r"):
        ack = await audit(
            "fund.transfer",
            user_id=7,
            resource="account/1",
            level="warning",
            acknowledge="stored",
            amount=100,
        )
    event = recorder.only()
    assert (ack.event_id, ack.level, ack.sinks) == (event.id, "stored", ("m",))
    assert (event.name, event.kind, event.level) == ("fund.transfer", Kind.AUDIT, "warning")
    assert event.trace_id == "0af7651916cd43dd8448eb211c80319c"
    assert event.fields == {
        "user_id": 7,
        "status": "success",
        "resource": "account/1",
        "amount": 100,
        "request_id": "r",
    }


async def test_by_default_the_configuration_says_what_is_waited_for(recorder: Any):
    assert (await audit("a")).level == "durable"
    await asyncio.to_thread(runtime.stop)
    async with runtime.running({**recorder.config, "audit": {"acknowledge": "stored"}}):
        assert (await audit("a")).level == "stored"


async def test_the_user_of_the_context_is_the_default(recorder: Any):
    with bind(user_id=9):
        await audit("a")
        await audit("b", user_id=1)
    assert [event.fields["user_id"] for event in recorder.events()] == [9, 1]


async def test_without_a_runtime_an_audit_raises():
    with pytest.raises(NotRunning, match=r"logweir\.start"):
        await audit("a")
    with pytest.raises(NotRunning):
        audit_sync("a")


async def test_values_that_do_not_fit_the_record_raise_and_nothing_is_emitted(recorder: Any):
    class Transfer(AuditRecord, action="fund.transfer"):
        amount: Decimal
        owner: str | None = None
        user_id: int | str

    with pytest.raises(AuditError, match="amount: Field required"):
        await audit("fund.transfer", user_id=1)
    assert recorder.events() == []
    with bind(user_id=3):
        await audit("fund.transfer", amount="1.5")
    assert recorder.only().fields == {"user_id": 3, "status": "success", "amount": "1.5"}


async def test_an_audit_that_no_route_takes_raises(recorder: Any):
    runtime.stop()
    tracing_only = {"routes": [{"name": "t", "match": {"kind": "tracing"}, "to": ["m"]}]}
    with runtime.running({**recorder.config, **tracing_only}), pytest.raises(AuditError, match="no route"):
        await audit("a")


def test_synchronous_code_audits_too(recorder: Any):
    ack = audit_sync("a", user_id=1, acknowledge="stored", timeout=5)
    assert ack.event_id == recorder.only().id


async def test_synchronous_auditing_refuses_to_block_an_event_loop(recorder: Any):
    with pytest.raises(AuditError, match=r"await logweir\.audit"):
        audit_sync("a", acknowledge="stored")
    assert recorder.events() == []
    assert audit_sync("a", acknowledge="accepted").level == "accepted"
    assert (await asyncio.to_thread(audit_sync, "a", acknowledge="stored")).level == "stored"


async def test_secrets_are_redacted(recorder: Any):
    await audit("login", password="hunter2", extra_info={"token": "t"})
    fields = recorder.only().fields
    assert fields["password"] == "***"
    assert fields["extra_info"] == {"token": "***"}
