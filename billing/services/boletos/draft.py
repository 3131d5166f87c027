"""A boleto as a row: number, codes, terms and instructions, before anybody is told of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime

from billing.errors import NoAgreement, fault
from billing.gateways.boleto import codes
from billing.gateways.boleto.bank import Bank
from billing.models import BankAgreement, Charge, ChargeTemplate, Invoice, Party, Receivable
from billing.selectors.late_terms import charge_template_of, terms_of
from billing.services.boletos import wording
from billing.services.boletos.choice import agreement_of, is_online
from billing.services.boletos.held import HeldBoletos
from billing.services.boletos.numbers import take_nosso_numero
from billing.services.boletos.quotes import Quote, Quoting
from lib.br import only_digits

ENTRY = "entry"  # Charge.instruction: the bank is to be told of a new boleto
TOO_MUCH = "O valor de um boleto vai de R$ 0,01 a R$ 99.999.999,99."


@dataclass(frozen=True)
class Basis:
    """What boletos of an invoice are made with."""

    agreement: BankAgreement
    bank: Bank
    template: ChargeTemplate | None


def basis_of(invoice: Invoice) -> Basis:
    """Raises NoAgreement."""
    template = charge_template_of(invoice)
    agreement = agreement_of(invoice, template)
    if agreement is None or agreement.bank is None:
        raise NoAgreement()
    return Basis(agreement, agreement.bank, template)


def write_boleto(
    held: HeldBoletos,
    basis: Basis,
    quoting: Quoting,
    quote: Quote,
    *,
    today: date,
    at: datetime,
    replaces: Charge | None = None,
) -> Charge:
    """Write a boleto of a held receivable for `quote`, waiting to be registered.

    One with late charges in it is for its day: banks take it until then, and a payment of its
    amount settles all its parts (SV-4). Raises InvalidInput (BO-6, LATE-4) or NumbersExhausted.
    """
    check_amount(quote)
    agreement = basis.agreement
    is_for_its_day = bool(quote.days) or quoting.is_in_grace(quote.due)
    limit_days = 0 if is_for_its_day else agreement.limit_days
    limit = wording.limit_date(quote.due, limit_days, calendar=quoting.calendar)
    terms = _terms(held, basis, quoting, quote)
    charge = Charge(
        account=held.account,
        receivable=held.receivable,
        kind=Charge.Kind.BOLETO,
        agreement=agreement,
        gateway=agreement.gateway if is_online(agreement) else None,
        amount=quote.total,
        principal=quote.principal,
        fine=quote.fine,
        interest=quote.interest,
        issued_on=today,
        due_date=quote.due,
        limit_date=limit,
        terms=wording.as_stored(terms, limit_days=limit_days),
        instructions=wording.instructions(
            terms if limit_days else wording.NO_TERMS,
            principal=quote.principal,
            limit=limit,
            protest_days=agreement.protest_days,
            parts=(quote.fine, quote.interest),
            free=basis.template.instructions if basis.template else "",
        ),
        document_number=document_number(held.invoice, held.receivable),
        instruction=ENTRY,
        replaces=replaces,
        created_at=at,
    )
    if is_online(agreement):
        charge.next_attempt_at = at
    else:
        charge.submit()  # it waits for the next remessa
    _number(charge, basis, today=today)
    charge.save()
    return charge


def _terms(held: HeldBoletos, basis: Basis, quoting: Quoting, quote: Quote) -> wording.LateTerms:
    """Of the template for a first boleto; a reissue keeps those that the debt has."""
    if any(one.state != Charge.State.REJECTED for one in held.boletos):
        return quoting.terms
    return wording.registered_terms(
        terms_of(basis.template),
        principal=quote.principal,
        agreement=basis.agreement,
        is_consumer=_is_consumer(held.invoice),
    )


def _is_consumer(invoice: Invoice) -> bool:
    found = Party.objects.filter(pk=invoice.customer_id).values_list("is_consumer", flat=True)
    return bool(found.first())


def check_amount(quote: Quote) -> None:
    """Raises InvalidInput (BO-6)."""
    if not 0 < quote.total * 100 <= codes.MAX_CENTS:
        raise fault("amount", TOO_MUCH)


def _number(charge: Charge, basis: Basis, *, today: date) -> None:
    """Nosso número, barcode and linha digitável."""
    number = take_nosso_numero(basis.agreement, basis.bank, on=today)
    charge.nosso_numero, charge.nosso_numero_dv = number.number, number.dv
    charge.nosso_numero_printed = number.printed
    free = basis.bank.campo_livre(
        basis.agreement.terms, number, document=only_digits(charge.document_number)
    )
    write_codes(charge, bank_code=basis.bank.code, campo_livre=free)


def write_codes(charge: Charge, *, bank_code: str, campo_livre: str) -> None:
    """The codes of the charge's present due date and amount (BAR-1)."""
    charge.barcode = codes.barcode(
        bank=bank_code, due=charge.due_date, amount=charge.amount, campo_livre=campo_livre
    )
    charge.linha_digitavel = only_digits(codes.line(charge.barcode))


def document_number(invoice: Invoice, receivable: Receivable) -> str:
    """The invoice's number, and the parcel's where there are several; 25 characters at most."""
    several = receivable.position > 1 or invoice.receivables.count() > 1
    suffix = f"-{receivable.position}" if several else ""
    return invoice.label[: 25 - len(suffix)] + suffix
