"""The HTTP side of the order service: FastAPI, with logweir started and drained by its lifespan.

Run it with any ASGI server from a folder that has a routing.yaml (or name one in ``LOGWEIR_CONFIG``)::

    uvicorn logweir.examples.order_service.app:app
"""

from __future__ import annotations

import os
from decimal import Decimal
from typing import Annotated

from fastapi import Body, FastAPI, HTTPException
from pydantic import BaseModel

import logweir
from logweir.examples.order_service.shop import PaymentDeclined, Shop, UnknownOrder
from logweir.integrations.asgi import ContextMiddleware

logweir.configure_structlog()
log = logweir.get_logger("api")

app = FastAPI(
    title="Order service", lifespan=logweir.lifespan(os.environ.get("LOGWEIR_CONFIG", "routing.yaml"))
)
app.add_middleware(ContextMiddleware)
shop = Shop()


class NewOrder(BaseModel):
    """What a customer sends."""

    user_id: int
    amount: Decimal
    card_number: str


class RoleChange(BaseModel):
    """What an administrator sends."""

    admin_id: int
    role: str
    password: str


@app.post("/orders", status_code=201)
async def place_order(order: NewOrder) -> dict[str, int]:
    """Place an order."""
    log.info("order.received", user_id=order.user_id)
    try:
        placed = await shop.place_order(order.user_id, order.amount, order.card_number)
    except PaymentDeclined as error:
        raise HTTPException(402, str(error)) from error
    return {"order_id": placed.id}


@app.get("/orders/{order_id}")
async def read_order(order_id: int) -> dict[str, str]:
    """Show an order."""
    order = shop.orders.get(order_id)
    if order is None:
        log.warning("order.not_found", order_id=order_id)
        raise HTTPException(404, "no such order")
    log.info("order.read", order_id=order_id)
    return {"order_id": str(order.id), "amount": str(order.amount)}


@app.post("/orders/{order_id}/refund")
async def refund(order_id: int, user_id: Annotated[int, Body(embed=True)]) -> dict[str, int]:
    """Refund an order."""
    log.info("refund.requested", order_id=order_id, user_id=user_id)
    try:
        order = await shop.refund(user_id, order_id)
    except UnknownOrder as error:
        log.exception("refund.failed", order_id=order_id)
        raise HTTPException(404, "no such order") from error
    return {"order_id": order.id}


@app.post("/users/{user_id}/role")
async def change_role(user_id: int, change: RoleChange) -> dict[str, str]:
    """Change a user's role."""
    before = await shop.set_role(change.admin_id, user_id, change.role, change.password)
    return {"before": before, "after": change.role}
