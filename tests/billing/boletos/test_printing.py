"""Boletos on paper: what the page says, and what readers of bar codes and QR codes see."""

from __future__ import annotations

import io
import re
from datetime import date

import pytest
import zxingcpp
from factories import CompanyFactory, OrganizationFactory, PersonFactory
from pypdf import PdfReader
from support.boletos import BANKS, agreement_with, images_of, open_boleto
from support.invoices import TODAY, emitted_invoice, line
from support.pdfs import text_of

from accounts.services.audit import SYSTEM
from billing.documents.boleto import boletos_html, boletos_pdf
from billing.errors import BoletoRegistering, NoBoleto, NoOpenAmount
from billing.models import Charge
from billing.services.boletos.issue import issue_boleto
from billing.services.boletos.printing import charge_boleto, invoice_boletos, slips_of
from billing.services.invoices import cancel_invoice
from billing.services.receivables import receive
from lib import clock
from lib.errors import NotFound

PIX = (
    "00020126580014br.gov.bcb.pix0136123e4567-e12b-12d1-a456-4266554400005204000053039865406150.75"
    "5802BR5916ACME BRASIL LTDA6008BRASILIA62140510FAT000012363046951"
)


@pytest.fixture(autouse=True)
def _day(today):
    today(TODAY.isoformat())


def pix_of(charge):
    """A live Pix of the boleto's receivable and value."""
    return Charge.objects.create(
        account_id=charge.account_id, receivable_id=charge.receivable_id, kind="pix", state="open",
        amount=charge.amount, principal=charge.amount, issued_on=TODAY, due_date=charge.due_date,
        brcode=PIX, created_at=clock.now(),
    )  # fmt: skip


@pytest.mark.django_db
@pytest.mark.either_engine
def test_readers_see_the_same_44_digits_and_the_same_pix_for_every_bank(account, tmp_path):
    customer = CompanyFactory(account=account)
    charges = []
    for bank in BANKS:
        issuer = OrganizationFactory(account=account)
        agreement_with(issuer, bank)
        receivable = emitted_invoice(issuer, customer).receivables.get()
        charges.append(open_boleto(receivable.pk, account, today=TODAY))
        pix_of(charges[-1])

    data = boletos_pdf(slips_of(charges, account, at=clock.now()))

    pages = images_of(data, tmp_path)
    assert len(pages) == len(PdfReader(io.BytesIO(data)).pages) == 7
    for page, charge in zip(pages, charges, strict=True):
        found = {str(one.format): one.text for one in zxingcpp.read_barcodes(page)}
        assert set(found.values()) == {charge.barcode, PIX}, charge.agreement


@pytest.mark.django_db
def test_the_page_says_what_the_bank_and_the_payer_must_read(account):
    issuer = OrganizationFactory(account=account, name="Horizonte", document="12ABC34501DE35")
    agreement_with(issuer, limit_days=30, protest_days=5)
    payer = PersonFactory(account=account, name="Maria <b>Silva</b>")
    invoice = emitted_invoice(issuer, payer, lines=[line("1234.56")])
    charge = open_boleto(invoice.receivables.get().pk, account, today=TODAY)
    pix_of(charge)

    printed = invoice_boletos(invoice.pk, account=account)

    text = re.sub(r"\s+", " ", text_of(printed.data))
    assert printed.filename == f"Boleto_{invoice.pk:05d}.pdf"
    for wanted in (
        "Itaú", "341-7", "Recibo do pagador", "Ficha de compensação", "Pagável em qualquer banco",
        "Horizonte Ltda – CNPJ 12.ABC.345/01DE-35", "Maria <b>Silva</b> – CPF",
        "Rua das Flores, 100, Centro, São Paulo/SP, CEP 01001-000", "20/08/2026", "12/08/2026",
        "R$ 1.234,56", "0810 / 53678-", charge.nosso_numero_printed, charge.document_number,
        "Após o vencimento, cobrar multa de 2,00% (R$ 24,69).",
        "Após o vencimento, cobrar juros de 1,00% ao mês.",
        "Protestar 5 dias após o vencimento.", "Não receber após 19/09/2026.",
        "Limite para pagamento: 19/09/2026", "Beneficiário final: Horizonte Ltda", "DM", "Pix",
        "HOMOLOGAÇÃO – documentos sem validade fiscal",
    ):  # fmt: skip
        assert wanted in text.replace("\xa0", " "), wanted
    digits = re.sub(r"[^0-9]", "", text)
    assert digits.count(charge.linha_digitavel) == 2
    again = invoice_boletos(invoice.pk, account=account)
    assert again.data == printed.data  # repeatable to the byte


@pytest.mark.django_db
def test_several_parcels_are_several_pages_and_each_says_what_became_of_it(account, organization):
    agreement_with(organization)
    customer = CompanyFactory(account=account)
    days = [date(2026, 8, 20), date(2026, 9, 20), date(2026, 10, 20)]
    invoice = emitted_invoice(organization, customer, due_dates=days)
    first, second, third = invoice.receivables.order_by("position")

    with pytest.raises(NoBoleto):
        invoice_boletos(invoice.pk, account=account)
    issue_boleto(first.pk, account=account, today=TODAY)
    with pytest.raises(BoletoRegistering):  # BO-1
        invoice_boletos(invoice.pk, account=account)
    charges = [open_boleto(one.pk, account, today=TODAY) for one in (first, second, third)]
    assert [one.document_number for one in charges] == ["00001-1", "00001-2", "00001-3"]
    assert invoice_boletos(invoice.pk, account=account).pages == 3
    assert invoice_boletos(invoice.pk, account=account, receivable_id=second.pk).pages == 1

    receive(first.pk, account=account, actor=SYSTEM)

    payable = invoice_boletos(invoice.pk, account=account)
    assert payable.pages == 2
    assert "CANCELADO" not in text_of(payable.data)
    assert "CANCELADO" in text_of(charge_boleto(charges[0].pk, account=account).data)
    Charge.objects.filter(pk=charges[1].pk).update(state="paid")
    assert "PAGO" in text_of(charge_boleto(charges[1].pk, account=account).data)
    with pytest.raises(NoOpenAmount):
        invoice_boletos(invoice.pk, account=account, receivable_id=first.pk)


@pytest.mark.django_db
def test_nothing_of_a_cancelled_invoice_or_of_another_account_is_printed(
    account, other_account, organization
):
    agreement_with(organization)
    invoice = emitted_invoice(organization, CompanyFactory(account=account))
    charge = open_boleto(invoice.receivables.get().pk, account, today=TODAY)

    for call in (
        lambda: invoice_boletos(invoice.pk, account=other_account),
        lambda: charge_boleto(charge.pk, account=other_account),
        lambda: invoice_boletos(
            invoice.pk, account=account, receivable_id=charge.receivable_id + 9
        ),
    ):
        with pytest.raises(NotFound):
            call()
    cancel_invoice(invoice.pk, account=account, actor=SYSTEM)
    with pytest.raises(NoOpenAmount):
        invoice_boletos(invoice.pk, account=account)


@pytest.mark.django_db
def test_a_pix_of_another_value_is_not_printed(account, organization):
    agreement_with(organization)
    invoice = emitted_invoice(organization, CompanyFactory(account=account))
    charge = open_boleto(invoice.receivables.get().pk, account, today=TODAY)
    pix = pix_of(charge)

    with_pix = boletos_html(slips_of([charge], account, at=clock.now()))
    Charge.objects.filter(pk=pix.pk).update(amount=90, principal=90)
    without = boletos_html(slips_of([charge], account, at=clock.now()))

    assert (PIX in with_pix, PIX in without) == (True, False)
