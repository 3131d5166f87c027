"""An invoice's own attributes, from the API's values to columns, and which of them may change when.

Once emitted, an invoice is what the customer was sent: billing-api, question 18.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import date
from decimal import Decimal
from typing import Any

from billing.errors import CannotChange
from billing.models import Invoice
from billing.services.drafts import MAX_FACTOR, MAX_TOTAL
from billing.services.invoice_lines import TOO_HIGH
from billing.services.option_values import (
    KEPT,
    KEPT_PAYMENT,
    OPTION_COLUMNS,
    OPTIONS,
    apply_options,
)
from lib.br import fold
from lib.errors import FieldError

NEGATIVE = "não pode ser negativo"

# Name of the input → key of `Invoice.nfe`, which is also the name of the output.
NFE = {
    "nfse_service": "nfe_service",
    "nfse_verification": "nfe_verification",
    "nfe_issue_date": "nfe_issue_date",
    "nfe_issued": "nfe_issued",
}
# Name on the wire → column.
_DATES = ("issue_date", "estimated_issue_date", "accrual_date")
_TEXTS = {"number": "client_number", "comments": "comments"}

# Attributes, as `picture` names them, that an emitted invoice may still change.
_EMITTED = {
    "description", "comments", "number", "attachments",
    "nfe_body", "issue_nfse", "nfse_template_id", "days_until_automatic_nfe_emission",
    *NFE.values(),
    *(name for name in KEPT if name.startswith(("emites_", "finance_", "myfinance_"))),
}  # fmt: skip
_CLOSED = {"comments", "attachments"}
ALLOWED: dict[str, Collection[str]] = {
    Invoice.State.TO_RECEIVE: _EMITTED,
    Invoice.State.RECEIVED: _CLOSED,
    Invoice.State.CANCELLED: _CLOSED,
}


def apply_values(invoice: Invoice, values: Mapping[str, Any]) -> None:
    """Put the attributes sent into their columns; amounts, services and receivables come later."""
    title_follows = invoice.title == invoice.description[:200] and invoice.emitted_at is None
    apply_options(invoice, values)
    if title_follows:
        invoice.title = invoice.description[:200]
    for name in _DATES:
        if name in values and (values[name] is not None or name == "accrual_date"):
            setattr(invoice, name, values[name])
    for name, column in _TEXTS.items():
        if name in values:
            invoice.keep_text(column, values[name])
    for name, key in NFE.items():
        if name in values:
            _apply_nfe(invoice, key, values[name])


def _apply_nfe(invoice: Invoice, key: str, value: Any) -> None:
    """The note's data; a blank text counts as none, as the documented example shows (§2.8)."""
    if key == "nfe_issued":
        invoice.nfe[key] = bool(value)
    else:
        invoice.nfe[key] = value.isoformat() if isinstance(value, date) else value or None


def refold(invoice: Invoice) -> None:
    """What the list's search finds the invoice by."""
    invoice.fold = f"{fold(invoice.title)} {invoice.customer.fold}"


def picture(invoice: Invoice) -> dict[str, Any]:
    """Every attribute that an edit may change, by its name on the wire."""
    shown = {name: getattr(invoice, name) for name in (*_DATES, *OPTIONS)}
    shown |= {name: getattr(invoice, column) for name, column in OPTION_COLUMNS.items()}
    shown |= {name: _text(invoice, column) for name, column in _TEXTS.items()}
    shown |= {name: invoice.integration.get(name) for name in (*KEPT, *KEPT_PAYMENT)}
    shown |= {key: invoice.nfe.get(key) or None for key in NFE.values()}
    return shown | {
        "description": invoice.description,
        "nfe_body": invoice.nfe_body,
        "payment_method": invoice.payment_method,
        "installments": invoice.installments,
        "gross_value": invoice.gross_value,
        "payment_value": invoice.payment_value,
    }


def _text(invoice: Invoice, column: str) -> str | None:
    """As the wire shows it: null, or "" when that is what was sent."""
    return getattr(invoice, column) or ("" if invoice.kept_blank(column) else None)


def check_allowed(invoice: Invoice, changed: Collection[str]) -> None:
    """Raises CannotChange when the invoice's state forbids one of the changes (question 18)."""
    allowed = ALLOWED.get(invoice.state)
    if allowed is not None and not set(changed) <= set(allowed):
        raise CannotChange()


def amount_faults(gross: Decimal, payment: Decimal, *, is_one_line: bool) -> list[FieldError]:
    """What keeps the two totals, BRL, from being an invoice's.

    With `is_one_line` the gross value is to be the unit price of the line that stands for it.
    """
    faults = []
    highest = MAX_FACTOR if is_one_line else MAX_TOTAL
    for name, amount, limit in (
        ("gross_value", gross, highest),
        ("payment_value", payment, MAX_TOTAL),
    ):
        if amount < 0:
            faults.append(FieldError(name, NEGATIVE))
        elif amount >= limit:
            faults.append(FieldError(name, TOO_HIGH))
    return faults
