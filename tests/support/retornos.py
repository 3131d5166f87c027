"""Boletos of an agreement, and the retornos that a bank would send of them."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from factories import CompanyFactory
from support.cnab_files import Fact, retorno
from support.invoices import TODAY, emitted_invoice, line

from accounts.services.audit import SYSTEM
from billing.gateways.boleto.bank import NossoNumero
from billing.models import BankAgreement, Charge, CnabFile, Party
from billing.services.bank_files.retorno import receive
from billing.services.bank_files.titles import layout_of, sender_of
from billing.services.boletos import answers
from billing.services.boletos.issue import issue_boleto


def new_boleto(organization: Party, value: str = "100.00", **fields: Any) -> Charge:
    """A boleto due on 20/08/2026 that waits for its bank."""
    customer = CompanyFactory(account=organization.account)
    invoice = emitted_invoice(organization, customer, lines=[line(value)], **fields)
    return issue_boleto(
        invoice.receivables.get().pk, account=organization.account, actor=SYSTEM, today=TODAY
    )


def open_boleto(organization: Party, value: str = "100.00", **fields: Any) -> Charge:
    """One that its bank has confirmed."""
    charge = new_boleto(organization, value, **fields)
    return answers.registered(charge.pk, account=organization.account)


def fact_of(charge: Charge, occurrence: str = "06", **fields: Any) -> Fact:
    """What the bank tells of a boleto; a settlement of its amount unless `fields` say otherwise."""
    given: dict[str, Any] = {
        "value": charge.amount,
        "paid": charge.amount if occurrence in ("06", "17") else Decimal(0),
        "company_use": str(charge.pk),
        "document_number": charge.document_number,
    }
    number = NossoNumero(charge.nosso_numero, charge.nosso_numero_dv, "")
    return Fact(number, occurrence=occurrence, **(given | fields))


def content_of(agreement: BankAgreement, facts: Sequence[Fact], *, number: int = 1) -> bytes:
    layout: Any = layout_of(agreement)
    return retorno(layout, sender_of(agreement), facts, number=number)


def received(
    agreement: BankAgreement, facts: Sequence[Fact], *, number: int = 1, name: str = "RET.TXT"
) -> CnabFile:
    """The file, uploaded and read."""
    content = content_of(agreement, facts, number=number)
    return receive(content, filename=name, account=agreement.account, actor=SYSTEM)
