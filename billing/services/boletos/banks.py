"""From rows to what a bank's API is told, and to the adapter that tells it."""

from __future__ import annotations

from typing import Any

from accounts.services.webhook_requests import policy
from billing.engine.late_charges import LateTerms
from billing.gateways.boleto.registrar import BoletoRegistrar, Person, Title
from billing.gateways.boleto.registrar_http import HttpRegistrar
from billing.models import BankAgreement, Charge, GatewayAccount, Invoice
from billing.selectors.late_terms import charge_terms
from billing.services.boletos.wording import NO_TERMS
from lib import crypto
from lib.errors import GatewayUnavailable

# GatewayAccount.options["contract"] → adapter. A bank with an API of its own is a line here.
REGISTRARS = {"": HttpRegistrar, "neutral": HttpRegistrar}


def registrar_of(gateway: GatewayAccount) -> BoletoRegistrar:
    """The adapter of a provider account. Raises GatewayUnavailable when it cannot be used now."""
    if not gateway.is_active:
        raise GatewayUnavailable("a conta em provedor está desativada")
    try:
        secrets = gateway.secrets
    except crypto.Unreadable as error:
        raise GatewayUnavailable("os segredos da conta em provedor não podem ser lidos") from error
    adapter = REGISTRARS.get(str(gateway.options.get("contract", "")))
    if adapter is None:
        raise GatewayUnavailable("a conta em provedor pede um contrato que não existe")
    return adapter(gateway.base_url, secrets, policy=policy())


def key_of(charge: Charge) -> str:
    """What the bank knows the boleto by: made of its row, the same in each attempt."""
    return f"{charge.pk}-{charge.created_at:%Y%m%d%H%M%S}"


def late_of(charge: Charge) -> LateTerms:
    """What the bank is to charge after the due date: nothing where it takes it no later."""
    found = charge_terms(charge)
    if found is None or not charge.terms.get("limit_days"):
        return NO_TERMS
    return found


def title_of(charge: Charge) -> Title:
    """The boleto as it is registered: its parties as its invoice froze them."""
    agreement = charge.agreement
    assert agreement is not None
    assert charge.limit_date is not None
    invoice = charge.receivable.invoice
    return Title(
        key=key_of(charge),
        agreement=_agreement(agreement),
        nosso_numero=charge.nosso_numero,
        nosso_numero_dv=charge.nosso_numero_dv,
        document_number=charge.document_number,
        species=agreement.species,
        issued_on=charge.issued_on,
        due_date=charge.due_date,
        limit_date=charge.limit_date,
        amount=charge.amount,
        late=late_of(charge),
        protest_days=agreement.protest_days,
        payer=person_of(payer_data(invoice)),
        beneficiary=person_of(beneficiary_data(invoice)),
        instructions=tuple(charge.instructions.splitlines()),
        barcode=charge.barcode,
    )


def _agreement(agreement: BankAgreement) -> dict[str, str]:
    return {
        "banco": agreement.financial_account.bank_code,
        "codigo": agreement.code,
        "agencia": agreement.agency,
        "conta": agreement.account_number,
        "carteira": agreement.carteira,
    }


def payer_data(invoice: Invoice) -> dict[str, Any]:
    """As frozen at emission."""
    return dict(invoice.customer_snapshot.data) if invoice.customer_snapshot else {}


def beneficiary_data(invoice: Invoice) -> dict[str, Any]:
    """As frozen at emission."""
    return dict(invoice.organization_snapshot.data) if invoice.organization_snapshot else {}


def person_of(data: dict[str, Any]) -> Person:
    """A party's frozen data as boletos have it."""
    street = ", ".join(filter(None, (data.get("address"), data.get("number"))))
    address = " – ".join(filter(None, (street, data.get("complement"))))
    return Person(
        name=str(data.get("company_name") or data.get("name") or ""),
        document=str(data.get("document") or ""),
        address=address,
        district=str(data.get("district") or ""),
        city=str(data.get("city") or ""),
        state=str(data.get("state") or ""),
        zipcode=str(data.get("zipcode") or ""),
    )
