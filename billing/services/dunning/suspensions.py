"""What a contract goes without while it owes: its service, or new invoices.

Other systems are told by the tasks named in settings, queued with the contract's primary key in
the transaction of the change.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import date, datetime, timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import Exists, OuterRef, Q, QuerySet

from accounts.models import Account
from accounts.services.audit import SYSTEM, Actor, record
from billing.models import Contract, Receivable, Suspension
from lib import clock
from lib.calendars import BR_BANK
from lib.queue import enqueue

_VERBS = {
    Suspension.Kind.SERVICE: ("contrato.suspenso", "contrato.retomado"),
    Suspension.Kind.EMISSION: ("contrato.emissao_bloqueada", "contrato.emissao_liberada"),
}


def suspend(receivable: Receivable, *, kind: str, at: datetime, actor: Actor = SYSTEM) -> bool:
    """Suspend the contract of a locked parcel; False when it is already, or there is none.

    The caller holds the contract first and then the parcel, so that a receipt of the parcel either
    came before, or lifts what is written here.
    """
    contract = receivable.invoice.contract
    if contract is None or contract.status == Contract.Status.CANCELLED:
        return False
    row, is_new = Suspension.objects.get_or_create(
        contract=contract,
        kind=kind,
        lifted_at=None,
        defaults={"account_id": receivable.account_id, "receivable": receivable, "since": at},
    )
    if is_new:
        _tell(row, actor=actor, has_begun=True)
    return is_new


@transaction.atomic
def lift_if_clear(contract_ids: Collection[int]) -> int:
    """Lift what contracts go without once nothing overdue of them is open; answers how much.

    For whoever receives, cancels or renegotiates, in the same transaction. The sweep finds the
    rest.
    """
    rows = Suspension.objects.filter(contract__in=contract_ids, lifted_at=None)
    return _lift(rows.select_for_update(of=("self",), no_key=True))


def lift_clear(account: Account) -> int:
    """`lift_if_clear` for every contract of the account."""
    live = Suspension.objects.of(account).filter(lifted_at=None)
    today = clock.today(account.time_zone)
    contracts = live.filter(~Exists(_overdue(today))).values_list("contract_id", flat=True)
    return lift_if_clear(set(contracts))


def lift(suspension_id: int, *, account: Account, actor: Actor) -> Suspension:
    """Lift one by a person's decision. Raises NotFound."""
    with transaction.atomic():
        rows = Suspension.objects.select_for_update(of=("self",), no_key=True)
        row: Suspension = rows.get_of(account, pk=suspension_id)
        if row.lifted_at is None:
            _end(row, actor=actor)
        return row


def emission_blocked() -> Q:
    """The condition that an invoice's contract has been barred from new invoices."""
    barred = Suspension.objects.filter(
        contract=OuterRef("contract_id"), kind=Suspension.Kind.EMISSION, lifted_at=None
    )
    return Q(Exists(barred))


def _lift(rows: QuerySet[Suspension]) -> int:
    n = 0
    for row in rows.select_related("account").order_by("id"):
        today = clock.today(row.account.time_zone)
        if not Suspension.objects.filter(Exists(_overdue(today)), pk=row.pk).exists():
            _end(row, actor=SYSTEM)
            n += 1
    return n


def _overdue(today: date) -> QuerySet[Receivable]:
    """Open parcels of a suspension's contract that are late (LATE-1), as contracts are."""
    return Receivable.objects.filter(
        invoice__contract=OuterRef("contract_id"),
        state=Receivable.State.TO_RECEIVE,
        open_principal__gt=0,
        due_date__lte=BR_BANK.previous_business_day(today - timedelta(days=1)),
    )


def _end(row: Suspension, *, actor: Actor) -> None:
    row.lifted_at = clock.now()
    row.save(update_fields=["lifted_at"])
    _tell(row, actor=actor, has_begun=False)


def _tell(row: Suspension, *, actor: Actor, has_begun: bool) -> None:
    begun, ended = _VERBS[Suspension.Kind(row.kind)]
    action = begun if has_begun else ended
    after = {"parcela": row.receivable_id}
    record(row.account, actor=actor, action=action, target=row.contract, after=after)
    if row.kind == Suspension.Kind.SERVICE:
        tasks = settings.SUSPENSION_SUBSCRIBERS if has_begun else settings.RESUMPTION_SUBSCRIBERS
        for task in tasks:
            enqueue(task, row.contract_id)
