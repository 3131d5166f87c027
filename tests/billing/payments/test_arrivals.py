"""Money that really came (ALLOC-1, SV-4, BO-5, §3.4): settled once, the rest credit, never lost."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from decimal import Decimal

import pytest
from support.invoices import emitted_invoice, events

from accounts.models import AuditEvent
from accounts.services.audit import SYSTEM
from billing.models import Charge, CustomerCredit, Invoice, Payment, PaymentAllocation, Receivable
from billing.selectors.invariants import violations
from billing.services import ledger
from billing.services.invoices import cancel_invoice, undo_emission
from billing.services.payments.arrivals import Money, arrived, arrived_many, confirm
from billing.services.payments.manual import pay_manually
from billing.services.receivables import undo_receipt
from lib import clock
from lib.errors import NotFound

pytestmark = pytest.mark.django_db
ON_TIME, LATE, LATER = date(2026, 8, 20), date(2026, 8, 25), date(2026, 9, 4)
D = Decimal


@pytest.fixture(autouse=True)
def _a_day(today):
    today("2026-09-10")


@pytest.fixture(autouse=True)
def _invariants_hold(account):
    yield
    assert list(violations(account)) == []


@pytest.fixture
def parcel(organization, customer):
    return emitted_invoice(organization, customer).receivables.get()


def came(parcel, amount="100.00", on=ON_TIME, eid="E1", method="pix", **given):
    return arrived(
        parcel.account, receivable_id=parcel.pk, method=method, amount=D(amount), received_on=on,
        external_id=eid, actor=SYSTEM, **given,
    )  # fmt: skip


def charge(parcel, **given):
    fields = {
        "kind": "boleto", "principal": D(100), "fine": D(0), "interest": D(0),
        "due_date": ON_TIME, "issued_on": ON_TIME, "created_at": clock.now(), "state": "open",
    } | given  # fmt: skip
    amount = fields["principal"] + fields["fine"] + fields["interest"]
    return Charge.objects.create(account=parcel.account, receivable=parcel, amount=amount, **fields)


def state(row):
    return type(row).objects.get(pk=row.pk).state


def split(payment):
    rows = PaymentAllocation.objects.filter(payment=payment, reversed_at=None)
    return [(a.principal, a.fine, a.interest, a.discount) for a in rows]


def alerts():
    return list(
        AuditEvent.objects.filter(action__in=["pagamento.em_duplicidade"]).values_list(
            "object_id", flat=True
        )
    )


#        amount, on, more, split, credit, state, start of the note
CASES = [
    ("100.00", ON_TIME, {}, [(100, 0, 0, 0)], "0", "received", ""),
    ("102.17", LATE, {}, [(100, 2, D("0.17"), 0)], "0", "received", ""),
    ("100.00", LATE, {}, [(D("97.83"), 2, D("0.17"), 0)], "0", "to_receive", "Pago a menor"),
    ("1.00", LATE, {}, [(0, D("0.83"), D("0.17"), 0)], "0", "to_receive", "Pago a menor"),
    ("130.00", ON_TIME, {}, [(100, 0, 0, 0)], "30", "received", "Pago a maior"),
    ("95.00", ON_TIME, {"discount": D(5)}, [(95, 0, 0, 5)], "0", "received", ""),
    ("100.00", ON_TIME, {"discount": D(5)}, [(95, 0, 0, 5)], "5", "received", "Pago a maior"),
    ("20.00", ON_TIME, {"discount": D(200)}, [(0, 0, 0, 100)], "20", "received", "Pago a maior"),
    ("100.00", ON_TIME, {"fee": D("1.99")}, [(100, 0, 0, 0)], "0", "received", ""),
]


@pytest.mark.parametrize(("amount", "on", "more", "parts", "credit", "ends", "note"), CASES)
def test_alloc_1_what_came_settles_interest_fine_principal_and_the_rest_is_credit(
    parcel, amount, on, more, parts, credit, ends, note
):
    answer = came(parcel, amount, on, **more)
    again = came(parcel, amount, on, **more)

    assert (answer.is_new, answer.credit) == (True, D(credit))
    assert answer.note.startswith(note)
    assert bool(answer.note) == bool(note)
    assert split(answer.payment) == parts
    assert state(parcel) == ends
    assert answer.payment.provider_fee == more.get("fee", 0)
    assert (again.payment, again.is_new, again.credit) == (answer.payment, False, 0)
    assert Payment.objects.count() == 1
    assert sum(CustomerCredit.objects.values_list("amount", flat=True)) == D(credit)


def test_sv_4_a_reissued_charge_paid_in_time_settles_with_nothing_left(parcel):
    # Reissued on the 25th for the 29th, a Saturday: paid on Monday the 31st it is in time.
    old = charge(parcel, state="cancelled")
    new = charge(parcel, fine=D(2), interest=D("0.30"), due_date=date(2026, 8, 29), replaces=old)

    answer = came(parcel, "102.30", date(2026, 8, 31), charge_id=new.pk, method="boleto")

    assert (answer.credit, answer.note) == (0, "")
    assert split(answer.payment) == [(100, 2, D("0.30"), 0)]
    assert (state(parcel), state(new), state(old)) == ("received", "paid", "cancelled")


def test_late_3_a_late_charge_costs_what_was_registered_with_it(parcel):
    terms = {
        "fine_type": "percentage", "fine_value": "1", "interest_type": "percentage",
        "interest_value": "1", "daily_registered": "0.05",
    }  # fmt: skip
    one = charge(parcel, terms=terms)

    answer = came(parcel, "101.25", LATE, charge_id=one.pk, method="boleto")

    assert split(answer.payment) == [(100, 1, D("0.25"), 0)]


def test_paying_one_closes_the_others_and_the_old_one_paid_too_is_credit(parcel, customer):
    boleto = charge(parcel)
    pix = charge(parcel, kind="pix", txid="")
    draft = charge(parcel, state="draft")
    first = came(parcel, charge_id=pix.pk)

    assert [state(one) for one in (pix, boleto, draft)] == ["paid", "cancelling", "cancelled"]
    assert Charge.objects.get(pk=boleto.pk).instruction == "write_off"

    second = came(parcel, eid="linha 7", method="boleto", charge_id=boleto.pk)

    assert (first.credit, second.credit) == (0, 100)
    assert second.note == "Pagamento em duplicidade: R$\xa0100,00 viraram crédito do cliente."
    assert state(boleto) == "paid_after_cancel"
    assert alerts() == [second.payment.pk]
    told = AuditEvent.objects.get(action="cobranca.paga_depois_de_cancelada")
    assert told.object_id == boleto.pk
    assert ledger.credit_balance(customer.pk) == 100
    third = came(parcel, eid="linha 9", method="boleto", charge_id=boleto.pk)
    assert (third.credit, state(boleto)) == (100, "paid_after_cancel")


def test_a_cancelled_boleto_that_is_paid_settles_what_is_still_open(parcel):
    old = charge(parcel, state="cancelling", instruction="write_off")

    answer = came(parcel, method="boleto", charge_id=old.pk)

    assert (answer.credit, answer.note, state(parcel)) == (0, "", "received")
    assert (state(old), Charge.objects.get(pk=old.pk).instruction) == ("paid_after_cancel", "")


def test_money_for_what_is_not_to_be_received_is_credit(organization, customer, parcel):
    account = customer.account
    taken_back = emitted_invoice(organization, customer)
    undo_emission(taken_back.pk, account=account, actor=SYSTEM)
    cancel_invoice(parcel.invoice_id, account=account, actor=SYSTEM)

    for n, one in enumerate([parcel, taken_back.receivables.get()]):
        assert came(one, eid=f"E{n}").credit == 100

    assert ledger.credit_balance(customer.pk) == 200
    assert len(alerts()) == 2
    assert not PaymentAllocation.objects.exists()


def test_many_at_once_are_as_one_after_the_other(organization, customer, other_account):
    invoices = [
        emitted_invoice(organization, customer, due_dates=[ON_TIME, LATER]) for _ in range(6)
    ]
    parcels = [r for i in invoices for r in i.receivables.order_by("position")]
    moneys = [
        Money(r.pk, "boleto", D("50.00"), ON_TIME, f"linha {n}") for n, r in enumerate(parcels)
    ]
    moneys += [moneys[0], replace(moneys[1], external_id="outra"), replace(moneys[2], amount=D(9))]

    answers = arrived_many(customer.account, moneys, actor=SYSTEM)
    again = arrived_many(customer.account, moneys, actor=SYSTEM)

    assert [one.is_new for one in answers] == [True] * 12 + [False, True, False]
    assert [one.credit for one in answers] == [0] * 13 + [50, 0]
    assert [one.payment for one in again] == [one.payment for one in answers]
    assert not any(one.is_new for one in again)
    assert {Invoice.objects.get(pk=i.pk).state for i in invoices} == {"received"}
    assert [events(i) for i in invoices] == [["emit", "confirm_receival"]] * 6
    assert AuditEvent.objects.filter(action="pagamento.confirmado").count() == 13
    with pytest.raises(NotFound):
        arrived_many(other_account, [replace(moneys[0], external_id="x")], actor=SYSTEM)
    with pytest.raises(ValueError, match="id of its own"):
        arrived_many(customer.account, [replace(moneys[0], external_id="")], actor=SYSTEM)


def test_a_batch_asks_the_database_the_same_however_long(
    organization, customer, django_assert_max_num_queries
):
    parcels = [emitted_invoice(organization, customer).receivables.get() for _ in range(20)]
    moneys = [Money(r.pk, "boleto", D("120.00"), LATE, f"linha {r.pk}") for r in parcels]

    with django_assert_max_num_queries(45):
        arrived_many(customer.account, moneys, actor=SYSTEM)

    assert ledger.credit_balance(customer.pk) == D("356.60")


def in_flight(parcel, amount="100.00", **given):
    held = ledger.hold(parcel.account, invoice_id=parcel.invoice_id)
    payment = ledger.new_payment(
        held, held.receivable(parcel.pk), method="card", amount=D(amount), **given
    )
    payment.process()
    payment.save()
    return payment


def confirmed(payment, on=ON_TIME, **given):
    return confirm(payment.pk, account=payment.account, received_on=on, actor=SYSTEM, **given)


def test_st_6_a_card_is_confirmed_once_by_call_notice_and_poll(parcel, other_account):
    payment = in_flight(parcel)
    with pytest.raises(NotFound):
        confirm(payment.pk, account=other_account, received_on=ON_TIME, actor=SYSTEM)

    answers = [confirmed(payment, fee=D("3.99")) for _ in range(3)]

    assert [one.is_new for one in answers] == [True, False, False]
    stored = Payment.objects.get(pk=payment.pk)
    assert (stored.state, stored.received_on, stored.provider_fee) == (
        "succeeded", ON_TIME, D("3.99"),
    )  # fmt: skip
    assert events(parcel.invoice) == ["emit", "confirm_receival"]


def test_a_refusal_that_turns_out_to_be_a_payment_counts(parcel):
    payment = in_flight(parcel)
    payment.fail(code="timeout")
    payment.save()

    assert confirmed(payment).is_new
    assert state(parcel) == "received"


def test_a_card_confirmed_after_a_pix_came_is_credit(parcel, customer):
    payment = in_flight(parcel)
    came(parcel)

    answer = confirmed(payment)

    assert (answer.is_new, answer.credit) == (True, 100)
    assert alerts() == [payment.pk]
    assert ledger.credit_balance(customer.pk) == 100


def test_a_payment_of_a_whole_invoice_settles_the_oldest_first(organization, customer):
    invoice = emitted_invoice(organization, customer, due_dates=[LATER, LATE])
    payment = in_flight(invoice.receivables.first(), "70.00")
    Payment.objects.filter(pk=payment.pk).update(receivable=None)

    confirmed(payment)

    rows = Receivable.objects.filter(invoice=invoice).order_by("due_date")
    assert [(r.due_date, r.open_principal) for r in rows] == [(LATE, 0), (LATER, 30)]


def test_real_money_whose_receipt_is_undone_stays_the_customers(parcel, customer):
    payment = came(parcel, "102.17", LATE).payment

    undo_receipt(parcel.pk, account=parcel.account, actor=SYSTEM)

    assert (state(parcel), Payment.objects.get(pk=payment.pk).undone_at) == ("to_receive", None)
    assert ledger.credit_balance(customer.pk) == D("102.17")
    used = pay_manually(parcel.pk, account=parcel.account, actor=SYSTEM, method="credit", on=LATE)
    assert (used.amount, state(parcel)) == (D("102.17"), "received")
