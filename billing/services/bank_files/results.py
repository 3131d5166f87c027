"""What applying a line of a retorno would do, in words; nothing is written here (B17)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal

from billing.engine.late_charges import late_charges
from billing.gateways.cnab.titles import Entry, Meaning
from billing.models import Charge, CnabRecord, Invoice, Receivable
from billing.selectors.late_terms import charge_terms
from billing.services.bank_files.matching import Known
from billing.services.payments.arrivals import Costs
from lib.money import brl

Result = CnabRecord.Result

MONEY = (Result.SETTLE, Result.REPLACED, Result.DUPLICATE, Result.DIVERGENT)
QUEUED = (Result.UNMATCHED, Result.UNKNOWN)
_PLAIN = {
    Meaning.REGISTERED: Result.REGISTERED,
    Meaning.REJECTED: Result.REJECTED,
    Meaning.REFUSED: Result.REJECTED,
    Meaning.CANCELLED: Result.CANCELLED,
    Meaning.CHANGED: Result.CHANGED,
    Meaning.FEE: Result.FEE,
    Meaning.NOTED: Result.NOTED,
    Meaning.UNKNOWN: Result.UNKNOWN,
}
# Facts of a boleto: without one there is nothing to change.
_OF_A_TITLE = (Result.REGISTERED, Result.REJECTED, Result.CANCELLED, Result.CHANGED)
_GIVEN_UP = (Charge.State.CANCELLING, Charge.State.CANCELLED, Charge.State.REJECTED)
_ZERO = Decimal("0.00")


@dataclass(frozen=True)
class Decision:
    """A result and its explanation (pt-BR)."""

    result: str
    message: str


@dataclass
class Judge:
    """Decides line after line of one file: two payments of a parcel in it are told apart.

    `settled` are parcels that an earlier line pays in full, `begun` what earlier lines leave open
    of others (BRL).
    """

    settled: set[int] = field(default_factory=set)
    begun: dict[int, Decimal] = field(default_factory=dict)
    costs: Costs = field(default_factory=Costs)

    def decide(self, entry: Entry, known: Known | None, *, is_on_books: bool) -> Decision:
        """What becomes of an entry; `is_on_books`: the very same fact was applied before."""
        if entry.fault:
            return Decision(Result.UNKNOWN, entry.fault)
        told = f"{entry.text}: {entry.why}" if entry.why else entry.text
        if entry.meaning is not Meaning.SETTLED:
            return _of_fact(_PLAIN[entry.meaning], told, known, is_on_books)
        if is_on_books:
            return Decision(Result.SETTLED_BEFORE, f"{told}. Este pagamento já foi baixado.")
        if known is None:
            return Decision(Result.UNMATCHED, f"{told}. Nenhum boleto com este nosso número.")
        if not entry.paid:
            return Decision(Result.UNKNOWN, f"{told}, sem valor pago.")
        return self._of_money(entry, known, told)

    def _of_money(self, entry: Entry, known: Known, told: str) -> Decision:
        if known.receivable_state != Receivable.State.TO_RECEIVE or (
            known.receivable_id in self.settled
        ):
            return Decision(Result.DUPLICATE, f"{told}. {_why_credit(known, entry.paid)}")
        known = replace(
            known, open_principal=self.begun.get(known.receivable_id, known.open_principal)
        )
        expected = self.expected(entry, known)
        left = min(expected - entry.discount - entry.paid, known.open_principal)
        self.begun[known.receivable_id] = left
        if left <= 0:
            self.settled.add(known.receivable_id)
        if entry.paid != expected - entry.discount:
            return Decision(Result.DIVERGENT, f"{told}. {_difference(entry, expected)}")
        if known.state in _GIVEN_UP or known.replaced_by is not None:
            return Decision(Result.REPLACED, f"{told}. O boleto foi substituído ou baixado.")
        return Decision(Result.SETTLE, told)

    def expected(self, entry: Entry, known: Known) -> Decimal:
        """What the parcel costs on the day it was paid (SV-4, LATE-1); before any discount."""
        on = entry.occurred_on or known.due
        calendar = self.costs.calendar(Invoice(organization_id=known.organization_id))
        if on <= calendar.next_business_day(known.due):
            return known.open_principal + known.fine + known.interest
        terms = charge_terms(Charge(terms=known.terms))
        if terms is None:
            terms = self.costs.terms(Invoice.objects.get(pk=known.invoice_id))
        return late_charges(
            known.open_principal,
            due=known.receivable_due,
            paid_on=on,
            terms=terms,
            calendar=calendar,
            charged_until=known.charged_until,
            grace_until=known.grace_until,
        ).total


def _of_fact(result: str, told: str, known: Known | None, is_on_books: bool) -> Decision:
    if is_on_books:
        return Decision(Result.SETTLED_BEFORE, f"{told}. Este registro já foi aplicado.")
    if known is None and result in _OF_A_TITLE:
        return Decision(Result.UNMATCHED, f"{told}. Nenhum boleto com este nosso número.")
    return Decision(result, told)


def _why_credit(known: Known, paid: Decimal) -> str:
    reasons: Mapping[str, str] = {
        Receivable.State.CANCELLED: "A parcela está cancelada",
        Receivable.State.RENEGOTIATED: "A parcela foi renegociada",
        Receivable.State.TO_EMIT: "A fatura não está emitida",
    }
    reason = reasons.get(known.receivable_state, "A parcela já está paga")
    return f"{reason}: {brl(paid)} viram crédito do cliente."


def _difference(entry: Entry, expected: Decimal) -> str:
    less = expected - entry.discount - entry.paid
    shown = f"Esperado {brl(expected - entry.discount)}, pago {brl(entry.paid)}"
    if less > 0:
        return f"{shown}: {brl(less)} ficam em aberto."
    return f"{shown}: {brl(-less)} viram crédito do cliente."
