"""What staff do about a dispute, each on a page of confirmation (B12)."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

from django import forms

from accounts.access import Capability
from accounts.services.audit import Actor
from billing.models import Dispute, Invoice, Payment, Receivable
from billing.selectors.disputes import contested_amount
from billing.services.disputes import resolving, thread, words
from billing.services.disputes.terms import settings_of
from billing.services.payments.refunds import REFUNDABLE, refundable
from fiscal.admin.acts import Act, ActForm, Done
from fiscal.admin.sections import Right
from lib.br import date_br
from lib.money import brl, decimal_br, parse_brl

ANSWER = Right(Capability.DISPUTES)
CREDIT = Right(Capability.DISPUTE_CREDIT)
GIVE_BACK = Right(Capability.VOID_REFUND)
BAD_AMOUNT = "Valor inválido. Use o formato 1.234,56."
KEEP = "Voltar à contestação"


def _text(label: str, missing: str = words.NO_ANSWER) -> forms.CharField:
    return forms.CharField(
        label=label,
        max_length=words.MOST,
        widget=forms.Textarea(attrs={"rows": 6, "data-max": words.MOST}),
        error_messages={"required": missing},
    )


class AnswerForm(ActForm):
    texto = _text("Resposta ao cliente")


class QuestionForm(ActForm):
    texto = _text("Pergunta ao cliente")


class NoteForm(ActForm):
    texto = _text("Nota interna (não visível ao cliente)", "Escreva a nota.")


class AmountForm(ActForm):
    """An answer and an amount in BRL."""

    valor = forms.CharField(label="Valor (R$)", max_length=20)
    texto = _text("Resposta ao cliente")

    def clean_valor(self) -> Decimal:
        try:
            value = parse_brl(self.cleaned_data["valor"])
        except ValueError as error:
            raise forms.ValidationError(BAD_AMOUNT) from error
        if value <= 0:
            raise forms.ValidationError("O valor deve ser maior do que zero.")
        return value


class RefundForm(AmountForm):
    pagamento = forms.IntegerField(widget=forms.HiddenInput)


def _is_live(dispute: Dispute) -> bool:
    return dispute.is_live


def _write(service: Callable[..., Any], done: str) -> Callable[..., Done]:
    """An act that sends the form's text and nothing else."""

    def run(dispute: Dispute, data: dict[str, Any], actor: Actor) -> Done:
        service(dispute.pk, data["texto"], account=dispute.account, actor=actor)
        return Done(done)

    return run


def _take(dispute: Dispute, data: dict[str, Any], actor: Actor) -> Done:
    thread.take(dispute.pk, account=dispute.account, actor=actor)
    return Done("Contestação assumida.")


def _credit(dispute: Dispute, data: dict[str, Any], actor: Actor) -> Done:
    resolving.credit(
        dispute.pk, data["texto"], account=dispute.account, actor=actor, amount=data["valor"]
    )
    return Done(f"Crédito de {brl(data['valor'])} lançado e contestação resolvida.")


def _correct(dispute: Dispute, data: dict[str, Any], actor: Actor) -> Done:
    resolving.correct(dispute.pk, data["texto"], account=dispute.account, actor=actor)
    redone = Invoice.objects.of(dispute.account).filter(replaces=dispute.invoice_id).first()
    if redone is None:
        return Done("Fatura anulada. As transações dela voltaram a ficar por faturar.")
    return Done(f"Fatura anulada. A nova ({redone.label}) está bloqueada até ser aprovada.")


def _refund(dispute: Dispute, data: dict[str, Any], actor: Actor) -> Done:
    resolving.pay_back(
        dispute.pk, data["texto"], account=dispute.account, actor=actor,
        payment_id=data["pagamento"], amount=data["valor"],
    )  # fmt: skip
    return Done(f"Reembolso de {brl(data['valor'])} pedido e contestação resolvida.")


def _may_correct(dispute: Dispute) -> bool:
    """Nothing was paid (VOID-1); the service checks again under its lock."""
    received = dispute.invoice.receivables.filter(state=Receivable.State.RECEIVED)
    return dispute.is_live and not dispute.invoice.paid_total and not received.exists()


