"""Unbilled transactions: typed, corrected and removed here through their services."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest
from django.shortcuts import redirect

from accounts.admin_base import TenantAdmin
from accounts.admin_display import chip
from accounts.admin_trail import actor_in
from billing.admin.sections import BILLING
from billing.models import Transaction
from billing.services.transactions import (
    TransactionData,
    add_transaction,
    delete_transaction,
    edit_transaction,
)
from lib.errors import DomainError


@admin.register(Transaction)
class TransactionAdmin(TenantAdmin):
    section = BILLING
    list_display = ("title", "customer", "created_at", "retail_cost", "tax_amount", "situation")
    list_filter = ("kind",)
    list_select_related = ("customer", "invoice__series")
    search_fields = ("title", "customer__fold")
    search_help_text = "Título ou cliente"
    ordering = ("-created_at", "-pk")
    autocomplete_fields = ("customer", "contract", "service_item")
    fields = (
        "customer",
        "contract",
        "service_item",
        "created_at",
        "title",
        "description",
        "retail_cost",
        "tax_percentage",
        "tax_amount",
        "kind",
        "situation",
        "source",
    )
    only_on_add = ("customer",)
    editable = (
        "contract",
        "service_item",
        "created_at",
        "title",
        "description",
        "retail_cost",
        "tax_percentage",
    )
    may_add = may_delete = True

    def is_frozen(self, row: Any) -> bool:
        return row.invoice_id is not None or row.kind == Transaction.Kind.PAYMENT

    @admin.display(description="situação", ordering="invoice")
    def situation(self, row: Transaction) -> str:
        if row.invoice is None:
            return chip("info", "clock", "Não faturada")
        return chip("success", "check", f"Fatura {row.invoice.label}")

    def changeform_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        try:
            return super().changeform_view(request, *args, **kwargs)
        except DomainError as error:
            # What only the service knows; the form's own checks have passed by then.
            faults = "; ".join(fault.mensagem for fault in error.erros)
            messages.error(request, faults or error.mensagem)
            return redirect(request.get_full_path())

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        if not self.allowed(request, obj, write=True):
            raise PermissionDenied
        data = TransactionData(
            title=obj.title,
            description=obj.description,
            retail_cost=obj.retail_cost,
            tax_percentage=obj.tax_percentage,
            service_item_id=obj.service_item_id,
            contract_id=obj.contract_id,
            created_at=obj.created_at,
            source=obj.source or "equipe",
        )
        account, actor = obj.account, actor_in(request)
        if change:
            edit_transaction(obj.pk, data, account=account, actor=actor)
        else:
            row = add_transaction(data, customer_id=obj.customer_id, account=account, actor=actor)
            obj.pk = row.pk

    def delete_model(self, request: HttpRequest, obj: Any) -> None:
        delete_transaction(obj.pk, account=obj.account, actor=actor_in(request))

    def log_addition(self, request: HttpRequest, obj: Any, message: Any) -> Any:
        """The service has told the trail, as for the two below."""

    def log_change(self, request: HttpRequest, obj: Any, message: Any) -> Any:
        """See above."""

    def log_deletions(self, request: HttpRequest, queryset: Any) -> Any:
        """See above."""
