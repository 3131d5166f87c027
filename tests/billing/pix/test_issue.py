"""The Pix of a receivable: with due date, immediate, static, and what the bank is told."""

from __future__ import annotations

import contextlib
from datetime import date
from decimal import Decimal

import pytest
from support.invoices import emitted_invoice, line
from support.pix import KEY, pix_gateway

from accounts.models import AuditEvent
from accounts.services.audit import SYSTEM
from billing.errors import InvoiceBlocked, NoOpenAmount, PixNotSetUp, PixRejected
from billing.gateways.pix import brcode, wire
from billing.models import Charge, ChargeTemplate, CustomerCredit, Invoice, Receivable
from billing.services.payments.manual import pay_manually
from billing.services.pix import asking
from billing.services.pix.issue import issue_pix
from billing.services.pix.sweep import sweep_pix
from billing.services.receivables import receive
from lib import clock
from lib.errors import InvalidInput, NotFound

pytestmark = pytest.mark.django_db

State = Charge.State


def overdue_now(charge):
    """Its time to be gone on with has come."""
    Charge.objects.filter(pk=charge.pk).update(next_attempt_at=clock.now())


def test_an_invoice_that_is_not_late_gets_a_pix_with_due_date(bank, receivable, customer):
    charge = bank.issue(receivable)

    there = bank.of_bank(charge)
    assert there["kind"] == "cobv"
    assert there["calendario"]["dataDeVencimento"] == "2026-08-20"
    assert there["calendario"]["validadeAposVencimento"] == 59
    assert there["valor"] == {
        "original": "100.00",
        "multa": {"modalidade": 2, "valorPerc": "2.00"},
        "juros": {"modalidade": 3, "valorPerc": "1.00"},
    }
    assert there["devedor"]["cnpj"] == customer.document
    assert there["chave"] == KEY
    assert there["solicitacaoPagador"] == f"Fatura {charge.document_number}"
    assert (charge.state, charge.amount, charge.due_date) == (
        State.OPEN, Decimal("100.00"), date(2026, 8, 20),
    )  # fmt: skip
    assert 26 <= len(charge.txid) <= 35
    assert charge.limit_date == date(2026, 10, 18)
    assert brcode.read(charge.brcode)[-1].id == "63"
    assert charge.location == there["location"]
    assert charge.next_attempt_at is not None  # the bank is asked, should no notice come
    assert AuditEvent.objects.filter(action="pix.gerado", object_id=charge.pk).count() == 1


def test_the_same_pix_is_given_again(bank, receivable):
    first = bank.issue(receivable)

    second = bank.issue(receivable)

    assert second.pk == first.pk
    assert bank.calls() == [f"PUT /cobv/{first.txid}"]


def test_a_late_invoice_gets_the_value_of_the_chosen_day(bank, receivable, move):
    first = bank.issue(receivable)
    move("2026-08-31")

    charge = bank.issue(receivable, on=date(2026, 9, 2))

    there = bank.of_bank(charge)
    assert there["kind"] == "cob"
    assert (charge.amount, charge.fine, charge.interest) == (
        Decimal("102.43"), Decimal("2.00"), Decimal("0.43"),
    )  # fmt: skip
    assert there["valor"] == {"original": "102.43"}
    assert charge.expires_at.astimezone().isoformat().startswith("2026-09-0")
    assert charge.expires_at.strftime("%d %H:%M:%S") == "03 02:59:59"  # 23:59:59 in São Paulo
    left = (charge.expires_at - clock.now()).total_seconds()
    assert abs(there["calendario"]["expiracao"] - left) < 60
    assert charge.replaces_id == first.pk
    first = Charge.objects.get(pk=first.pk)
    assert (first.state, first.instruction) == (State.CANCELLING, "write_off")

    # The day is kept when nobody asks for another one, and the old one is taken away.
    assert bank.issue(receivable).pk == charge.pk
    assert sweep_pix() == 1
    assert bank.of_bank(first)["status"] == "REMOVIDA_PELO_USUARIO_RECEBEDOR"
    assert Charge.objects.get(pk=first.pk).state == State.CANCELLED
    other = bank.issue(receivable, on=date(2026, 8, 31))
    assert (other.amount, other.replaces_id) == (Decimal("102.37"), charge.pk)
    for wrong in (date(2026, 8, 30), date(2026, 9, 9)):
        with pytest.raises(InvalidInput):
            bank.issue(receivable, on=wrong)


