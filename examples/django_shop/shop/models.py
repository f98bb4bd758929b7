"""What the shop keeps."""

from django.db import models


class Order(models.Model):
    """An order of one item."""

    item = models.CharField(max_length=80)
    quantity = models.PositiveIntegerField()

    class Meta:
        """No table of another application has this name."""

        db_table = "shop_order"

    def __str__(self) -> str:
        """How Django's pages name it."""
        return f"{self.quantity} x {self.item}"
