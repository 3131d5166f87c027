"""What an invoice would be after a request: attributes, services, receivables, totals (§6.1).

Everything happens in memory; whoever asked for the plan writes it, or refuses it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from accounts.models import Account
from billing.errors import CannotChange
from billing.models import BillingOptions, Contract, Invoice, InvoiceLine
from billing.services.attachments import attachment_faults
from billing.services.drafts import InvoiceDraft
from billing.services.invoice_lines import (
    BLANK,
    NOT_NUMBER,
    Services,
    items_of,
    line_drafts,
    plan_services,
    stand_in,
)
from billing.services.invoice_parcels import Parcels, plan_receivables
from billing.services.invoice_values import amount_faults, apply_values, picture
from billing.services.invoices import lock_receivables
from billing.services.option_values import option_faults
from lib.errors import FieldError
from lib.money import half_up

_REQUIRED = ("issue_date", "description", "nfe_body")
_ZERO = Decimal("0.00")

Values = Mapping[str, Any]


@dataclass
class Plan:
    """An invoice as it would be. `before` is what it was, by names of the wire; {} when new."""

    invoice: Invoice
    services: Services
    parcels: Parcels
    before: dict[str, Any] = field(default_factory=dict)
    faults: list[FieldError] = field(default_factory=list)

    @property
    def is_repriced(self) -> bool:
        """Its totals are others, so its receivables are too."""
        names = ("gross_value", "payment_value")
        return any(self.before.get(name) != getattr(self.invoice, name) for name in names)

    def difference(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """Values of before and after, of the attributes that are different."""
        after = picture(self.invoice)
        names = [name for name, value in self.before.items() if after[name] != value]
        return {name: self.before[name] for name in names}, {name: after[name] for name in names}

    def changed(self) -> list[str]:
        """Names of what is different, nested collections among them."""
        _, after = self.difference()
        names = list(after)
        names += [] if self.services.is_reworded_only else ["services"]
        return names + (["receivables"] if self.parcels.is_touched else [])


def plan_invoice(contract: Contract, values: Values, *, account: Account) -> Plan:
    """A new invoice of `contract`. Raises NotFound for a nested id or a strange service item."""
    invoice = Invoice(account=account, contract=contract, integration={}, nfe={})
    apply_values(invoice, values)
    plan = Plan(invoice, _services(invoice, [], values), _parcels(invoice, [], values))
    plan.faults = _faults(plan, values) + _first_amounts(plan, values)
    plan.faults += [FieldError(name, BLANK) for name in _REQUIRED if not values.get(name)]
    return plan


def plan_edit(invoice: Invoice, values: Values) -> Plan:
    """A change of a locked invoice. Raises NotFound for a nested id that is not the invoice's.

    Raises CannotChange for amounts that are those of the customer's transactions.
    """
    rows = list(invoice.lines.select_related("service_item").order_by("position"))
    receivables = lock_receivables(invoice)
    before, title = picture(invoice), invoice.title
    apply_values(invoice, values)
    services = _services(invoice, rows, values)
    if invoice.state == Invoice.State.TO_EMIT:
        services.follow_texts(invoice, title=title, description=before["description"])
    plan = Plan(invoice, services, _parcels(invoice, receivables, values), before)
    had_services = any(row.service_item_id for row in rows)
    plan.faults = _faults(plan, values) + _new_amounts(plan, values, had_services=had_services)
    is_billed = any(row.transaction_id for row in rows)
    if is_billed and (services.is_touched or plan.is_repriced):
        raise CannotChange()
    return plan


def _services(invoice: Invoice, rows: Sequence[InvoiceLine], values: Values) -> Services:
    elements = values.get("services") or ()
    return plan_services(invoice, rows, elements, items_of(invoice.account, elements))


def _parcels(invoice: Invoice, rows: Sequence[Any], values: Values) -> Parcels:
    return plan_receivables(invoice, rows, values.get("receivables") or ())


def _faults(plan: Plan, values: Values) -> list[FieldError]:
    return [
        *option_faults(plan.invoice, values),
        *plan.services.faults,
        *plan.parcels.faults,
        *attachment_faults(values.get("attachments")),
    ]


def _first_amounts(plan: Plan, values: Values) -> list[FieldError]:
    """Totals of a new invoice: services win over a gross value (M-4)."""
    invoice, sent = plan.invoice, values.get("gross_value")
    if not plan.services.rows and sent is None:
        return [FieldError("gross_value", NOT_NUMBER)]
    total = sum((row.value for row in plan.services.rows), _ZERO)
    invoice.gross_value = total if plan.services.rows else half_up(sent or 0)
    return _net_amount(invoice, values, is_new_gross=True, is_one_line=not plan.services.rows)


def _new_amounts(plan: Plan, values: Values, *, had_services: bool) -> list[FieldError]:
    """Totals after a change: the last service that goes leaves its gross value behind (§6.1)."""
    invoice, services = plan.invoice, plan.services
    old, sent = invoice.gross_value, values.get("gross_value")
    is_one_line = False
    if services.services and not had_services:
        services.drop_stand_ins()
    elif not services.services:
        gross = old if sent is None else half_up(sent)
        if had_services or gross != old:
            services.replace_all(stand_in(invoice, gross))
            is_one_line = True
    if services.is_touched:
        invoice.total_amount = sum((row.value for row in services.rows), _ZERO)
        invoice.total_tax = sum((row.tax_amount for row in services.rows), _ZERO)
        invoice.gross_value = invoice.total_amount + invoice.total_tax
    is_new_gross = invoice.gross_value != old
    return _net_amount(invoice, values, is_new_gross=is_new_gross, is_one_line=is_one_line)


def _net_amount(
    invoice: Invoice, values: Values, *, is_new_gross: bool, is_one_line: bool
) -> list[FieldError]:
    """`payment_value` as sent, else it follows the gross value."""
    if values.get("payment_value") is not None:
        invoice.payment_value = half_up(values["payment_value"])
    elif is_new_gross:
        invoice.payment_value = invoice.gross_value
    return amount_faults(invoice.gross_value, invoice.payment_value, is_one_line=is_one_line)


def draft_of(plan: Plan, *, approval: str | None) -> InvoiceDraft:
    """A faultless plan of a new invoice as a draft; `approval` None is approved."""
    invoice, parcels = plan.invoice, plan.parcels
    contract = invoice.contract
    assert contract is not None
    return InvoiceDraft(
        organization_id=contract.organization_id,
        customer_id=contract.party_id,
        contract_id=contract.pk,
        title=invoice.title,
        issue_date=invoice.issue_date,
        estimated_issue_date=invoice.estimated_issue_date,
        accrual_date=invoice.accrual_date,
        due_dates=[row.due_date for row in parcels.rows],
        percents=[row.value for row in parcels.rows],
        lines=line_drafts(plan.services.rows),
        gross_value=invoice.gross_value,
        payment_value=invoice.payment_value,
        approval_status=approval or Invoice.Approval.APPROVED,
        client_number=invoice.client_number,
        comments=invoice.comments,
        nfe=invoice.nfe,
        options={name: getattr(invoice, name) for name in BillingOptions.OPTION_FIELDS},
    )
