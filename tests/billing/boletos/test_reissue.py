"""Segunda via and reissue: the value of the day, one boleto at a time, nothing lost (SV-1…5)."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from functools import partial

import pytest
from django_q.models import OrmQ
from factories import CompanyFactory
from support.boletos import agreement_with, online_agreement, open_boleto
from support.invoices import TODAY, emitted_invoice, in_threads, line

from accounts.models import AuditEvent
from accounts.services.audit import SYSTEM
from billing.errors import (
    BankSilent,
    BoletoNotChangeable,
    BoletoRegistering,
    BoletoRejected,
    InvoiceBlocked,
    NoOpenAmount,
    PaymentInProgress,
)
from billing.models import Charge, Contact, EmailMessage, Invoice, Payment, Receivable
from billing.selectors import invariants
from billing.services import ledger
from billing.services.boletos import answers, registration
from billing.services.boletos.banks import key_of
from billing.services.boletos.changes import change_boleto
from billing.services.boletos.copies import look, second_copy
from billing.services.boletos.issue import issue_boleto
from billing.services.boletos.registration import work_off
from billing.services.boletos.reissue import reissue
from billing.services.payments.arrivals import arrived
from billing.services.receivables import receive
from billing.tasks import tell_reissue
from lib.errors import InvalidInput, NotFound

D = Decimal
ISSUED, DUE = date(2026, 6, 25), date(2026, 7, 10)
NEW_DUE = date(2026, 8, 13)


@pytest.fixture(autouse=True)
def _day(today):
    today(TODAY.isoformat())


@pytest.fixture
def late(organization):
    """R$ 500,00 overdue since July, to be collected through files."""
    agreement_with(organization)
    return late_parcel(organization)


@pytest.fixture
def late_online(organization, providers):
    """The same through the bank's API."""
    online_agreement(organization, providers.url("boletos"))
    return late_parcel(organization)


def late_parcel(organization):
    customer = CompanyFactory(account=organization.account)
    Contact.objects.create(
        account=customer.account, party=customer, name="Financeiro", email="fin@exemplo.test",
        is_billing=True,
    )  # fmt: skip
    invoice = emitted_invoice(
        organization, customer, issue_date=ISSUED, due_dates=[DUE], lines=[line("500.00")]
    )
    return invoice.receivables.get()


def opened(receivable):
    """Its first boleto, of June, open at the bank."""
    account = receivable.account
    charge = issue_boleto(receivable.pk, account=account, today=ISSUED)
    if charge.gateway_id is None:
        answers.registered(charge.pk, account=account)
    else:
        work_off()
    return again(charge)


def again(row):
    return type(row).objects.get(pk=row.pk)


def renew(receivable, due=NEW_DUE, **given):
    return reissue(receivable.pk, due, account=receivable.account, actor=SYSTEM, **given)


def boletos(receivable):
    rows = receivable.charges.order_by("id")
    return list(rows.values_list("state", "instruction", "amount"))


def pay(charge, amount, on, key):
    return arrived(
        charge.account, receivable_id=charge.receivable_id, method="boleto", amount=D(amount),
        received_on=on, external_id=key, actor=SYSTEM, charge_id=charge.pk,
    )  # fmt: skip


def trail(action):
    return list(AuditEvent.objects.filter(action=action).values_list("before", "after"))


@pytest.mark.django_db
def test_p_4_not_overdue_the_same_boleto_is_shown(organization):
    agreement_with(organization)
    customer = CompanyFactory(account=organization.account)
    receivable = emitted_invoice(organization, customer).receivables.get()
    issue_boleto(receivable.pk, account=organization.account)
    with pytest.raises(BoletoRegistering):
        look(receivable.pk, account=organization.account)
    charge = open_boleto(receivable.pk, organization.account, today=TODAY)

    shown = second_copy(receivable.pk, account=organization.account, actor=SYSTEM)

    assert (shown.boleto, shown.is_overdue, list(shown.choices)) == (charge, False, [])
    assert shown.bank_value.total == D(100)
    assert renew(receivable).charge == charge
    assert len(trail("boleto.2via_emitida")) == 1
    assert receivable.charges.count() == 1


