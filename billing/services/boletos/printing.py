"""From boletos to their PDF: which may be printed, and what they say (BO-1)."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from django.conf import settings
from django.db.models import QuerySet

from accounts.models import Account
from billing.documents.boleto import Slip, boletos_pdf
from billing.documents.printing import PdfFailed
from billing.errors import BoletoRegistering, BoletoRejected, NoBoleto, NoOpenAmount
from billing.gateways.boleto.codes import line
from billing.gateways.boleto.registrar import Person
from billing.models import Charge, Invoice, Receivable
from billing.services.boletos.banks import beneficiary_data, payer_data, person_of
from lib import clock
from lib.br import cep_mask, date_br, document_mask
from lib.errors import NotFound
from lib.money import brl
from lib.pdf import RenderFailed

log = logging.getLogger(__name__)

_WAITING = (Charge.State.DRAFT, Charge.State.REGISTERING)
_MARKS = {
    Charge.State.PAID: "PAGO",
    Charge.State.PAID_AFTER_CANCEL: "PAGO",
    Charge.State.CANCELLING: "CANCELADO",
    Charge.State.CANCELLED: "CANCELADO",
    Charge.State.EXPIRED: "VENCIDO",
}


@dataclass(frozen=True)
class BoletoPdf:
    """Ready to be sent; a page for each boleto."""

    data: bytes
    filename: str
    pages: int


def invoice_boletos(
    invoice_id: int, *, account: Account, receivable_id: int | None = None
) -> BoletoPdf:
    """The open boletos of an invoice, or of one of its parcels, to be paid today.

    Never inside a transaction. Raises NotFound, NoOpenAmount, BoletoRegistering while the bank does
    not know them, NoBoleto when there is none to be paid, or PdfFailed.
    """
    invoice: Invoice = Invoice.objects.get_of(account, pk=invoice_id)
    receivables = list(_receivables(invoice, receivable_id))
    if receivable_id is not None and not receivables:
        raise NotFound()
    wanted = [r for r in receivables if r.state == Receivable.State.TO_RECEIVE and r.open_principal]
    if not wanted:
        raise NoOpenAmount()
    today = clock.today(account.time_zone)
    charges = list(_charges(account).filter(receivable__in=wanted))
    open_ones = [one for one in charges if _is_payable(one, today)]
    if not open_ones:
        raise BoletoRegistering() if any(one.state in _WAITING for one in charges) else NoBoleto()
    return _printed(open_ones, account, name=f"Boleto_{invoice_id:05d}.pdf")


def charge_boleto(charge_id: int, *, account: Account) -> BoletoPdf:
    """One boleto whatever became of it, marked when it is not to be paid (staff).

    Raises NotFound, BoletoRegistering, BoletoRejected or PdfFailed.
    """
    charge: Charge | None = _charges(account).filter(pk=charge_id).first()
    if charge is None:
        raise NotFound()
    if charge.state in _WAITING:
        raise BoletoRegistering()
    if charge.state == Charge.State.REJECTED:
        raise BoletoRejected(charge.reason)
    name = f"Boleto_{charge.receivable.invoice_id:05d}_{charge.nosso_numero}.pdf"
    return _printed([charge], account, name=name)


def _receivables(invoice: Invoice, receivable_id: int | None) -> QuerySet[Receivable]:
    found = invoice.receivables.order_by("position")
    return found if receivable_id is None else found.filter(pk=receivable_id)


def _charges(account: Account) -> QuerySet[Charge]:
    found: QuerySet[Charge] = (
        Charge.objects.of(account)
        .filter(kind=Charge.Kind.BOLETO)
        .select_related(
            "agreement__financial_account",
            "receivable__invoice__customer_snapshot",
            "receivable__invoice__organization_snapshot",
        )
        .order_by("receivable__position", "id")
    )
    return found


def _is_payable(charge: Charge, today: date) -> bool:
    if charge.state != Charge.State.OPEN or charge.principal != charge.receivable.open_principal:
        return False
    return charge.limit_date is None or today <= charge.limit_date


def _printed(charges: Sequence[Charge], account: Account, *, name: str) -> BoletoPdf:
    slips = slips_of(charges, account, at=clock.now())
    try:
        return BoletoPdf(boletos_pdf(slips), name, len(slips))
    except RenderFailed as failure:
        log.warning("boleto.pdf_failed", extra={"cause": failure.cause, "kind": failure.kind})
        raise PdfFailed(failure.cause, kind=str(failure.kind), line=failure.line) from failure
    except OSError as error:  # the renderer could not even be started
        raise PdfFailed("o gerador de PDF não está disponível", kind="worker_died") from error


def slips_of(charges: Sequence[Charge], account: Account, *, at: datetime) -> list[Slip]:
    """What boletos say, with the Pix of the same receivable and value that is good `at` (PX-6)."""
    is_test = account.is_sandbox or settings.AMBIENTE != "producao"
    codes = _pix_codes(charges, at)
    return [
        slip_of(one, pix_code=codes.get((one.receivable_id, one.amount), ""), is_test=is_test)
        for one in charges
    ]


def _pix_codes(charges: Iterable[Charge], at: datetime) -> dict[tuple[int, object], str]:
    found = Charge.objects.filter(
        receivable__in=[one.receivable_id for one in charges if one.state == Charge.State.OPEN],
        kind=Charge.Kind.PIX,
        state=Charge.State.OPEN,
    ).values_list("receivable_id", "amount", "brcode", "expires_at")
    return {
        (receivable_id, amount): code
        for receivable_id, amount, code, expires_at in found
        if expires_at is None or expires_at > at
    }


def slip_of(charge: Charge, *, pix_code: str = "", is_test: bool = False) -> Slip:
    """One boleto in the words of its page; its parties as the invoice froze them."""
    agreement = charge.agreement
    assert agreement is not None
    bank = agreement.bank
    assert bank is not None
    invoice = charge.receivable.invoice
    payer = person_of(payer_data(invoice))
    beneficiary = person_of(beneficiary_data(invoice))
    return Slip(
        bank_name=bank.name,
        bank_code=f"{bank.code}-{bank.dv}",
        linha_digitavel=line(charge.barcode),
        barcode=charge.barcode,
        beneficiary=_named(beneficiary),
        beneficiary_address=_address(beneficiary),
        final_beneficiary=_named(beneficiary),
        agency_code=bank.beneficiary(agreement.terms),
        payer=_named(payer),
        payer_address=_address(payer),
        issued_on=date_br(charge.issued_on),
        due_date=date_br(charge.due_date),
        limit_date=date_br(charge.limit_date) if charge.limit_date else "",
        document_number=charge.document_number,
        species=agreement.species,
        carteira=agreement.carteira,
        nosso_numero=charge.nosso_numero_printed,
        amount=brl(charge.amount),
        instructions=tuple(charge.instructions.splitlines()),
        pix_code=pix_code,
        mark=_MARKS.get(Charge.State(charge.state), ""),
        is_test=is_test,
    )


def _named(person: Person) -> str:
    """`Padaria Aurora Ltda – CNPJ 11.222.333/0001-81`."""
    if not person.document:
        return person.name
    kind = "CPF" if len(person.document) == 11 else "CNPJ"
    return f"{person.name} – {kind} {document_mask(person.document)}"


def _address(person: Person) -> str:
    place = "/".join(filter(None, (person.city, person.state)))
    cep = f"CEP {cep_mask(person.zipcode)}" if person.zipcode else ""
    return ", ".join(filter(None, (person.address, person.district, place, cep)))
