"""What staff do in the back-office: remessas, lines without a boleto, Pix without a charge."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
from django.urls import reverse
from factories import CompanyFactory
from support.boletos import agreement_with, bank_gateway
from support.cnab_files import Fact, number_of
from support.invoices import emitted_invoice
from support.pix import KEY, pix_gateway
from support.retornos import fact_of, new_boleto, open_boleto, received
from support.staff import client_of

from accounts.models import AuditEvent
from billing.gateways.boleto.registrar import Settlement
from billing.gateways.pix.provider import Received
from billing.models import (
    CnabFile,
    CnabRecord,
    CustomerCredit,
    InboundEvent,
    Payment,
    Receivable,
)
from billing.selectors.invariants import violations
from billing.services.bank_files import applying
from billing.services.boletos.settlements import take_settlement
from billing.services.pix import unmatched
from lib.br import document_mask

pytestmark = pytest.mark.django_db
D = Decimal


@pytest.fixture(autouse=True)
def _a_day(today):
    today("2026-08-21")


@pytest.fixture(autouse=True)
def _invariants_hold(account):
    yield
    assert list(violations(account)) == []


def url(model, row, slug):
    return reverse(f"admin:billing_{model}_act", args=[row.pk, slug])


def do(client, address, **fields):
    """The act's page, then the act; answers the response and the page's text."""
    asked = client.get(address)
    page = asked.content.decode()
    form = asked.context["form"].initial if asked.status_code == 200 else {}
    return client.post(address, {**form, **fields}), page


def test_b17_lines_that_found_no_boleto_are_resolved_and_then_applied(
    account, other_account, organization
):
    agreement = agreement_with(organization)
    customer = CompanyFactory(account=account, name="Cliente do crédito")
    parcels = emitted_invoice(
        organization, customer, due_dates=[date(2026, 8, 20), date(2026, 9, 20)]
    ).receivables.order_by("position")
    first, second = parcels
    lost = [
        Fact(number_of("341", 90_000_000 + n), paid=D("50.00"), payer="FULANO <b>")
        for n in range(4)
    ]
    file = received(agreement, [*lost, fact_of(open_boleto(organization))])
    linked, credited, ignored, other, settled = file.records.order_by("line")
    finance, stranger = client_of(account, "financeiro"), client_of(other_account, "financeiro")
    number = first.invoice.label

    for client, status in ((stranger, 404), (client_of(account, "suporte"), 403)):
        assert client.get(url("cnabrecord", linked, "vincular")).status_code == status
    assert finance.get(url("cnabrecord", settled, "vincular")).status_code == 302  # not to decide

    wanted = [
        ("", "Este campo é obrigatório"), ("9", "Nenhuma fatura emitida"),
        (number, f"escreva também qual, como em {number}-2"), (f"{number}-3", "Nenhuma fatura"),
    ]  # fmt: skip
    for text, said in wanted:
        answer, page = do(finance, url("cnabrecord", linked, "vincular"), fatura=text)
        assert said in answer.content.decode()
    assert f"fatura {number}-2, {customer.name}" in page  # what is open with this value
    assert "FULANO &lt;B&gt;" in page
    assert CnabRecord.objects.exclude(resolution="").count() == 0

    answer, _ = do(finance, url("cnabrecord", linked, "vincular"), fatura=f"{number}-2")
    assert answer.status_code == 302
    document = document_mask(customer.document)
    do(finance, url("cnabrecord", credited, "creditar"), documento=document)
    do(finance, url("cnabrecord", ignored, "ignorar"), motivo="De outra empresa")
    answer, _ = do(finance, url("cnabrecord", other, "ignorar"), motivo="  ")
    assert answer.status_code == 200

    resolutions = file.records.order_by("line").values_list("resolution", flat=True)
    assert list(resolutions) == ["linked", "credited", "ignored", "", ""]
    assert AuditEvent.objects.filter(action="cnab.linha_resolvida").count() == 3
    do(finance, url("cnabfile", file, "aplicar"))
    applying.apply_file(file.pk)
    assert Receivable.objects.get(pk=second.pk).state == "received"
    assert Receivable.objects.get(pk=first.pk).state == "to_receive"
    assert CustomerCredit.objects.get(customer=customer).amount == D("50.00")
    # A decision that was applied stands.
    assert finance.get(url("cnabrecord", linked, "ignorar")).status_code == 302


def test_staff_generate_a_remessa_and_see_what_goes_with_it(account, other_account, organization):
    agreement = agreement_with(organization)
    for _ in range(2):
        new_boleto(organization)
    finance, stranger = client_of(account, "financeiro"), client_of(other_account, "financeiro")
    act = url("bankagreement", agreement, "remessa")
    assert stranger.get(act).status_code == 404
    assert (
        "Gerar remessa"
        in finance.get(
            reverse("admin:billing_bankagreement_change", args=[agreement.pk])
        ).content.decode()
    )

    answer, page = do(finance, act)

    assert answer.status_code == 302
    assert "Entradas: 2" in page
    file = CnabFile.objects.get()
    assert (file.state, file.records.count()) == ("generated", 2)
    assert finance.get(act).status_code == 302  # nothing waits any more
    # Repeated, the same page does nothing again.
    assert CnabFile.objects.count() == 1


def test_staff_say_which_invoice_a_pix_of_no_charge_pays(account, other_account, organization):
    customer = CompanyFactory(account=account)
    parcel = emitted_invoice(organization, customer).receivables.get()
    gateway = pix_gateway(account, "")
    at = datetime(2026, 8, 21, 2, 30, tzinfo=UTC)  # the 20th in São Paulo
    pix = Received("E0000000020260821000000000000001", "", D("100.00"), at)
    unmatched.keep(gateway, pix)
    event = InboundEvent.objects.get()
    act = url("inboundevent", event, "atribuir")
    finance = client_of(account, "financeiro")
    assert client_of(other_account, "admin").get(act).status_code == 404
    assert client_of(account, "suporte").get(act).status_code == 403

    answer, page = do(finance, act, fatura="777")
    assert "Nenhuma fatura emitida" in answer.content.decode()
    assert f"fatura {parcel.invoice.label}-1" in page
    assert "em 20/08/2026" in page
    assert KEY not in page
    answer, _ = do(finance, act, fatura=parcel.invoice.label)

    assert answer.status_code == 302
    payment = Payment.objects.get()
    assert (payment.receivable_id, payment.external_id) == (parcel.pk, pix.end_to_end_id)
    assert Receivable.objects.get(pk=parcel.pk).state == "received"
    assert finance.get(act).status_code == 302
    assert AuditEvent.objects.filter(action="pagamento.atribuido").count() == 1


def test_staff_say_which_invoice_a_boleto_that_nobody_knows_pays(account, organization):
    """Told by a bank's API, under a number that no boleto of ours has."""
    parcel = emitted_invoice(organization, CompanyFactory(account=account)).receivables.get()
    gateway = bank_gateway(account, "https://banco.example")
    told = Settlement(
        id="liq_1", key="?", nosso_numero="777", amount=D("100.00"), paid_on=date(2026, 8, 20),
        credited_on=date(2026, 8, 21), fee=D("1.90"),
    )  # fmt: skip
    take_settlement(gateway, told)
    event = InboundEvent.objects.get()
    finance = client_of(account, "financeiro")

    answer, page = do(finance, url("inboundevent", event, "atribuir"), fatura=parcel.invoice.label)

    assert answer.status_code == 302
    assert "nosso número" in page
    payment = Payment.objects.get()
    assert (payment.receivable_id, payment.provider_fee) == (parcel.pk, D("1.90"))
    assert (payment.received_on, payment.credited_on) == (date(2026, 8, 20), date(2026, 8, 21))
    assert not take_settlement(gateway, told)  # the bank tells it again for a week
    assert InboundEvent.objects.get().state == "done"
    assert Payment.objects.count() == 1
