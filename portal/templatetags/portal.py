"""The frame of the portal's pages: its menus, and marks of an invoice's state."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django import template
from django.urls import reverse

from accounts.access import Capability

register = template.Library()


@dataclass(frozen=True)
class Item:
    """A line of a menu; `atual` where the page is."""

    nome: str
    url: str
    atual: bool


_MENU = (
    ("Início", "portal-inicio", None),
    ("Faturas", "portal-faturas", Capability.INVOICES),
    ("Contratos", "portal-contratos", Capability.CONTRACTS),
    ("Formas de pagamento", "portal-cartoes", Capability.PAYMENT_METHODS),
    ("Dados", "portal-dados", Capability.CUSTOMERS),
    ("Contestações", "portal-contestacoes", Capability.DISPUTES),
)
_USER_MENU = (
    ("Segurança", "portal-seguranca", None),
    ("Preferências", "portal-preferencias", Capability.PREFERENCES),
    ("Exportar dados", "portal-exportar", Capability.PREFERENCES),
    ("Usuários", "portal-usuarios", Capability.USERS),
)


@register.simple_tag(takes_context=True)
def menu(context: dict[str, Any]) -> list[Item]:
    """The main menu: what the person's role may open."""
    return _items(context, _MENU)


@register.simple_tag(takes_context=True)
def menu_usuario(context: dict[str, Any]) -> list[Item]:
    """The menu behind the person's name."""
    return _items(context, _USER_MENU)


def _items(context: dict[str, Any], menu: tuple[tuple[str, str, Capability | None], ...]) -> Any:
    portal, path = context["portal"], context["request"].path
    home = reverse("portal-inicio")
    found = []
    for nome, name, capability in menu:
        if capability is not None and not portal.sees(capability):
            continue
        url = reverse(name)
        here = path == url or (url != home and path.startswith(url))
        found.append(Item(nome, url, here))
    return found


@register.simple_tag(takes_context=True)
def sessao_minutos(context: dict[str, Any]) -> int:
    """Minutes until the session ends by itself; the script warns two minutes before."""
    return int(context["request"].session.get_expiry_age()) // 60