def _payment(dispute: Dispute) -> Payment | None:
    """What of the invoice may still go back to where it came from, the last one first."""
    rows = dispute.invoice.payments.filter(
        method__in=REFUNDABLE,
        state__in=(Payment.State.SUCCEEDED, Payment.State.PARTIALLY_REFUNDED),
        undone_at=None,
    )
    return next((one for one in rows.order_by("-pk") if refundable(one)), None)


def _refund_first(dispute: Dispute) -> dict[str, Any]:
    payment = _payment(dispute)
    if payment is None:
        return {}
    left = min(refundable(payment), contested_amount(dispute))
    return {"pagamento": payment.pk, "valor": decimal_br(left, 2)}


def _what(dispute: Dispute) -> list[str]:
    return [
        f"Fatura {dispute.invoice.label}, {dispute.customer}. "
        f"Valor contestado: {brl(contested_amount(dispute))}.",
        f"A resposta vai para {dispute.email} e para a Central de Faturas.",
    ]


def _keep_notes(dispute: Dispute) -> list[str]:
    days = settings_of(dispute.invoice).dispute_grace_days
    grace = f" O que está em aberto pode ser pago sem multa e juros por {days} dias úteis."
    told = "A cobrança automática volta no próximo dia útil."
    return [*_what(dispute), told + (grace if days else "")]


def _correct_notes(dispute: Dispute) -> list[str]:
    return [
        *_what(dispute),
        "A fatura é anulada, com a nota dela, e não tem volta. Uma cópia é criada bloqueada, para "
        "ser corrigida e aprovada; transações voltam a ficar por faturar.",
    ]


def _credit_notes(dispute: Dispute) -> list[str]:
    return [
        *_what(dispute),
        "O crédito abate o que está em aberto desta fatura; o que sobrar fica na carteira do "
        "cliente. Menos do que o valor contestado aceita a contestação em parte.",
    ]


def _refund_notes(dispute: Dispute) -> list[str]:
    payment = _payment(dispute)
    if payment is None or payment.received_on is None:
        return _what(dispute)
    how = payment.get_method_display()
    return [
        *_what(dispute),
        f"{how} de {brl(payment.amount)} em {date_br(payment.received_on)}: até "
        f"{brl(refundable(payment))} podem voltar por onde vieram.",
    ]


ACTS = (
    Act(
        slug="assumir", label="Assumir", button="Assumir a contestação", keep=KEEP, right=ANSWER,
        fits=_is_live, run=_take,
    ),
    Act(
        slug="responder", label="Responder", button="Enviar a resposta", keep=KEEP, right=ANSWER,
        fits=_is_live, run=_write(thread.reply, "Resposta enviada."), form=AnswerForm, notes=_what,
    ),
    Act(
        slug="pedir", label="Pedir informação", button="Enviar a pergunta", keep=KEEP,
        right=ANSWER, fits=_is_live, run=_write(thread.ask, "Pergunta enviada."),
        form=QuestionForm,
        notes=lambda row: [*_what(row), "O prazo para até o cliente responder."],
    ),
    Act(
        slug="nota", label="Nota interna", button="Guardar a nota", keep=KEEP, right=ANSWER,
        fits=lambda row: True, run=_write(thread.note, "Nota guardada."), form=NoteForm,
    ),
    Act(
        slug="manter", label="Cobrança mantida", button="Manter a cobrança", keep=KEEP,
        right=ANSWER, fits=_is_live,
        run=_write(resolving.keep, "Cobrança mantida e contestação resolvida."), form=AnswerForm,
        notes=_keep_notes,
    ),
    Act(
        slug="credito", label="Crédito", button="Dar o crédito e resolver", keep=KEEP,
        right=CREDIT, fits=_is_live, run=_credit, form=AmountForm, notes=_credit_notes,
        initial=lambda row: {"valor": decimal_br(contested_amount(row), 2)},
    ),
    Act(
        slug="corrigir", label="Corrigir", button="Anular a fatura e resolver", keep=KEEP,
        right=GIVE_BACK, fits=_may_correct, run=_correct, form=AnswerForm, notes=_correct_notes,
        is_danger=True,
    ),
    Act(
        slug="reembolsar", label="Reembolsar", button="Reembolsar e resolver", keep=KEEP,
        right=GIVE_BACK, fits=lambda row: row.is_live and _payment(row) is not None, run=_refund,
        form=RefundForm, notes=_refund_notes, initial=_refund_first, is_danger=True,
    ),
)  # fmt: skip
