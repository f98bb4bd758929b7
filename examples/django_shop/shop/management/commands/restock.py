"""``python manage.py restock``: a command whose events have a trace of their own."""

import logweir
from logweir.integrations.django import ContextCommand
from shop.models import Order

log = logweir.get_logger("shop")


class Command(ContextCommand):
    """Order what was sold."""

    help = "Order what was sold."

    def handle(self, *args: object, **options: object) -> None:
        """Log what there is to order."""
        log.info("stock.ordered", items=Order.objects.count())
        self.stdout.write("ordered")
