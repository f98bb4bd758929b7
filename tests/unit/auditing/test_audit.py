from __future__ import annotations

import asyncio
import inspect
import re
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from logweir.auditing import record as record_module
from logweir.auditing.audit import audit, audit_sync
from logweir.auditing.record import AuditRecord
from logweir.context.binding import bind
from logweir.errors import AuditError, NotRunning
from logweir.event import Kind
from logweir.runtime import current as runtime
from logweir.sinks.memory import MemorySink

#: Names that mean something to the code between an audit and its event, but nothing to its caller.
OURS = [
    *("self", "cls", "event", "kind", "persist_db", "name", "fields", "values", "current", "wanted"),
    *("model_config", "model_fields", "model_extra", "copy", "json", "registered_action", "__dict__", "_x"),
]

#: Names that mean something to the caller: parameters, parts of the record, and of the event.
MEANT = {
    *inspect.signature(audit).parameters,
    *AuditRecord.model_fields,
    *("trace_id", "span_id", "exc_info", "stack_info", "bound"),
}


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
    assert fields["token"] == "***"


@pytest.mark.parametrize(
    "name", ["level", "kind", "event", "timestamp", "persist_db", "exc_info", "logger", "timeout"]
)
async def test_a_field_of_any_name_gets_through_by_extra_info(name: str, recorder: Any):
    await audit("a", extra_info={name: "mine"})
    assert recorder.only().fields == {"status": "success", name: "mine"}


@pytest.mark.parametrize("said", ["gold", "", ["x"], 7, {"a": 1}])
def test_c4_a_level_that_is_none_is_a_field(said: Any, recorder: Any):
    audit_sync("a", level=said)
    event = recorder.only()
    assert (event.level, event.fields) == ("info", {"status": "success", "level": said})


@pytest.mark.parametrize(("said", "level"), [("WARN", "warning"), (40, "error"), ("info", "info")])
def test_c4_a_level_may_be_written_in_any_usual_way(said: Any, level: str, recorder: Any):
    audit_sync("a", level=said)
    event = recorder.only()
    assert (event.level, event.fields) == (level, {"status": "success"})


async def test_c4_a_level_that_the_record_declares_is_the_records_too(recorder: Any):
    class Upgrade(AuditRecord, action="customer.upgraded"):
        level: str
        kind: str

    await audit("customer.upgraded", level="gold", kind="audit")
    await audit("customer.upgraded", level="error", kind="tracing")
    first, second = recorder.events()
    assert (first.level, first.kind, second.level, second.kind) == ("info", "audit", "error", "audit")
    assert first.fields == {"status": "success", "level": "gold", "kind": "audit"}
    assert second.fields == {"status": "success", "level": "error", "kind": "tracing"}


@given(fields=st.dictionaries(st.text(max_size=8) | st.sampled_from(OURS), st.none() | st.integers(0, 9)))
@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_c4_every_field_of_an_audit_can_be_found_again(fields: dict[str, Any], recorder: Any):
    secret = recorder.runtime._pipeline.capture.snapshot.redactor.secrecy
    fields = {name: value for name, value in fields.items() if not secret(name) and name not in MEANT}
    MemorySink.of("m").events.clear()
    with bind(kind="tracing", persist_db=False, bound=1):
        audit_sync("a", **fields)
    event = recorder.only()
    expected = {name.encode("utf-8", "backslashreplace").decode(): value for name, value in fields.items()}
    assert event.fields == {"status": "success", "bound": 1, **expected}
    assert event.kind is Kind.AUDIT


async def test_c3_texts_that_utf8_lacks_are_no_reason_to_refuse_an_audit(recorder: Any):
    await audit("a\udcff", user_id="b\udcff", status="c\udcff", extra_info={"d\udcff": "e\udcff"})
    event = recorder.only()
    assert event.name == "a\\udcff"
    assert event.fields == {
        "user_id": "b\\udcff",
        "status": "c\\udcff",
        "d\\udcff": "e\\udcff",
    }


@pytest.mark.parametrize(
    ("terms", "problem"),
    [
        ({"acknowledge": "gold"}, "acknowledge='gold' is none of accepted, durable, stored"),
        ({"timeout": "soon"}, "timeout='soon' is no number of seconds"),
    ],
)
async def test_c4_terms_that_mean_nothing_are_refused_before_anything_is_emitted(
    terms: Any, problem: str, recorder: Any
):
    with pytest.raises(AuditError, match=re.escape(problem)):
        await audit("a", **terms)
    with pytest.raises(AuditError, match=re.escape(problem)):
        await asyncio.to_thread(audit_sync, "a", **terms)
    assert recorder.events() == []
