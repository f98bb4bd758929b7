"""Typed calls of the public API: the type checker must accept each line, and nothing is run."""

from collections.abc import AsyncIterator, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Annotated, Any, assert_type

from fastapi import Depends, FastAPI
from prometheus_client import REGISTRY

import logweir
from logweir.config.models import RoutingConfig
from logweir.integrations import wsgi as wsgi_integration
from logweir.integrations.asgi import ContextMiddleware
from logweir.integrations.prometheus import asgi_app, collector, wsgi_app
from logweir.telemetry.model import Metrics
from logweir.testing import SinkContract, capture

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication


def lifecycle(config: RoutingConfig) -> None:
    assert_type(logweir.start("routing.yaml"), logweir.Runtime)
    assert_type(logweir.start({"sinks": {}}), logweir.Runtime)
    assert_type(logweir.start(config), logweir.Runtime)
    assert_type(logweir.flush(timeout=1.0), bool)
    assert_type(logweir.stop(timeout=10.0), bool)
    assert_type(logweir.metrics(), Metrics)
    assert_type(logweir.current(), logweir.Runtime | None)
    logweir.reload()
    with logweir.running(config) as runtime:
        assert_type(runtime, logweir.Runtime)


def logging() -> None:
    logweir.configure_structlog(min_level="WARN")
    logweir.configure_structlog(min_level=25)
    logweir.get_logger("shop", tenant=7).info("order %s", 1, event="placed", level="gold")
    logweir.Handler("info").setLevel("warn")


async def asynchronous() -> None:
    async with logweir.running() as runtime:
        assert_type(runtime, logweir.Runtime)
    assert_type(await logweir.aflush(), bool)
    ack = await logweir.audit("fund.transfer", user_id=7, status="success", amount=100)
    assert_type(ack, logweir.Ack)
    assert_type(logweir.audit_sync("fund.transfer", user_id="ann"), logweir.Ack)
    assert_type(await logweir.LogService().create_log("note", where="here"), logweir.Event)
    assert_type(logweir.LogService().create_audit_log_sync(user_id=7, action="fund.x"), logweir.Event)


@logweir.audit_log("fund.transfer", user="user_id")
def transfer(user_id: int, amount: Decimal) -> str:
    return "done"


@logweir.audit_log("fund.refund", acknowledge="stored", on_failure="raise")
async def refund(user_id: int, *, order: int = 1) -> bytes:
    return b""


@logweir.audit_log("read")
async def rows() -> AsyncIterator[int]:
    yield 1


async def decorated() -> None:
    assert_type(transfer(7, Decimal(1)), str)
    assert_type(await refund(7, order=2), bytes)
    transfer("seven", 1)  # type: ignore[arg-type]
    async for row in rows():
        assert_type(row, int)


class FundTransfer(logweir.AuditRecord, action="fund.typed"):
    amount: Decimal
    currency: str = "EUR"


class MyConfig(logweir.SinkConfig):
    path: str = "x"


@logweir.register_sink("mine")
class MySink(logweir.Sink[MyConfig]):
    Config = MyConfig

    async def write(self, batch: Sequence[logweir.Event]) -> logweir.WriteResult:
        assert_type(self.config.path, str)
        assert_type(batch[0].kind, logweir.Kind)
        return logweir.WriteResult(rejected={0: "no"})


class MySyncSink(logweir.SyncSink[MyConfig]):
    def write(self, batch: Sequence[logweir.Event]) -> logweir.WriteResult:
        return logweir.WriteResult.all_stored()


def user() -> int:
    return 7


app = FastAPI(lifespan=logweir.lifespan("routing.yaml"))
app.add_middleware(ContextMiddleware)
app.mount("/metrics", asgi_app())
REGISTRY.register(collector())


@app.get("/")
@logweir.audit_log("order.read")
def read(user: Annotated[int, Depends(user)]) -> dict[str, int]:
    return {"user": user}


def wsgi(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    return []


with capture(classify=[{"kind": "audit", "match": {"event": "x"}}]) as captured:
    assert_type(captured.events, list[logweir.Event])

metrics_of_wsgi: WSGIApplication = wsgi_app
wrapped = wsgi_integration.ContextMiddleware(wsgi)
suite: type[SinkContract] = SinkContract
