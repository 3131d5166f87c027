"""What a bank answered about a boleto: the one transition for its API and for its files.

Each function locks invoice, receivables and boletos, decides from the row as it is then, and may
be told the same thing twice. A boleto that was closed meanwhile is never opened by a late answer.
"""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import Any

from django.db import transaction

from accounts.models import Account
from accounts.services.audit import SYSTEM, Actor, record
from billing.gateways.boleto import codes
from billing.models import Charge, FollowUp, Invoice
from billing.services.boletos.draft import write_codes
from billing.services.boletos.held import HeldBoletos, hold_boletos
from billing.services.boletos.nudge import nudge
from billing.services.charge_closing import WRITE_OFF
from billing.services.outbox import Event, announce
from lib import clock
from lib.queue import enqueue

WAITING = (Charge.State.DRAFT, Charge.State.REGISTERING)
CLOSED = (Charge.State.CANCELLED, Charge.State.REJECTED)


def hold_charge(account: Account, charge_id: int) -> tuple[HeldBoletos, Charge]:
    """A boleto with all that its answer may change, locked. Raises NotFound."""
    found: Charge = Charge.objects.get_of(account, pk=charge_id)
    held = hold_boletos(account, found.receivable_id)
    return held, held.charge(charge_id)


@transaction.atomic
def registered(
    charge_id: int,
    *,
    account: Account,
    actor: Actor = SYSTEM,
    external_id: str = "",
    barcode: str = "",
) -> Charge:
    """The bank has it: it can be paid, and what it replaces no more (SV-3).

    `barcode` is the bank's own, checked before. One that was closed meanwhile is written off.
    """
    held, charge = hold_charge(account, charge_id)
    at = clock.now()
    if charge.state in WAITING:
        old = held.of_state(Charge.State.OPEN)
        if old is not None:
            withdraw(old, at=at)
        charge.confirm(at=at)
        _settled(charge)
        charge.reason = ""
        charge.external_id = external_id or charge.external_id
        if barcode:
            charge.barcode, charge.linha_digitavel = barcode, _line(barcode)
        charge.save()
        _tell_registered(held, charge, old, actor)
    elif charge.state in (Charge.State.CANCELLING, Charge.State.CANCELLED) and charge.gateway_id:
        charge.instruction, charge.next_attempt_at = WRITE_OFF, at
        charge.save()
        nudge(charge)
    return charge


def withdraw(charge: Charge, *, at: datetime) -> None:
    """Not to be paid from now on; the bank is told next."""
    charge.ask_cancellation()
    charge.instruction, charge.change = WRITE_OFF, {}
    charge.attempts = 0
    charge.next_attempt_at = at if charge.gateway_id else None
    charge.save()
    nudge(charge)


@transaction.atomic
def rejected(
    charge_id: int,
    *,
    account: Account,
    reason: str,
    actor: Actor = SYSTEM,
    is_at_bank: bool = False,
) -> Charge:
    """The bank does not take it, or took another one (`is_at_bank`), which is written off.

    `reason` is pt-BR, in the operator's words.
    """
    held, charge = hold_charge(account, charge_id)
    at = clock.now()
    if charge.state in WAITING:
        charge.reject(reason=reason, at=at)
        charge.replaces = None  # what it was to replace may be replaced by another
    elif charge.state == Charge.State.CANCELLING:
        charge.cancel(at=at)
    else:
        return charge
    _settled(charge)
    charge.reason = reason
    if is_at_bank:
        charge.instruction, charge.next_attempt_at = WRITE_OFF, at
    charge.save()
    nudge(charge)
    after = {"nosso_numero": charge.nosso_numero, "motivo": reason}
    record(account, actor=actor, action="boleto.rejeitado", target=charge, after=after)
    _release_email(held.invoice, at=at)
    return charge


@transaction.atomic
def written_off(
    charge_id: int, *, account: Account, on: date, reason: str = "", actor: Actor = SYSTEM
) -> Charge:
    """The bank has it no more: asked for by us, or by itself after the limit date."""
    _, charge = hold_charge(account, charge_id)
    at = clock.now()
    if charge.state == Charge.State.OPEN and charge.limit_date and on > charge.limit_date:
        charge.expire(at=at)
    elif charge.state in (*Charge.LIVE, Charge.State.CANCELLING):
        charge.cancel(at=at)
    elif charge.state not in CLOSED:
        return charge
    _settled(charge)
    charge.reason = reason or charge.reason
    charge.save()
    after = {"nosso_numero": charge.nosso_numero, "state": charge.state}
    record(account, actor=actor, action="boleto.baixado", target=charge, after=after)
    return charge


@transaction.atomic
def write_off_refused(charge_id: int, *, account: Account, reason: str) -> Charge:
    """The bank does not write it off, mostly because it was paid: its settlement will tell."""
    _, charge = hold_charge(account, charge_id)
    if charge.state in (Charge.State.CANCELLING, *CLOSED):
        _settled(charge)
        charge.reason = reason
        charge.save()
    return charge


