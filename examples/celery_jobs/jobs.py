"""Tasks that are audited. The broker is a folder, so nothing has to be installed."""

from pathlib import Path

from celery import Celery

import logweir
from logweir.integrations.celery import install

BROKER = Path(__file__).parent / "broker"
BROKER.mkdir(exist_ok=True)

app = Celery("jobs", broker="filesystem://")
app.conf.broker_transport_options = {
    "data_folder_in": BROKER,
    "data_folder_out": BROKER,
    "control_folder": BROKER,
}
logweir.configure_structlog()
logweir.start("routing.yaml")
install()
log = logweir.get_logger("jobs")


@app.task
@logweir.audit_log("invoice.sent")
def send_invoice(invoice: int, email: str) -> None:
    """Send one invoice; who asked for it is found by the trace."""
    log.info("invoice.rendered", invoice=invoice, to=email)
    if invoice < 0:
        raise ValueError("there is no such invoice")