@pytest.mark.django_db
def test_p08_2_the_choices_are_the_next_business_days_with_the_value_of_each(late):
    old = opened(late)

    shown = look(late.pk, account=late.account)

    assert shown.boleto == old  # SV-2: the bank takes it with charges
    assert shown.is_overdue
    assert shown.bank_value.total == D("515.50")  # 33 days
    quotes = [(q.due.day, q.days, q.fine, q.interest, q.total) for q in shown.choices]
    assert quotes[0] == (13, 34, D(10), D("5.67"), D("515.67"))
    assert [day for day, *_ in quotes] == [13, 14, 17, 18, 19]
    assert quotes[2] == (17, 38, D(10), D("6.33"), D("516.33"))
    late.invoice.organization.profile.reissue_days = 2
    late.invoice.organization.profile.save()
    assert len(look(late.pk, account=late.account).choices) == 2


@pytest.mark.django_db
def test_by_files_the_old_one_is_withdrawn_and_both_orders_wait_for_the_remessa(late):
    old = opened(late)

    made = renew(late)

    assert made.is_new
    assert boletos(late) == [
        ("cancelling", "write_off", D(500)), ("registering", "entry", D("515.67")),
    ]  # fmt: skip
    new = made.charge
    assert (new.principal, new.fine, new.interest) == (D(500), D(10), D("5.67"))
    assert (new.due_date, new.limit_date, new.replaces) == (NEW_DUE, NEW_DUE, old)
    assert "Não receber após 13/08/2026." in new.instructions
    assert "multa R$ 10,00, juros R$ 5,67" in new.instructions.replace("\xa0", " ")
    shown = look(late.pk, account=late.account)
    assert shown.charge is None  # SV-3: neither is shown as payable
    with pytest.raises(BoletoRegistering):
        renew(late)
    [(before, after)] = trail("boleto.reemitido")
    assert (before["amount"], after["amount"]) == ("500.00", "515.67")
    assert before["nosso_numero"] != after["nosso_numero"]

    answers.registered(new.pk, account=late.account)
    answers.written_off(old.pk, account=late.account, on=TODAY)

    second = renew(late, date(2026, 8, 14))
    assert (second.charge, second.is_new) == (new, False)
    assert boletos(late)[0][:2] == ("cancelled", "")


@pytest.mark.django_db
def test_sv_4_a_payment_of_the_new_boleto_closes_to_the_cent(late):
    opened(late)
    new = renew(late).charge
    answers.registered(new.pk, account=late.account)

    arrival = pay(new, "515.67", NEW_DUE, "novo")

    paid = again(late)
    assert (paid.state, paid.paid_fine, paid.paid_interest) == ("received", D(10), D("5.67"))
    assert (arrival.credit, paid.written_off) == (D(0), D(0))


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("amount", "state", "open_principal", "credit"),
    [
        ("515.67", "received", "0.00", "0.00"),
        ("600.00", "received", "0.00", "84.33"),
        ("500.00", "to_receive", "15.67", "0.00"),
    ],
)
def test_b17_3_the_old_boleto_paid_after_the_reissue_settles_the_parcel(
    late, amount, state, open_principal, credit
):
    old = opened(late)
    new = renew(late).charge
    answers.registered(new.pk, account=late.account)

    arrival = pay(old, amount, NEW_DUE, "velho")

    paid = again(late)
    assert (paid.state, paid.open_principal) == (state, D(open_principal))
    assert arrival.credit == D(credit)
    assert again(old).state == "paid_after_cancel"
    if state == "received":
        assert (again(new).state, again(new).instruction) == ("cancelling", "write_off")
        pay(new, "515.67", NEW_DUE, "novo")  # paid twice: nothing is lost
        assert again(new).state == "paid_after_cancel"
        assert Payment.objects.get(external_id="novo").credits.get().amount == D("515.67")
    assert list(invariants.violations(late.account)) == []


@pytest.mark.django_db
def test_online_the_new_one_is_registered_before_the_old_one_is_given_up(late_online, providers):
    old = opened(late_online)

    made = renew(late_online)

    assert [state for state, *_ in boletos(late_online)] == ["cancelling", "open"]
    assert look(late_online.pk, account=late_online.account).boleto == made.charge
    said = [call["method"] for call in providers.calls("boletos", path="/boletos")]
    assert said == ["PUT", "PUT"]
    work_off()
    titles = providers.books("boletos")["boletos"]
    assert [titles[key_of(one)]["situacao"] for one in (old, made.charge)] == [
        "baixado", "registrado",
    ]  # fmt: skip
    assert titles[key_of(made.charge)]["pedido"]["multa"]["tipo"] == "isento"
    assert len(trail("boleto.reemitido")) == 1
    queued = [one for one in OrmQ.objects.all() if one.func() == "billing.tasks.tell_reissue"]
    assert [one.args() for one in queued] == [(made.charge.pk,)]
    assert (tell_reissue(made.charge.pk), tell_reissue(made.charge.pk)) == (1, 0)
    assert EmailMessage.objects.get().trigger == "reissue"
    assert tell_reissue(old.pk) == 0  # over already


