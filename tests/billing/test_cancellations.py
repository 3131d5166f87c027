"""Customers end contracts: what they are told, what is billed, and taking it back (P13, P14)."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest
from factories import CompanyFactory, ContractFactory, RuleFactory, UserFactory
from support.clauses import clause, publish

from accounts.models import AuditEvent
from accounts.services.audit import SYSTEM, Actor
from billing.models import (
    CancellationRequest,
    Contract,
    EmailMessage,
    Invoice,
    ScheduledCancellation,
)
from billing.selectors.invariants import violations
from billing.services import cancellations
from billing.services.agreements import ContractInUse, delete_contract
from billing.services.cancellations import (
    Asked,
    ContractChanged,
    TooLate,
    offer_of,
    offers_of_all,
    request_cancellation,
    request_everything,
    undo_cancellation,
    version_of_all,
)
from billing.services.carrying_out import carry_out, carry_out_all
from billing.services.contracts import cancel_contract
from billing.services.endings import Why
from billing.services.run import RunRequest, run_billing
from billing.services.simulation import simulate
from lib.errors import InvalidInput, NotFound

pytestmark = pytest.mark.django_db

POST_PAID = Contract.Charging.POST_PAID
DAY = date(2026, 9, 20)


@pytest.fixture(autouse=True)
def _day(today):
    today(DAY.isoformat())


@pytest.fixture
def asked(account):
    user = UserFactory(email="titular@exemplo.test", name="Ana")
    return Asked(user, Actor("customer", user.pk, user.email), "Preço", "Ficou caro")


def contract_of(account, customer, *, charging=POST_PAID, value="200.00", **fields):
    """A monthly contract since January, billed up to its last period before September 20."""
    fields = {"overdue_automatic_management": True, **fields}
    contract = ContractFactory(account=account, party=customer, charging_method=charging, **fields)
    RuleFactory(contract=contract, init_date=date(2026, 1, 1), services=[("1", value)])
    return contract


def run(account, until, today=None):
    return run_billing(RunRequest(account, until, today or until))


def ask(contract, asked, *, on=None, seen=None):
    offer = offer_of(contract, today=DAY)
    return request_cancellation(
        contract.pk,
        account=contract.account,
        customer=contract.party,
        on=on or offer.usual.on,
        seen=offer.version if seen is None else seen,
        asked=asked,
    )


def test_the_estimate_of_today_is_the_final_invoice_by_days(account, customer):
    contract = contract_of(account, customer)
    run(account, DAY)

    offer = offer_of(contract, today=DAY)

    usual, now = offer.endings
    assert (usual.on, usual.why, usual.final, usual.days) == (
        date(2026, 9, 30), Why.PERIOD, Decimal("200.00"), 30,
    )  # fmt: skip
    assert (now.on, now.why, now.final, now.days) == (DAY, Why.TODAY, Decimal("133.33"), 20)
    assert (now.fine, now.n_monthly, now.credit) == (0, 0, 0)


def test_a_pre_paid_contract_ends_with_what_was_paid(account, customer):
    contract = contract_of(account, customer, charging=Contract.Charging.PRE_PAID)
    run(account, DAY)

    offer = offer_of(contract, today=DAY)

    days = [(one.on, one.why, one.total) for one in offer.endings]
    assert days == [(date(2026, 9, 30), Why.PAID, 0), (DAY, Why.TODAY, 0)]


def test_a_fine_and_invoices_until_then_are_told(account, customer):
    contract = contract_of(
        account,
        customer,
        minimum_term_fine=Decimal("500.00"),
        minimum_term_until=date(2026, 11, 30),
    )
    run(account, DAY)

    usual, now, term = offer_of(contract, today=DAY).endings

    assert (usual.fine, now.fine, term.fine) == (500, 500, 0)
    assert (term.on, term.why) == (date(2026, 11, 30), Why.MINIMUM_TERM)
    # September and October are billed in the usual way, November by the final invoice.
    assert (term.n_monthly, term.monthly, term.final) == (2, Decimal("400.00"), Decimal("200.00"))


def test_a_request_ends_nothing_before_its_last_day_is_over(account, customer, asked, today):
    contract = contract_of(account, customer)
    run(account, DAY)

    made = ask(contract, asked, on=DAY)

    assert made.protocol == "CAN-2026-000001"
    row = ScheduledCancellation.objects.get()
    assert (row.effective_on, row.final_amount) == (DAY, Decimal("133.33"))
    assert Contract.objects.get(pk=contract.pk).status == "established"
    assert carry_out(account, today=DAY) == 0
    event = AuditEvent.objects.get(action="contrato.cancelamento_pedido")
    assert (event.object_id, event.actor_label) == (contract.pk, "titular@exemplo.test")
    assert event.after["mensalidade_final"] == "133.33"
    mail = EmailMessage.objects.get()
    assert mail.recipient == "titular@exemplo.test"
    assert made.protocol in mail.subject
    assert "R$\xa0133,33" in mail.body

    today("2026-09-21")
    assert carry_out_all() == 1
    assert carry_out_all() == 0

    contract = Contract.objects.get(pk=contract.pk)
    assert (contract.status, contract.cancel_date) == ("cancelled", DAY)
    assert contract.cancel_reason == "CAN-2026-000001 – Preço – Ficou caro"
    assert AuditEvent.objects.filter(action="contrato.cancelado").count() == 1
    assert ScheduledCancellation.objects.get().done_at is not None


def test_p13_3_the_run_after_the_day_bills_what_was_told_and_nothing_else(account, customer, asked):
    contract = contract_of(account, customer)
    run(account, DAY)
    known = set(Invoice.objects.exclude(state="to_emit").values_list("pk", flat=True))
    ask(contract, asked, on=DAY)

    run(account, date(2026, 12, 31))  # nobody else has carried it out before

    new = Invoice.objects.exclude(pk__in=known).exclude(state__in=("to_emit", "cancelled"))
    assert [(i.is_final, i.gross_value) for i in new] == [(True, Decimal("133.33"))]
    assert not Invoice.objects.filter(contract=contract, state="to_emit").exists()
    assert list(violations(account)) == []


def test_a_run_that_looks_ahead_bills_nothing_past_the_end(account, customer, asked):
    contract = contract_of(account, customer)
    clause(contract.rules.get(), on=date(2026, 10, 1))
    publish("ipca", {f"{2025 + m // 12}-{m % 12 + 1:02d}": "1.00" for m in range(6, 22)})
    run(account, DAY)
    ask(contract, asked, on=DAY)
    before = Invoice.objects.exclude(state="to_emit").count()

    simulated = simulate(account, until=date(2026, 12, 31), today=DAY)
    run(account, date(2026, 12, 31), today=DAY)

    assert (simulated.to_emit, simulated.readjustments) == (0, 0)
    assert Invoice.objects.exclude(state="to_emit").count() == before
    assert contract.rules.get().gross_value == Decimal("100.00")
    after = simulate(account, until=date(2026, 12, 31), today=date(2026, 12, 31))
    assert (after.finals, after.finals_total) == (1, Decimal("133.33"))


def test_p13_4_undone_it_goes_on_as_before(account, customer, asked, today):
    contract = contract_of(account, customer)
    run(account, DAY)
    ask(contract, asked, on=DAY)
    values = {"account": account, "customer": customer, "actor": asked.actor}

    undo_cancellation(contract.pk, **values)

    today("2026-09-21")
    assert carry_out_all() == 0
    assert Contract.objects.get(pk=contract.pk).status == "established"
    assert AuditEvent.objects.filter(action="contrato.desfeito").count() == 1
    with pytest.raises(TooLate):
        undo_cancellation(contract.pk, **values)
    today(DAY.isoformat())
    assert ask(contract, asked).protocol == "CAN-2026-000002"


def test_after_its_last_day_it_cannot_be_undone(account, customer, asked, today):
    contract = contract_of(account, customer)
    ask(contract, asked, on=DAY)
    today("2026-09-21")

    with pytest.raises(TooLate):
        undo_cancellation(contract.pk, account=account, customer=customer, actor=asked.actor)

    assert ScheduledCancellation.objects.get().undone_at is None


def test_refusals_write_nothing(account, other_account, customer, asked):
    contract = contract_of(account, customer)
    foreign = contract_of(account, CompanyFactory(account=account))
    purchase = contract_of(account, customer, kind=Contract.Kind.PURCHASE)
    offer = offer_of(contract, today=DAY)

    def request(pk, *, on=offer.usual.on, seen=offer.version, owner=account):
        request_cancellation(pk, account=owner, customer=customer, on=on, seen=seen, asked=asked)

    for pk, owner in ((foreign.pk, account), (purchase.pk, account), (contract.pk, other_account)):
        with pytest.raises(NotFound):
            request(pk, owner=owner)
    with pytest.raises(InvalidInput) as refused:
        request(contract.pk, on=date(2026, 9, 25))
    assert refused.value.erros[0].mensagem == "Escolha um dos dias oferecidos."
    with pytest.raises(ContractChanged):
        request(contract.pk, seen="outra")
    assert not CancellationRequest.objects.exists()
    request(contract.pk)
    with pytest.raises(ContractChanged):
        request(contract.pk)
    assert CancellationRequest.objects.count() == 1
    assert EmailMessage.objects.count() == 1


def test_everything_is_one_request_or_none(account, customer, asked, monkeypatch):
    contracts = [contract_of(account, customer, value=value) for value in ("100.00", "50.00")]
    ended = contract_of(account, customer)
    ask(ended, asked)
    cancelled = contract_of(account, customer)
    cancel_contract(cancelled.pk, account=account, on=DAY, actor=SYSTEM)
    EmailMessage.objects.all().delete()
    seen = version_of_all(offers_of_all(account, customer, today=DAY))

    def request(**changed):
        values = {"account": account, "customer": customer, "is_sure": True, "seen": seen}
        return request_everything(asked=asked, **{**values, **changed})

    with pytest.raises(InvalidInput) as refused:
        request(is_sure=False)
    assert refused.value.erros[0].mensagem == "Marque a confirmação para continuar."
    with pytest.raises(ContractChanged):
        request(seen="outra")
    with monkeypatch.context() as patch:
        # The last thing that is done fails: a database that goes away cannot be staged.
        patch.setattr(cancellations, "_write_letter", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            request()
    assert CancellationRequest.objects.count() == 1

    made = request()

    assert made.protocol == "CAN-2026-000002"
    assert [row.contract_id for row in made.items.order_by("contract_id")] == [
        one.pk for one in contracts
    ]
    event = AuditEvent.objects.get(action="conta.cancelamento_pedido")
    assert (event.object_id, len(event.after["contratos"])) == (customer.pk, 2)
    assert EmailMessage.objects.count() == 1
    with pytest.raises(ContractChanged):
        request(seen="")


def test_a_contract_that_staff_cancelled_meanwhile_is_only_ticked_off(
    account, customer, asked, today
):
    contract = contract_of(account, customer)
    ask(contract, asked)
    cancel_contract(contract.pk, account=account, on=DAY, reason="pela equipe", actor=SYSTEM)

    today("2026-10-01")
    carry_out_all()

    contract = Contract.objects.get(pk=contract.pk)
    assert (contract.cancel_date, contract.cancel_reason) == (DAY, "pela equipe")
    assert ScheduledCancellation.objects.get().done_at is not None


def test_a_contract_with_a_protocol_is_not_deleted(account, customer, asked):
    contract = contract_of(account, customer)
    ask(contract, asked)

    with pytest.raises(ContractInUse):
        delete_contract(contract.pk, account=account, actor=SYSTEM)

    assert Contract.objects.filter(pk=contract.pk).exists()


def test_a_subscription_ends_without_a_final_invoice(account, customer, asked, today):
    contract = contract_of(
        account,
        customer,
        registration_method=Contract.Registration.SUBSCRIPTION,
        overdue_automatic_management=False,
        valid_until=date(2026, 9, 25),
    )

    offer = offer_of(contract, today=DAY)
    assert {one.total for one in offer.endings} == {Decimal("0.00")}
    assert (offer.usual.on, offer.usual.why) == (date(2026, 9, 25), Why.PAID)
    ask(contract, asked)
    today("2026-09-26")
    run(account, date(2026, 12, 31))

    contract = Contract.objects.get(pk=contract.pk)
    assert (contract.status, contract.cancel_date) == ("cancelled", date(2026, 9, 25))
    assert not Invoice.objects.filter(contract=contract, is_final=True).exists()
