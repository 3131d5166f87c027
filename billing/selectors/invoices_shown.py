"""What the API says of invoices that no column holds."""

from __future__ import annotations

from datetime import date
from typing import Any

from django.db.models import Exists, OuterRef, Q

from accounts.models import Account
from billing.engine.local_days import note_day
from billing.models import Invoice, Receivable


def is_late(today: date) -> Q:
    """Condition of a late invoice (§6.5): being collected, with something due before `today`."""
    due = Receivable.objects.filter(
        invoice=OuterRef("pk"),
        account=OuterRef("account"),  # the index of what is open begins with it
        state=Receivable.State.TO_RECEIVE,
        due_date__lt=today,
    )
    return Q(Exists(due), state=Invoice.State.TO_RECEIVE)


def are_late(account: Account, today: date) -> Q:
    """The same for a whole account, where nothing but late invoices is asked for: faster."""
    due = Receivable.objects.of(account).filter(
        state=Receivable.State.TO_RECEIVE, due_date__lt=today
    )
    return Q(id__among=due.values("invoice_id"), state=Invoice.State.TO_RECEIVE)


def note_date(invoice: Any) -> date | None:
    """When the note of an automatic invoice is due (§6.7): of a row of `invoice_rows`.

    On the billing date, or so many business days after the last receipt: unknown until then.
    """
    if invoice.management_type != "automatic":
        return None
    days = invoice.days_until_automatic_nfe_emission
    if not days:
        return invoice.issue_date
    if invoice.state != Invoice.State.RECEIVED:
        return None
    received = [r.received_at for r in invoice.receivables.all() if r.received_at is not None]
    return note_day(max(received), days, invoice.holidays) if received else None
