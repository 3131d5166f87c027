"""Pix that are paid: told by notices, looked for, late, twice, of another value, of nobody."""

from __future__ import annotations

import json
from datetime import date
from decimal import Decimal

import pytest
from factories import CompanyFactory
from support.invoices import emitted_invoice
from support.pix import KEY, Bank, pix_gateway, work_off

from accounts.models import AuditEvent
from accounts.services.audit import SYSTEM
from billing.models import Charge, CustomerCredit, InboundEvent, Payment
from billing.selectors.invariants import violations
from billing.services import inbound
from billing.services.inbound import MAX_ATTEMPTS
from billing.services.pix.assigning import assign
from billing.services.pix.issue import issue_pix
from billing.services.pix.reconciling import reconcile_all
from billing.services.pix.sweep import sweep_pix
from billing.services.receivables import receive
from lib import clock
from lib.errors import Conflict, NotFound

pytestmark = pytest.mark.django_db

State = Charge.State


@pytest.fixture(autouse=True)
def _invariants_hold(account):
    yield
    assert list(violations(account)) == []


def fresh(row):
    return type(row).objects.get(pk=row.pk)


def due(charge):
    Charge.objects.filter(pk=charge.pk).update(next_attempt_at=clock.now())


def test_a_notice_books_the_payment_once_however_often_it_comes(bank, receivable):
    charge = bank.issue(receivable)
    end_to_end_id = bank.pay(charge)

    first, second = bank.deliver(), bank.deliver()

    assert (first, second) == (["Pix de R$\xa0100,00 registrado."], [])
    payment = Payment.objects.get()
    assert (payment.external_id, payment.amount, payment.charge_id, payment.gateway_id) == (
        end_to_end_id, Decimal("100.00"), charge.pk, bank.gateway.pk,
    )  # fmt: skip
    assert (payment.received_on, payment.credited_on) == (date(2026, 8, 12), date(2026, 8, 12))
    assert payment.reference == charge.txid
    assert fresh(receivable).state == "received"
    assert fresh(charge).state == State.PAID
    event = InboundEvent.objects.get()
    assert event.payload == {"endToEndId": end_to_end_id, "txid": charge.txid}
    assert inbound.apply_notice(event.pk) == "already taken"
    assert reconcile_all() == 0


def test_nothing_is_booked_but_what_the_bank_answers(bank, receivable):
    charge = bank.issue(receivable)
    url = bank.providers.books("pix")["clients"][f"conta-{receivable.account_id}"]["hooks"][KEY][
        "webhookUrl"
    ]
    pix = {"endToEndId": "E" + "9" * 31, "txid": charge.txid, "valor": "100.00",
           "horario": "2026-08-12T12:00:00Z"}  # fmt: skip
    forged = {"url": f"{url}/pix", "body": json.dumps({"pix": [pix]})}

    assert bank.post(forged) == 200
    assert work_off() == ["O banco ainda não encontra este Pix."]
    InboundEvent.objects.update(attempts=3, next_attempt_at=clock.now())
    assert work_off() == ["O banco não conhece este Pix."]

    assert InboundEvent.objects.get().state == InboundEvent.State.IGNORED
    assert not Payment.objects.exists()


def test_a_notice_needs_the_secret_of_the_address(bank, receivable, other_account):
    bank.pay(bank.issue(receivable))
    [notice] = bank.providers.notices("pix")
    secret = bank.gateway.secrets["hook_token"]
    other = pix_gateway(other_account, bank.providers.url("pix"))

    def posted(url, body=notice["body"], **headers):
        response = bank.client.post(url, body, content_type="application/json", headers=headers)
        return response.status_code

    hook = f"/hooks/{bank.gateway.hook}"
    assert posted(f"{hook}/pix") == 400
    assert posted(f"{hook}/{secret[:-1]}/pix") == 400
    assert posted(f"/hooks/{other.hook}/{secret}/pix") == 400
    assert posted("/hooks/11111111-1111-4111-8111-111111111111/x/pix") == 404
    for body in ("{", '{"pix": {}}', '{"pix": [1]}', '{"pix": [{"endToEndId": "; drop"}]}'):
        assert posted(f"{hook}/{secret}/pix", body) == 400
    assert posted(f"{hook}/{secret}", "") == 200  # banks try the address
    assert posted(f"{hook}/{secret}/pix", '{"evento": "teste_webhook"}') == 200
    assert not InboundEvent.objects.exists()

    bank.gateway.options["hook_header"] = {"name": "X-Client-Verify", "value": "SUCCESS"}
    bank.gateway.save()
    assert posted(f"{hook}/{secret}/pix") == 400
    assert posted(f"{hook}/{secret}/pix", **{"X-Client-Verify": "SUCCESS"}) == 200
    assert InboundEvent.objects.count() == 1


