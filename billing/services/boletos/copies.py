"""Segunda via: the same boleto while it can be paid as it is, its updated value otherwise (§7)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from accounts.models import Account
from accounts.services.audit import Actor, record
from billing.errors import BoletoRegistering, NoBoleto
from billing.models import Charge, Invoice, Receivable
from billing.services.boletos.held import check_open
from billing.services.boletos.quotes import Quote, Quoting
from lib import clock


@dataclass(frozen=True)
class SecondCopy:
    """What a payer is shown of one receivable.

    `charge` is what can be paid now, None when a new one has to be made. `bank_value` is what the
    bank takes for it today; `choices` are the days of a reissue, empty while nothing is late.
    """

    receivable: Receivable
    charge: Charge | None
    is_overdue: bool
    bank_value: Quote
    choices: Sequence[Quote]

    @property
    def is_current(self) -> bool:
        """`charge` is paid at its own value: a reissue would answer this one (SV-1)."""
        return self.charge is not None and self.bank_value.due == self.charge.due_date

    @property
    def boleto(self) -> Charge:
        """The one to be paid. Raises NoBoleto when there is none: it has to be reissued."""
        if self.charge is None:
            raise NoBoleto()
        return self.charge


def second_copy(
    receivable_id: int, *, account: Account, actor: Actor, today: date | None = None
) -> SecondCopy:
    """The boleto of a receivable, audited as shown; changes nothing.

    Overdue: the one that the bank still takes with charges, if any (SV-2), and the choices of an
    updated one. Raises NotFound, NoOpenAmount, InvoiceBlocked, or BoletoRegistering while the only
    boleto is not registered yet (BO-1).
    """
    found = look(receivable_id, account=account, today=today)
    if found.charge is not None:
        after = {"nosso_numero": found.charge.nosso_numero_printed, "amount": found.charge.amount}
        record(
            account, actor=actor, action="boleto.2via_emitida", target=found.receivable.invoice,
            after=after,
        )  # fmt: skip
    return found


def look(receivable_id: int, *, account: Account, today: date | None = None) -> SecondCopy:
    """`second_copy` without the trail: what pages show. Raises the same."""
    receivable: Receivable = Receivable.objects.select_related("invoice").get_of(
        account, pk=receivable_id
    )
    invoice: Invoice = receivable.invoice
    check_open(invoice, receivable)
    today = today or clock.today(account.time_zone)
    quoting = Quoting.of(receivable, invoice)
    is_overdue = quoting.is_overdue(today)
    charge = payable(receivable, today=today)
    if charge is not None and quoting.is_in_grace(today) and not is_in_time(charge, quoting, today):
        charge = None  # its bank would ask for charges that are not owed
    if charge is None and _is_registering(receivable) and not is_overdue:
        raise BoletoRegistering()
    return SecondCopy(
        receivable,
        charge,
        is_overdue,
        quoting.at(today) if charge is None else at_the_bank(charge, quoting, today),
        quoting.choices(today) if is_overdue else (),
    )


def payable(receivable: Receivable, *, today: date) -> Charge | None:
    """The open boleto that a bank takes today; what is in cancellation is never one (SV-3)."""
    found: Charge | None = (
        receivable.charges.filter(
            kind=Charge.Kind.BOLETO, state=Charge.State.OPEN, limit_date__gte=today
        )
        .select_related("agreement__financial_account")
        .first()
    )
    if found is None or found.principal != receivable.open_principal:
        return None  # part of it was paid meanwhile: its value is wrong
    return found


def is_in_time(charge: Charge, quoting: Quoting, today: date) -> bool:
    """It is still paid at its own value."""
    return today <= quoting.calendar.next_business_day(charge.due_date)


def at_the_bank(charge: Charge, quoting: Quoting, today: date) -> Quote:
    """What the bank takes for it today: its own amount, or with the charges of lateness."""
    if is_in_time(charge, quoting, today):
        return Quote(charge.due_date, 0, charge.principal, charge.fine, charge.interest)
    return quoting.at(today)


def _is_registering(receivable: Receivable) -> bool:
    waiting = (Charge.State.DRAFT, Charge.State.REGISTERING)
    boletos = receivable.charges.filter(kind=Charge.Kind.BOLETO)
    return bool(boletos.filter(state__in=waiting).exists())
