"""Acts on several rows at once, each confirmed on a page that counts them (ux §1.3)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django import forms
from django.contrib.admin import ModelAdmin
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.template.response import TemplateResponse
from django.urls import reverse

SHOWN = 10  # rows that the page names


@dataclass(frozen=True)
class Batch:
    """What the page says of an act on chosen rows.

    `action` is the name of the list's action; `lines` tell each row that the act fits, `headline`
    counts them; `none` stands where it fits no row, `skipped` why the others are left out.
    """

    action: str
    title: str
    button: str
    headline: str
    lines: Sequence[str]
    none: str
    skipped: str
    about: Sequence[str] = ()


def is_confirmed(request: HttpRequest) -> bool:
    """Did the POST come from the page of confirmation?"""
    return "confirmado" in request.POST


def batch_page(
    screen: ModelAdmin[Any],
    request: HttpRequest,
    batch: Batch,
    *,
    chosen: Sequence[int],
    form: forms.Form | None = None,
) -> HttpResponseBase:
    """The page; it posts the same choice to the same list. `chosen`: ids of all chosen rows."""
    opts = screen.opts
    context = {
        **screen.admin_site.each_context(request),
        "title": batch.title,
        "opts": opts,
        "batch": batch,
        "first": batch.lines[:SHOWN],
        "n_more": max(len(batch.lines) - SHOWN, 0),
        "n_skipped": len(chosen) - len(batch.lines),
        "chosen": chosen,
        "form": form,
        "list_url": reverse(f"admin:{opts.app_label}_{opts.model_name}_changelist"),
    }
    return TemplateResponse(request, "admin/fiscal/lote.html", context)
