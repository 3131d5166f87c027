"""Payments that staff tell of (PAYM-3..5, MN-1..4), the wallet, and taking both back."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest
from factories import CompanyFactory
from support.boletos import agreement_with, open_boleto
from support.invoices import emitted_invoice, events, everything, new_invoice

from accounts.models import AuditEvent
from accounts.services.audit import SYSTEM
from accounts.services.idempotency import KeyUsed
from billing.errors import (
    CannotUndoPayment,
    CannotWriteOff,
    InsufficientCredit,
    NoOpenAmount,
    PaymentInProgress,
    SurplusNotConfirmed,
)
from billing.models import (
    ChargeTemplate,
    CustomerCredit,
    Invoice,
    Payment,
    Receivable,
    Transaction,
)
from billing.selectors.invariants import violations
from billing.selectors.proforma import preview
from billing.services import ledger
from billing.services.payments.credits import (
    credit_balance,
    grant_credit,
    sweep,
    use_by_itself,
    use_credit,
)
from billing.services.payments.manual import amount_owed, pay_manually
from billing.services.payments.undoing import undo_payment
from billing.services.payments.write_off import write_off
from billing.services.receivables import receive, undo_receipt
from lib.errors import InvalidInput, NotFound

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


def pay(parcel, method="cash", amount=None, on=ON_TIME, **given):
    value = None if amount is None else D(amount)
    return pay_manually(
        parcel.pk, account=parcel.account, actor=SYSTEM, method=method, amount=value, on=on, **given
    )


def undo(payment):
    return undo_payment(payment.pk, account=payment.account, actor=SYSTEM, reason="engano")


def amounts(parcel):
    row = Receivable.objects.get(pk=parcel.pk)
    return [
        row.state, row.paid_principal, row.paid_fine, row.paid_interest, row.open_principal,
    ]  # fmt: skip


def status(parcel):
    return Invoice.objects.get(pk=parcel.invoice_id).payment_status


def entries(parcel):
    rows = Transaction.objects.filter(kind="payment", invoice=parcel.invoice_id).order_by("id")
    return [(row.title, row.retail_cost, row.tax_amount, row.description) for row in rows]


@pytest.mark.parametrize(
    ("method", "title"),
    [
        ("cash", "Pagamento - Dinheiro"),
        ("pos", "Pagamento - Transação POS"),
        ("transfer", "Pagamento - Transferência Bancária"),
    ],
)
def test_paym_3_a_manual_payment_pays_and_writes_a_negative_transaction(parcel, method, title):
    payment = pay(parcel, method, reference=" Recibo 7 ")

    invoice = Invoice.objects.get(pk=parcel.invoice_id)
    assert (payment.state, payment.amount, payment.received_on) == ("succeeded", 100, ON_TIME)
    assert (invoice.state, invoice.payment_status, invoice.paid_total) == ("received", "paid", 100)
    assert (invoice.total_amount, invoice.lines.count()) == (100, 1)
    assert entries(parcel) == [(title, D("-100.00"), 0, "Recibo 7")]
    assert events(invoice) == ["emit", "confirm_receival"]
    told = AuditEvent.objects.get(action="fatura.paga")
    assert (told.object_id, told.after["reference"]) == (invoice.pk, "Recibo 7")


def test_scenario_8_payments_never_enter_a_preview(organization, customer):
    for invoice in (emitted_invoice(organization, customer) for _ in range(2)):
        pay(invoice.receivables.get(), reference="Dinheiro pago 2025-01-15")

    shown = preview(
        customer.account, customer_id=customer.pk, start=date(2026, 1, 1), end=date(2026, 12, 31)
    )

    assert Transaction.objects.filter(kind="payment").count() == 2
    assert (shown.count, shown.total) == (0, 0)


def test_mn_2_a_part_leaves_the_rest_open_and_late_charges_run_on_it(parcel):
    pay(parcel, amount="52.17", on=LATE)

    # 5 days late: fine 2.00 and interest 0.17 come first (ALLOC-1).
    assert amounts(parcel) == ["to_receive", 50, 2, D("0.17"), 50]
    assert status(parcel) == "partially_paid"
    # 10 days more on R$ 50,00, and no second fine.
    rest = amount_owed(parcel.pk, account=parcel.account, on=LATER)
    assert (rest.principal, rest.fine, rest.interest) == (50, 0, D("0.17"))
    pay(parcel, on=LATER)
    assert amounts(parcel) == ["received", 100, 2, D("0.34"), 0]
    assert status(parcel) == "paid"


def test_a_payment_too_small_for_the_fine_does_not_forgive_the_rest_of_it(parcel):
    pay(parcel, amount="1.00", on=LATE)
    assert amounts(parcel) == ["to_receive", 0, D("0.83"), D("0.17"), 100]

    rest = amount_owed(parcel.pk, account=parcel.account, on=LATER)

    # 15 days: 0.50 of interest less 0.17, fine 2.00 less 0.83.
    assert (rest.principal, rest.fine, rest.interest) == (100, D("1.17"), D("0.33"))


def test_sv_5_late_charges_are_waived_with_a_reason(parcel):
    with pytest.raises(InvalidInput):
        pay(parcel, on=LATE, waive=True)
    payment = pay(parcel, on=LATE, waive=True, reason="Erro nosso")

    assert payment.amount == 100
    assert amounts(parcel) == ["received", 100, 0, 0, 0]


def test_mn_3_more_than_is_owed_becomes_credit_once_confirmed(parcel, customer):
    before = everything(customer.account)
    with pytest.raises(SurplusNotConfirmed) as asked:
        pay(parcel, amount="120.00")
    assert asked.value.surplus == 20
    assert everything(customer.account) == before

    payment = pay(parcel, amount="120.00", take_surplus=True)

    credit = CustomerCredit.objects.get()
    assert (credit.amount, credit.origin, credit.payment) == (20, "overpayment", payment)
    assert credit_balance(customer.pk, account=customer.account) == 20
    assert amounts(parcel)[0] == "received"


REFUSED = [
    ({"method": "card"}, InvalidInput, "não pode ser registrado à mão"),
    ({"on": date(2026, 9, 11)}, InvalidInput, "a data não pode ser futura"),
    ({"amount": "0.00"}, InvalidInput, "o valor deve ser maior do que zero"),
    ({"amount": "-5.00"}, InvalidInput, "o valor deve ser maior do que zero"),
    ({"amount": "10000000000000.00"}, InvalidInput, "o valor deve ser maior do que zero"),
    (
        {"method": "credit"},
        InsufficientCredit,
        "Saldo de crédito insuficiente: R$\xa00,00 de R$\xa0100,00.",
    ),
]


@pytest.mark.parametrize(("given", "error", "text"), REFUSED)
def test_what_no_payment_can_be_is_refused(parcel, given, error, text):
    before = everything(parcel.account)

    with pytest.raises(error) as refused:
        pay(parcel, **given)

    assert refused.value.mensagem == text
    assert everything(parcel.account) == before
    assert not Payment.objects.exists()


def test_only_what_is_to_be_received_is_paid(organization, customer, other_account, parcel):
    waiting = new_invoice(organization, customer).receivables.get()
    in_flight = emitted_invoice(organization, customer).receivables.get()
    ledger.new_payment(
        ledger.hold(customer.account, invoice_id=in_flight.invoice_id), in_flight,
        method="card", amount=D(100),
    ).save()  # fmt: skip
    pay(parcel)

    for one in (parcel, waiting):
        with pytest.raises(NoOpenAmount):
            pay(one)
        with pytest.raises(CannotWriteOff):
            write_off(one.pk, account=customer.account, actor=SYSTEM, reason="x")
    for act in (pay, lambda p: write_off(p.pk, account=p.account, actor=SYSTEM, reason="x")):
        with pytest.raises(PaymentInProgress):
            act(in_flight)
    with pytest.raises(PaymentInProgress):
        receive(in_flight.pk, account=customer.account, actor=SYSTEM)
    stranger = Receivable.objects.get(pk=in_flight.pk)
    stranger.account = other_account
    with pytest.raises(NotFound):
        pay(stranger)
    Payment.objects.filter(state="created").delete()


def test_a_form_sent_twice_pays_once(parcel):
    first = pay(parcel, amount="40.00", key="formulario-1")
    again = pay(parcel, amount="40.00", key="formulario-1")
    other = pay(parcel, amount="40.00", key="formulario-2")

    assert first == again != other
    assert amounts(parcel)[1:] == [80, 0, 0, 20]
    assert first.key != other.key


def test_undoing_restores_everything_and_leaves_both_records(parcel, customer):
    payment = pay(parcel, amount="120.00", take_surplus=True, reference="NSU 1")

    undone = undo(payment)
    again = undo(payment)

    assert undone.undone_at == again.undone_at is not None
    assert amounts(parcel) == ["to_receive", 0, 0, 0, 100]
    assert status(parcel) == "unpaid"
    assert credit_balance(customer.pk, account=customer.account) == 0
    assert list(CustomerCredit.objects.values_list("origin", "amount").order_by("id")) == [
        ("overpayment", 20),
        ("returned", -20),
    ]
    assert entries(parcel) == [
        ("Pagamento - Dinheiro", -120, 0, "NSU 1"),
        ("Pagamento desfeito - Dinheiro", 120, 0, "NSU 1"),
    ]
    assert events(parcel.invoice) == ["emit", "confirm_receival", "undo_receival"]
    assert pay(parcel).amount == 100


def test_the_first_of_two_late_parts_undone_leaves_the_terms_of_the_second(parcel):
    first = pay(parcel, amount="52.17", on=LATE)
    pay(parcel, amount="20.17", on=LATER)
    undo(first)

    row = Receivable.objects.get(pk=parcel.pk)
    assert (row.open_principal, row.paid_principal, row.charged_until) == (80, 20, LATER)
    assert status(parcel) == "partially_paid"


def test_a_payment_whose_surplus_was_used_is_not_undone(organization, customer, parcel):
    payment = pay(parcel, amount="120.00", take_surplus=True)
    other = emitted_invoice(organization, customer).receivables.get()
    used = use_credit(other.pk, account=customer.account, actor=SYSTEM, on=ON_TIME)
    assert (used.amount, used.method) == (20, "credit")

    with pytest.raises(CannotUndoPayment, match="já foi usado"):
        undo(payment)

    undo(used)
    assert credit_balance(customer.pk, account=customer.account) == 20
    undo(payment)
    assert credit_balance(customer.pk, account=customer.account) == 0


def test_paym_5_reembolso_uses_credit_and_grants_what_is_missing_with_a_reason(parcel, customer):
    grant_credit(
        customer.pk, account=customer.account, actor=SYSTEM, amount=D("10.00"), reason="Brinde"
    )
    with pytest.raises(InsufficientCredit) as refused:
        pay(parcel, "credit")
    assert refused.value.mensagem == "Saldo de crédito insuficiente: R$\xa010,00 de R$\xa0100,00."

    pay(parcel, "credit", reason="Acordo 12")

    lines = CustomerCredit.objects.order_by("id").values_list("origin", "amount", "reason")
    assert list(lines) == [
        ("manual", 10, "Brinde"),
        ("manual", 90, "Acordo 12"),
        ("use", -100, "Acordo 12"),
    ]
    assert entries(parcel)[0][0] == "Pagamento - Reembolso"
    assert credit_balance(customer.pk, account=customer.account) == 0


def test_credit_never_takes_more_than_is_owed(parcel, customer):
    given = {"account": customer.account, "actor": SYSTEM}
    grant_credit(customer.pk, amount=D("500.00"), reason="Brinde", **given)

    payment = pay(parcel, "credit", amount="300.00")

    assert payment.amount == 100
    assert credit_balance(customer.pk, account=customer.account) == 400


def test_a_grant_sent_twice_is_one_and_needs_a_reason(customer, other_account, organization):
    given = {"account": customer.account, "actor": SYSTEM, "amount": D("10.00")}
    first = grant_credit(customer.pk, reason="Brinde", key="k1", **given)
    again = grant_credit(customer.pk, reason="Brinde", key="k1", **given)

    assert first == again
    assert CustomerCredit.objects.count() == 1
    with pytest.raises(KeyUsed):
        grant_credit(customer.pk, reason="Outro", key="k1", **given)
    for wrong in ({"reason": " "}, {"reason": "x", "amount": D(0)}):
        with pytest.raises(InvalidInput):
            grant_credit(customer.pk, **(given | wrong))
    with pytest.raises(NotFound):
        grant_credit(organization.pk, reason="x", **given)
    with pytest.raises(NotFound):
        grant_credit(customer.pk, reason="x", **(given | {"account": other_account}))
    with pytest.raises(NotFound):
        credit_balance(customer.pk, account=other_account)


def test_mn_3_credit_pays_the_oldest_parcel_by_itself_where_that_is_wanted(
    organization, customer, run_queued
):
    later = emitted_invoice(organization, customer, due_dates=[date(2026, 9, 30)])
    oldest = emitted_invoice(organization, customer, due_dates=[date(2026, 9, 20)])
    asked = emitted_invoice(organization, customer, due_dates=[date(2026, 9, 29)])
    other = CompanyFactory(account=customer.account)
    grant_credit(
        customer.pk, account=customer.account, actor=SYSTEM, amount=D("150.00"), reason="Brinde"
    )
    assert run_queued() == []

    organization.profile.credit_use = "oldest"
    organization.profile.save()
    pay(asked.receivables.get(), amount="110.00", take_surplus=True, on=date(2026, 9, 10))

    assert run_queued() == [("billing.tasks.use_customer_credit", customer.pk)]
    states = [Invoice.objects.get(pk=one.pk).payment_status for one in (oldest, asked, later)]
    assert states == ["paid", "paid", "partially_paid"]
    assert credit_balance(customer.pk, account=customer.account) == 0
    assert (sweep(), credit_balance(other.pk, account=other.account)) == (0, 0)
    grant_credit(
        customer.pk, account=customer.account, actor=SYSTEM, amount=D("5.00"), reason="Brinde"
    )
    assert sweep() == 1


def test_mn_4_a_loss_is_written_off_with_a_reason_and_can_be_taken_back(parcel):
    pay(parcel, amount="30.00")
    with pytest.raises(InvalidInput):
        write_off(parcel.pk, account=parcel.account, actor=SYSTEM, reason=" ")

    write_off(parcel.pk, account=parcel.account, actor=SYSTEM, reason="Falência")

    row = Receivable.objects.get(pk=parcel.pk)
    assert (row.state, row.received_value, row.written_off) == ("received", 30, 70)
    assert Invoice.objects.get(pk=parcel.invoice_id).gross_value == 100
    told = AuditEvent.objects.get(action="recebimento.baixado_como_perda")
    assert told.after == {"lost": "70.00", "reason": "Falência"}

    undo_receipt(parcel.pk, account=parcel.account, actor=SYSTEM)
    assert amounts(parcel) == ["to_receive", 0, 0, 0, 100]


def test_undoing_a_receipt_undoes_what_was_told_and_keeps_used_surplus_as_it_is(
    organization, customer, parcel
):
    pay(parcel, amount="120.00", take_surplus=True)
    other = emitted_invoice(organization, customer).receivables.get()
    use_credit(other.pk, account=customer.account, actor=SYSTEM, on=ON_TIME)

    undo_receipt(parcel.pk, account=parcel.account, actor=SYSTEM)

    # The surplus is spent, so the payment stands and what it settled becomes credit.
    assert amounts(parcel) == ["to_receive", 0, 0, 0, 100]
    assert credit_balance(customer.pk, account=customer.account) == 100


def test_a_parcel_of_nothing_does_not_keep_the_credit_from_the_others(
    organization, customer, today
):
    today("2026-08-20")
    organization.profile.credit_use = "oldest"
    organization.profile.save()
    invoice = emitted_invoice(organization, customer, due_dates=[date(2026, 8, 20)] * 2)
    parcels = invoice.receivables.all()
    for position, value in ((1, 0), (2, 100)):
        parcels.filter(position=position).update(
            gross_value=value, payment_value=value, open_principal=value
        )
    given = {"account": customer.account, "actor": SYSTEM}
    grant_credit(customer.pk, amount=D("100.00"), reason="Brinde", **given)

    assert use_by_itself(customer.pk) == 1

    assert {one.state for one in Receivable.objects.filter(invoice=invoice)} == {"received"}


def test_late_3_staff_are_told_what_the_payer_is_told(organization, customer, account, today):
    today("2026-08-12")
    ChargeTemplate.objects.create(
        account=account, organization=organization, name="x", is_default=True,
        fine_type="percentage", fine_value=2, interest_type="percentage", interest_value=1,
    )  # fmt: skip
    agreement_with(organization)
    parcel = emitted_invoice(organization, customer).receivables.get()
    open_boleto(parcel.pk, account, today=date(2026, 8, 12))
    ChargeTemplate.objects.update(fine_value=10, interest_value=5)
    today("2026-08-25")

    paid = pay_manually(parcel.pk, account=account, actor=SYSTEM, method="cash")

    assert paid.amount == D("102.17")


def test_a_form_that_was_gone_back_to_pays_nothing_else(organization, customer, parcel):
    other = emitted_invoice(organization, customer).receivables.get()
    first = pay(parcel, key="aba")

    assert pay(parcel, key="aba") == first
    for changed in (lambda: pay(other, key="aba"), lambda: pay(parcel, "pos", key="aba")):
        with pytest.raises(KeyUsed):
            changed()

    assert Payment.objects.count() == 1