@pytest.mark.django_db
@pytest.mark.parametrize(
    "fault", [{"kind": "down"}, {"kind": "status", "status": 500}, {"kind": "garbage"}]
)
def test_p08_4_when_the_bank_is_silent_nothing_changes(late_online, providers, fault):
    old = opened(late_online)
    before = look(late_online.pk, account=late_online.account)
    providers.fault("boletos", **fault, path="/boletos", times=0)

    with pytest.raises(BankSilent, match="Seu boleto anterior continua válido e nada mudou"):
        renew(late_online)

    assert look(late_online.pk, account=late_online.account) == before
    assert again(old).state == "open"
    providers.control("faults", "DELETE")
    made = renew(late_online)  # tried again
    assert (made.is_new, made.charge.state, again(old).state) == (True, "open", "cancelling")
    for _ in range(3):
        Charge.objects.filter(next_attempt_at__isnull=False).update(
            next_attempt_at="2026-08-12T00Z"
        )
        work_off()
    titles = providers.books("boletos")["boletos"].values()
    assert sorted(one["situacao"] for one in titles)[-1] == "registrado"
    assert [one["situacao"] for one in titles].count("registrado") == 1
    assert [state for state, *_ in boletos(late_online)] == ["cancelled", "cancelled", "open"]


@pytest.mark.django_db
def test_an_answer_that_was_cut_off_is_asked_for_at_once(late_online, providers):
    opened(late_online)
    providers.fault("boletos", "cut", method="PUT")

    made = renew(late_online)

    assert made.charge.state == "open"
    said = [call["method"] for call in providers.calls("boletos", path="/boletos")]
    assert said == ["PUT", "PUT", "GET"]


@pytest.mark.django_db
def test_a_refused_reissue_leaves_the_old_one(late_online, providers):
    old = opened(late_online)
    providers.control("boletos/reject", motivo="valor acima do contratado")

    with pytest.raises(BoletoRejected, match="O banco rejeitou o boleto: valor acima"):
        renew(late_online)

    assert again(old).state == "open"
    providers.control("boletos/reject", motivo="")
    assert renew(late_online).charge.state == "open"


@pytest.mark.django_db
def test_a_worker_that_died_before_the_answer_is_gone_on_for(late_online, monkeypatch):
    old = opened(late_online)
    monkeypatch.setattr("billing.services.boletos.reissue.tell_now", _die)
    with pytest.raises(KeyboardInterrupt):
        renew(late_online)
    assert again(old).state == "open"
    with pytest.raises(BoletoRegistering):
        renew(late_online)

    Charge.objects.filter(state="draft").update(next_attempt_at="2026-08-12T00:00Z")
    work_off()

    assert [state for state, *_ in boletos(late_online)] == ["cancelled", "open"]


def _die(*_, **__):
    raise KeyboardInterrupt


@pytest.mark.django_db
def test_sv_5_staff_may_let_the_payer_off_with_a_reason(late):
    opened(late)
    with pytest.raises(InvalidInput):
        renew(late, waive_fine=True, reason=" ")
    first = renew(late, waive_fine=True, reason="Erro nosso").charge
    answers.registered(first.pk, account=late.account)
    assert (first.fine, first.interest, first.amount) == (D(0), D("5.67"), D("505.67"))
    assert renew(late).charge == first
    second = renew(late, waive_interest=True, reason="Cliente antigo").charge
    assert (second.fine, second.interest) == (D(10), D(0))
    [(before, after), _] = trail("boleto.encargos_dispensados")
    assert (before, after["motivo"]) == ({"fine": "10.00", "interest": "5.67"}, "Erro nosso")