def test_a_pix_of_another_tenants_charge_stays_unmatched(bank, receivable, other_account):
    """The other tenant's bank tells of a txid that only we have."""
    charge = bank.issue(receivable)
    theirs = Bank.of(bank.providers, other_account, today="2026-08-12")
    bank.providers.control(
        "pix/send", key=KEY, amount="100.00", txid=charge.txid, client=f"conta-{other_account.pk}"
    )

    assert theirs.deliver() == ["Nenhuma cobrança tem este txid: veja os Pix não identificados."]

    assert not Payment.objects.exists()
    assert fresh(charge).state == State.OPEN
    kept = InboundEvent.objects.get(kind="pix.sem_cobranca")
    assert kept.account_id == other_account.pk
    with pytest.raises(NotFound):
        assign(kept.pk, account=receivable.account, receivable_id=receivable.pk, actor=SYSTEM)
    with pytest.raises(NotFound):
        assign(kept.pk, account=other_account, receivable_id=receivable.pk, actor=SYSTEM)


def test_a_pix_of_no_charge_is_kept_once_until_staff_say_what_it_is(bank, receivable):
    client = f"conta-{receivable.account_id}"
    sent = bank.providers.control(
        "pix/send", key=KEY, amount="60.00", txid="OUTROSISTEMA1", client=client
    )

    assert reconcile_all() == 0
    bank.deliver()
    assert reconcile_all() == 0

    kept = InboundEvent.objects.get(kind="pix.sem_cobranca")
    assert kept.payload["endToEndId"] == sent["endToEndId"]
    assert AuditEvent.objects.filter(action="pix.sem_cobranca").count() == 1
    account = receivable.account
    arrival = assign(kept.pk, account=account, receivable_id=receivable.pk, actor=SYSTEM)
    assert (arrival.payment.external_id, arrival.note) == (
        sent["endToEndId"], "Pago a menor: faltam R$\xa040,00.",
    )  # fmt: skip
    with pytest.raises(Conflict):
        assign(kept.pk, account=account, receivable_id=receivable.pk, actor=SYSTEM)
    assert reconcile_all() == 0
    assert fresh(receivable).open_principal == Decimal("40.00")


@pytest.mark.parametrize(
    ("amount", "left", "credit", "note"),
    [
        ("150.00", "0.00", "50.00", "Pago a maior: R$\xa050,00 viraram crédito do cliente."),
        ("40.00", "60.00", None, "Pago a menor: faltam R$\xa060,00."),
    ],
)
def test_another_value_is_taken_and_allocated(bank, receivable, amount, left, credit, note):
    bank.pay(bank.issue(receivable), amount=amount)

    [result] = bank.deliver()

    assert result.endswith(note)
    assert fresh(receivable).open_principal == Decimal(left)
    credits = [one.amount for one in CustomerCredit.objects.all()]
    assert credits == ([Decimal(credit)] if credit else [])


def test_the_bank_charges_for_lateness_what_we_do(bank, receivable, move):
    charge = bank.issue(receivable)
    move("2026-08-31")

    bank.pay(charge)
    bank.deliver()

    payment = Payment.objects.get()
    assert payment.amount == Decimal("102.37")  # 2,00 and 11 days of 1 % a month
    allocation = payment.allocations.get()
    assert (allocation.principal, allocation.fine, allocation.interest) == (
        Decimal("100.00"), Decimal("2.00"), Decimal("0.37"),
    )  # fmt: skip
    assert not CustomerCredit.objects.exists()
    assert fresh(receivable).state == "received"


def test_the_value_of_a_chosen_day_settles_all_its_parts_when_paid_earlier(bank, receivable, move):
    move("2026-08-31")
    charge = bank.issue(receivable, on=date(2026, 9, 2))

    bank.pay(charge)
    bank.deliver()

    allocation = Payment.objects.get().allocations.get()
    assert (allocation.fine, allocation.interest) == (Decimal("2.00"), Decimal("0.43"))
    assert fresh(receivable).state == "received"
    assert not CustomerCredit.objects.exists()


def test_a_pix_paid_while_it_is_taken_away_is_a_payment(bank, receivable, account):
    charge = bank.issue(receivable)
    bank.pay(charge)  # and its notice is lost
    receive(receivable.pk, account=account, actor=SYSTEM)
    assert fresh(charge).state == State.CANCELLING

    assert sweep_pix() == 1

    assert fresh(charge).state == State.PAID_AFTER_CANCEL
    pix = Payment.objects.get(method="pix")
    assert pix.amount == Decimal("100.00")
    assert CustomerCredit.objects.get().amount == Decimal("100.00")
    assert AuditEvent.objects.filter(action="pagamento.em_duplicidade").count() == 1
    bank.deliver()
    assert Payment.objects.count() == 2


