"""Bank accounts, and the terms that boletos are issued with."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.http import HttpRequest

from billing.admin.owned import OwnedAdmin, OwnedForm
from billing.admin.sections import COLLECTION
from billing.engine.late_charges import FIXED, WITHOUT, LateTerms, warnings_for
from billing.models import ChargeTemplate, FinancialAccount

NO_FIXED_FINE = "A conta bancária não aceita multa em valor fixo."
FIXED_FINE_IN_USE = "Há modelos de cobrança desta conta com multa em valor fixo."
OTHER_ORGANIZATION = "Escolha uma conta bancária da mesma organização."
NOTHING_TO_CHARGE = "Deixe zero: o tipo escolhido não cobra nada."
PAYOUT_PARTS = "Preencha banco, agência e conta de repasse, ou deixe os três em branco."
_PAYOUT = ("payout_bank_code", "payout_bank_branch", "payout_bank_account")


class FinancialAccountForm(OwnedForm):
    payment_methods = forms.MultipleChoiceField(
        label="Formas de pagamento",
        choices=FinancialAccount.Method.choices,
        required=False,
        widget=forms.CheckboxSelectMultiple,
    )

    def clean(self) -> dict[str, Any]:
        data = super().clean()
        given = [bool(data.get(name)) for name in _PAYOUT if name not in self.errors]
        if any(given) and not all(given):
            self.add_error("payout_bank_code", PAYOUT_PARTS)
        if not data.get("accept_fixed_fine") and self._fixed_fines():
            self.add_error("accept_fixed_fine", FIXED_FINE_IN_USE)
        return data

    def _fixed_fines(self) -> bool:
        account = self.instance
        return bool(account.pk and account.charge_templates.filter(fine_type=FIXED).exists())


@admin.register(FinancialAccount)
class FinancialAccountAdmin(OwnedAdmin):
    """Where the money goes. The situation is the bank's answer, never typed."""

    section = COLLECTION
    form = FinancialAccountForm
    list_display = (
        "__str__",
        "organization",
        "status",
        "accept_fixed_fine",
        "created_at",
    )
    list_filter = ("status",)
    search_fields = ("bank_code", "bank_account")
    ordering = ("pk",)
    editable = (
        "bank_code",
        "bank_branch",
        "bank_account",
        *_PAYOUT,
        "payment_methods",
        "accept_fixed_fine",
    )
    fields = ("organization", "status", *editable, "created_at", "updated_at")


class ChargeTemplateForm(OwnedForm):
    """Terms within LATE-2 and LATE-4; `warnings` are told after saving.

    Consumers are told apart when a charge is made: here a fine that only they could not be asked
    for is a warning.
    """

    warnings: tuple[tuple[str, str], ...] = ()

    def clean(self) -> dict[str, Any]:
        data = super().clean()
        if not self.errors:
            terms = LateTerms(
                fine_type=data["fine_type"],
                fine_value=data["fine_value"],
                interest_type=data["interest_type"],
                interest_value=data["interest_value"],
            )
            check = warnings_for(terms, is_consumer=False)
            for field, text in (*check.errors, *self._faults(terms)):
                self.add_error(field, text)
            self.warnings = check.warnings
        return data

    def _faults(self, terms: LateTerms) -> Iterator[tuple[str, str]]:
        if terms.fine_type == WITHOUT and terms.fine_value:
            yield "fine_value", NOTHING_TO_CHARGE
        if terms.interest_type == WITHOUT and terms.interest_value:
            yield "interest_value", NOTHING_TO_CHARGE
        account = self.cleaned_data.get("financial_account")
        if account is None:
            return
        if account.organization_id != self.organization_id:
            yield "financial_account", OTHER_ORGANIZATION
        if terms.fine_type == FIXED and not account.accept_fixed_fine:
            yield "fine_type", NO_FIXED_FINE


@admin.register(ChargeTemplate)
class ChargeTemplateAdmin(OwnedAdmin):
    """Fine, interest and instructions. Boletos already issued keep theirs."""

    section = COLLECTION
    form = ChargeTemplateForm
    list_display = (
        "name",
        "organization",
        "financial_account",
        "fine_type",
        "fine_value",
        "interest_type",
        "interest_value",
    )
    list_filter = ("fine_type", "interest_type")
    list_select_related = ("organization", "financial_account")
    search_fields = ("name",)
    ordering = ("name", "pk")
    editable = (
        "name",
        "payment_method",
        "fine_type",
        "fine_value",
        "interest_type",
        "interest_value",
        "instructions",
        "financial_account",
        "charging_account_id",
    )
    fields = ("organization", *editable, "created_at", "updated_at")

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        super().save_model(request, obj, form, change)
        for _, text in form.warnings:
            messages.warning(request, text)
