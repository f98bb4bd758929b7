"""Two views: one that orders, and is audited, and one that lists."""

from django.http import HttpRequest, JsonResponse
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_GET, require_POST

import logweir
from shop.models import Order

log = logweir.get_logger("shop")


@csrf_exempt
@require_POST
def place(request: HttpRequest) -> JsonResponse:
    """Order one item."""
    item, quantity = request.POST["item"], int(request.POST["quantity"])
    log.info("stock.checked", item=item)
    order = place_order(item, quantity, card=request.POST.get("card", ""))
    return JsonResponse({"order": order.pk})


@logweir.audit_log("order.placed")
def place_order(item: str, quantity: int, card: str) -> Order:
    """Its arguments are in the audit row, the card masked; so is that it failed, if it does."""
    return Order.objects.create(item=item, quantity=quantity)


@require_GET
def orders(request: HttpRequest) -> JsonResponse:
    """List what was ordered."""
    return JsonResponse({"orders": list(Order.objects.values("id", "item", "quantity"))})
