"""What came in, went back, was contested, and is in customers' wallets.

Only refunds are made here; recording and undoing belong to the screens of the invoice.
"""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from accounts.admin_base import TenantAdmin, TenantInline
from accounts.admin_display import Tone, chip
from billing.admin import refund_acts
from billing.admin.rulers import ACTING_FORM
from billing.admin.sections import COLLECTION
from billing.models import Chargeback, CustomerCredit, Payment, PaymentAllocation, Refund
from fiscal.admin.acts import ActingScreen

_PAYMENT: dict[str, tuple[Tone, str]] = {
    Payment.State.CREATED: ("info", "clock"),
    Payment.State.PROCESSING: ("info", "half"),
    Payment.State.REQUIRES_ACTION: ("warning", "clock"),
    Payment.State.SUCCEEDED: ("success", "check"),
    Payment.State.FAILED: ("danger", "alert"),
    Payment.State.CANCELED: ("neutral", "stop"),
    Payment.State.PARTIALLY_REFUNDED: ("neutral", "back"),
    Payment.State.REFUNDED: ("neutral", "back"),
    Payment.State.DISPUTED: ("danger", "alert"),
}
_REFUND: dict[str, tuple[Tone, str]] = {
    Refund.State.PENDING: ("info", "clock"),
    Refund.State.SUCCEEDED: ("success", "check"),
    Refund.State.FAILED: ("danger", "alert"),
    Refund.State.CANCELED: ("neutral", "stop"),
}
_CHARGEBACK: dict[str, tuple[Tone, str]] = {
    Chargeback.State.OPEN: ("warning", "clock"),
    Chargeback.State.WON: ("success", "check"),
    Chargeback.State.LOST: ("danger", "alert"),
}


class AllocationInline(TenantInline):
    model = PaymentAllocation
    fields = (
        "receivable",
        "principal",
        "fine",
        "interest",
        "discount",
        "created_at",
        "reversed_at",
    )
    ordering = ("pk",)
    verbose_name_plural = "O que quitou"

    def get_queryset(self, request: HttpRequest) -> QuerySet[PaymentAllocation]:
        return super().get_queryset(request).select_related("receivable__invoice__series")


class RefundInline(TenantInline):
    model = Refund
    fields = ("number", "amount", "to", "state", "reason", "failure", "created_at")
    ordering = ("number",)


class CreditInline(TenantInline):
    model = CustomerCredit
    fields = ("created_at", "origin", "amount", "reason", "recorded_by")
    ordering = ("pk",)
    verbose_name_plural = "Na carteira do cliente"


@admin.register(Payment)
class PaymentAdmin(ActingScreen):
    section = COLLECTION
    change_form_template = ACTING_FORM
    acts = refund_acts.ACTS
    list_display = (
        "pk",
        "created_at",
        "customer",
        "invoice",
        "method",
        "amount",
        "situation",
        "received_on",
        "reference",
    )
    list_filter = ("method", "state", "received_on")
    list_select_related = ("customer", "invoice__series")
    search_fields = ("customer__fold", "reference", "external_id")
    search_help_text = "Cliente, referência ou identificador no provedor"
    ordering = ("-pk",)
    fields = (
        "customer",
        "invoice",
        "receivable",
        "charge",
        "method",
        "saved_method",
        "gateway",
        "situation",
        "failure_code",
        "decline_code",
        "amount",
        "refunded_total",
        "provider_fee",
        "reference",
        "external_id",
        "key",
        "received_on",
        "credited_on",
        "recorded_by",
        "created_at",
        "settled_at",
        "undone_at",
        "next_check_at",
        "checks",
    )
    inlines = (AllocationInline, RefundInline, CreditInline)

    def standing(self, row: Any) -> str:
        return refund_acts.standing(row)

    def standing_label(self, row: Any) -> str:
        return str(row.get_state_display())

    @admin.display(description="situação", ordering="state")
    def situation(self, row: Payment) -> str:
        if row.undone_at is not None:
            return chip("neutral", "back", "Desfeito")
        return chip(*_PAYMENT[row.state], row.get_state_display())


@admin.register(PaymentAllocation)
class PaymentAllocationAdmin(TenantAdmin):
    tenant_path = "payment__account"
    secondary = True
    list_display = ("payment", "receivable", "principal", "fine", "interest", "reversed_at")
    list_select_related = ("payment", "receivable__invoice__series")
    ordering = ("-pk",)
    fields = AllocationInline.fields


@admin.register(Refund)
class RefundAdmin(TenantAdmin):
    section = COLLECTION
    list_display = ("created_at", "customer", "amount", "to", "situation", "reason", "settled_at")
    list_filter = ("state", "to")
    list_select_related = ("payment__customer",)
    search_fields = ("payment__customer__fold", "external_id", "key")
    search_help_text = "Cliente ou identificador no provedor"
    ordering = ("-pk",)
    fields = (
        "payment",
        "number",
        "amount",
        "from_credit",
        "to",
        "situation",
        "reason",
        "failure",
        "external_id",
        "key",
        "recorded_by",
        "created_at",
        "settled_at",
        "next_check_at",
        "checks",
    )

    @admin.display(description="cliente", ordering="payment__customer__fold")
    def customer(self, row: Refund) -> Any:
        return row.payment.customer

    @admin.display(description="situação", ordering="state")
    def situation(self, row: Refund) -> str:
        return chip(*_REFUND[row.state], row.get_state_display())


@admin.register(Chargeback)
class ChargebackAdmin(TenantAdmin):
    section = COLLECTION
    list_display = ("opened_at", "customer", "amount", "reason", "situation", "closed_at")
    list_filter = ("state",)
    list_select_related = ("payment__customer",)
    search_fields = ("payment__customer__fold", "external_id")
    search_help_text = "Cliente ou identificador no provedor"
    ordering = ("-pk",)
    fields = (
        "payment",
        "amount",
        "reopened",
        "situation",
        "reason",
        "external_id",
        "opened_at",
        "closed_at",
    )

    @admin.display(description="cliente", ordering="payment__customer__fold")
    def customer(self, row: Chargeback) -> Any:
        return row.payment.customer

    @admin.display(description="situação", ordering="state")
    def situation(self, row: Chargeback) -> str:
        return chip(*_CHARGEBACK[row.state], row.get_state_display())


@admin.register(CustomerCredit)
class CustomerCreditAdmin(TenantAdmin):
    section = COLLECTION
    list_display = ("created_at", "customer", "origin", "amount", "reason", "recorded_by")
    list_filter = ("origin",)
    list_select_related = ("customer",)
    search_fields = ("customer__fold", "reason")
    search_help_text = "Cliente ou motivo"
    ordering = ("-pk",)
    fields = ("customer", "origin", "amount", "payment", "reason", "recorded_by", "created_at")
