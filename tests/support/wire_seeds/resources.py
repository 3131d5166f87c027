"""E-mail, note and charge templates, bank accounts and service notes that fixtures require."""

from __future__ import annotations

from typing import Any

from django.db import models
from support.invoices import new_invoice
from support.moments import moment
from support.wire import SEEDERS, Fixture, seeds

from accounts.models import Account
from billing.models import (
    ChargeTemplate,
    EmailTemplate,
    FinancialAccount,
    Nfse,
    NfseServiceItem,
    NfseTemplate,
    Party,
)
from billing.models.kept import KeepsSent

_STAMPS = ("created_at", "updated_at")


def row(model: type[models.Model], pk: int, shown: dict[str, Any], **given: Any) -> Any:
    """A row with the values of an answer, put under its id; `given` win over them."""
    made = model(pk=pk, **given)
    columns = {f.name: f for f in model._meta.concrete_fields}
    for name, value in shown.items():
        column = columns.get(name)
        if column is None or column.is_relation or name in ("id", *given, *_STAMPS):
            continue
        if isinstance(column, models.DateTimeField) and value:
            setattr(made, name, moment(value))
        elif not isinstance(column, models.CharField | models.TextField):
            setattr(made, name, value)
        elif isinstance(made, KeepsSent):
            made.keep_text(name, value)
        else:
            setattr(made, name, value or "")
    made.save(force_insert=True)
    stamps = {n: moment(shown[n]) for n in _STAMPS if n in columns and shown.get(n)}
    if stamps:
        model._default_manager.filter(pk=pk).update(**stamps)
    return made


def owner(fixture: Fixture, account: Account, shown: dict[str, Any]) -> Party:
    """The organization that the object belongs to: the shown one, or the one there is."""
    pk = shown.get("organization_id") or shown.get("company_id")
    if pk:
        SEEDERS["organization"](pk, fixture, account)
        return Party.objects.get(pk=pk)
    return Party.objects.of(account).filter(kind=Party.Kind.ORGANIZATION).earliest("pk")


@seeds("email_template")
def email_template(pk: int, fixture: Fixture, account: Account) -> None:
    shown = {"name": f"Modelo {pk}"} | fixture.shown("email_template", pk)
    if "from" in shown:
        shown["sender"] = shown["from"]
    row(EmailTemplate, pk, shown, account=account, organization=owner(fixture, account, shown))


@seeds("nfse_template")
def nfse_template(pk: int, fixture: Fixture, account: Account) -> None:
    shown = {"name": f"Modelo {pk}"} | fixture.shown("nfse_template", pk)
    row(NfseTemplate, pk, shown, account=account, organization=owner(fixture, account, shown))


@seeds("financial_account")
def financial_account(pk: int, fixture: Fixture, account: Account) -> None:
    if FinancialAccount.objects.filter(pk=pk).exists():
        return
    usual = {"bank_code": "341", "bank_branch": "4321", "bank_account": str(pk)}
    shown = usual | fixture.shown("financial_account", pk)
    row(FinancialAccount, pk, shown, account=account, organization=owner(fixture, account, shown))


@seeds("charge_template")
def charge_template(pk: int, fixture: Fixture, account: Account) -> None:
    shown = {"name": f"Modelo {pk}"} | fixture.shown("charge_template", pk)
    if shown.get("financial_account_id"):
        financial_account(shown["financial_account_id"], fixture, account)
    row(
        ChargeTemplate, pk, shown, account=account,
        organization=owner(fixture, account, shown),
        financial_account_id=shown.get("financial_account_id"),
    )  # fmt: skip


@seeds("nfse")
def nfse(pk: int, fixture: Fixture, account: Account) -> None:
    shown = fixture.shown("nfse", pk)
    organization = owner(fixture, account, shown)
    SEEDERS["company"](shown["customer_id"], fixture, account)
    customer = Party.objects.get(pk=shown["customer_id"])
    made = row(
        Nfse, pk, shown, account=account, organization=organization, customer=customer,
        invoice=new_invoice(organization, customer),
        status=next(s for s in Nfse.Status if s.label == shown["status"]),
        accrual_date=moment(f"{shown['accrual_date']} 00:00:00 -03:00").date(),
    )  # fmt: skip
    for item in shown["nfse_service_items"]:
        row(NfseServiceItem, item["id"], item, nfse=made)
