"""Giving the money of a payment back, each way on a page of confirmation (B05, REF-1..3)."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from django import forms

from accounts.access import Capability
from accounts.services.audit import Actor
from billing.models import Payment, Refund
from billing.services.payments import card_refunds, refunds
from billing.services.payments.refunds import REFUNDABLE
from billing.services.pix.refunding import DAYS, refund_pix
from fiscal.admin.acts import Act, ActForm, Done
from fiscal.admin.sections import Right
from lib.money import brl, decimal_br, parse_brl

GIVE_BACK = Right(Capability.VOID_REFUND)
LONGEST = 500
_ASKABLE = (Payment.State.SUCCEEDED, Payment.State.PARTIALLY_REFUNDED)
PIX_DONE = "Pix devolvido ao pagador."
PIX_ASKED = "Devolução pedida ao banco. O resultado aparece aqui quando ele responder."
PIX_FAILED = "O banco recusou a devolução: {why} A fatura continua paga."
PENDING = "A operadora ainda não confirmou. O resultado aparece aqui; não peça de novo."
TO_CREDIT = "{amount} lançados na carteira do cliente."


class RefundForm(ActForm):
    """How much, of what is left, and why."""

    valor = forms.CharField(label="Valor (R$)", max_length=20)
    motivo = forms.CharField(
        label="Motivo",
        max_length=LONGEST,
        widget=forms.Textarea(attrs={"rows": 3, "data-max": LONGEST}),
        error_messages={"required": "Informe o motivo."},
    )

    def clean_valor(self) -> Decimal:
        try:
            return parse_brl(self.cleaned_data["valor"])
        except ValueError as error:
            raise forms.ValidationError(str(error)) from error


def may_ask(payment: Payment) -> bool:
    """The provider or the bank can be asked; the service looks again under its lock."""
    return (
        payment.method in REFUNDABLE
        and payment.gateway_id is not None
        and _is_open(payment)
        and refunds.refundable(payment) > 0
    )


def _may_credit(payment: Payment) -> bool:
    return _is_open(payment) and refunds.refundable_to_credit(payment) > 0


def _is_open(payment: Payment) -> bool:
    return payment.state in _ASKABLE and payment.undone_at is None


def _refund(payment: Payment, data: dict[str, Any], actor: Actor) -> Done:
    given = {"account": payment.account, "actor": actor, "reason": data["motivo"]}
    if payment.method == Payment.Method.PIX:
        return _told_pix(refund_pix(payment.pk, amount=data["valor"], **given))
    made = card_refunds.refund_payment(payment.pk, amount=data["valor"], **given)
    if made.state == Refund.State.PENDING and not made.external_id:
        return Done(PENDING, is_good=False)
    return Done(card_refunds.ASKED)


def _told_pix(made: Refund) -> Done:
    if made.state == Refund.State.FAILED:
        return Done(PIX_FAILED.format(why=made.failure), is_good=False)
    return Done(PIX_DONE if made.state == Refund.State.SUCCEEDED else PIX_ASKED)


def _credit(payment: Payment, data: dict[str, Any], actor: Actor) -> Done:
    made = refunds.open_refund(
        payment.pk, account=payment.account, actor=actor, reason=data["motivo"],
        amount=data["valor"], to=Refund.To.CREDIT,
    )  # fmt: skip
    return Done(TO_CREDIT.format(amount=brl(made.amount)))


def _notes(payment: Payment) -> list[str]:
    left = brl(refunds.refundable(payment))
    told = [f"{payment.customer}: {payment}, dos quais {left} podem voltar."]
    if payment.method == Payment.Method.PIX:
        told.append(f"O valor volta ao pagador do Pix, em até {DAYS} dias do recebimento.")
    else:
        card = payment.saved_method or "do pagamento"
        told.append(f"O valor volta ao cartão {card} em 3 a 7 dias úteis.")
    told.append(
        "A fatura não é anulada e nada volta a ser cobrado. Crédito que este pagamento deixou na "
        "carteira do cliente sai dela primeiro."
    )
    return told


def _credit_notes(payment: Payment) -> list[str]:
    return [
        f"{payment.customer}: {payment}.",
        "O valor fica na carteira do cliente, para as próximas faturas; nada volta ao cartão nem "
        "à conta. A fatura não é anulada e nada volta a ser cobrado.",
    ]


def _all_of_it(payment: Payment) -> dict[str, Any]:
    return {"valor": decimal_br(refunds.refundable(payment), 2)}


def _all_to_credit(payment: Payment) -> dict[str, Any]:
    return {"valor": decimal_br(refunds.refundable_to_credit(payment), 2)}


ACTS = (
    Act(
        slug="reembolsar", label="Reembolsar", button="Confirmar Reembolso",
        keep="Manter o pagamento", right=GIVE_BACK, fits=may_ask, run=_refund, form=RefundForm,
        notes=_notes, initial=_all_of_it, is_danger=True,
    ),
    Act(
        slug="creditar", label="Reembolsar em crédito", button="Lançar o crédito",
        keep="Manter o pagamento", right=GIVE_BACK, fits=_may_credit, run=_credit,
        form=RefundForm, notes=_credit_notes, initial=_all_to_credit, is_danger=True,
    ),
)  # fmt: skip


def standing(payment: Payment) -> str:
    """What a person decides by: another refund makes the page an old one (B05-2)."""
    return f"{payment.state}:{payment.refunded_total}:{payment.refunds.count()}"
