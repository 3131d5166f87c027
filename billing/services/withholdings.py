"""What customers keep of their invoices (M-6), computed at emission and kept tax by tax.

Only an invoice that still asks for its gross value is touched: an amount to pay that somebody gave
stands.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import date
from decimal import Decimal

from django.db.models import F

from billing.engine.splitting import split_like
from billing.models import Invoice, InvoiceWithholding, NfseTemplate, Party, Receivable
from billing.services.issuers import issuers_of
from billing.services.note_taxes import GROUP_OF, Case, Taxed, groups_of, tax
from fiscal.taxes.withholding import Before, Line
from lib.bulk import insert_rows, update_rows
from lib.money import truncate

_ZERO = Decimal("0.00")
_COLUMNS = (
    "invoice", "tax", "organization_id", "customer_id", "month", "amount", "base", "rate",
    "withheld", "explanation",
)  # fmt: skip

_Key = tuple[int, int, date]


class _Month(dict[str, Before]):
    """What one taker was billed in a month, by code of group."""

    def __init__(self) -> None:
        super().__init__()
        self._told: set[tuple[str, int | None]] = set()

    def add(self, row: InvoiceWithholding) -> None:
        """Price and base are those of the group: each of its taxes tells them again."""
        code = GROUP_OF.get(row.tax, row.tax)
        is_new = (code, row.invoice_id) not in self._told
        self._told.add((code, row.invoice_id))
        seen = self.get(code, Before())
        self[code] = Before(
            seen.amount + (row.amount if is_new else _ZERO),
            seen.base + (row.base if is_new else _ZERO),
            {**seen.withheld, row.tax: seen.withheld.get(row.tax, _ZERO) + row.withheld},
        )


def withhold_from(invoice_ids: Collection[int]) -> dict[int, Decimal]:
    """Compute and write the withholdings of locked invoices about to be emitted.

    Answers the new amount to pay (BRL) of those that changed; their receivables are split again.
    Constant number of queries.
    """
    invoices = _concerned(invoice_ids)
    if not invoices:
        return {}
    cases = cases_of(invoices)
    before = _history([(invoices[pk], case) for pk, case in cases.items()])
    found: dict[int, Taxed] = {}
    for pk, case in cases.items():
        key = _key(invoices[pk])
        if not (groups_of(case) or case.template.iss_retido_fonte):
            continue
        found[pk] = tax(case, before=before[key])
        for row in _rows_of(invoices[pk], case, found[pk]):  # comes before the batch's next one
            before[key].add(row)
    return _write(invoices, cases, found)


def _concerned(invoice_ids: Collection[int]) -> dict[int, Invoice]:
    rows = Invoice.objects.filter(
        id__among=list(invoice_ids),
        issue_nfse=True,
        nfse_template_ref__isnull=False,
        gross_value__gt=0,
        payment_value=F("gross_value"),
    ).select_related("customer", "organization")
    return {invoice.pk: invoice for invoice in rows.order_by("issue_date", "id")}


def cases_of(invoices: Mapping[int, Invoice]) -> dict[int, Case]:
    """The taxable case of each invoice whose template is there."""
    wanted = {invoice.nfse_template_ref for invoice in invoices.values()}
    templates = NfseTemplate.objects.in_bulk([pk for pk in wanted if pk is not None])
    companies = issuers_of(invoice.organization for invoice in invoices.values())
    cases = {}
    for pk, invoice in invoices.items():
        template = templates.get(invoice.nfse_template_ref or 0)
        if template is None or template.account_id != invoice.account_id:
            continue
        cases[pk] = Case(
            amount=invoice.gross_value,
            template=template,
            organization=invoice.organization,
            customer=invoice.customer,
            company=companies.get(invoice.organization_id),
        )
    return cases


def _key(invoice: Invoice) -> _Key:
    return invoice.organization_id, invoice.customer_id, invoice.issue_date.replace(day=1)


def _history(pairs: Sequence[tuple[Invoice, Case]]) -> dict[_Key, _Month]:
    """What was billed earlier to the takers whose month is added up; nothing for the others."""
    found: dict[_Key, _Month] = defaultdict(_Month)
    summed = {_key(invoice) for invoice, case in pairs if _adds_up(case)}
    if not summed:
        return found
    customers = {customer for _, customer, _ in summed}
    # Two emissions to one taker may not both find the month empty.
    takers = Party.objects.select_for_update(no_key=True).filter(pk__among=sorted(customers))
    list(takers.order_by("pk").values_list("pk"))
    rows = InvoiceWithholding.objects.filter(
        customer_id__among=sorted(customers), month__in={month for *_, month in summed}
    ).exclude(invoice__state=Invoice.State.CANCELLED)
    for row in rows.order_by("id"):
        key = (row.organization_id, row.customer_id, row.month)
        if key in summed:
            found[key].add(row)
    return found


def _adds_up(case: Case) -> bool:
    return bool(case.template.retencoes_acumuladas or case.template.teto_base_inss)


def _write(
    invoices: Mapping[int, Invoice], cases: Mapping[int, Case], found: Mapping[int, Taxed]
) -> dict[int, Decimal]:
    net = {pk: invoices[pk].gross_value - taxed.total for pk, taxed in found.items()}
    parts = _parcels([pk for pk, taxed in found.items() if taxed.total], net)
    changed = {pk: net[pk] for pk in parts}
    rows = [row for pk, taxed in found.items() for row in _rows_of(invoices[pk], cases[pk], taxed)]
    insert_rows(InvoiceWithholding, _COLUMNS, [_values(row) for row in rows])
    update_rows(Invoice, ("id", "payment_value"), list(changed.items()))
    update_rows(
        Receivable,
        ("id", "payment_value", "open_principal"),
        [(pk, amount, amount) for split in parts.values() for pk, amount in split],
    )
    return changed


def _parcels(
    invoice_ids: Sequence[int], net: Mapping[int, Decimal]
) -> dict[int, list[tuple[int, Decimal]]]:
    """Each receivable's part of the net amount."""
    grouped: dict[int, list[tuple[int, Decimal]]] = defaultdict(list)
    rows = Receivable.objects.filter(invoice_id__among=list(invoice_ids)).order_by("position")
    for invoice_id, pk, percent in rows.values_list("invoice_id", "id", "value"):
        grouped[invoice_id].append((pk, percent))
    found = {}
    for invoice_id, shares in grouped.items():
        amounts = _split(net[invoice_id], [percent for _, percent in shares])
        found[invoice_id] = [(pk, part) for (pk, _), part in zip(shares, amounts, strict=True)]
    return found


