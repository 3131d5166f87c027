"""Reading gatilhos: a company's token sees its own, the account's token all of them."""

from __future__ import annotations

from django.db.models import QuerySet

from accounts.models import Account
from fiscal.models import Company, FiscalHook
from lib.errors import NotFound


def listed_hooks(
    account: Account, *, company: Company | None = None, ambiente: str = ""
) -> QuerySet[FiscalHook]:
    """The account's hooks, or those that tokens of `company` in `ambiente` made."""
    rows: QuerySet[FiscalHook] = FiscalHook.objects.of(account).select_related("company")
    if company is not None:
        rows = rows.filter(company=company, ambiente=ambiente)
    return rows.order_by("pk")


def get_hook(
    account: Account, *, public_id: str, company: Company | None = None, ambiente: str = ""
) -> FiscalHook:
    """One of `listed_hooks`. Raises NotFound."""
    rows = listed_hooks(account, company=company, ambiente=ambiente)
    found = rows.filter(public_id=public_id).first()
    if found is None:
        raise NotFound("Gatilho não encontrado")
    return found
