"""Invoices and their items as rows of a CSV: decimal comma, dd/mm/aaaa (P19)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import date
from decimal import Decimal

from billing.models import Invoice, InvoiceLine
from billing.selectors.customer_notes import customer_notes
from billing.selectors.customer_standing import Standing
from billing.selectors.situations import situations
from lib.br import date_br

CHUNK = 200
INVOICES = (
    "Mês", "Fatura", "Título", "Emissão", "Vencimento", "Valor", "Em aberto", "Situação",
    "Pago em", "Notas fiscais", "Contrato",
)  # fmt: skip
LINES = (
    "Mês", "Fatura", "Data", "Item", "Descrição", "Quantidade", "Valor unitário", "Imposto (%)",
    "Imposto", "Valor",
)  # fmt: skip
Cells = Sequence[str]


def invoice_rows(rows: Sequence[Standing], *, today: date) -> Iterator[Cells]:
    """One for each invoice, in the order given."""
    for some in _chunks(rows):
        ids = [row.pk for row in some]
        invoices = Invoice.objects.filter(pk__in=ids).select_related("series", "contract")
        known = {invoice.pk: invoice for invoice in invoices}
        found = situations(known.values(), today=today)
        notes = customer_notes(ids)
        for row in some:
            invoice, now = known[row.pk], found[row.pk]
            numbers = [note.number for note in notes.get(row.pk, ()) if note.is_issued]
            yield (
                _month(row.month), row.label, invoice.title, _day(invoice.issue_date),
                _day(now.due_date), comma(row.value), comma(now.open_principal), now.texto,
                _day(now.paid_on), ", ".join(numbers),
                (invoice.contract.title or invoice.contract.name) if invoice.contract else "",
            )  # fmt: skip


def line_rows(rows: Sequence[Standing]) -> Iterator[Cells]:
    """One for each item, invoice by invoice."""
    for some in _chunks(rows):
        lines = InvoiceLine.objects.filter(invoice__in=[row.pk for row in some])
        mine: dict[int, list[InvoiceLine]] = {}
        for line in lines.select_related("invoice").order_by("invoice", "position"):
            mine.setdefault(line.invoice_id, []).append(line)
        for row in some:
            for line in mine.get(row.pk, ()):
                day = line.occurred_at or line.period_start or line.invoice.issue_date
                yield (
                    _month(row.month), row.label, _day(day),
                    line.title or line.description or line.invoice.title,
                    line.description if line.title else "", comma(line.units),
                    comma(line.unit_value), comma(line.tax_percentage), comma(line.tax_amount),
                    comma(line.value),
                )  # fmt: skip


def comma(value: Decimal | None) -> str:
    """`1234,56`: no thousands, at least two decimals."""
    if value is None:
        return ""
    text = f"{value.normalize():f}"
    whole, _, decimals = text.partition(".")
    return f"{whole},{decimals:0<2}"


def _day(value: date | None) -> str:
    return "" if value is None else date_br(value)


def _month(value: date) -> str:
    return f"{value:%m/%Y}"


def _chunks(rows: Sequence[Standing]) -> Iterable[Sequence[Standing]]:
    return (rows[at : at + CHUNK] for at in range(0, len(rows), CHUNK))
