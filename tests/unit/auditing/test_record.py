from __future__ import annotations

import uuid
from decimal import Decimal
from typing import Any

import pytest
from pydantic import BaseModel, ConfigDict, Field, field_validator

from logweir.auditing import record as record_module
from logweir.auditing.record import AuditRecord, make_record, record_for
from logweir.errors import AuditError


@pytest.fixture(autouse=True)
def own_registry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(record_module, "_registry", {})


def test_a_record_keeps_the_fields_that_are_set_and_whatever_else_was_given():
    record = AuditRecord(action="fund.transfer", user_id=7, extra_info={"reason": "x"}, amount=3)
    assert record.to_fields() == {
        "user_id": 7,
        "status": "success",
        "reason": "x",
        "amount": 3,
    }


def test_what_would_take_the_place_of_another_field_stays_in_extra_info():
    class Transfer(AuditRecord, action="transfer"):
        amount: int | None = None

    inside = {"user_id": "x", "amount": "y", "action": "z", "extra_info": 1, "more": 2}
    record = Transfer(user_id=7, extra_info={**inside, "timeout": 30}, more=3, amount=4)
    assert record.to_fields() == {
        "user_id": 7,
        "status": "success",
        "more": 3,
        "amount": 4,
        "timeout": 30,
        "extra_info": inside,
    }


def test_what_a_class_declares_is_checked_in_extra_info_as_among_keywords():
    class Transfer(AuditRecord, action="transfer"):
        amount: Decimal
        currency: str = Field(default="EUR", alias="in")

    record = make_record(
        "transfer", {"user_id": 7, "extra_info": {"amount": "10.50", "in": "USD", "note": "n"}}
    )
    assert isinstance(record, Transfer)
    assert (record.amount, record.currency, record.extra_info) == (Decimal("10.50"), "USD", {"note": "n"})
    assert record.to_fields()["note"] == "n"
    assert Transfer(extra_info={"amount": 1}).amount == 1
    with pytest.raises(
        AuditError, match=r"does not fit Transfer: extra_info\.amount: Input should be a valid decimal"
    ):
        make_record("transfer", {"extra_info": {"amount": "many"}})
    with pytest.raises(AuditError, match=r"does not fit Transfer: amount: Field required"):
        make_record("transfer", {"extra_info": {"note": "n"}})
    with pytest.raises(AuditError, match=r"does not fit Transfer: amount: Input should be a valid decimal"):
        make_record("transfer", {"amount": "many", "extra_info": {"amount": 1}})


def test_a_class_that_forbids_what_it_does_not_declare_forbids_it_in_extra_info_too():
    class Strict(AuditRecord, action="strict"):
        model_config = ConfigDict(extra="forbid")
        amount: int

    assert make_record("strict", {"extra_info": {"amount": 1}}).to_fields() == {
        "status": "success",
        "amount": 1,
    }
    assert make_record("strict", {"amount": 1, "extra_info": {"status": "gold"}}).to_fields()[
        "extra_info"
    ] == {"status": "gold"}
    with pytest.raises(AuditError, match=r"extra_info\.note: Extra inputs are not permitted"):
        make_record("strict", {"amount": 1, "extra_info": {"note": "s3cr3t"}})


def test_a_class_may_declare_a_model_for_extra_info():
    class Info(BaseModel):
        reason: str
        amount: int = 0

    class Closed(AuditRecord, action="closed"):
        extra_info: Info  # type: ignore[assignment]
        amount: int = 5

    record = make_record("closed", {"extra_info": {"reason": "x", "amount": "3"}})
    assert record.to_fields() == {
        "status": "success",
        "reason": "x",
        "amount": 5,
        "extra_info": {"amount": 3},
    }
    with pytest.raises(AuditError, match=r"extra_info\.reason: Field required"):
        make_record("closed", {"extra_info": {}})


def test_ids_of_other_types_are_kept_as_text():
    number = uuid.uuid4()
    assert AuditRecord(action="a", user_id=number, resource=number).to_fields()["user_id"] == str(number)
    assert AuditRecord(action="a", user_id="7").user_id == "7"
    assert AuditRecord(action="a", user_id=7).user_id == 7


