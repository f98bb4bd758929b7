"""The business of the order service: orders, refunds and permissions, in memory.

This is where logweir is used as an application uses it. ``@audit_log`` records who moved money or
changed rights, whether it worked and how long it took; plain log calls trace everything else.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field
from decimal import Decimal

import logweir

log = logweir.get_logger("shop")


class PaymentDeclined(Exception):
    """The bank said no."""


class UnknownOrder(Exception):
    """There is no such order."""


@dataclass(slots=True)
class Order:
    """What a customer bought."""

    id: int
    user_id: int
    amount: Decimal
    refunded: bool = False


@dataclass(slots=True)
class Shop:
    """All orders and roles."""

    orders: dict[int, Order] = field(default_factory=dict)
    roles: dict[int, str] = field(default_factory=dict)
    _ids: itertools.count[int] = field(default_factory=lambda: itertools.count(1))

    @logweir.audit_log("fund.charge", user="user_id", resource="user_id")
    async def place_order(self, user_id: int, amount: Decimal, card_number: str) -> Order:
        """Charge a card and keep the order."""
        log.debug("payment.requested", amount=amount, card_number=card_number)
        if amount > Decimal(1000):
            log.warning("payment.declined", amount=amount, limit=1000)
            raise PaymentDeclined(f"{amount} is more than the card allows")
        order = Order(next(self._ids), user_id, amount)
        self.orders[order.id] = order
        log.info("order.placed", order_id=order.id, amount=amount, items={"count": 1, "currency": "EUR"})
        return order

    @logweir.audit_log("fund.refund", user="user_id", resource="order_id")
    async def refund(self, user_id: int, order_id: int) -> Order:
        """Give the money back, once."""
        order = self.orders.get(order_id)
        if order is None:
            raise UnknownOrder(f"order {order_id}")
        if order.refunded:
            log.warning("refund.repeated", order_id=order_id)
        order.refunded = True
        return order

    @logweir.audit_log("permission.change", user="admin_id", resource="user_id")
    async def set_role(self, admin_id: int, user_id: int, role: str, password: str) -> str:
        """Change a user's role; the admin confirms with a password, which no store ever sees."""
        log.debug("permission.checked", admin_id=admin_id, password=password)
        before = self.roles.get(user_id, "guest")
        self.roles[user_id] = role
        log.info("role.changed", user_id=user_id, before=before, after=role)
        return before
