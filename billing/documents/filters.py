"""Filters of the document templates. An absent value prints nothing; odd text prints as it is."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from datetime import date
from decimal import Decimal, InvalidOperation
from typing import Any

from jinja2 import Undefined
from markupsafe import Markup

from billing.documents.numbers import TemplateDecimal, half_up
from lib import br, drawing, money

_CONVERSION = re.compile(r"%(?:%|(?:\((\w+)\))?[#0\- +]*\d*(?:\.(\d+))?([a-zA-Z]))")
_MONTH_TEXT = re.compile(r"(\d{4})-(\d{2})(?:-.*)?")


def _is_absent(value: object) -> bool:
    return value is None or isinstance(value, Undefined) or str(value).strip() == ""


def _number(value: Any) -> Decimal:
    """Text, int, float or Decimal as a plain Decimal. Raises ValueError."""
    try:
        return Decimal(str(value))
    except InvalidOperation:
        raise ValueError(f"não é um número: {value}") from None


def _shown(value: Any, show: Callable[[Any], str]) -> str:
    """`show(value)`; nothing for an absent value, the text itself when it cannot be shown."""
    if _is_absent(value):
        return ""
    try:
        return show(value)
    except ValueError:
        return str(value)


def brl(value: Any) -> str:
    """`R$ 1.234,56`."""
    return _shown(value, lambda v: money.brl(_number(v)))


def numero(value: Any, casas: int | None = None) -> str:
    """`1.234,5`: with `casas` decimals, or with as many as the number needs."""
    return _shown(value, lambda v: _plain_number(_number(v), casas))


def _plain_number(value: Decimal, places: int | None) -> str:
    if places is None:
        exponent = value.normalize().as_tuple().exponent
        places = max(0, -exponent) if isinstance(exponent, int) else 0
    return money.decimal_br(value, places)


def percentual(value: Any, casas: int = 2) -> str:
    """`2,00%`."""
    return _shown(value, lambda v: f"{money.decimal_br(_number(v), casas)}%")


def data_br(value: Any) -> str:
    """`dd/mm/aaaa` of a date, or of ISO text with or without a time."""
    return _shown(value, lambda v: br.date_br(date.fromisoformat(str(v)[:10])))


def competencia(value: Any) -> str:
    """`mm/aaaa` of a date or of ISO text; text that is `mm/aaaa` already stays."""

    def month(text: str) -> str:
        found = _MONTH_TEXT.fullmatch(text)
        return f"{found[2]}/{found[1]}" if found else text

    return _shown(value, lambda v: month(str(v)))


def extenso(value: Any) -> str:
    """An amount in words."""
    return _shown(value, lambda v: br.extenso(_number(v)))


def _masked(mask: Callable[[str], str]) -> Callable[[Any], str]:
    return lambda value: _shown(value, lambda v: mask(str(v)))


def qr(value: Any) -> Markup:
    """A QR code of the text, as inline SVG."""
    return Markup("" if _is_absent(value) else drawing.qr_svg(str(value)))  # noqa: S704


def codigo_barras(value: Any) -> Markup:
    """The 44 digits of a boleto as an inline SVG bar code; nothing for anything else."""
    try:
        return Markup("" if _is_absent(value) else drawing.itf_svg(str(value)))  # noqa: S704
    except ValueError:
        return Markup("")


def linha_digitavel(value: Any) -> str:
    """`00000.00000 00000.000000 00000.000000 0 00000000000000`, or the text as it is."""

    def grouped(digits: str) -> str:
        if len(digits) != 47 or not digits.isdecimal():
            return digits
        first, second, third = digits[:10], digits[10:21], digits[21:32]
        fields = (f"{field[:5]}.{field[5:]}" for field in (first, second, third))
        return f"{' '.join(fields)} {digits[32]} {digits[33:]}"

    return _shown(value, lambda v: grouped(str(v)))


def formatted(value: Any, *args: Any, **kwargs: Any) -> str:
    """Jinja's `format`, `"%.2f"|format(x)`, but Decimals are rounded half up and exactly."""
    text = value if isinstance(value, Markup) else str(value)
    found = [match for match in _CONVERSION.finditer(text) if match[3]]
    if kwargs:
        places = {match[1]: match for match in found}
        return text % {name: _rounded(arg, places.get(name)) for name, arg in kwargs.items()}
    matches = [*found, *[None] * len(args)]
    return text % tuple(_rounded(arg, match) for arg, match in zip(args, matches, strict=False))


def _rounded(value: Any, conversion: re.Match[str] | None) -> Any:
    if conversion is None or not isinstance(value, Decimal) or conversion[3] not in "fF":
        return value
    return half_up(value, int(conversion[2] or 6))


def por_competencia(lines: Iterable[dict[str, Any]], campo: str = "period_start") -> list[Any]:
    """Lines added up by the month of `campo`, in order: `competencia`, `lines`, `value`,
    `tax_amount`, `total`. Lines without that date come last, with an empty `competencia`.
    """
    months: dict[str, dict[str, Any]] = {}
    for line in lines:
        key = str(line.get(campo) or "")[:7]
        month = months.setdefault(key, _empty_month(key))
        month["lines"] += 1
        month["value"] += line.get("value") or 0
        month["tax_amount"] += line.get("tax_amount") or 0
        month["total"] = month["value"] + month["tax_amount"]
    return [months[key] for key in sorted(months, key=lambda key: key or "9999")]


def _empty_month(key: str) -> dict[str, Any]:
    zero = TemplateDecimal("0.00")
    return {
        "competencia": competencia(key),
        "lines": 0,
        "value": zero,
        "tax_amount": zero,
        "total": zero,
    }


FILTERS: dict[str, Callable[..., Any]] = {
    "brl": brl,
    "numero": numero,
    "percentual": percentual,
    "data_br": data_br,
    "data": data_br,
    "competencia": competencia,
    "extenso": extenso,
    "cnpj": _masked(br.cnpj_mask),
    "cpf": _masked(br.cpf_mask),
    "documento": _masked(br.document_mask),
    "cep": _masked(br.cep_mask),
    "telefone": _masked(br.phone_mask),
    "linha_digitavel": linha_digitavel,
    "qr": qr,
    "codigo_barras": codigo_barras,
    "format": formatted,
    "por_competencia": por_competencia,
}
