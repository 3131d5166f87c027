"""A bank, a receivable and the calendar of the tests of Pix."""

from __future__ import annotations

import pytest
from support.invoices import emitted_invoice
from support.payment_sandbox import _running_providers, providers  # noqa: F401
from support.pix import Bank

TODAY = "2026-08-12"


@pytest.fixture
def bank(providers, account, today, settings):  # noqa: F811
    settings.WEBHOOK_ALLOW_HTTP = settings.WEBHOOK_ALLOW_PRIVATE = True
    today(TODAY)
    return Bank.of(providers, account, today=TODAY)


@pytest.fixture
def receivable(organization, customer):
    """R$ 100,00 due on Thursday 20/08/2026."""
    return emitted_invoice(organization, customer).receivables.get()


@pytest.fixture
def move(bank, today):
    """Both the product and the bank are on another day: move("2026-08-31")."""

    def to(day):
        today(day)
        bank.today(day)

    return to
