"""The receipt of a payment: page data, PDF, and who has none."""

from __future__ import annotations

import io
from datetime import date
from decimal import Decimal

import pytest
from pypdf import PdfReader
from support.invoices import emitted_invoice

from accounts.services.audit import SYSTEM
from billing.errors import NoReceipt
from billing.models import Party, Payment
from billing.services import ledger
from billing.services.payments.manual import pay_manually
from billing.services.payments.receipts import receipt_of, receipt_pdf
from billing.services.payments.refunds import open_refund
from billing.services.payments.undoing import undo_payment

pytestmark = pytest.mark.django_db


def test_a_receipt_says_who_paid_what_for_what(organization, customer, today):
    today("2026-09-10")
    given = {"account": customer.account, "actor": SYSTEM}
    parcel = emitted_invoice(organization, customer).receivables.get()
    payment = pay_manually(
        parcel.pk, method="pos", amount=Decimal("110.00"), on=date(2026, 8, 25),
        reference="NSU <7>", take_surplus=True, **given,
    )  # fmt: skip
    Party.objects.filter(pk=customer.pk).update(name="Outro nome", company_name="Outro nome")

    said = receipt_of(payment)

    assert (said.amount, said.amount_in_words) == ("R$\xa0110,00", "cento e dez reais")
    assert said.payer == (customer.company_name or customer.name)
    assert (said.paid_on, said.mark) == ("25/08/2026", "")
    assert dict(said.rows) == {
        "Forma de pagamento": "Cartão na maquininha",
        "Referência": "NSU <7>",
        "Multa e juros incluídos": "R$\xa02,17",
        "Lançado como crédito": "R$\xa07,83",
    }
    assert said.settled == (("1", "20/08/2026", "R$\xa0102,17"),)
    page = PdfReader(io.BytesIO(receipt_pdf(payment))).pages[0]
    text = " ".join(page.extract_text().split())
    for part in (f"Recibo nº {payment.pk:06d}", "cento e dez reais", "NSU <7>", "20/08/2026"):
        assert part in text

    open_refund(payment.pk, reason="x", to="credit", **given)
    assert dict(receipt_of(payment).rows)["Reembolsado"] == "R$\xa0102,17"


def test_what_did_not_happen_has_no_receipt(organization, customer, today):
    today("2026-09-10")
    given = {"account": customer.account, "actor": SYSTEM}
    parcel = emitted_invoice(organization, customer).receivables.get()
    undone = undo_payment(pay_manually(parcel.pk, method="cash", **given).pk, **given)
    held = ledger.hold(customer.account, invoice_id=parcel.invoice_id)
    trying = ledger.new_payment(held, held.receivable(parcel.pk), method="card", amount=Decimal(9))
    trying.save()

    for payment in (undone, trying):
        with pytest.raises(NoReceipt):
            receipt_of(Payment.objects.get(pk=payment.pk))
