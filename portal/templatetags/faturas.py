"""Marks of invoices on pages: chips with an icon and words, and small drawings (ux §1.2)."""

from __future__ import annotations

from decimal import Decimal

from django import template
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString, mark_safe

from billing.selectors.situations import Estado, Situation
from lib.money import decimal_br
from portal.states import ICONS, chips

register = template.Library()

_PATHS = {
    "relogio": '<circle cx="10" cy="10" r="7.5"/><path d="M10 5.5V10l3 2"/>',
    "alerta": '<path d="M10 2.5 18 17H2L10 2.5Z"/><path d="M10 8v4M10 14.5v.1"/>',
    "setas": '<path d="M3.5 8A7 7 0 0 1 16 6.5M16.5 12A7 7 0 0 1 4 13.5"/>'
    '<path d="M16.5 3v4h-4M3.5 17v-4h4"/>',
    "certo": '<circle cx="10" cy="10" r="7.5"/><path d="m6.5 10.2 2.4 2.4 4.6-5"/>',
    "volta": '<path d="M7 4 3 8l4 4"/><path d="M3 8h8.5a4.5 4.5 0 0 1 0 9H8"/>',
    "proibido": '<circle cx="10" cy="10" r="7.5"/><path d="m4.8 4.8 10.4 10.4"/>',
    "balao": '<path d="M3 4h14v9.5H9.5L6 17v-3.5H3V4Z"/>',
    "cadeado": '<rect x="4" y="9" width="12" height="8" rx="1"/><path d="M6.5 9V6.5a3.5 3.5 0 0 1 7 0V9"/>',  # noqa: E501
    "metade": '<circle cx="10" cy="10" r="7.5"/><path d="M10 2.5v15"/>',
    "documento": '<path d="M5 2.5h7l3.5 3.5v11.5H5v-15Z"/><path d="M12 2.5V6h3.5"/>',
}
_ICONS = {
    name: mark_safe(  # noqa: S308  ours
        f'<svg viewBox="0 0 20 20" width="20" height="20" fill="none" stroke="currentColor" '
        f'stroke-width="1.8" aria-hidden="true" focusable="false">{path}</svg>'
    )
    for name, path in _PATHS.items()
}


@register.simple_tag
def icone(name: str) -> SafeString:
    """A drawing beside words, which say the same."""
    return _ICONS[name]


@register.simple_tag
def icone_estado(estado: str) -> SafeString:
    """The drawing of a `data-estado`."""
    return _ICONS[ICONS[Estado(estado)]]


@register.filter
def quantidade(value: Decimal) -> str:
    """`17,08`, `1`, `0,3875`: without useless zeros."""
    return _short(value, 0)


@register.filter
def unitario(value: Decimal) -> str:
    """`R$ 16,6604`, `R$ 100,00`: two decimals, or as many as the price has."""
    return f"R$\u00a0{_short(value, 2)}".replace("R$\u00a0-", "-R$\u00a0")


def _short(value: Decimal, at_least: int) -> str:
    exponent = value.normalize().as_tuple().exponent
    places = max(at_least, -exponent) if isinstance(exponent, int) else at_least
    return decimal_br(value, places)


@register.simple_tag
def chip_estado(found: Situation) -> SafeString:
    """The chip of the invoice's state, coloured by `data-estado`."""
    return format_html(
        '<span class="chip" data-estado="{}">{}{}</span>',
        found.estado.value, _ICONS[ICONS[found.estado]], found.texto,
    )  # fmt: skip


@register.simple_tag
def chips_extras(found: Situation) -> SafeString:
    """The marks besides the state: “Contestada”, “Bloqueada”, “Parcial (1 de 2)”."""
    return format_html_join(
        " ",
        '<span class="chip {}">{}{}</span>',
        ((mark.tom, _ICONS[mark.icone], mark.texto) for mark in chips(found)),
    )
