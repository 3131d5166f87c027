"""The invoices that a customer sees: emitted ones of their own, by the number they know."""

from __future__ import annotations

import re
from typing import Any

from django.db.models import Q, QuerySet

from accounts.models import Account
from billing.models import Invoice, Party
from lib.errors import NotFound

_LONGEST = 100
_LAST_DIGITS = re.compile(r"[0-9]{1,18}$", re.ASCII)


def customer_invoices(account: Account, customer: Party) -> QuerySet[Invoice]:
    """Every emitted invoice of the customer, void and cancelled ones too; series loaded."""
    mine = Invoice.objects.of(account).filter(customer=customer, emitted_at__isnull=False)
    found: QuerySet[Invoice] = mine.select_related("series")
    return found


def get_invoice(account: Account, customer: Party, number: str) -> Invoice:
    """The customer's emitted invoice of that number, with or without leading zeros.

    `number` is `Situation.address`, or what people see or type; where two have the same, the newest
    one. Organization, series, customer and
    snapshots are loaded. Raises NotFound.
    """
    rows = customer_invoices(account, customer).select_related(
        "series",
        "organization__profile",
        "customer",
        "account",
        "contract",
        "customer_snapshot",
        "organization_snapshot",
    )
    text, _, pk = number.strip()[:_LONGEST].rpartition("@")
    if text and pk.isascii() and pk.isdecimal() and len(pk) < 19:
        named = rows.filter(pk=int(pk)).first()
        if named is not None and named.label == text:
            return named
    found = invoices_numbered(rows, number)
    if not found:
        raise NotFound()
    return found[0]


def invoices_numbered(rows: QuerySet[Invoice], number: str) -> list[Invoice]:
    """Those that people know by `number`, newest first; exact ones before `1234` for `01234`."""
    text = number.strip()[:_LONGEST]
    if "\x00" in text:  # in no text of PostgreSQL's
        return []
    asked = Q(client_number=text) if text else Q(pk__in=[])
    digits = _LAST_DIGITS.search(text)
    if digits is not None:
        asked |= Q(number=int(digits[0]))
    found = [invoice for invoice in rows.filter(asked).order_by("-id") if _is_named(invoice, text)]
    return sorted(found, key=lambda invoice: invoice.label != text)


def _is_named(invoice: Any, text: str) -> bool:
    """Is `text` the label, its number without prefix, or either with other leading zeros?"""
    if invoice.label == text:
        return True
    return bool(
        not invoice.client_number and text.isdecimal() and text.isascii()
        and int(text) == invoice.number
    )  # fmt: skip