@pytest.mark.django_db
def test_what_cannot_be_reissued_is_told_and_changes_nothing(late, other_account):
    opened(late)
    before = boletos(late)

    for due in (date(2026, 8, 11), date(2026, 8, 15), date(2026, 8, 20)):  # past, Saturday, far
        with pytest.raises(InvalidInput, match="de hoje até 19/08/2026"):
            renew(late, due)
    with pytest.raises(BoletoNotChangeable):
        change_boleto(late.pk, account=late.account, actor=SYSTEM, due=NEW_DUE)
    with pytest.raises(NotFound):
        reissue(late.pk, NEW_DUE, account=other_account, actor=SYSTEM)
    with pytest.raises(NotFound):
        look(late.pk, account=other_account)
    held, receivable = ledger.hold_receivable(late.account, late.pk)
    card = ledger.new_payment(held, receivable, method="card", amount=D(500))
    card.save()
    with pytest.raises(PaymentInProgress):
        renew(late)
    card.abandon()
    card.save()
    Invoice.objects.update(approval_status="blocked")
    with pytest.raises(InvoiceBlocked):
        renew(late)
    Invoice.objects.update(approval_status="approved")
    assert boletos(late) == before

    receive(late.pk, account=late.account, actor=SYSTEM)
    for call in (renew, partial(look, account=late.account)):
        with pytest.raises(NoOpenAmount, match="Esta fatura não possui valor em aberto"):
            call(late.pk if call is not renew else late)


@pytest.mark.django_db
def test_a_boleto_of_more_than_is_open_is_not_offered_but_replaced(late):
    opened(late)
    Receivable.objects.update(open_principal=D(200), paid_principal=D(300))

    assert look(late.pk, account=late.account).charge is None
    made = renew(late)
    assert (made.is_new, made.charge.principal) == (True, D(200))


@pytest.mark.django_db
def test_a_late_reissue_is_reissued_from_the_debts_own_day(late, today):
    opened(late)
    first = renew(late).charge
    answers.registered(first.pk, account=late.account)
    today("2026-08-25")

    second = renew(late, date(2026, 8, 26)).charge

    assert (second.fine, second.interest) == (D(10), D("7.83"))  # 47 days on R$ 500,00
    answers.registered(second.pk, account=late.account)
    pay(first, "515.67", NEW_DUE, "a tempo")  # paid in time, told late
    assert again(late).state == "received"


# --- INV-9 under simultaneous use ---------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
def test_two_reissues_at_once_make_one(late_online, providers):
    opened(late_online)

    answers_ = in_threads([partial(renew, late_online)] * 3)

    made = [one for one in answers_ if not isinstance(one, BoletoRegistering)]
    assert len({one.charge.pk for one in made}) == 1
    assert [state for state, *_ in boletos(late_online)] == ["cancelling", "open"]


@pytest.mark.django_db(transaction=True)
def test_a_reissue_and_a_payment_of_the_old_one_at_once_leave_nothing_payable(late_online):
    old = opened(late_online)

    renewed, arrival = in_threads(
        [partial(renew, late_online), partial(pay, old, "515.50", TODAY, "velho")]
    )

    assert again(late_online).state == "received"
    assert arrival.is_new
    if isinstance(renewed, Exception):
        assert isinstance(renewed, NoOpenAmount)
    states = {state for state, *_ in boletos(late_online)}
    assert states <= {"paid", "paid_after_cancel", "cancelling", "cancelled"}
    assert list(invariants.violations(late_online.account)) == []


@pytest.mark.django_db(transaction=True)
def test_a_payment_while_the_bank_is_asked_withdraws_the_new_boleto(late_online, monkeypatch):
    old = opened(late_online)
    told = registration.tell_now

    def paid_meanwhile(charge_id, **given):
        pay(old, "515.50", TODAY, "velho")
        return told(charge_id, **given)

    monkeypatch.setattr("billing.services.boletos.reissue.tell_now", paid_meanwhile)

    with pytest.raises(NoOpenAmount):
        renew(late_online)

    work_off()
    assert [state for state, *_ in boletos(late_online)] == ["paid", "cancelled"]


@pytest.mark.django_db(transaction=True)
def test_four_sweeps_together_register_each_boleto_once(organization, providers):
    online_agreement(organization, providers.url("boletos"))
    parcels = [late_parcel(organization) for _ in range(8)]
    for one in parcels:
        issue_boleto(one.pk, account=organization.account, today=ISSUED)

    done = in_threads([work_off] * 4)

    assert sum(done) == 8
    assert set(Charge.objects.values_list("state", flat=True)) == {"open"}
    assert len(providers.calls("boletos", method="PUT")) == 8


@pytest.mark.django_db(transaction=True)
def test_simultaneous_boletos_of_one_agreement_have_numbers_of_their_own(organization):
    agreement = agreement_with(organization)
    parcels = [late_parcel(organization) for _ in range(8)]

    made = in_threads(
        [partial(issue_boleto, one.pk, account=organization.account) for one in parcels]
    )

    assert sorted(one.nosso_numero for one in made) == [f"{n:08d}" for n in range(1, 9)]
    assert agreement.ranges.get().next_number == 9
