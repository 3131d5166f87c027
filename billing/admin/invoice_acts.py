"""What staff may do to an invoice, each on a page of confirmation (ux §1.3)."""

from __future__ import annotations

from typing import Any

from django import forms
from django_fsm import can_proceed

from accounts.access import Capability
from accounts.services.audit import Actor
from billing.models import Invoice, Receivable
from billing.models.invoice_note import NoteStage
from billing.services.invoices import void_invoice
from billing.services.note_cancellation import current_note
from fiscal.admin.acts import Act, ActForm, Done
from fiscal.admin.sections import Right
from lib.money import brl

VOID = Right(Capability.VOID_REFUND)
LONGEST = 200


class VoidForm(ActForm):
    motivo = forms.CharField(
        label="Motivo",
        max_length=LONGEST,
        widget=forms.Textarea(attrs={"rows": 3, "data-max": LONGEST}),
        error_messages={"required": "Informe o motivo."},
    )


def _may_void(invoice: Invoice) -> bool:
    """Nothing was paid (VOID-1); the service checks again under its lock."""
    is_open = can_proceed(invoice.annul) and not invoice.paid_total
    received = invoice.receivables.filter(state=Receivable.State.RECEIVED)
    return is_open and not received.exists()


def _void(invoice: Invoice, data: dict[str, Any], actor: Actor) -> Done:
    had_note = current_note(invoice)
    void_invoice(invoice.pk, account=invoice.account, actor=actor, reason=data["motivo"])
    if had_note is not None and had_note.number:
        return Done(f"Fatura anulada, e a nota {had_note.number} cancelada.")
    return Done("Fatura anulada.")


def _void_notes(invoice: Invoice) -> list[str]:
    told = [
        f"{invoice.label}, {brl(invoice.gross_value)}, {invoice.customer}.",
        "Anular é para a fatura que não deveria existir: as transações voltam a ficar por faturar. "
        "Não tem volta. Dinheiro recebido se devolve com reembolso ou crédito.",
    ]
    note = current_note(invoice)
    if note is None:
        return told
    if note.state in (NoteStage.ISSUED, NoteStage.CANCELLING):
        told.append(
            f"O cancelamento da nota {note.number} é pedido antes. Se ela não puder ser cancelada, "
            "a fatura fica como está."
        )
    elif note.state == NoteStage.SENT:
        told.append("A nota está em processamento: enquanto isso a fatura não pode ser anulada.")
    else:
        told.append("A nota que ainda não saiu deixa de ser emitida.")
    return told


ACTS = (
    Act(
        slug="anular",
        label="Anular",
        button="Anular a fatura",
        keep="Manter a fatura",
        right=VOID,
        fits=_may_void,
        run=_void,
        form=VoidForm,
        notes=_void_notes,
        is_danger=True,
    ),
)
