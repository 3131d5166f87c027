"""A customer says that an invoice is wrong (P09, P-7, P-8)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from django.db import transaction

from accounts.models import Account, User
from accounts.services.audit import Actor, record
from billing.errors import fault
from billing.models import Dispute, DisputeMessage, Invoice, Party
from billing.selectors.situations import Action, situation
from billing.services.disputes import collecting, files, letters, terms, words
from billing.services.disputes.faults import CannotDispute, DisputeOpen
from billing.services.disputes.uploads import Upload, check_uploads
from billing.services.invoices import lock_invoice
from billing.services.protocols import DISPUTE, take_protocol
from lib import clock
from lib.errors import NotFound


@dataclass(frozen=True)
class Statement:
    """What is said to be wrong. `lines` are ids of the invoice's lines; none is all of it."""

    reason: str
    text: str
    lines: Sequence[int] = ()
    files: Sequence[Upload] = ()


@transaction.atomic
def open_dispute(
    invoice_id: int,
    statement: Statement,
    *,
    account: Account,
    customer: Party,
    user: User,
    actor: Actor,
) -> Dispute:
    """Write the dispute with its first message, pause collecting, tell customer and team.

    Raises NotFound for an invoice that is not the customer's, InvalidInput (fields `motivo`,
    `itens`, `texto`, `anexos`), DisputeOpen, or CannotDispute when the invoice's state has none.
    """
    invoice = _held(invoice_id, account, customer)
    text = words.explanation(statement.text)
    if statement.reason not in Dispute.Reason.values:
        raise fault("motivo", "Informe o que está errado.")
    lines = _lines(invoice, statement.lines)
    checked = check_uploads(statement.files)
    today = clock.today(account.time_zone)
    _check_state(invoice, today)
    dispute = _write(invoice, statement.reason, lines, account, user, today)
    message = first_message(dispute, text, user=user)
    files.keep(message, checked)
    collecting.hold_back(dispute, actor=actor)
    letters.tell_opened(message)
    after = {
        "protocolo": dispute.protocol,
        "fatura": invoice.label,
        "motivo": dispute.reason,
        "itens": lines,
        "anexos": len(checked),
    }
    record(account, actor=actor, action="contestacao.aberta", target=dispute, after=after)
    return dispute


def _held(invoice_id: int, account: Account, customer: Party) -> Invoice:
    """The customer's emitted invoice, locked: of two at once, the second sees the first."""
    invoice = lock_invoice(invoice_id, account=account)
    if invoice.customer_id != customer.pk or invoice.emitted_at is None:
        raise NotFound()
    invoice.customer = customer
    return invoice


def _check_state(invoice: Invoice, today: date) -> None:
    found = situation(invoice, today=today)
    if found.dispute is not None:
        raise DisputeOpen(found.dispute)
    if Action.DISPUTE not in found.actions:
        raise CannotDispute(found.texto)


def _lines(invoice: Invoice, ids: Sequence[int]) -> list[int]:
    """Those that are the invoice's, in its order."""
    wanted = set(ids)
    own = list(invoice.lines.order_by("position").values_list("pk", flat=True)) if wanted else []
    if not wanted <= set(own):
        raise fault("itens", "Escolha itens desta fatura.")
    return [pk for pk in own if pk in wanted]


def _write(
    invoice: Invoice, reason: str, lines: list[int], account: Account, user: User, today: date
) -> Dispute:
    return Dispute.objects.create(
        account=account,
        invoice=invoice,
        customer=invoice.customer,
        protocol=take_protocol(account, DISPUTE, on=today),
        reason=reason,
        lines=lines,
        email=user.email,
        answer_by=terms.answer_by(invoice, today=today),
        opened_by=user,
        opened_at=clock.now(),
    )


def first_message(dispute: Dispute, text: str, *, user: User) -> DisputeMessage:
    """What the dispute begins with, in the customer's words."""
    return DisputeMessage.objects.create(
        dispute=dispute,
        author=DisputeMessage.Author.CUSTOMER,
        user=user,
        author_name=user.name or user.email,
        text=text,
        at=dispute.opened_at,
    )
