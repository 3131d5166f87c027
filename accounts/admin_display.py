"""How the back-office shows values: our formats, and chips made of an icon and a word."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from functools import cache
from typing import Any, ClassVar, Literal

from django.contrib import admin
from django.core.exceptions import FieldDoesNotExist
from django.db import models
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe

from lib.money import NBSP, api_decimal, brl, decimal_br
from lib.templatetags import br

Tone = Literal["success", "danger", "warning", "info", "neutral"]
Column = Callable[[Any], str]

_ICONS = {
    "check": '<path d="M4 10.5 8 14.5 16 6"/>',
    "clock": '<circle cx="10" cy="10" r="7"/><path d="M10 6v4l3 2"/>',
    "alert": '<path d="M10 3 18 16.5H2Z"/><path d="M10 8v4M10 14.2v.3"/>',
    "cross": '<path d="m5 5 10 10M15 5 5 15"/>',
    "stop": '<circle cx="10" cy="10" r="7"/><path d="m5.2 5.2 9.6 9.6"/>',
    "back": '<path d="M8 5 3.5 9.5 8 14"/><path d="M4 9.5h8a4 4 0 0 1 0 8h-2"/>',
    "dot": '<circle cx="10" cy="10" r="4"/>',
    "half": '<circle cx="10" cy="10" r="7"/><path d="M10 3a7 7 0 0 1 0 14Z" fill="currentColor"/>',
    "pencil": '<path d="m4 16 1-4 8-8 3 3-8 8Z"/>',
    "pause": '<path d="M7 5v10M13 5v10"/>',
}


def chip(tone: Tone, icon: str, text: str) -> SafeString:
    """An icon and a word: colour alone never carries the meaning (ux §1.2)."""
    drawing = mark_safe(_ICONS[icon])  # noqa: S308  our own table above
    return format_html(
        '<span class="chip chip-{}"><svg viewBox="0 0 20 20" width="16" height="16" '
        'aria-hidden="true">{}</svg>{}</span>',
        tone,
        drawing,
        text,
    )


def yes_no(value: bool) -> SafeString:
    """“Sim” or “Não” as a chip."""
    return chip("success", "check", "Sim") if value else chip("neutral", "cross", "Não")


def amount(value: Decimal | int | None) -> str:
    """`R$ 1.234,56`, right-aligned, with the machine's value beside it (ux §1.1)."""
    if value is None:
        return br.EMPTY
    return format_html(
        '<span class="valor" data-valor="{}">{}</span>', f"{Decimal(value):.2f}", brl(value)
    )


def price(value: Decimal | None) -> str:
    """A unit price: `R$ 16,66`, or with the up to four decimals it has."""
    if value is None:
        return br.EMPTY
    places = max(2, len(api_decimal(value).partition(".")[2]))
    text = f"R${NBSP}{decimal_br(value, places)}"
    return format_html('<span class="valor" data-valor="{}">{}</span>', value, text)


def number(value: Decimal | None) -> str:
    """`1.234,5`: the decimals it has, and no more."""
    if value is None:
        return br.EMPTY
    places = len(api_decimal(value).partition(".")[2])
    text = decimal_br(value, 0 if value == value.to_integral_value() else places)
    return format_html('<span class="valor">{}</span>', text)


def rate(value: Decimal | None) -> str:
    """`2,00%`, or with the decimals it has."""
    if value is None:
        return br.EMPTY
    places = max(2, len(api_decimal(value).partition(".")[2]))
    return format_html('<span class="valor">{}</span>', br.percentual(value, places))


def column(name: str, show: Callable[[Any], str], label: str) -> Column:
    """A list or detail column of the field `name`, ordered by it, shown by `show`."""

    @admin.display(description=label, ordering=name)
    def cell(row: Any) -> str:
        return show(getattr(row, name))

    cell.__name__ = name
    return cell


@cache
def shown(field: models.Field[Any, Any]) -> Column | None:
    """The column of a date, moment, amount, rate or number in our formats; None for the rest."""
    show = _format(field)
    return column(field.name, show, str(field.verbose_name)) if show else None


def _format(field: models.Field[Any, Any]) -> Callable[[Any], str] | None:
    if isinstance(field, models.DateTimeField):
        return br.data_hora
    if isinstance(field, models.DateField):
        return br.data
    if isinstance(field, models.BooleanField):
        return br.sim_nao
    if not isinstance(field, models.DecimalField):
        return None
    label = str(field.verbose_name)
    if "%" in label:
        return rate
    if field.decimal_places == 2:
        return amount
    return price if label.startswith("valor") else number


class Layout:
    """Which fields a screen shows, in our formats, and which of them a form may write."""

    editable: ClassVar[tuple[str, ...]] = ()
    only_on_add: ClassVar[tuple[str, ...]] = ()
    may_add: ClassVar[bool] = False
    may_delete: ClassVar[bool] = False

    @property
    def may_change(self) -> bool:
        return bool(self.editable)

    def place(self, name: Any) -> Any:
        """A field's name, or the column that shows it in our formats."""
        if not isinstance(name, str) or hasattr(self, name):
            return name
        try:
            field = self.model._meta.get_field(name)  # type: ignore[attr-defined]
        except FieldDoesNotExist:
            return name
        return (isinstance(field, models.Field) and shown(field)) or name

    def written(self, request: HttpRequest, *, adding: bool) -> tuple[str, ...]:
        """The fields that forms write."""
        return (*self.only_on_add, *self.editable) if adding else self.editable
