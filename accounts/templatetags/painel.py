"""What the back-office's pages need beyond the admin's own context."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from django import template
from django.conf import settings
from django.contrib import admin

from accounts.admin_base import TenantAdmin

register = template.Library()

# The menu's order; the rest comes after, by name.
ORDER = (
    "Faturamento",
    "Clientes",
    "Contratos e regras",
    "Cobrança",
    "Notas fiscais",
    "Emissão fiscal",
    "Reajustes",
    "Modelos e PDF",
    "Acessos",
    "Sistema",
)


@dataclass
class Section:
    """A heading of the menu and the screens under it."""

    name: str
    models: list[dict[str, Any]] = field(default_factory=list)


@register.simple_tag
def menu_sections(app_list: Iterable[dict[str, Any]]) -> list[Section]:
    """The screens that the person may open, grouped by subject rather than by program module."""
    sections: dict[str, Section] = {}
    for app in app_list or ():
        for model in app["models"]:
            screen = admin.site._registry.get(model.get("model"))  # type: ignore[arg-type]
            if isinstance(screen, TenantAdmin):
                if screen.secondary:
                    continue
                name = screen.section
            else:
                name = app["name"]
            sections.setdefault(name, Section(name)).models.append(model)
    return sorted(sections.values(), key=_rank)


def _rank(section: Section) -> tuple[int, str]:
    known = section.name in ORDER
    return (ORDER.index(section.name) if known else len(ORDER), section.name)


@register.simple_tag
def is_sandbox() -> bool:
    """Whether documents made here have no fiscal value (ux §1.5)."""
    return bool(settings.AMBIENTE != "producao")
