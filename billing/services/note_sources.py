"""What the notes of many invoices are made of, read in a handful of queries."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Any

from billing.models import (
    Invoice,
    InvoiceLine,
    InvoiceNote,
    InvoiceWithholding,
    NfseTemplate,
    Receivable,
)
from billing.services.issuers import issuers_of
from billing.services.note_source import Source
from billing.services.note_taxes import GROUP_OF, Case, Taxed, tax
from billing.services.preferences import Event, unwilling
from billing.services.withholdings import cases_of
from fiscal.models import ServiceNote
from fiscal.taxes.withholding import LAW, RULE, Line, Part
from lib.br import cnpj_mask
from lib.money import brl

NO_TEMPLATE = "Escolha um modelo de NFS-e para a fatura."
NO_ISSUER = "Cadastre a empresa emissora com o CNPJ {} da organização."
_ZERO = Decimal("0.00")


def sources_of(notes: Sequence[InvoiceNote]) -> dict[int, Source | str]:
    """Note id → what it is made of, or why it cannot be made (pt-BR)."""
    ids = [note.invoice_id for note in notes]
    invoices = {row.pk: row for row in _invoices(ids)}
    cases = cases_of(invoices)
    companies = issuers_of(invoice.organization for invoice in invoices.values())
    lines, dates = _lines(ids), _due_dates(ids)
    rows = withholdings_of(ids)
    silent = unwilling({row.customer_id for row in invoices.values()}, Event.NOTE)
    found: dict[int, Source | str] = {}
    for note in notes:
        invoice = invoices[note.invoice_id]
        case, company = cases.get(invoice.pk), companies.get(invoice.organization_id)
        if case is None:
            found[note.pk] = NO_TEMPLATE
        elif company is None:
            found[note.pk] = NO_ISSUER.format(cnpj_mask(invoice.organization.document))
        else:
            taxed = taxed_of(invoice, case, rows.get(invoice.pk, []))
            source = Source(
                invoice, case, taxed, company, lines[invoice.pk], dates[invoice.pk],
                is_told=invoice.customer_id not in silent,
            )  # fmt: skip
            found[note.pk] = _replacing(source, note)
    return found


def _invoices(ids: Sequence[int]) -> list[Invoice]:
    rows = Invoice.objects.filter(id__among=list(ids))
    return list(rows.select_related("customer", "organization", "series", "contract__plan"))


def _lines(ids: Sequence[int]) -> dict[int, list[InvoiceLine]]:
    grouped: dict[int, list[InvoiceLine]] = defaultdict(list)
    rows = InvoiceLine.objects.filter(invoice_id__among=list(ids)).select_related("service_item")
    for row in rows.order_by("invoice_id", "position"):
        grouped[row.invoice_id].append(row)
    return grouped


def _due_dates(ids: Sequence[int]) -> dict[int, list[date]]:
    grouped: dict[int, list[date]] = defaultdict(list)
    rows = Receivable.objects.filter(invoice_id__among=list(ids)).order_by("position")
    for invoice_id, due in rows.values_list("invoice_id", "due_date"):
        grouped[invoice_id].append(due)
    return grouped


def withholdings_of(ids: Sequence[int]) -> Mapping[int, list[InvoiceWithholding]]:
    """What emission kept, by invoice."""
    grouped: dict[int, list[InvoiceWithholding]] = defaultdict(list)
    rows = InvoiceWithholding.objects.filter(invoice_id__among=list(ids)).order_by("id")
    for row in rows:
        grouped[row.invoice_id].append(row)
    return grouped


def taxed_of(invoice: Invoice, case: Case, rows: Sequence[InvoiceWithholding]) -> Taxed:
    """The taxes as emission computed them; computed now where it kept nothing."""
    taxed = tax(case)
    if rows:
        return _as_kept(taxed, rows)
    told = invoice.gross_value - invoice.payment_value
    if told == taxed.total:
        return taxed
    text = (
        f"Atenção: a fatura desconta {brl(told)}, e o modelo fiscal calcula retenções de "
        f"{brl(taxed.total)}. A nota leva o cálculo do modelo."
    )
    line = Line("Diferença", case.amount, Decimal(0), RULE, told - taxed.total, text)
    return replace(taxed, lines=(*taxed.lines, line))


def _as_kept(taxed: Taxed, rows: Sequence[InvoiceWithholding]) -> Taxed:
    parts, iss, others = [], taxed.iss, list(taxed.iss.lines)
    for row in rows:
        line = _line(row)
        if row.tax == NfseTemplate.Retencao.ISS:
            iss = replace(iss, withheld=row.withheld, withheld_rate=row.rate)
            others[1] = replace(line, what="ISS retido")
        else:
            parts.append(Part(row.tax, row.base, row.rate, row.withheld, line))
    extra = taxed.lines[len(taxed.parts) + len(taxed.iss.lines) :]
    lines = (*(part.line for part in parts), *others, *extra)
    return Taxed(tuple(parts), replace(iss, lines=tuple(others)), lines)


def _line(row: InvoiceWithholding) -> Line:
    code = GROUP_OF.get(row.tax, row.tax)
    rule = f"{RULE}/{code}: {LAW[code]}"
    return Line(row.tax, row.base, row.rate, rule, row.withheld, row.explanation)


def _replacing(source: Source, note: InvoiceNote) -> Source:
    """Which note this one takes the place of, in the words of its kind."""
    old: ServiceNote | None = note.replaces.service_note if note.replaces else None
    if old is None:
        return source
    known: dict[str, Any] = {"reason": note.reason}
    if source.template.tipo_nota == NfseTemplate.Tipo.NFSE:
        return replace(source, replaces=str(old.rps_number), replaces_series=old.series, **known)
    return replace(source, replaces=old.key or "", **known)
