"""Plans as they are shown: with their products, in a constant number of queries."""

from __future__ import annotations

from django.db.models import Prefetch, QuerySet

from accounts.models import Account
from billing.models import Plan, PlanProduct


def with_products(prefix: str = "") -> Prefetch:
    """The products of a plan, oldest first, with their services; `prefix` leads to the plan."""
    products = PlanProduct.objects.select_related("service_item").order_by("id")
    return Prefetch(f"{prefix}products", queryset=products)


def plans_of(account: Account) -> QuerySet[Plan]:
    """Every plan of the account, by name."""
    found: QuerySet[Plan] = Plan.objects.of(account).prefetch_related(with_products())
    return found.order_by("name", "id")