def _split(total: Decimal, percents: Sequence[Decimal]) -> list[Decimal]:
    """As the gross amount was split; cut to cents, the rest to the last, where that cannot be.

    Withholding may leave less than a cent for each parcel. What is withheld is withheld all the
    same: the note says so.
    """
    try:
        return split_like(total, percents)
    except ValueError:
        firsts = [truncate(total * percent / 100) for percent in percents[:-1]]
        return [*firsts, total - sum(firsts, _ZERO)]


def _rows_of(invoice: Invoice, case: Case, taxed: Taxed) -> Iterable[InvoiceWithholding]:
    def row(tax_code: str, base: Decimal, line: Line) -> InvoiceWithholding:
        return InvoiceWithholding(
            invoice=invoice,
            tax=tax_code,
            organization_id=case.organization.pk,
            customer_id=case.customer.pk,
            month=_key(invoice)[2],
            amount=case.amount,
            base=base,
            rate=line.rate,
            withheld=line.result,
            explanation=line.text,
        )

    for part in taxed.parts:
        yield row(part.tax, part.base, part.line)
    if case.template.iss_retido_fonte:
        yield row("ISS", taxed.iss.base, taxed.iss.lines[1])


def _values(row: InvoiceWithholding) -> tuple[object, ...]:
    return (
        row.invoice_id, row.tax, row.organization_id, row.customer_id, row.month, row.amount,
        row.base, row.rate, row.withheld, row.explanation,
    )  # fmt: skip


def forget(invoice: Invoice) -> bool:
    """Undo what emission withheld of a locked invoice. Answers whether there was anything.

    Sets `payment_value`, which the caller saves; receivables are split again here.
    """
    rows = InvoiceWithholding.objects.filter(invoice=invoice)
    amounts = list(rows.values_list("withheld", flat=True))
    if not amounts:
        return False
    rows.delete()
    if not any(amounts):
        return False
    invoice.payment_value = invoice.gross_value
    parts = _parcels([invoice.pk], {invoice.pk: invoice.gross_value})
    update_rows(
        Receivable,
        ("id", "payment_value", "open_principal"),
        [(pk, amount, amount) for pk, amount in parts.get(invoice.pk, [])],
    )
    return True
