"""Invoices with their lines and receivables: looked at here, changed by services."""

from __future__ import annotations

from datetime import date
from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import Min, OuterRef, QuerySet, Subquery
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.urls import path
from django.utils.html import format_html_join

from accounts.admin_display import Tone, chip
from accounts.admin_trail import signed_in
from billing.admin.invoice_acts import ACTS
from billing.admin.invoice_notes import InvoiceNoteInline, WithholdingInline
from billing.admin.invoice_parts import LineInline, ReceivableInline
from billing.admin.note_batch import NoteBatch
from billing.admin.sections import BILLING, folded
from billing.api.crm import pdf_response
from billing.documents.cache import invoice_pdf
from billing.models import (
    Invoice,
    Receivable,
)
from fiscal.admin.acts import ActingScreen
from lib import clock
from lib.br import date_br
from lib.calendars import BR_BANK
from lib.errors import DomainError

_Chip = tuple[Tone, str, str]


def invoice_chips(invoice: Invoice, *, open_due: date | None, today: date) -> list[_Chip]:
    """The state as people say it, then what else is worth a chip (ux §1.2).

    `open_due` is the first date on which something is still owed.
    """
    chips = [_state_chip(invoice, open_due, today)]
    if invoice.payment_status == Invoice.PaymentStatus.PARTIALLY_PAID:
        chips.append(("info", "half", "Parcial"))
    if invoice.approval_status == Invoice.Approval.BLOCKED:
        chips.append(("warning", "pause", "Bloqueada"))
    return chips


def _state_chip(invoice: Invoice, open_due: date | None, today: date) -> _Chip:
    if invoice.void:
        return ("neutral", "stop", "Anulada")
    if invoice.state == Invoice.State.CANCELLED:
        return ("neutral", "stop", "Cancelada")
    if invoice.state == Invoice.State.TO_EMIT:
        return ("neutral", "pencil", "A emitir")
    if invoice.refunded_total:
        return ("neutral", "back", "Reembolsado")
    if invoice.state == Invoice.State.RECEIVED:
        return ("success", "check", "Pago")
    # A date on a closed day may be paid on the next business day (ux §1.2).
    if open_due and today > BR_BANK.next_business_day(open_due):
        return ("danger", "alert", f"Vencida há {(today - open_due).days} dias")
    return ("info", "clock", "Não pago")


@admin.register(Invoice)
class InvoiceAdmin(NoteBatch, ActingScreen):
    section = BILLING
    acts = ACTS
    change_form_template = "admin/fiscal/acting_form.html"
    inlines = (LineInline, ReceivableInline, WithholdingInline, InvoiceNoteInline)
    actions = ("issue_notes",)
    list_display = (
        "label",
        "title",
        "customer",
        "period",
        "due_date",
        "created_at",
        "total_amount",
        "situation",
    )
    list_filter = ("state", "void", "payment_status", "approval_status")
    list_select_related = ("customer", "series")
    search_fields = ("fold",)
    search_help_text = "Número, id, título ou cliente"
    fieldsets = (
        (
            None,
            {
                "fields": (
                    "label",
                    "title",
                    "situation",
                    "customer",
                    "organization",
                    "contract",
                    "rule",
                )
            },
        ),
        (
            "Datas",
            {
                "fields": (
                    "issue_date",
                    "due_date",
                    "period",
                    "accrual",
                    "created_at",
                    "emitted_at",
                    "received_at",
                    "cancelled_at",
                    "void_reason",
                )
            },
        ),
        (
            "Valores",
            {
                "fields": (
                    "total_amount",
                    "total_tax",
                    "gross_value",
                    "payment_value",
                    "paid_total",
                    "refunded_total",
                )
            },
        ),
        (
            "Cobrança e textos",
            {
                "classes": ("collapse",),
                "fields": (
                    "management_type",
                    "payment_method",
                    "payment_reference",
                    "description",
                    "notes",
                    "comments",
                    "template_version",
                ),
            },
        ),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Invoice]:
        open_ = (
            Receivable.objects.filter(invoice=OuterRef("pk"), state=Receivable.State.TO_RECEIVE)
            .values("invoice")
            .annotate(first=Min("due_date"))
            .values("first")
        )
        return super().get_queryset(request).annotate(open_due=Subquery(open_))

    def standing(self, row: Any) -> str:
        return str(row.state)

    def standing_label(self, row: Any) -> str:
        return str(row.get_state_display())

    def get_urls(self) -> list[Any]:
        view = self.admin_site.admin_view(self.pdf_view)
        return [
            path("<path:object_id>/pdf/", view, name="billing_invoice_pdf"),
            *super().get_urls(),
        ]

    def pdf_view(self, request: HttpRequest, object_id: str) -> HttpResponseBase:
        """The invoice as its customer gets it; a failure is told on the invoice's page."""
        invoice: Any = self.get_object(request, object_id)
        if not self.has_view_permission(request, invoice):
            raise PermissionDenied
        try:
            return pdf_response(request, invoice_pdf(invoice.pk, account=invoice.account))
        except DomainError as error:
            messages.error(request, error.mensagem)
            return redirect("admin:billing_invoice_change", invoice.pk)

    def get_ordering(self, request: HttpRequest) -> Any:
        # Each order has an index behind it: of the account's rows, or of everybody's.
        everybody = signed_in(request).is_superuser and not request.GET.get("conta")
        return ["-pk"] if everybody else ["-created_at", "-pk"]

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        if not search_term.strip():
            return queryset, False
        return folded(queryset, search_term, path="fold", numbers=("number", "pk")), False

    @admin.display(description="número", ordering="number")
    def label(self, invoice: Invoice) -> str:
        return invoice.label

    @admin.display(description="período", ordering="start_date")
    def period(self, invoice: Invoice) -> str:
        if invoice.start_date is None or invoice.end_date is None:
            return "N/A"
        return f"{date_br(invoice.start_date)} – {date_br(invoice.end_date)}"

    @admin.display(description="competência", ordering="accrual_date")
    def accrual(self, invoice: Invoice) -> str:
        return f"{invoice.accrual_date:%m/%Y}" if invoice.accrual_date else "—"

    @admin.display(description="situação", ordering="status_rank")
    def situation(self, invoice: Any) -> str:
        chips = invoice_chips(invoice, open_due=invoice.open_due, today=clock.today())
        return format_html_join(" ", "{}", ((chip(*each),) for each in chips))