def test_a_pix_paid_after_it_was_removed_is_a_payment(bank, receivable, account):
    charge = bank.issue(receivable)
    receive(receivable.pk, account=account, actor=SYSTEM, value=Decimal("100.00"))
    sweep_pix()
    assert fresh(charge).state == State.CANCELLED

    bank.pay(charge, force=True)
    bank.deliver()

    assert fresh(charge).state == State.PAID_AFTER_CANCEL
    assert CustomerCredit.objects.get().amount == Decimal("100.00")


def test_a_pix_paid_twice_becomes_credit(bank, receivable):
    charge = bank.issue(receivable)
    bank.pay(charge)
    bank.pay(charge, force=True)

    bank.deliver()

    assert Payment.objects.count() == 2
    assert CustomerCredit.objects.get().amount == Decimal("100.00")


def test_open_pix_are_asked_about_when_no_notice_comes(bank, receivable, organization, customer):
    paid = bank.issue(receivable)
    still_open = bank.issue(emitted_invoice(organization, customer).receivables.get())
    assert fresh(paid).next_attempt_at.strftime("%m-%d %H") == "08-21 00"  # 21 h of the due date
    bank.pay(paid)
    assert sweep_pix() == 0
    due(paid)
    due(still_open)

    assert sweep_pix() == 2

    assert fresh(paid).state == State.PAID
    assert fresh(still_open).state == State.OPEN
    assert fresh(still_open).next_attempt_at > clock.now()


def test_a_pix_that_can_be_paid_no_longer_expires_after_a_last_look(bank, receivable, move):
    charge = bank.issue(receivable)
    move("2026-10-18")
    due(charge)
    assert sweep_pix() == 1
    assert fresh(charge).state == State.OPEN  # the last day of 59
    move("2026-10-20")
    due(charge)
    assert sweep_pix() == 1
    assert fresh(charge).state == State.EXPIRED
    assert sweep_pix() == 0

    bank.pay(charge, force=True, on="2026-10-19")  # it was told late
    bank.deliver()

    assert fresh(charge).state == State.PAID


def test_a_pix_that_the_bank_removed_is_over(bank, receivable):
    charge = bank.issue(receivable)
    bank.providers.running.world.provider("pix").receiver(f"conta-{receivable.account_id}")[
        "charges"
    ][charge.txid]["status"] = "REMOVIDA_PELO_PSP"
    due(charge)

    sweep_pix()

    assert fresh(charge).state == State.CANCELLED
    assert bank.issue(receivable).pk != charge.pk


def test_the_list_of_the_bank_finds_what_nobody_told(bank, receivable, account):
    """Also where two of our accounts are with the same bank: each sees what is the other's."""
    own = pix_gateway(
        account, bank.providers.url("pix"), organization=receivable.invoice.organization
    )
    charge = bank.issue(receivable)
    assert charge.gateway_id == own.pk
    bank.pay(charge)
    bank.providers.fault("pix", "status", path="/pix?", status=503, times=2)

    assert reconcile_all() == 0
    assert reconcile_all() == 1

    assert fresh(charge).state == State.PAID
    assert not InboundEvent.objects.exists()


def test_a_static_code_is_found_by_its_txid(bank, receivable, account):
    charge = Charge.objects.get(pk=bank.issue(receivable).pk)
    Charge.objects.filter(pk=charge.pk).update(gateway=None, txid=f"FAT{receivable.pk}")
    client = f"conta-{account.pk}"
    bank.providers.control(
        "pix/send", key=KEY, amount="100.00", txid=f"FAT{receivable.pk}", client=client
    )

    bank.deliver()

    assert fresh(charge).state == State.PAID
    assert fresh(receivable).state == "received"


def test_a_notice_waits_for_a_bank_that_does_not_answer(bank, receivable):
    bank.pay(bank.issue(receivable))
    bank.providers.fault("pix", "status", path="/pix/", status=500)
    bank.providers.fault("pix", "garbage", path="/pix/")

    assert bank.deliver() == ["O banco está indisponível no momento."]
    for expected in (
        "O banco respondeu algo que não se entende.",
        "Pix de R$\xa0100,00 registrado.",
    ):
        assert work_off() == ["already taken"]
        InboundEvent.objects.update(next_attempt_at=clock.now())
        assert work_off() == [expected]
    assert InboundEvent.objects.get().attempts < MAX_ATTEMPTS


def test_notices_in_any_order_come_to_the_same(bank, organization, account):
    customer = CompanyFactory(account=account)
    receivables = [emitted_invoice(organization, customer).receivables.get() for _ in range(3)]
    for receivable in receivables:
        bank.pay(issue_pix(receivable.pk, account))
    for notice in reversed(bank.providers.notices("pix")):
        bank.post(notice)
        bank.post(notice)

    assert len(work_off()) == 3

    assert {fresh(one).state for one in receivables} == {"received"}
    assert Payment.objects.count() == 3
