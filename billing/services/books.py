"""Putting on the books what was decided about held invoices, with a statement per table (INV-5).

What a payment does not settle is the customer's credit, never lost. Decide first, `write` once:
one click of staff and five hundred lines of a bank file take the same road.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from typing import Any

from django.db import models

from accounts.models import Account
from accounts.services.audit import Actor, plain, record, record_many
from billing.models import (
    Charge,
    Contract,
    CustomerCredit,
    Invoice,
    InvoiceNote,
    Payment,
    PaymentAllocation,
    Receivable,
    Transaction,
)
from billing.models.invoice_note import NoteStage
from billing.services import settling
from billing.services.charge_closing import close_charges
from billing.services.dunning.stopping import settled
from billing.services.ledger import MANUAL, ZERO, Held, Part, uses_credit
from billing.services.note_schedule import after_receipt
from billing.services.outbox import Event, announce_many
from billing.services.subscription_billing import refresh_validity
from lib import clock
from lib.bulk import insert_rows, reserve_ids, update_rows
from lib.queue import enqueue

FEW = 10  # events that are written one by one, with what was before
USE_CREDIT = "billing.tasks.use_customer_credit"
_RECEIVABLE = (
    "id", "state", "received_value", "received_at", "open_principal", "paid_principal",
    "written_off", "paid_fine", "paid_interest", "charged_until",
)  # fmt: skip
_INVOICE = (
    "id", "state", "payment_status", "paid_total", "refunded_total", "received_at",
    "payment_reference", "refund_reference",
)  # fmt: skip
_CHARGE = ("id", "state", "closed_at", "next_attempt_at", "instruction")


class Books:
    """What is to be written about held invoices of one account, by one actor."""

    def __init__(self, account: Account, *, actor: Actor) -> None:
        self.account, self.actor, self.at = account, actor, clock.now()
        self._held: dict[int, Held] = {}
        self._payments: dict[int, Payment] = {}  # by identity: new ones have no key yet
        self._allocations: list[PaymentAllocation] = []
        self._reversed: list[PaymentAllocation] = []
        self._charges: list[Charge] = []
        self._entries: list[Transaction] = []
        self._credits: list[CustomerCredit] = []
        self._audits: list[tuple[str, models.Model, dict[str, Any], dict[str, Any] | None]] = []

    # --- deciding ------------------------------------------------------------------------------

    def settle(
        self, held: Held | None, payment: Payment, parts: Sequence[tuple[Receivable, Part]]
    ) -> Decimal:
        """A payment that has just succeeded, saved or not: allocate; answers what became credit.

        Receives what has nothing open left and writes the manual payment's transaction (PAYM-3).
        Without an invoice there are no parts.
        """
        on = payment.received_on
        assert on is not None
        self.payment(payment)
        for receivable, part in parts:
            self._allocate(payment, receivable, part)
            settling.take(receivable, part, on=on)
        if held is not None:
            self.touch(held)
            settling.settle_empty(held, on=on)
            settling.refer(held, payment, parts)
        if payment.method in MANUAL:
            self.entry(payment, amount=-payment.amount)
        rest = payment.amount - sum((part.paid for _, part in parts), ZERO)
        if rest:
            self.credit(payment, amount=rest, origin=CustomerCredit.Origin.OVERPAYMENT)
        return rest

    def let_off(self, held: Held, receivable: Receivable, *, on: date) -> None:
        """Ask for nothing more of an open receivable; what was paid of it stays paid."""
        self.touch(held)
        receivable.settle(value=settling.paid(receivable), on=on)
        settling.settle_empty(held, on=on)

    def reverse(self, held: Held, allocations: Sequence[PaymentAllocation]) -> None:
        """Take allocations of the held receivables back: history, and the parcels are open."""
        self.touch(held)
        gone = [allocation.pk for allocation in allocations]
        for allocation in allocations:
            allocation.reversed_at = self.at
            settling.give_back(held.receivable(allocation.receivable_id), allocation, gone)
        self._reversed += allocations
        settling.reopen_empty(held)

    def forget_let_off(self, held: Held, receivable: Receivable) -> None:
        """A parcel that no allocation stands for any more, nor what it was let off: all is open."""
        self.touch(held)
        receivable.open_principal = receivable.payment_value
        receivable.paid_principal = receivable.written_off = ZERO
        receivable.paid_fine = receivable.paid_interest = ZERO
        if receivable.state == Receivable.State.RECEIVED:
            receivable.reopen()
        settling.reopen_empty(held)

    def allocate_again(
        self, held: Held, payment: Payment, receivable: Receivable, part: Part
    ) -> None:
        """What is left of a payment, part of which was lost."""
        self.touch(held)
        self._allocate(payment, receivable, part)
        settling.take(receivable, part, on=payment.received_on or self.at.date())

    def payment(self, payment: Payment) -> None:
        """A new or changed payment."""
        self._payments[id(payment)] = payment

    def charge(self, charge: Charge) -> None:
        """A charge that was paid, already in its new state."""
        self._charges.append(charge)

    def entry(self, payment: Payment, *, amount: Decimal) -> None:
        """The transaction of a manual payment: negative, or positive when it is undone."""
        name = Payment.Method(payment.method).label
        title = f"Pagamento - {name}" if amount < 0 else f"Pagamento desfeito - {name}"
        invoice = payment.invoice
        self._entries.append(
            Transaction(
                account=self.account, customer_id=payment.customer_id,
                contract_id=invoice.contract_id if invoice else None, invoice=invoice,
                payment=payment, kind=Transaction.Kind.PAYMENT, created_at=self.at, title=title,
                description=payment.reference, retail_cost=amount, source="pagamento",
            )
        )  # fmt: skip

    def credit(
        self,
        payment: Payment | None,
        *,
        amount: Decimal,
        origin: str,
        reason: str = "",
        customer_id: int | None = None,
    ) -> CustomerCredit:
        """A line of the wallet of the payment's customer; negative when credit goes."""
        if customer_id is None:
            assert payment is not None
            customer_id = payment.customer_id
        line = CustomerCredit(
            account=self.account, customer_id=customer_id, amount=amount, origin=origin,
            payment=payment, reason=reason, recorded_by=self.actor.label, created_at=self.at,
        )  # fmt: skip
        self._credits.append(line)
        after = {"amount": amount, "origin": origin, "reason": reason}
        self.audit("credito.lancado", line, after=after)
        return line

    def audit(
        self,
        action: str,
        target: models.Model,
        *,
        after: dict[str, Any],
        before: dict[str, Any] | None = None,
    ) -> None:
        """To the trail, with everything else."""
        self._audits.append((action, target, after, before))

    def touch(self, held: Held) -> None:
        """This invoice is brought in step with its receivables and saved."""
        self._held[held.invoice.pk] = held

    # --- writing -------------------------------------------------------------------------------

    def write(self) -> None:
        """All of it, in the caller's transaction. Raises IntegrityError for a known external id."""
        self._write_payments()
        helds = list(self._held.values())
        told = [(one, event) for one in helds if (event := settling.bring_in_step(one, self.at))]
        parcels = [receivable for held in helds for receivable in held.receivables]
        _update(Charge, _CHARGE, self._charges)
        _update(Receivable, _RECEIVABLE, parcels)
        _update(Invoice, _INVOICE, [held.invoice for held in helds])
        _update(PaymentAllocation, ("id", "reversed_at"), self._reversed)
        PaymentAllocation.objects.bulk_create(self._allocations)
        Transaction.objects.bulk_create(self._entries)
        CustomerCredit.objects.bulk_create(self._credits)
        received = [r for r in parcels if r.state == Receivable.State.RECEIVED]
        close_charges(received, at=self.at)
        if received:
            settled(
                receivable_ids=[one.pk for one in received],
                contract_ids=[held.invoice.contract_id for held in helds],
            )
        self._tell(told)
        self._write_audits()
        self._use_credit()

    def _allocate(self, payment: Payment, receivable: Receivable, part: Part) -> None:
        self._allocations.append(
            PaymentAllocation(
                payment=payment, receivable=receivable, principal=part.principal, fine=part.fine,
                interest=part.interest, discount=part.discount, created_at=self.at,
            )
        )  # fmt: skip

    def _write_payments(self) -> None:
        payments = list(self._payments.values())
        for known in [one for one in payments if not one._state.adding]:
            known.save()
        _insert([one for one in payments if one._state.adding])

    def _tell(self, told: Sequence[tuple[Held, Event]]) -> None:
        """Notes that wait for the receipt, integrators, and subscriptions' validity."""
        if not told:
            return
        waiting = set(
            InvoiceNote.objects.filter(
                invoice__in=[held.invoice.pk for held, _ in told], state=NoteStage.SCHEDULED
            ).values_list("invoice_id", flat=True)
        )
        by_event = defaultdict(list)
        for held, event in told:
            invoice = held.invoice
            if invoice.pk in waiting:
                after_receipt(invoice, last_paid_on=_last_paid_on(held))
            by_event[event].append(invoice)
            if held.is_subscription and invoice.contract_id is not None:
                refresh_validity(invoice.contract_id)
        tokens = _tokens([held.invoice for held, _ in told])
        for event, invoices in by_event.items():
            rows = [(i.pk, i.contract_id, tokens.get(i.contract_id)) for i in invoices]
            announce_many(self.account.pk, event, invoices=rows, at=self.at)

    def _write_audits(self) -> None:
        if len(self._audits) <= FEW:
            for action, target, after, before in self._audits:
                record(
                    self.account, actor=self.actor, action=action, target=target,
                    before=before, after=after,
                )  # fmt: skip
            return
        groups = defaultdict(list)
        for action, target, after, _ in self._audits:
            groups[action, target._meta.model_name or ""].append((target.pk, plain(after) or {}))
        for (action, object_type), entries in groups.items():
            record_many(
                self.account, actor=self.actor, action=action, object_type=object_type,
                entries=entries,
            )  # fmt: skip

    def _use_credit(self) -> None:
        """MN-3: new credit pays the oldest open parcel where the organization wants that."""
        customers = {line.customer_id for line in self._credits if line.amount > 0}
        if not customers or not uses_credit(self.account):
            return
        for customer_id in sorted(customers):
            enqueue(USE_CREDIT, customer_id)


def _last_paid_on(held: Held) -> date | None:
    """When the last parcel was received; None while something is open."""
    if held.has_open():
        return None
    return max((r.received_at for r in held.receivables if r.received_at), default=None)


def _tokens(invoices: Sequence[Invoice]) -> dict[int | None, str]:
    ids = {invoice.contract_id for invoice in invoices if invoice.contract_id is not None}
    return dict(Contract.objects.filter(pk__in=ids).values_list("pk", "token"))


def _insert(payments: Sequence[Payment]) -> None:
    """New payments, in their order: a thousand lines of a file are one statement."""
    columns = [field.name for field in Payment._meta.concrete_fields]
    names = [field.attname for field in Payment._meta.concrete_fields]
    for payment, pk in zip(payments, reserve_ids(Payment, len(payments)), strict=True):
        payment.pk, payment._state.adding = pk, False
    insert_rows(Payment, columns, ([getattr(one, name) for name in names] for one in payments))


def _update(
    model: type[models.Model], columns: Sequence[str], rows: Sequence[models.Model]
) -> None:
    update_rows(model, columns, [[getattr(row, name) for name in columns] for row in rows])