def test_a_new_pix_is_made_when_the_chosen_day_is_over(bank, receivable, move):
    move("2026-08-31")
    first = bank.issue(receivable)
    move("2026-09-01")

    second = bank.issue(receivable)

    assert (first.due_date, second.due_date) == (date(2026, 8, 31), date(2026, 9, 1))
    assert second.amount == Decimal("102.40")


def test_fixed_terms_are_told_in_reais(bank, receivable, organization):
    ChargeTemplate.objects.create(
        account=organization.account, organization=organization, name="Fixos", is_default=True,
        fine_type="fixed", fine_value=Decimal("1.50"),
        interest_type="fixed", interest_value=Decimal("0.03"),
    )  # fmt: skip

    there = bank.of_bank(bank.issue(receivable))

    assert there["valor"]["multa"] == {"modalidade": 1, "valorPerc": "1.50"}
    assert there["valor"]["juros"] == {"modalidade": 1, "valorPerc": "0.03"}


def test_a_customer_without_document_is_charged_by_an_immediate_pix(bank, organization, customer):
    customer.document = ""
    customer.save()
    receivable = emitted_invoice(organization, customer).receivables.get()

    charge = bank.issue(receivable)

    assert bank.of_bank(charge)["kind"] == "cob"
    assert "devedor" not in bank.of_bank(charge)
    assert (charge.amount, charge.limit_date) == (Decimal("100.00"), None)
    assert charge.expires_at.strftime("%m-%d %H:%M") == "08-21 02:59"


def test_without_a_bank_the_code_is_static(account, receivable, today):
    today("2026-08-12")
    pix_gateway(account, "")

    charge = issue_pix(receivable.pk, account)

    assert (charge.state, charge.txid, charge.gateway) == (
        State.OPEN, f"FAT{receivable.pk}", None,
    )  # fmt: skip
    fields = {one.id: one.value for one in brcode.read(charge.brcode)}
    assert (fields["54"], fields["59"], fields["60"]) == ("100.00", "ACME BRASIL LTDA", "BRASILIA")
    assert fields["62"] == f"05{len(charge.txid):02d}{charge.txid}"
    assert issue_pix(receivable.pk, account).pk == charge.pk

    today("2026-08-31")
    late = issue_pix(receivable.pk, account)
    assert (late.amount, late.txid, late.state) == (Decimal("102.37"), charge.txid, State.OPEN)
    assert sweep_pix() == 1
    assert Charge.objects.get(pk=charge.pk).state == State.CANCELLED
    today("2026-09-01")
    assert sweep_pix() == 1
    assert Charge.objects.get(pk=late.pk).state == State.EXPIRED


def test_what_cannot_have_a_pix_is_refused(bank, receivable, account, other_account, organization):
    with pytest.raises(NotFound):
        issue_pix(receivable.pk, other_account)
    Invoice.objects.filter(pk=receivable.invoice_id).update(approval_status="blocked")
    with pytest.raises(InvoiceBlocked):
        bank.issue(receivable)
    Invoice.objects.filter(pk=receivable.invoice_id).update(approval_status="approved")
    bank.gateway.is_active = False
    bank.gateway.save()
    with pytest.raises(PixNotSetUp):
        bank.issue(receivable)
    receive(receivable.pk, account=account, actor=SYSTEM)
    with pytest.raises(NoOpenAmount):
        bank.issue(receivable)
    assert not Charge.objects.exists()


def test_the_bank_may_refuse_for_good(bank, receivable):
    body = (
        '{"type":"https://pix.bcb.gov.br/api/v2/error/CobVOperacaoInvalida","title":"x",'
        '"status":400,"violacoes":[{"razao":"A chave não pertence a este usuário."}]}'
    )
    bank.providers.fault("pix", "status", path="/cobv/", status=400, body=body)

    with pytest.raises(PixRejected, match="A chave não pertence"):
        bank.issue(receivable)

    charge = Charge.objects.get()
    assert (charge.state, charge.next_attempt_at) == (State.REJECTED, None)
    assert bank.issue(receivable).state == State.OPEN  # another try is another charge


