"""financial_accounts (billing-api §2.16): read-only; staff write them."""

from __future__ import annotations

from django.urls import path
from rest_framework.request import Request
from rest_framework.response import Response

from billing.api.v1.docs import documented, listed, one
from billing.api.v1.fields import AnyOut, BoolOut, IntegerOut, IsoMomentOut, TextOut
from billing.api.v1.of_organization import OfOrganizationView
from billing.api.v1.shapes import Out
from billing.models import FinancialAccount


class FinancialAccountOut(Out):
    id = IntegerOut()
    status = TextOut()
    bank_code = TextOut()
    bank_branch = TextOut()
    bank_account = TextOut()
    organization_id = IntegerOut()
    payout_bank_code = TextOut()
    payout_bank_branch = TextOut()
    payout_bank_account = TextOut()
    payment_methods = AnyOut()
    accept_fixed_fine = BoolOut()
    created_at = IsoMomentOut()
    updated_at = IsoMomentOut()


class _FinancialAccounts(OfOrganizationView):
    model, shape = FinancialAccount, FinancialAccountOut
    envelope, plural = "financial_account", "financial_accounts"


class FinancialAccountsView(_FinancialAccounts):
    @documented(
        "Lista as contas bancárias da organização",
        answer=listed("financial_accounts", FinancialAccountOut),
    )
    def get(self, request: Request, organization_id: int) -> Response:
        return self.list_all(organization_id)


class FinancialAccountView(_FinancialAccounts):
    @documented("Mostra uma conta bancária", answer=one("financial_account", FinancialAccountOut))
    def get(self, request: Request, organization_id: int, id: int) -> Response:
        return self.show_one(organization_id, id)


routes = [
    path("organizations/<organization_id>/financial_accounts", FinancialAccountsView.as_view()),
    path("organizations/<organization_id>/financial_accounts/<id>", FinancialAccountView.as_view()),
]
