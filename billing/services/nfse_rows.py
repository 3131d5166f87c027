"""The rows of issued service notes that the API searches (billing-api §2.13): copies, never links
to what may change."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.conf import settings

from billing.models import InvoiceNote, Nfse, NfseServiceItem, NfseTemplate, Party
from billing.services.note_source import Source, competence
from billing.services.note_sources import sources_of
from billing.services.note_taxes import burden, city_of, service_city
from fiscal.models import Regime
from fiscal.tables.places import municipality

_COPIED = (
    "name", "company_name", "city_inscription", "state_inscription", "address", "number",
    "complement", "district", "zipcode", "city", "state",
)  # fmt: skip
_SIMPLES = (Regime.SIMPLES, Regime.SIMPLES_EXCESSO, Regime.MEI)


def write_nfses(notes: Sequence[InvoiceNote]) -> None:
    """Write the row of each issued service note and set `note.nfse`, which the caller saves.

    NF-e have none. Two statements for the rows.
    """
    services = [note for note in notes if note.service_note is not None and note.nfse_id is None]
    sources = sources_of(services) if services else {}
    ready = [(note, found) for note in services if isinstance(found := sources[note.pk], Source)]
    rows = Nfse.objects.bulk_create([_nfse(note, source) for note, source in ready])
    for (note, _), row in zip(ready, rows, strict=True):
        note.nfse = row
    NfseServiceItem.objects.bulk_create(
        [_item(row, source) for (_, source), row in zip(ready, rows, strict=True)]
    )


def _nfse(note: InvoiceNote, source: Source) -> Nfse:
    service: Any = note.service_note
    invoice, taxed, template = source.invoice, source.taxed, source.template
    place = municipality(service_city(source.case))
    return Nfse(
        account_id=note.account_id,
        organization=invoice.organization,
        invoice=invoice,
        customer=invoice.customer,
        customer_type=_customer_type(invoice.customer),
        nfse_number=service.number,
        generated_at=service.issued_at or service.dh_emi or service.created_at,
        accrual_date=competence(invoice, (service.issued_at or service.created_at).date()),
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
        value=invoice.gross_value,
        iss_value=taxed.iss.value,
        retained_iss_value=taxed.iss.withheld,
        ir_value=taxed.withheld("IR"),
        pis_value=taxed.withheld("PIS"),
        cofins_value=taxed.withheld("COFINS"),
        csll_value=taxed.withheld("CSLL"),
        inss_value=taxed.withheld("INSS"),
        iss_retido_fonte=bool(taxed.iss.withheld),
        percentual_carga_tributaria=template.percentual_carga_tributaria,
        carga_tributaria_value=burden(source.case),
        fonte_carga_tributaria=template.fonte_carga_tributaria,
        service_provided_city=place.name if place else "",
        service_provided_city_code=service_city(source.case),
        service_provided_state=place.uf if place else "",
        servico_prestado_municipio_cliente=template.servico_prestado_municipio_cliente,
        servico_prestado_municipio_prestador=not template.servico_prestado_municipio_cliente,
        organization_is_optante_simples_nacional=source.company.regime_tributario in _SIMPLES,
        customer_email=invoice.customer.nfse_email or invoice.customer.email,
        **_party("customer", invoice.customer),
        **_party("organization", invoice.organization),
    )


def _customer_type(customer: Party) -> str:
    is_person = customer.kind == Party.Kind.PERSON
    return Nfse.CustomerType.PERSON if is_person else Nfse.CustomerType.COMPANY


def _party(prefix: str, party: Party) -> dict[str, str]:
    copied = {f"{prefix}_{name}": getattr(party, name) for name in _COPIED}
    return copied | {
        f"{prefix}_document_number": party.document,
        f"{prefix}_city_ibge_code": city_of(party),
    }


def _item(row: Nfse, source: Source) -> NfseServiceItem:
    """One service: a note has one code of the list, however many lines the invoice has."""
    template: NfseTemplate = source.template
    return NfseServiceItem(
        nfse=row,
        description=source.invoice.description or source.invoice.title,
        codigo_servico_municipal=template.codigo_servico_municipal,
        descricao_servico_municipal=template.external_service_description,
        item_lista_servico=template.item_lista_servico,
        external_service_id=template.external_service_id,
        cnae=template.cnae,
        units=1,
        value=source.invoice.gross_value,
        aliquota_iss=template.aliquota_iss,
    )
