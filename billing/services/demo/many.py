"""Customer B's 260 unpaid invoices, 2001 to 2260, written in a handful of statements."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

from accounts.models import Account
from billing.models import Contract, Invoice, InvoiceLine, NumberSeries, Receivable, ServiceItem
from billing.services.demo.people import FIRST_OF_B, OTHER_SERIES, People
from billing.services.demo.when import When, moment
from billing.services.snapshots import snapshots_for
from lib.br import date_br, fold
from lib.money import half_up

N = 260
EVERY_DAYS = 3
SERVICE = "Entrega programada"
PRICE = Decimal("49.90")


def load(account: Account, people: People, contract: Contract, when: When) -> None:
    """Nothing when they are there: they are written all at once."""
    series = NumberSeries.objects.select_for_update().get(
        organization=people.organization, code=OTHER_SERIES
    )
    if series.next_number != FIRST_OF_B:
        return
    invoices = Invoice.objects.bulk_create(_invoices(account, people, contract, when, series))
    item = ServiceItem.objects.get(account=account, name=SERVICE)
    InvoiceLine.objects.bulk_create(_line(invoice, item) for invoice in invoices)
    Receivable.objects.bulk_create(_receivable(invoice) for invoice in invoices)
    series.take(N)
    series.save()


def _invoices(
    account: Account, people: People, contract: Contract, when: When, series: NumberSeries
) -> list[Invoice]:
    customer, organization = people.customers["B"], people.organization
    frozen = snapshots_for([customer, organization], at=moment(when.today))
    # The oldest has the smallest number; the newest falls due ten days from today.
    first = when.today + timedelta(days=10 - EVERY_DAYS * (N - 1))
    rows = []
    for n in range(N):
        due = first + timedelta(days=EVERY_DAYS * n)
        issue = due - timedelta(days=10)
        title = f"Entregas até {date_br(issue)}"
        total = half_up(_units(n) * PRICE)
        rows.append(
            Invoice(
                account=account,
                organization=organization,
                customer=customer,
                contract=contract,
                series=series,
                number=series.next_number + n,
                title=title,
                start_date=issue - timedelta(days=EVERY_DAYS - 1),
                end_date=issue,
                issue_date=issue,
                estimated_issue_date=issue,
                accrual_date=issue.replace(day=1),
                due_date=due,
                total_amount=total,
                total_tax=Decimal("0.00"),
                gross_value=total,
                payment_value=total,
                state=Invoice.State.TO_RECEIVE,
                customer_snapshot_id=frozen[customer.pk],
                organization_snapshot_id=frozen[organization.pk],
                idempotency_key=f"demo:{series.next_number + n}",
                fold=f"{fold(title)} {customer.fold}",
                created_at=moment(issue),
                emitted_at=moment(issue),
            )
        )
    return rows


def _units(n: int) -> Decimal:
    """From 1 to 9 deliveries, never the same twice in a row."""
    return Decimal(1 + n * 4 % 9)


def _line(invoice: Invoice, item: ServiceItem) -> InvoiceLine:
    return InvoiceLine(
        invoice=invoice,
        position=1,
        service_item=item,
        title=SERVICE,
        units=invoice.total_amount / PRICE,
        unit_value=PRICE,
        value=invoice.total_amount,
        period_start=invoice.start_date,
        period_end=invoice.end_date,
    )


def _receivable(invoice: Invoice) -> Receivable:
    assert invoice.due_date is not None
    return Receivable(
        account_id=invoice.account_id,
        invoice=invoice,
        position=1,
        due_date=invoice.due_date,
        original_due_date=invoice.due_date,
        value=Decimal(100),
        gross_value=invoice.gross_value,
        payment_value=invoice.payment_value,
        **invoice.told_to_receivables,
        open_principal=invoice.payment_value,
        state=Receivable.State.TO_RECEIVE,
        created_at=invoice.created_at,
    )
