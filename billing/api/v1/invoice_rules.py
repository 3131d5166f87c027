"""invoice_rules (billing-api §2.9): the recurrences of a contract."""

from __future__ import annotations

from typing import Any

from django.urls import path
from rest_framework.request import Request
from rest_framework.response import Response

from billing.api.v1.base import BillingView, no_content
from billing.api.v1.docs import documented, listed, one
from billing.api.v1.rule_shapes import InvoiceRuleIn, InvoiceRuleOut
from billing.models import Contract
from billing.selectors.rules import rules_shown
from billing.services.rule_edits import Edited, create_rule, delete_rule, update_rule
from lib.api_errors import TEXTS


class _InvoiceRules(BillingView):
    envelope = "invoice_rule"
    errors_as = TEXTS

    def sent(self) -> dict[str, Any]:
        """What the body said, as the services take it; what a rule needs is theirs to demand."""
        read = self.read(InvoiceRuleIn, partial=True)
        found = {"values": read.values, "faults": read.faults}
        return found | {"account": self.account, "actor": self.actor}

    def answer(self, edited: Edited, *, status: int = 200) -> Response:
        contract_id = edited.rule.contract_id
        rule = rules_shown(self.account, contract_id=contract_id).get(pk=edited.rule.pk)
        body = InvoiceRuleOut.show(rule)
        if edited.invoices.created:
            # Told only by the request that generated invoices (§2.9).
            body["payment_value"] = body["gross_value"]
        return Response({"invoice_rule": body}, status=status)


class InvoiceRulesView(_InvoiceRules):
    @documented(
        "Lista as regras de faturamento do contrato, da mais nova à mais antiga",
        answer=listed("invoice_rules", InvoiceRuleOut),
    )
    def get(self, request: Request, contract_id: int) -> Response:
        Contract.objects.get_of(self.account, pk=contract_id)
        found = rules_shown(self.account, contract_id=contract_id)
        return Response({"invoice_rules": InvoiceRuleOut.show_all(found)})

    @documented(
        "Cria uma regra de faturamento e os faturamentos do seu primeiro período",
        body=InvoiceRuleIn,
        envelope="invoice_rule",
        answer=one("invoice_rule", InvoiceRuleOut),
        status=201,
        errors_as=TEXTS,
        description=(
            "Sem `end_date`, são gerados 24 meses (regra mensal) ou 6 meses (semanal) a partir de "
            "`init_date`. Com `invoice_template_id`, o que não for enviado vem do modelo."
        ),
    )
    def post(self, request: Request, contract_id: int) -> Response:
        edited = create_rule(contract_id=contract_id, **self.sent())
        return self.answer(edited, status=201)


class InvoiceRuleView(_InvoiceRules):
    @documented(
        "Altera uma regra de faturamento e seus faturamentos ainda não emitidos",
        body=InvoiceRuleIn,
        envelope="invoice_rule",
        answer=one("invoice_rule", InvoiceRuleOut),
        errors_as=TEXTS,
        description=(
            "Enviar `additional_information`, `receivables_additional_information` ou `charge_type`"
            " gera de novo os faturamentos a emitir; o resto é copiado para os de hoje em diante. "
            "`additional_information` com `id` altera o nó; sem `id`, o substitui."
        ),
    )
    def patch(self, request: Request, contract_id: int, id: int) -> Response:
        return self.answer(update_rule(id, contract_id=contract_id, **self.sent()))

    @documented(
        "Apaga uma regra e seus faturamentos a emitir de hoje em diante; os demais ficam",
        status=204,
    )
    def delete(self, request: Request, contract_id: int, id: int) -> Response:
        delete_rule(id, contract_id=contract_id, account=self.account, actor=self.actor)
        return no_content()


routes = [
    path("contracts/<contract_id>/invoice_rules", InvoiceRulesView.as_view()),
    path("contracts/<contract_id>/invoice_rules/<id>", InvoiceRuleView.as_view()),
]
