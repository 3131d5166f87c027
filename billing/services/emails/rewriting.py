"""A message of several parcels, some of which ask for nothing any more: written anew (DUN-5).

What was written and not sent yet must not ask for what was paid since.
"""

from __future__ import annotations

from collections.abc import Sequence

from django.db.models import Q

from billing.models import EmailMessage, PaymentAllocation, Receivable, RulerExecution
from billing.services.dunning.selection import chaseable
from billing.services.emails import words
from billing.services.emails.composing import compose, queue
from billing.services.emails.recipients import Recipient
from billing.services.emails.variables import About
from lib import clock


def still_asked(row: EmailMessage) -> list[Receivable]:
    """What of the message may still be asked for now; its invoices are loaded."""
    if not row.receivables:
        return []
    asked = Receivable.objects.of(row.account).filter(pk__in=row.receivables)
    found = chaseable(asked, account=row.account, now=clock.now())
    return list(
        found.select_related(
            "invoice__account", "invoice__organization", "invoice__customer", "invoice__series"
        )
    )


def is_stale(row: EmailMessage, left: Sequence[Receivable]) -> bool:
    """Does the text ask for another sum than is open of `left`, which may still be asked for?"""
    if len(left) < len(row.receivables):
        return True
    since = Q(created_at__gt=row.created_at) | Q(reversed_at__gt=row.created_at)
    return PaymentAllocation.objects.filter(since, receivable__in=left).exists()


def rewrite(row: EmailMessage, left: Sequence[Receivable]) -> None:
    """Queue the same message of what is left in place of `row`, once; its proof goes with it.

    The caller ends `row`. Makes files: never inside a transaction. Raises what `compose` raises.
    """
    oldest = sorted(left, key=lambda one: (one.due_date, one.pk))
    about = About(oldest[0].invoice, tuple(oldest))
    is_overdue = oldest[0].due_date < clock.today(row.account.time_zone)
    ours = words.shipped("cobranca" if is_overdue else "lembrete")
    chosen = words.own(row.template) if row.template is not None else ours
    to = Recipient(row.recipient, row.contact, is_copy=row.is_copy)
    base = row.key.rpartition(":")[0]
    queue(compose(about, chosen, recipients=[to]), trigger=row.trigger, key=f"{base}:{row.pk}")
    written = EmailMessage.objects.of(row.account).filter(key__startswith=f"{base}:{row.pk}:")
    RulerExecution.objects.filter(message=row, receivable__in=left).update(message=written.get())
