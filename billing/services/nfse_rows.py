"""The rows of issued service notes that the API searches (billing-api §2.13): copies, never links
to what may change."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any

from django.conf import settings
from django.db.models import Model

from billing.models import InvoiceNote, Nfse, NfseServiceItem, Party
from billing.services.note_source import Source, competence
from billing.services.note_taxes import FEDERAL, burden, city_of, is_simples, service_city
from fiscal.tables.places import municipality

_COPIED = (
    "name", "company_name", "city_inscription", "state_inscription", "address", "number",
    "complement", "district", "zipcode", "city", "state",
)  # fmt: skip


def frozen_of(source: Source, *, on: date) -> dict[str, Any]:
    """What the row of the note will tell besides the authority's answer, as it is at hand-over.

    By columns of `Nfse`, its one service under `item`; JSON-ready, amounts and dates as text.
    `on` is the day of the hand-over at the issuer's place.
    """
    invoice, taxed, template = source.invoice, source.taxed, source.template
    city = service_city(source.case)
    place = municipality(city)
    held = {f"{name.lower()}_value": taxed.withheld(name) for name in FEDERAL}
    columns = {
        **held,
        "value": invoice.gross_value,
        "iss_value": taxed.iss.value,
        "retained_iss_value": taxed.iss.withheld,
        "percentual_carga_tributaria": template.percentual_carga_tributaria,
        "carga_tributaria_value": burden(source.case),
        "accrual_date": competence(invoice, on),
    }
    return {name: str(value) for name, value in columns.items()} | {
        "customer_type": _customer_type(invoice.customer),
        "iss_retido_fonte": bool(taxed.iss.withheld),
        "fonte_carga_tributaria": template.fonte_carga_tributaria,
        "service_provided_city": place.name if place else "",
        "service_provided_city_code": city,
        "service_provided_state": place.uf if place else "",
        "servico_prestado_municipio_cliente": template.servico_prestado_municipio_cliente,
        "servico_prestado_municipio_prestador": not template.servico_prestado_municipio_cliente,
        "organization_is_optante_simples_nacional": is_simples(source.company),
        "customer_email": invoice.customer.nfse_email or invoice.customer.email,
        **_party("customer", invoice.customer),
        **_party("organization", invoice.organization),
        "item": _item(source),
    }


def write_nfses(notes: Sequence[InvoiceNote]) -> None:
    """Write the row of each issued service note and set `note.nfse`, which the caller saves.

    Of what was kept at hand-over and what the authority gave; NF-e have none. Two statements.
    """
    ready = [note for note in notes if note.service_note is not None and note.nfse_id is None]
    rows = Nfse.objects.bulk_create([_nfse(note) for note in ready])
    for note, row in zip(ready, rows, strict=True):
        note.nfse = row
    NfseServiceItem.objects.bulk_create(
        [
            NfseServiceItem(nfse=row, **_typed(NfseServiceItem, note.issued_with["item"]))
            for note, row in zip(ready, rows, strict=True)
        ]
    )


def _nfse(note: InvoiceNote) -> Nfse:
    service: Any = note.service_note
    kept = {name: value for name, value in note.issued_with.items() if name != "item"}
    return Nfse(
        account_id=note.account_id,
        organization_id=note.invoice.organization_id,
        invoice=note.invoice,
        customer_id=note.invoice.customer_id,
        nfse_number=service.number,
        generated_at=service.issued_at or service.dh_emi or service.created_at,
        verification_code=service.verification_code,
        nfse_environment=(
            Nfse.Environment.PRODUCAO
            if settings.AMBIENTE == "producao"
            else Nfse.Environment.HOMOLOGACAO
        ),
        rps_number=service.rps_number,
        rps_serie=service.series,
        city_nfse_url=service.url,
        pdf_url=service.url_pdf,
        request_sent=True,
        **_typed(Nfse, kept),
    )


def _typed(model: type[Model], kept: dict[str, Any]) -> dict[str, Any]:
    """The values of JSON as the columns hold them."""
    return {name: model._meta.get_field(name).to_python(value) for name, value in kept.items()}  # type: ignore[union-attr]


def _customer_type(customer: Party) -> str:
    is_person = customer.kind == Party.Kind.PERSON
    return Nfse.CustomerType.PERSON if is_person else Nfse.CustomerType.COMPANY


def _party(prefix: str, party: Party) -> dict[str, str]:
    copied = {f"{prefix}_{name}": getattr(party, name) for name in _COPIED}
    return copied | {
        f"{prefix}_document_number": party.document,
        f"{prefix}_city_ibge_code": city_of(party),
    }


def _item(source: Source) -> dict[str, Any]:
    """One service: a note has one code of the list, however many lines the invoice has."""
    template, rate = source.template, source.template.aliquota_iss
    return {
        "description": source.invoice.description or source.invoice.title,
        "codigo_servico_municipal": template.codigo_servico_municipal,
        "descricao_servico_municipal": template.external_service_description,
        "item_lista_servico": template.item_lista_servico,
        "external_service_id": template.external_service_id,
        "cnae": template.cnae,
        "value": str(source.invoice.gross_value),
        "aliquota_iss": None if rate is None else str(rate),
    }
