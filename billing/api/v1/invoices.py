"""invoices (billing-api §2.8, §3.1): written and read under their contract, searched anywhere."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.urls import path
from rest_framework.request import Request
from rest_framework.response import Response

from billing.api.v1.attachments import ATTACHMENTS_BODY
from billing.api.v1.base import BillingView, no_content
from billing.api.v1.docs import documented, listed, one, query
from billing.api.v1.filters import Page
from billing.api.v1.invoice_search import PARAMETERS, search_of
from billing.api.v1.invoice_shapes import InvoiceChangesIn, InvoiceIn, InvoiceOut
from billing.models import Invoice
from billing.selectors.invoice_pages import (
    Slice,
    check_contract,
    check_organization,
    contract_invoices,
)
from billing.selectors.invoice_rows import invoice_rows
from billing.selectors.invoices_shown import is_late
from billing.services.invoice_edits import create_from_values, delete_invoice, update_from_values
from billing.services.invoices import (
    approve_invoice,
    block_invoice,
    cancel_invoice,
    emit_invoice,
    undo_cancellation,
    undo_emission,
)
from lib import clock
from lib.api_errors import TEXTS
from lib.errors import NotFound


class _InvoicesView(BillingView):
    """What the endpoints of invoices do the same way."""

    envelope = "invoice"
    errors_as = TEXTS
    max_body = ATTACHMENTS_BODY

    def answer(self, contract_id: int, invoice_id: int, *, status: int = 200) -> Response:
        """The contract's invoice as it is now. Raises NotFound."""
        found = invoice_rows(contract_invoices(self.account, contract_id).filter(pk=invoice_id))
        if not found:
            raise NotFound()
        return Response({"invoice": InvoiceOut.show_rows(found)[0]}, status=status)


class ContractInvoicesView(_InvoicesView):
    @documented(
        "Cria um faturamento",
        body=InvoiceIn,
        envelope="invoice",
        answer=one("invoice", InvoiceOut),
        status=201,
        errors_as=TEXTS,
    )
    def post(self, request: Request, contract_id: int) -> Response:
        sent = self.read(InvoiceIn)
        invoice = create_from_values(
            sent.values,
            contract_id=contract_id,
            account=self.account,
            actor=self.actor,
            faults=sent.faults,
        )
        return self.answer(contract_id, invoice.pk, status=201)


class InvoiceView(_InvoicesView):
    @documented("Mostra um faturamento", answer=one("invoice", InvoiceOut))
    def get(self, request: Request, contract_id: int, id: int) -> Response:
        return self.answer(contract_id, id)

    @documented(
        "Altera um faturamento",
        body=InvoiceChangesIn,
        envelope="invoice",
        answer=one("invoice", InvoiceOut),
        errors_as=TEXTS,
        description="Depois de emitido, só mudam textos, dados da nota e do financeiro e anexos.",
    )
    def patch(self, request: Request, contract_id: int, id: int) -> Response:
        sent = self.read(InvoiceChangesIn, partial=True)
        update_from_values(
            id,
            sent.values,
            contract_id=contract_id,
            account=self.account,
            actor=self.actor,
            faults=sent.faults,
        )
        return self.answer(contract_id, id)

    @documented(
        "Apaga um faturamento que nunca foi faturado", status=204, errors_as=TEXTS, refuses=[422]
    )
    def delete(self, request: Request, contract_id: int, id: int) -> Response:
        delete_invoice(id, contract_id=contract_id, account=self.account, actor=self.actor)
        return no_content()


class OrganizationInvoiceSearchView(_InvoicesView):
    @documented(
        "Busca faturamentos de uma organização",
        answer=listed("invoices", InvoiceOut, paged=True),
        parameters=PARAMETERS,
        refuses=[400],
        description="Operadores: _eq, _not_eq, _gteq, _lteq, _in e _not_in. Situações: to_emit, "
        "to_receive, received, cancelled e late (em atraso).",
    )
    def get(self, request: Request, organization_id: int) -> Response:
        page = Page.of(request.query_params)
        found = Slice([], 0)
        try:
            search = search_of(self.account, organization_id, request.query_params)
            found = search.page(start=page.start, size=page.size)
        finally:
            # Whoever has invoices is there; an unknown one is not found, whatever was asked.
            if not found.ids:
                check_organization(self.account, organization_id)
        shown = InvoiceOut.show_rows(invoice_rows(found.ids))
        return Response(page.body("invoices", shown, page.of_total(found.total)))


class ContractInvoiceSearchView(_InvoicesView):
    @documented(
        "Busca faturamentos de um contrato pela data",
        answer=listed("invoices", InvoiceOut),
        parameters=[
            query("issue_date_from", "De", required=True),
            query("issue_date_to", "Até, inclusive", required=True),
        ],
        refuses=[400],
    )
    def get(self, request: Request, contract_id: int) -> Response:
        check_contract(self.account, contract_id)
        days = self.period("issue_date_from", "issue_date_to")
        found = contract_invoices(self.account, contract_id).filter(issue_date__range=days)
        return Response({"invoices": InvoiceOut.show_rows(invoice_rows(found))})


class LateInvoicesView(_InvoicesView):
    @documented("Lista os faturamentos em atraso", answer=listed("invoices", InvoiceOut))
    def get(self, request: Request, contract_id: int) -> Response:
        check_contract(self.account, contract_id)
        today = clock.today(self.account.time_zone)
        found = contract_invoices(self.account, contract_id).filter(is_late(today))
        return Response({"invoices": InvoiceOut.show_rows(invoice_rows(found))})


def action(summary: str, service: Callable[..., Any]) -> Any:
    """A view that moves an invoice to another state: no body, 200 with the invoice, or 422."""

    class ActionView(_InvoicesView):
        @documented(summary, answer=one("invoice", InvoiceOut), refuses=[422])
        def patch(self, request: Request, contract_id: int, id: int) -> Response:
            invoices = Invoice.objects.only("id")
            invoices.get_of(self.account, pk=id, contract_id=contract_id)
            service(id, account=self.account, actor=self.actor)
            return self.answer(contract_id, id)

    ActionView.__name__ = f"{service.__name__.title().replace('_', '')}View"
    return ActionView.as_view()


_INVOICES = "contracts/<contract_id>/invoices"

routes = [
    path(
        "organizations/<organization_id>/invoices/search", OrganizationInvoiceSearchView.as_view()
    ),
    path(_INVOICES, ContractInvoicesView.as_view()),
    path(f"{_INVOICES}/search", ContractInvoiceSearchView.as_view()),
    path(f"{_INVOICES}/late", LateInvoicesView.as_view()),
    path(f"{_INVOICES}/<id>", InvoiceView.as_view()),
    path(f"{_INVOICES}/<id>/block", action("Bloqueia um faturamento", block_invoice)),
    path(f"{_INVOICES}/<id>/approve", action("Aprova um faturamento", approve_invoice)),
    path(f"{_INVOICES}/<id>/emit", action("Fatura", emit_invoice)),
    path(f"{_INVOICES}/<id>/undo_emission", action("Desfaz o faturamento", undo_emission)),
    path(f"{_INVOICES}/<id>/cancel", action("Cancela um faturamento", cancel_invoice)),
    path(
        f"{_INVOICES}/<id>/undo_cancellation",
        action("Desfaz o cancelamento de um faturamento", undo_cancellation),
    ),
]
