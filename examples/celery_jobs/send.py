"""Who asks for invoices: a request's trace goes along with its tasks."""

from celery import chain

import logweir
from jobs import log, send_invoice
from logweir.context.binding import bind

with bind(trace_id="4bf92f3577b34da6a3ce929d0e0e4736", user_id=7):
    log.info("invoices.asked", count=2)
    chain(send_invoice.si(17, "ann@example.org"), send_invoice.si(-1, "ann@example.org")).delay()
logweir.stop()
