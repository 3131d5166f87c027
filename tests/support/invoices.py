"""Short ways to the invoices that tests start from, and what must hold for every invoice."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from decimal import Decimal
from threading import Barrier
from typing import Any

from django.db import connection

from accounts.models import Account, AuditEvent, WebhookEvent
from accounts.services.audit import SYSTEM
from billing.models import Invoice, Party
from billing.selectors.proforma import preview
from billing.services.drafts import InvoiceDraft, LineDraft
from billing.services.invoices import create_invoice, emit_invoice
from billing.services.proforma import ProformaRequest, generate
from lib.errors import DomainError

TODAY = date(2026, 8, 12)


def line(value: str = "100.00", units: str = "1", **fields: Any) -> LineDraft:
    return LineDraft(title="Serviço", units=Decimal(units), unit_value=Decimal(value), **fields)


def draft(organization: Party, customer: Party, **fields: Any) -> InvoiceDraft:
    """R$ 100,00 due on 20/08/2026."""
    given = {
        "title": "Mensalidade",
        "issue_date": TODAY,
        "due_dates": [date(2026, 8, 20)],
        "lines": [line()],
    }
    return InvoiceDraft(
        organization_id=organization.pk, customer_id=customer.pk, **(given | fields)
    )


def new_invoice(organization: Party, customer: Party, **fields: Any) -> Invoice:
    """An invoice to be emitted."""
    return create_invoice(
        draft(organization, customer, **fields), account=customer.account, actor=SYSTEM
    )


def emitted_invoice(organization: Party, customer: Party, **fields: Any) -> Invoice:
    invoice = new_invoice(organization, customer, **fields)
    return emit_invoice(invoice.pk, account=customer.account, actor=SYSTEM, today=TODAY)


def july(customer: Party, **fields: Any) -> ProformaRequest:
    """Everything unbilled of July 2026, due on 20/08/2026."""
    start, end = date(2026, 7, 1), date(2026, 7, 31)
    shown = preview(customer.account, customer_id=customer.pk, start=start, end=end)
    given = {
        "customer_id": customer.pk,
        "start": start,
        "end": end,
        "due": date(2026, 8, 20),
        "included_ids": [row.id for row in shown.rows],
        "fingerprint": shown.fingerprint,
    }
    return ProformaRequest(**(given | fields))


def generated(customer: Party, **fields: Any) -> Invoice:
    return generate(july(customer, **fields), account=customer.account, actor=SYSTEM, today=TODAY)


def everything(account: Account) -> dict[str, list[dict[str, Any]]]:
    """All that a service of invoices may change, to compare before and after a refusal."""
    invoices = Invoice.objects.of(account).order_by("id")
    return {
        "invoices": list(invoices.values()),
        "lines": list(invoices.values("lines__id", "lines__is_released", "lines__transaction_id")),
        "receivables": list(
            invoices.values(
                "receivables__id",
                "receivables__state",
                "receivables__open_principal",
                "receivables__received_value",
            )
        ),
        "transactions": list(
            Party.objects.of(account)
            .order_by("id")
            .values("transactions__id", "transactions__invoice")
        ),
        "follow_ups": list(invoices.values("follow_ups__id", "follow_ups__state")),
        "pdfs": list(invoices.values("pdfs__id")),
        "numbers": list(
            Party.objects.of(account).order_by("id").values("series__code", "series__next_number")
        ),
        "webhooks": list(WebhookEvent.objects.of(account).order_by("id").values()),
        "audit": list(AuditEvent.objects.of(account).order_by("id").values()),
    }


def check_sums(invoice: Invoice) -> None:
    """INV-2 and INV-3, from the rows in the database."""
    lines = list(invoice.lines.values_list("value", "tax_amount"))
    parcels = list(invoice.receivables.values_list("gross_value", "payment_value"))
    assert lines
    assert parcels
    assert invoice.total_amount == sum(value for value, _ in lines)
    assert invoice.total_tax == sum(tax for _, tax in lines)
    assert invoice.gross_value == invoice.total_amount + invoice.total_tax
    assert invoice.gross_value == sum(gross for gross, _ in parcels)
    assert invoice.payment_value == sum(payment for _, payment in parcels)


def events(invoice: Invoice) -> list[str]:
    """Names of the notices about the invoice, oldest first."""
    found = WebhookEvent.objects.filter(object_id=invoice.pk).order_by("id")
    return list(found.values_list("event", flat=True))


def actions(invoice: Invoice) -> list[str]:
    """Audit codes of the invoice, oldest first."""
    found = AuditEvent.objects.filter(object_type="invoice", object_id=invoice.pk).order_by("id")
    return list(found.values_list("action", flat=True))


def in_threads(calls: Sequence[Callable[[], Any]]) -> list[Any]:
    """What each call answers, or its domain error; all start together, each on its connection."""
    together = Barrier(len(calls))

    def one(call: Callable[[], Any]) -> Any:
        try:
            together.wait(timeout=30)
            return call()
        except DomainError as error:
            return error
        finally:
            connection.close()

    with ThreadPoolExecutor(len(calls)) as pool:
        return list(pool.map(one, calls))