def test_a_record_of_an_action_types_its_own_fields():
    class FundTransfer(AuditRecord, action="fund.transfer"):
        amount: Decimal
        currency: str

    record = make_record("fund.transfer", {"amount": "10.50", "currency": "EUR", "user_id": 1})
    assert isinstance(record, FundTransfer)
    assert record.to_fields() == {
        "user_id": 1,
        "status": "success",
        "amount": Decimal("10.50"),
        "currency": "EUR",
    }


def test_a_class_of_one_action_knows_it_and_one_of_a_glob_must_be_given_it():
    class Transfer(AuditRecord, action="fund.transfer"):
        amount: int

    class Permission(AuditRecord, action="permission.*"):
        role: str

    assert Transfer.model_validate({"amount": 1}).action == "fund.transfer"
    with pytest.raises(ValueError, match="action"):
        Permission.model_validate({"role": "admin"})


def test_an_exact_action_wins_over_globs_and_a_longer_glob_over_a_shorter():
    class Exact(AuditRecord, action="fund.transfer.out"):
        pass

    class Short(AuditRecord, action="fund.*"):
        pass

    class Long(AuditRecord, action="fund.transfer.*"):
        pass

    assert record_for("fund.transfer.out") is Exact
    assert record_for("fund.transfer.in") is Long
    assert record_for("fund.deposit") is Short
    assert record_for("fundamental") is AuditRecord


def test_a_class_without_an_action_is_a_base_for_others():
    class Money(AuditRecord):
        amount: Decimal

    class Refund(Money, action="fund.refund"):
        pass

    assert record_for("fund.refund") is Refund
    assert Money.registered_action is None


def test_a_second_class_for_an_action_is_refused():
    class First(AuditRecord, action="fund.transfer"):
        pass

    with pytest.raises(ValueError, match=r"'fund\.transfer' has the record .*First already"):

        class Second(AuditRecord, action="fund.transfer"):
            pass

    assert record_for("fund.transfer") is First


def test_a_class_that_is_executed_again_replaces_itself():
    def define() -> type[AuditRecord]:
        class Again(AuditRecord, action="x.y"):
            pass

        return Again

    define()
    again = define()
    assert record_for("x.y") is again


def test_a_wrong_value_is_reported_by_its_name_and_never_shown():
    class Login(AuditRecord, action="login"):
        attempts: int
        password: int

        @field_validator("attempts")
        @classmethod
        def _few(cls, value: int) -> int:
            if value > 3:
                raise ValueError("at most three attempts")
            return value

    with pytest.raises(AuditError) as caught:
        make_record("login", {"attempts": 9, "password": "hunter2"})
    message = str(caught.value)
    assert "'login'" in message
    assert "attempts: Value error, at most three attempts" in message
    assert "password: Input should be a valid integer" in message
    assert "hunter2" not in message
    assert caught.value.__context__ is None


def test_a_validator_that_shows_the_value_is_not_quoted():
    class Login(AuditRecord, action="login"):
        password: str

        @field_validator("password")
        @classmethod
        def _strong(cls, value: str) -> str:
            raise ValueError(f"{value} is too weak")

    with pytest.raises(AuditError, match="password: refused by its validator") as caught:
        make_record("login", {"password": "hunter2"})
    assert "hunter2" not in str(caught.value)


def test_a_validator_that_breaks_is_an_audit_error_too():
    class Login(AuditRecord, action="login"):
        user: str

        @field_validator("user")
        @classmethod
        def _broken(cls, value: str) -> str:
            raise KeyError(value)

    with pytest.raises(AuditError, match="a validator raised KeyError"):
        make_record("login", {"user": "secret"})


def test_a_missing_value_is_reported():
    class Transfer(AuditRecord, action="fund.transfer"):
        amount: Decimal

    with pytest.raises(AuditError, match="amount: Field required"):
        make_record("fund.transfer", {})


# pydantic itself says of such a value that it raised, by Python's hook for errors that nobody can catch.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_value_that_does_not_say_its_class_is_refused_like_any_other():
    class Lazy:
        @property
        def __class__(self) -> Any:  # type: ignore[override]
            raise ValueError

    class Transfer(AuditRecord, action="transfer"):
        amount: int

    with pytest.raises(AuditError, match="amount: Input should be a valid integer"):
        make_record("transfer", {"amount": Lazy()})
    with pytest.raises(AuditError, match="status: Input should be a valid string"):
        make_record("transfer", {"amount": 1, "status": Lazy()})
    with pytest.raises(AuditError, match="extra_info"):
        make_record("transfer", {"amount": 1, "extra_info": Lazy()})
