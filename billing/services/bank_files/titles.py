"""From rows to what a bank file says: parties as the invoice froze them, terms as agreed."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

from billing.engine.late_charges import FIXED, PERCENTAGE, LateTerms
from billing.gateways.boleto.bank import NossoNumero
from billing.gateways.cnab.base import Layout
from billing.gateways.cnab.layout import InvalidRecord
from billing.gateways.cnab.registry import layout
from billing.gateways.cnab.titles import Late, Movement, Payer, Sender, Title
from billing.models import BankAgreement, Charge
from billing.services.boletos.answers import wanted_of
from billing.services.boletos.banks import late_of, payer_data, person_of

_WIDTH = {BankAgreement.Registration.CNAB240: 240, BankAgreement.Registration.CNAB400: 400}
_WANTED = {"name": "o nome", "document": "o CPF ou CNPJ", "zipcode": "o CEP"}


def layout_of(agreement: BankAgreement) -> Layout | None:
    """What the agreement's files are written in; None when it has none or registers on-line."""
    width = _WIDTH.get(BankAgreement.Registration(agreement.registration))
    return layout(agreement.financial_account.bank_code, width) if width else None


def sender_of(agreement: BankAgreement) -> Sender:
    """The beneficiary, as it is now: the bank knows it by its agreement."""
    organization = agreement.financial_account.organization
    return Sender(
        name=organization.company_name or organization.name,
        document=organization.document,
        terms=agreement.terms,
        agency_dv=agreement.agency_dv,
        variation=agreement.variation,
    )


def titles_of(charge: Charge, movements: Layout) -> list[Title]:
    """What the charge's pending instruction says to the bank, in one record or two.

    Raises InvalidRecord (pt-BR) when its payer lacks what every bank asks for.
    """
    if charge.instruction == "write_off":
        return [_title(charge, Movement.WRITE_OFF, charge.due_date, charge.amount)]
    if charge.instruction == "change":
        return _changes(charge, movements)
    return [_title(charge, Movement.ENTRY, charge.due_date, charge.amount)]


def late_terms_of(charge: Charge) -> Late:
    """Fine and interest as they are registered with the charge."""
    return _late(late_of(charge))


def _changes(charge: Charge, movements: Layout) -> list[Title]:
    """Due date and value are two orders, each confirmed by itself."""
    due, amount = wanted_of(charge)
    found = []
    if due != charge.due_date:
        found.append(_title(charge, Movement.CHANGE_DUE, due, amount))
    if amount != charge.amount:
        found.append(_title(charge, movements.change_of_amount, due, amount))
    return found


def _title(charge: Charge, movement: Movement, due: date, amount: Decimal) -> Title:
    agreement = charge.agreement
    assert agreement is not None
    return Title(
        movement=movement,
        number=NossoNumero(
            charge.nosso_numero, charge.nosso_numero_dv, charge.nosso_numero_printed
        ),
        document_number=charge.document_number,
        company_use=str(charge.pk),
        due=due,
        amount=amount,
        issued_on=charge.issued_on,
        payer=_payer(charge),
        late=late_terms_of(charge),
        species=agreement.species,
        protest_days=agreement.protest_days or 0,
        limit_days=(charge.limit_date - charge.due_date).days if charge.limit_date else 0,
    )


def _payer(charge: Charge) -> Payer:
    found = person_of(payer_data(charge.receivable.invoice))
    for name, label in _WANTED.items():
        if not getattr(found, name):
            raise InvalidRecord(f"Falta {label} do pagador.")
    return Payer(
        found.name, found.document, found.address, found.district, found.zipcode, found.city,
        found.state,
    )  # fmt: skip


def _late(terms: LateTerms) -> Late:
    return Late(
        interest_month=terms.interest_value
        if terms.interest_type == PERCENTAGE and terms.daily_registered is None
        else None,
        interest_day=terms.daily_registered
        if terms.daily_registered is not None
        else (terms.interest_value if terms.interest_type == FIXED else None),
        fine_percent=terms.fine_value if terms.fine_type == PERCENTAGE else None,
        fine_value=terms.fine_value if terms.fine_type == FIXED else None,
    )
