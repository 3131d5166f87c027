"""When the note of an invoice is due (REC-11), and that an invoice has one note only.

With the invoice, or so many business days after the last receipt. What is due is queued here and
handed over by `note_emission`.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import date, datetime

from django.db.models import Max, Q, QuerySet

from accounts.models import Account
from accounts.services.calls import call_after_commit
from billing.engine.local_days import note_day
from billing.models import Invoice, InvoiceNote, NfseTemplate, OrganizationProfile
from billing.models.invoice_note import NoteStage
from lib import clock
from lib.bulk import insert_rows

TASK = "billing.tasks.work_off_notes"
_COLUMNS = (
    "account", "invoice", "kind", "generation", "slot", "state", "due_on", "next_attempt_at",
    "attempts", "reason", "error", "memory", "issued_with", "created_at", "updated_at",
)  # fmt: skip


def plan_notes(invoice_ids: Collection[int], *, at: datetime) -> int:
    """Give a note to be each of the just emitted invoices that asks for one; answers how many.

    An invoice that has one already keeps it. In the transaction of the emission; three queries.
    """
    wanted = (
        Invoice.objects.filter(id__among=list(invoice_ids), issue_nfse=True, gross_value__gt=0)
        .filter(~Q(notes_of__slot__isnull=False))
        .annotate(last=Max("notes_of__generation"), paid_on=Max("receivables__received_at"))
        .order_by("id")
    )
    rows = list(
        wanted.values_list(
            "id", "account_id", "nfse_template_ref", "days_until_automatic_nfe_emission", "last",
            "state", "paid_on", "organization__profile__extra_holidays",
        )
    )  # fmt: skip
    if not rows:
        return 0
    kinds = _kinds({template for _, _, template, *_ in rows if template is not None})
    insert_rows(
        InvoiceNote,
        _COLUMNS,
        [
            (
                account, pk, kinds.get(template or 0, NfseTemplate.Tipo.NFSEN.value),
                (last or 0) + 1, InvoiceNote.CURRENT,
                *_when(days, state, paid_on, holidays, at=at),
                0, "", "", [], {}, at, at,
            )
            for pk, account, template, days, last, state, paid_on, holidays in rows
        ],
    )  # fmt: skip
    call_after_commit(TASK)
    return len(rows)


def _kinds(template_ids: set[int]) -> dict[int, str]:
    rows = NfseTemplate.objects.filter(id__in=template_ids)
    return dict(rows.values_list("id", "tipo_nota"))


def _when(
    days: int,
    state: str,
    paid_on: date | None,
    holidays: Sequence[str] | None,
    *,
    at: datetime,
) -> tuple[str, date | None, datetime | None]:
    """State, day and moment of a new note."""
    if not days:
        return NoteStage.QUEUED.value, None, at
    is_paid = state == Invoice.State.RECEIVED and paid_on is not None
    return NoteStage.SCHEDULED.value, _due(paid_on, days, holidays) if is_paid else None, None


def _due(paid_on: date | None, days: int, holidays: Sequence[str] | None) -> date | None:
    return note_day(paid_on, days, holidays or ()) if paid_on else None


def after_receipt(invoice: Invoice, *, last_paid_on: date | None) -> None:
    """The invoice was received in full, or (`last_paid_on` None) is open again.

    Of a locked invoice; only a note that still waits has its day moved.
    """
    waiting = InvoiceNote.objects.filter(invoice=invoice, state=NoteStage.SCHEDULED)
    if not waiting.exists():
        return
    profile = OrganizationProfile.objects.filter(party_id=invoice.organization_id).first()
    holidays = profile.extra_holidays if profile is not None else ()
    days = invoice.days_until_automatic_nfe_emission
    waiting.update(due_on=_due(last_paid_on, days, holidays))


def queue_due(*, now: datetime) -> int:
    """Queue the scheduled notes whose day has come, by each account's own today."""
    n = 0
    for account in Account.objects.filter(is_active=True):
        n += _due_of(account).update(
            state=NoteStage.QUEUED, next_attempt_at=now, attempts=0, updated_at=now
        )
    return n


def _due_of(account: Account) -> QuerySet[InvoiceNote]:
    return InvoiceNote.objects.filter(
        account=account,
        state=NoteStage.SCHEDULED,
        due_on__lte=clock.today(account.time_zone),
        invoice__state__in=[Invoice.State.TO_RECEIVE, Invoice.State.RECEIVED],
    )