@pytest.mark.parametrize(
    ("fault", "calls"),
    [
        ({"kind": "cut", "method": "PUT", "path": "/cobv/"}, ["PUT", "GET"]),
        ({"kind": "garbage", "method": "PUT", "path": "/cobv/"}, ["PUT", "GET"]),
        ({"kind": "down", "method": "PUT", "path": "/cobv/"}, ["PUT", "GET", "PUT"]),
        ({"kind": "status", "path": "/cobv/", "status": 503}, ["PUT", "GET", "PUT"]),
        ({"kind": "status", "path": "/cobv/", "status": 403}, ["PUT", "GET", "PUT"]),
        ({"kind": "status", "path": "/oauth/", "status": 500}, ["GET", "PUT"]),
        ({"kind": "garbage", "path": "/oauth/"}, ["GET", "PUT"]),
    ],
)  # fmt: skip
def test_an_unknown_outcome_is_asked_about(bank, receivable, fault, calls):
    from billing.gateways.pix import wire

    wire.TOKENS.clear()
    bank.providers.fault("pix", **fault)

    charge = bank.issue(receivable)

    assert charge.state == State.REGISTERING
    assert charge.reason
    assert sweep_pix() == 0  # not before its time
    overdue_now(charge)
    assert sweep_pix() == 1
    assert Charge.objects.get().state == State.OPEN
    assert [call.split()[0] for call in bank.calls()] == calls
    assert bank.of_bank(charge)["revisao"] == 0  # made once


def test_a_revoked_token_is_asked_for_anew(bank, receivable):
    bank.providers.control("pix/revoke")

    assert bank.issue(receivable).state == State.OPEN

    assert len(bank.providers.calls("pix", "POST", "/oauth/token")) == 2


def test_an_invoice_paid_while_the_bank_is_silent_leaves_nothing_to_pay(bank, receivable, account):
    bank.providers.fault("pix", "cut", method="PUT", path="/cobv/")
    charge = bank.issue(receivable)

    receive(receivable.pk, account=account, actor=SYSTEM)

    assert Charge.objects.get().state == State.CANCELLING
    assert sweep_pix() == 1
    assert Charge.objects.get().state == State.CANCELLED
    assert bank.of_bank(charge)["status"] == "REMOVIDA_PELO_USUARIO_RECEBEDOR"


def test_one_bank_that_is_silent_is_asked_once_a_run(bank, organization, customer):
    lines = {"lines": [line("30.00")], "due_dates": [date(2026, 8, 20), date(2026, 9, 21)]}
    invoice = emitted_invoice(organization, customer, **lines)
    bank.providers.fault("pix", "status", path="/cobv/", status=503, times=0)
    charges = [bank.issue(one) for one in invoice.receivables.all()]
    for charge in charges:
        overdue_now(charge)
    before = len(bank.calls())

    assert sweep_pix() == 0

    assert len(bank.calls()) == before + 1


@pytest.mark.parametrize(
    ("change", "state", "reason"),
    [
        ({"txid": "f" * 32}, "registering", asking.ANOTHER),
        (
            {"valor": {"original": "1.00"}},
            "rejected",
            "O banco registrou a cobrança com outro valor.",
        ),
    ],
)
def test_an_answer_about_another_charge_is_shown_to_nobody(bank, receivable, change, state, reason):
    """Whoever pays it would pay somebody else, or something else."""
    body = {
        "txid": "", "status": "ATIVA", "valor": {"original": "100.00"},
        "location": "pix.example.com/v2/1", "calendario": {}, "chave": KEY,
    }  # fmt: skip
    real = wire.Wire.order

    def answered(self, method, path, given=None):
        real(self, method, path, given)
        return {**body, "txid": path.rpartition("/")[2], **change}

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(wire.Wire, "order", answered)
        with contextlib.suppress(PixRejected):
            bank.issue(receivable)

    charge = Charge.objects.get()
    assert (charge.state, charge.reason, charge.brcode) == (state, reason, "")


def test_a_small_payment_of_late_charges_is_not_asked_for_again(bank, receivable, move):
    """ALLOC-1 gives it to interest and fine; the rest of the fine is what is left of it."""
    move("2026-09-10")
    first = bank.issue(receivable)
    assert (first.fine, first.interest) == (Decimal("2.00"), Decimal("0.70"))
    pay_manually(
        receivable.pk, account=receivable.account, actor=SYSTEM, method="cash",
        amount=Decimal("1.50"), on=date(2026, 9, 10), reference="balcão",
    )  # fmt: skip

    second = bank.issue(receivable)

    assert (second.principal, second.fine, second.interest) == (
        Decimal("100.00"), Decimal("1.20"), Decimal("0.00"),
    )  # fmt: skip
    bank.pay(second)
    bank.deliver()
    assert Receivable.objects.get().state == "received"
    assert not CustomerCredit.objects.exists()
