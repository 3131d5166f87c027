"""Addresses of /api/v1: no trailing slash, and no redirect to one."""

from importlib import import_module

from django.urls import URLPattern

# One module per resource; each lists its own addresses in `routes`.
RESOURCES = (
    "parties",
    "service_items",
    "contracts",
    "email_templates",
    "nfses",
    "nfse_templates",
    "charge_templates",
    "financial_accounts",
    "plans",
    "webhooks",
    "subscriptions",
    "invoice_rules",
    "invoice_templates",
    "invoices",
    "receivables",
)

urlpatterns: list[URLPattern] = [
    route for resource in RESOURCES for route in import_module(f"billing.api.v1.{resource}").routes
]
