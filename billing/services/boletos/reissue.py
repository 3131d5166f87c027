"""Reissue: a boleto of the updated value in place of an overdue one (SV-1…5, P08)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from django.db import transaction

from accounts.models import Account
from accounts.services.audit import Actor, record
from billing.errors import BankSilent, BoletoRegistering, BoletoRejected, NoOpenAmount, fault
from billing.models import Charge
from billing.services.boletos.answers import hold_charge, tell_reissued, withdraw
from billing.services.boletos.copies import is_in_time
from billing.services.boletos.draft import basis_of, write_boleto
from billing.services.boletos.held import HeldBoletos, check_payable, hold_boletos
from billing.services.boletos.quotes import Quote, Quoting
from billing.services.boletos.registration import LEASE, tell_now
from lib import clock
from lib.br import date_br

NOT_A_CHOICE = "Escolha um dia útil de hoje até {last}."
NO_REASON = "Informe o motivo da dispensa de multa ou juros."


@dataclass(frozen=True)
class Wish:
    """What was asked for. `reason` is why fine or interest are waived, which only staff may."""

    due: date
    waive_fine: bool = False
    waive_interest: bool = False
    reason: str = ""

    @property
    def waives(self) -> bool:
        return self.waive_fine or self.waive_interest


@dataclass(frozen=True)
class Reissue:
    """The boleto to be paid; `is_new` False: one that was still valid. It may be registering."""

    charge: Charge
    is_new: bool


def reissue(
    receivable_id: int,
    new_due: date,
    *,
    account: Account,
    actor: Actor,
    waive_fine: bool = False,
    waive_interest: bool = False,
    reason: str = "",
    today: date | None = None,
) -> Reissue:
    """A boleto of an overdue receivable for `new_due`, its value computed to that day (SV-1).

    One that is still paid at its own value is answered instead. With a bank's API the new one is
    registered before the old one is given up; when that fails nothing changes. By files the old
    one is cancelled at once and both orders go with the next remessa (SV-3). Not inside a
    transaction: the bank is asked. Raises NotFound, NoOpenAmount, InvoiceBlocked,
    PaymentInProgress, NoAgreement, InvalidInput, BoletoRegistering, BoletoRejected or BankSilent.
    """
    wish = Wish(new_due, waive_fine, waive_interest, reason.strip())
    if wish.waives and not wish.reason:
        raise fault("motivo", NO_REASON)
    today = today or clock.today(account.time_zone)
    found = _write(receivable_id, wish, account=account, actor=actor, today=today)
    if not found.is_new or found.charge.gateway_id is None:
        return found
    answered = tell_now(found.charge.pk, actor=actor)
    charge = _after_telling(found.charge.pk, account=account, answered=answered)
    if charge.state == Charge.State.REJECTED:
        raise BoletoRejected(charge.reason)
    if charge.state in (Charge.State.OPEN, Charge.State.REGISTERING):
        return Reissue(charge, is_new=True)
    # Given up; or closed by a payment while the bank was asked.
    raise BankSilent() if not answered else NoOpenAmount()


@transaction.atomic
def _write(
    receivable_id: int, wish: Wish, *, account: Account, actor: Actor, today: date
) -> Reissue:
    held = hold_boletos(account, receivable_id)
    check_payable(held)
    quoting = Quoting.of(held.receivable, held.invoice)
    if held.of_state(Charge.State.DRAFT, Charge.State.REGISTERING) is not None:
        raise BoletoRegistering()
    old = held.of_state(Charge.State.OPEN)
    if old is not None and _is_valid(old, held, quoting, wish, today):
        return Reissue(old, is_new=False)
    quote = _quote(quoting, wish, today)
    at = clock.now()
    basis = basis_of(held.invoice)
    charge = write_boleto(held, basis, quoting, quote, today=today, at=at, replaces=old)
    if wish.waives:
        _tell_waived(charge, quoting.at(wish.due), wish, actor=actor)
    if charge.gateway_id is None:
        if old is not None:
            withdraw(old, at=at)
        tell_reissued(account, charge, old, actor=actor)
    else:
        charge.next_attempt_at = at + LEASE  # ours: the sweep finds it if we are cut off
        charge.save(update_fields=["next_attempt_at"])
    return Reissue(charge, is_new=True)


def _tell_waived(charge: Charge, owed: Quote, wish: Wish, *, actor: Actor) -> None:
    """Who let the payer off what, and why (SV-5)."""
    record(
        charge.account,
        actor=actor,
        action="boleto.encargos_dispensados",
        target=charge.receivable.invoice,
        before={"fine": owed.fine, "interest": owed.interest},
        after={"fine": charge.fine, "interest": charge.interest, "motivo": wish.reason},
    )


def _is_valid(old: Charge, held: HeldBoletos, quoting: Quoting, wish: Wish, today: date) -> bool:
    """Shown instead of a new one: its value holds today, and is what is wanted."""
    if old.principal != held.receivable.open_principal or not is_in_time(old, quoting, today):
        return False
    return not (wish.waive_fine and old.fine) and not (wish.waive_interest and old.interest)


def _quote(quoting: Quoting, wish: Wish, today: date) -> Quote:
    if not quoting.allows(wish.due, today):
        last = quoting.choices(today)[-1].due
        raise fault("due_date", NOT_A_CHOICE.format(last=date_br(last)))
    return quoting.at(wish.due, waive_fine=wish.waive_fine, waive_interest=wish.waive_interest)


@transaction.atomic
def _after_telling(charge_id: int, *, account: Account, answered: bool) -> Charge:
    """The boleto as the bank's answer left it; without an answer it is given up (P08-4).

    It may be registered all the same: the bank is told to write it off as soon as it listens.
    """
    _, charge = hold_charge(account, charge_id)
    if not answered and charge.state == Charge.State.REGISTERING:
        charge.replaces = None
        withdraw(charge, at=clock.now())
    return charge
