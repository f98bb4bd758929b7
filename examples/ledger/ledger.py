"""The business: accounts and transfers, each transfer with its audit row in the same transaction."""

from __future__ import annotations

from decimal import Decimal

from sqlalchemy import ForeignKey, Numeric, String, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from logweir import LogService
from logweir.sinks.sql.table import audit_table

__all__ = ["Account", "Base", "NotEnough", "Transfer", "transfer", "who_moved_the_money_of"]

AUDIT = audit_table("audit_log")


class Base(DeclarativeBase):
    """The application's own tables."""


class Account(Base):
    """Somebody's money."""

    __tablename__ = "accounts"

    owner: Mapped[str] = mapped_column(String(64), primary_key=True)
    balance: Mapped[Decimal] = mapped_column(Numeric(12, 2))


class Transfer(Base):
    """Money that went from one account to another."""

    __tablename__ = "transfers"

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    source: Mapped[str] = mapped_column(ForeignKey("accounts.owner"))
    target: Mapped[str] = mapped_column(ForeignKey("accounts.owner"))
    amount: Mapped[Decimal] = mapped_column(Numeric(12, 2))


class NotEnough(Exception):
    """The account does not hold as much."""


async def transfer(
    session: AsyncSession, number: str, source: str, target: str, amount: Decimal, clerk: str
) -> None:
    """Move money. The caller's transaction decides about the money and about its audit row alike."""
    giver = await session.get_one(Account, source)
    taker = await session.get_one(Account, target)
    giver.balance -= amount
    taker.balance += amount
    session.add(Transfer(id=number, source=source, target=target, amount=amount))
    await LogService(session).create_audit_log(
        user_id=clerk, action="fund.transfer", resource=number, extra_info={"amount": amount}
    )
    if giver.balance < 0:
        raise NotEnough(f"{source} has not got {amount}")


async def who_moved_the_money_of(session: AsyncSession, owner: str) -> list[tuple[str, str, Decimal]]:
    """Join the audit table with the transfers: clerk, receiver and amount of each transfer of an owner."""
    query = (
        select(AUDIT.c.user_id, Transfer.target, Transfer.amount)
        .join(Transfer, Transfer.id == AUDIT.c.resource)
        .where(AUDIT.c.action == "fund.transfer", Transfer.source == owner)
        .order_by(AUDIT.c.id)
    )
    return [(row.user_id, row.target, row.amount) for row in await session.execute(query)]