@transaction.atomic
def changed(
    charge_id: int,
    *,
    account: Account,
    actor: Actor = SYSTEM,
    due: date | None = None,
    amount: Decimal | None = None,
) -> Charge:
    """The bank took a change that was asked for: only now the boleto says so (BO-7).

    It has `due` and `amount` (BRL) now, where given. What was asked for besides still waits.
    """
    held, charge = hold_charge(account, charge_id)
    if charge.state != Charge.State.OPEN or not charge.change:
        return charge
    old_due = charge.due_date
    before = {"due": old_due, "amount": charge.amount}
    wanted = wanted_of(charge)
    _apply_change(charge, due or old_due, charge.amount if amount is None else amount)
    if (charge.due_date, charge.amount) == wanted:
        _settled(charge)
    charge.reason = ""
    charge.save()
    _move_due_date(held, charge, old_due)
    after = {"due": charge.due_date, "amount": charge.amount}
    record(
        account, actor=actor, action="boleto.alterado", target=charge, before=before, after=after
    )
    return charge


@transaction.atomic
def change_refused(
    charge_id: int,
    *,
    account: Account,
    reason: str,
    due: date,
    amount: Decimal,
    actor: Actor = SYSTEM,
) -> Charge:
    """The bank does not bring the boleto to `due` and `amount` (BRL): it stays as it is.

    Another change that was asked for since still waits.
    """
    _, charge = hold_charge(account, charge_id)
    if charge.change:
        if wanted_of(charge) == (due, amount):
            _settled(charge)
        charge.reason = reason
        charge.save()
        after = {"motivo": reason}
        record(account, actor=actor, action="boleto.alteracao_recusada", target=charge, after=after)
    return charge


def _settled(charge: Charge) -> None:
    """Nothing waits to be told."""
    charge.instruction, charge.change = "", {}
    charge.attempts, charge.next_attempt_at = 0, None


def _line(barcode: str) -> str:
    return "".join(one for one in codes.line(barcode) if one in "0123456789")


def _tell_registered(held: HeldBoletos, charge: Charge, old: Charge | None, actor: Actor) -> None:
    after: dict[str, Any] = {"nosso_numero": charge.nosso_numero, "amount": charge.amount}
    record(held.account, actor=actor, action="boleto.registrado", target=charge, after=after)
    if old is not None:
        tell_reissued(held.account, charge, old, actor=actor)
    if charge.replaces_id is not None:
        enqueue("billing.tasks.tell_reissue", charge.pk)
    _release_email(held.invoice, at=clock.now())


def tell_reissued(account: Account, charge: Charge, old: Charge | None, *, actor: Actor) -> None:
    """Old and new number and amount in the trail (P08)."""
    record(
        account,
        actor=actor,
        action="boleto.reemitido",
        target=charge.receivable.invoice,
        before=None if old is None else _shown(old),
        after=_shown(charge),
    )


def _shown(charge: Charge) -> dict[str, Any]:
    return {
        "nosso_numero": charge.nosso_numero_printed,
        "amount": charge.amount,
        "fine": charge.fine,
        "interest": charge.interest,
        "due": charge.due_date,
    }


def _release_email(invoice: Invoice, *, at: datetime) -> None:
    """The e-mail that waits for the boleto need not wait for the clock."""
    FollowUp.objects.filter(
        invoice=invoice, kind=FollowUp.Kind.EMAIL, state=FollowUp.State.WAITING,
        next_attempt_at__gt=at,
    ).exclude(invoice__follow_ups__in=_others(invoice)).update(next_attempt_at=at)  # fmt: skip


def _others(invoice: Invoice) -> Any:
    return FollowUp.objects.filter(invoice=invoice, state=FollowUp.State.WAITING).exclude(
        kind=FollowUp.Kind.EMAIL
    )


def wanted_of(charge: Charge) -> tuple[date, Decimal]:
    """Due date and value (BRL) that the bank was asked for."""
    return date.fromisoformat(charge.change["due_date"]), Decimal(charge.change["amount"])


def _apply_change(charge: Charge, due: date, amount: Decimal) -> None:
    days = (charge.limit_date - charge.due_date) if charge.limit_date else None
    charge.due_date, charge.amount = due, amount
    charge.principal = charge.amount - charge.fine - charge.interest
    charge.limit_date = charge.due_date + days if days is not None else None
    found = codes.parts(charge.barcode)
    write_codes(charge, bank_code=found.bank, campo_livre=found.campo_livre)


def _move_due_date(held: HeldBoletos, charge: Charge, before: date) -> None:
    """The debt falls due with its boleto: late charges run from the day that the bank has."""
    if charge.due_date == before:
        return
    held.receivable.due_date = charge.due_date
    held.receivable.save(update_fields=["due_date"])
    first = held.invoice.receivables.order_by("position").values_list("due_date", flat=True)[0]
    if held.invoice.due_date != first:
        held.invoice.due_date = first
        held.invoice.save(update_fields=["due_date"])
    announce(held.invoice, Event.UPDATE)
