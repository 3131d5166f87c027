"""receivables (billing-api §2.11, §6.4): searched, received, and taken back."""

from __future__ import annotations

from django.urls import path
from rest_framework.request import Request
from rest_framework.response import Response

from billing.api.v1.base import BillingView, bad_parameters
from billing.api.v1.docs import documented, listed, one, query
from billing.api.v1.fields import is_blank
from billing.api.v1.invoice_shapes import FoundReceivableOut, ReceiptIn, ReceivableOut
from billing.models import Receivable
from billing.selectors.card_status import gateway_status_of
from billing.selectors.invoice_pages import check_contract
from billing.selectors.invoice_rows import receivable_rows
from billing.services.receivables import receive, undo_receipt
from lib.api_errors import TEXTS
from lib.errors import InvalidInput

STATES = ("to_emit", "to_receive", "received", "cancelled")


class _ReceivablesView(BillingView):
    envelope = "receivable"
    errors_as = TEXTS

    def check(self, contract_id: int, receivable_id: int) -> None:
        """Raises NotFound unless the receivable is the contract's."""
        receivables = Receivable.objects.only("id")
        receivables.get_of(self.account, pk=receivable_id, invoice__contract_id=contract_id)

    def shown(self, receivable: Receivable) -> Response:
        """The receivable as it is now."""
        receivable.gateway_status = gateway_status_of(receivable)
        return Response({"receivable": ReceivableOut.show(receivable)})


class ReceivableSearchView(_ReceivablesView):
    @documented(
        "Busca vencimentos de um contrato pela data",
        answer=listed("receivables", FoundReceivableOut),
        parameters=[
            query("due_date_from", "De", required=True),
            query("due_date_to", "Até, inclusive", required=True),
            query("state", "Situação", enum=STATES),
        ],
        refuses=[400],
    )
    def get(self, request: Request, contract_id: int) -> Response:
        check_contract(self.account, contract_id)
        days = self.period("due_date_from", "due_date_to")
        found = Receivable.objects.of(self.account).filter(
            invoice__contract_id=contract_id, due_date__range=days
        )
        state = request.query_params.get("state", "")
        if not is_blank(state):
            if state not in STATES:
                raise bad_parameters("state")
            found = found.filter(state=state)
        rows = receivable_rows(found.order_by("due_date", "id"))
        return Response({"receivables": FoundReceivableOut.show_rows(rows)})


class ReceiveView(_ReceivablesView):
    @documented(
        "Confirma o recebimento de um vencimento",
        body=ReceiptIn,
        envelope="receivable",
        answer=one("receivable", ReceivableOut),
        errors_as=TEXTS,
        description="Sem valor, recebe o que é devido; sem data, hoje.",
    )
    def patch(self, request: Request, contract_id: int, receivable_id: int) -> Response:
        self.check(contract_id, receivable_id)
        sent = self.read(ReceiptIn, partial=True)
        if sent.faults:
            raise InvalidInput(erros=sent.faults)
        received = receive(
            receivable_id,
            account=self.account,
            actor=self.actor,
            value=sent.values.get("received_value"),
            on=sent.values.get("received_at"),
        )
        return self.shown(received)


class UndoReceiptView(_ReceivablesView):
    @documented(
        "Desfaz o recebimento de um vencimento",
        answer=one("receivable", ReceivableOut),
        refuses=[422],
    )
    def patch(self, request: Request, contract_id: int, receivable_id: int) -> Response:
        self.check(contract_id, receivable_id)
        opened = undo_receipt(receivable_id, account=self.account, actor=self.actor)
        return self.shown(opened)


_RECEIVABLES = "contracts/<contract_id>/receivables"

routes = [
    path(f"{_RECEIVABLES}/search", ReceivableSearchView.as_view()),
    path(f"{_RECEIVABLES}/<receivable_id>/receive", ReceiveView.as_view()),
    path(f"{_RECEIVABLES}/<receivable_id>/undo_receipt", UndoReceiptView.as_view()),
]
