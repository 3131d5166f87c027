"""What staff may do to an invoice, each on a page of confirmation (ux §1.3)."""

from __future__ import annotations

from typing import Any

from django import forms
from django_fsm import can_proceed

from accounts.access import Capability
from accounts.services.audit import Actor
from billing.models import Invoice, Receivable
from billing.models.invoice_note import NoteStage
from billing.services.emails import manual
from billing.services.emails.composing import preview
from billing.services.emails.rendering import plain
from billing.services.invoices import void_invoice
from billing.services.note_cancellation import current_note
from fiscal.admin.acts import Act, ActForm, Done
from fiscal.admin.sections import MAIL, Right
from lib.errors import DomainError
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


def _may_send(invoice: Invoice) -> bool:
    return invoice.emitted_at is not None and invoice.state != Invoice.State.CANCELLED


def _send(invoice: Invoice, data: dict[str, Any], actor: Actor) -> Done:
    manual.send_invoice(invoice, actor=actor)
    return Done(f"{manual.SENT}.")


def _send_notes(invoice: Invoice) -> list[str]:
    """Recipients, text and files, as they would go now (B05)."""
    try:
        draft = manual.draft_of(invoice)
    except DomainError as refusal:
        return [refusal.mensagem]
    text = preview(draft)
    told = [f"{one.address}{' (cópia)' if one.is_copy else ''}" for one in draft.recipients]
    notes = [f"Para: {', '.join(told)}", f"Assunto: {text.subject}"]
    body = plain(text.body) if text.is_html else text.body
    notes += [line for line in body.splitlines() if line.strip()]
    if draft.enclosures:
        how = "Como links, por serem grandes demais" if draft.is_linked else "Anexos"
        names = ", ".join(one.name for one in draft.enclosures)
        notes.append(f"{how}: {names}. Ao todo {-(-draft.size // 1024)} KB.")
    return notes


ACTS = (
    Act(
        slug="enviar",
        label="Enviar por e-mail",
        button="Enviar E-mail",
        keep="Não enviar",
        right=MAIL,
        fits=_may_send,
        run=_send,
        notes=_send_notes,
    ),
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
