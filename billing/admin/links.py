"""Links from one screen to another."""

from __future__ import annotations

from django.db import models
from django.urls import reverse
from django.utils.html import format_html


def admin_link(row: models.Model | None, text: str = "") -> str:
    """A link to the row's page; a dash for none."""
    if row is None:
        return "—"
    meta = row._meta
    url = reverse(f"admin:{meta.app_label}_{meta.model_name}_change", args=(row.pk,))
    return format_html('<a href="{}">{}</a>', url, text or str(row))


def list_link(model: type[models.Model], text: str, **filters: object) -> str:
    """A link to a list, filtered."""
    meta = model._meta
    url = reverse(f"admin:{meta.app_label}_{meta.model_name}_changelist")
    query = "&".join(f"{name}={value}" for name, value in filters.items())
    return format_html('<a href="{}?{}">{}</a>', url, query, text)
