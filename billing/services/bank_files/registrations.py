"""Entries that a bank confirmed, some hundreds together: most lines of a retorno are such.

What is plain, a boleto that waited and replaces none, is done with a statement per table; all else
goes one by one through the answer that its API uses, too. Both say and write the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from django.db import transaction

from accounts.models import Account
from accounts.services.audit import Actor, plain, record_many
from billing.models import Charge, FollowUp
from billing.services import ledger
from billing.services.boletos import answers
from lib import clock
from lib.bulk import update_rows

_COLUMNS = (
    "id", "state", "registered_at", "instruction", "change", "attempts", "next_attempt_at",
    "reason",
)  # fmt: skip


@transaction.atomic
def registered_many(charge_ids: Iterable[int], *, account: Account, actor: Actor) -> None:
    """The bank has them all. Told again, nothing changes."""
    wanted = set(charge_ids)
    rows = Charge.objects.of(account).filter(pk__in=wanted)
    invoices = dict(rows.values_list("pk", "receivable__invoice_id"))
    ledger.hold_many(account, invoice_ids=set(invoices.values()))
    held = list(rows.select_for_update().order_by("pk"))
    replacing = set(
        Charge.objects.filter(
            receivable__in=[one.receivable_id for one in held],
            kind=Charge.Kind.BOLETO,
            state=Charge.State.OPEN,
        ).values_list("receivable_id", flat=True)
    )
    simple = [
        one for one in held if one.state in answers.WAITING and one.receivable_id not in replacing
    ]
    _confirm(simple, account=account, actor=actor, at=clock.now())
    _release_emails({invoices[one.pk] for one in simple}, at=clock.now())
    done = {one.pk for one in simple}
    for pk in sorted(wanted - done):
        answers.registered(pk, account=account, actor=actor)


def _confirm(charges: Sequence[Charge], *, account: Account, actor: Actor, at: datetime) -> None:
    for one in charges:
        one.confirm(at=at)
        one.instruction, one.change, one.attempts, one.reason = "", {}, 0, ""
    update_rows(Charge, _COLUMNS, [[getattr(o, name) for name in _COLUMNS] for o in charges])
    entries = [
        (one.pk, plain({"nosso_numero": one.nosso_numero, "amount": one.amount}) or {})
        for one in charges
    ]
    record_many(
        account, actor=actor, action="boleto.registrado", object_type="charge", entries=entries
    )


def _release_emails(invoices: set[int], *, at: datetime) -> None:
    """E-mails that waited for nothing but their boleto need not wait for the clock."""
    waiting = FollowUp.objects.filter(invoice__in=invoices, state=FollowUp.State.WAITING)
    busy = waiting.exclude(kind=FollowUp.Kind.EMAIL).values_list("invoice_id", flat=True)
    due = waiting.filter(kind=FollowUp.Kind.EMAIL, next_attempt_at__gt=at)
    due.exclude(invoice__in=set(busy)).update(next_attempt_at=at)
