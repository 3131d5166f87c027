"""Addresses under /crm/."""

from django.urls import path

from billing.api.crm import InvoicePdfView

urlpatterns = [
    path("invoice/<str:invoice_id>/pdf", InvoicePdfView.as_view(), name="crm-invoice-pdf"),
]
