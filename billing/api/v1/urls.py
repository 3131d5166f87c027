"""Addresses of /api/v1: no trailing slash, and no redirect to one."""

from importlib import import_module

from django.urls import URLPattern

# One module per resource; each lists its own addresses in `routes`. They are tried in this order,
# two microseconds each: first what is asked for most.
RESOURCES = (
    "invoices",
    "receivables",
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
)

urlpatterns: list[URLPattern] = [
    route for resource in RESOURCES for route in import_module(f"billing.api.v1.{resource}").routes
]
