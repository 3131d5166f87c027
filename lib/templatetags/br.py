"""Template filters for Brazilian formats (ux §1.1). An absent value always shows as a dash."""

from datetime import date, datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from django import template

from lib import br as formats
from lib import clock, money

EMPTY = "—"

register = template.Library()


def _is_absent(value: Any) -> bool:
    """None and blank text; zero and False are values."""
    return value is None or (isinstance(value, str) and not value.strip())


def _number(value: Any) -> Decimal | int:
    """Text with a decimal point (API values) as Decimal; anything else for money to judge."""
    return Decimal(value) if isinstance(value, str) else value


def _local(value: date | datetime) -> date | datetime:
    """An aware moment in Brasília time; dates and naive moments as they are."""
    if isinstance(value, datetime) and value.tzinfo is not None:
        return value.astimezone(ZoneInfo(clock.SAO_PAULO))
    return value


@register.filter
def vazio(value: Any) -> Any:
    """A dash for an absent value, else the value: never None or blank on a page."""
    return EMPTY if _is_absent(value) else value


@register.filter
def brl(value: Any) -> str:
    """`R$ 1.234,56`."""
    return EMPTY if _is_absent(value) else money.brl(_number(value))


@register.filter
def brl_compact(value: Any) -> str:
    """`R$ 1,5k`; the page shows the full amount in `title`."""
    return EMPTY if _is_absent(value) else money.brl_compact(_number(value))


@register.filter
def percentual(value: Any, places: int = 2) -> str:
    """`2,00%`."""
    return EMPTY if _is_absent(value) else f"{money.decimal_br(_number(value), places)}%"


@register.filter
def cnpj(value: Any) -> str:
    """`AA.AAA.AAA/AAAA-99`."""
    return EMPTY if _is_absent(value) else formats.cnpj_mask(str(value))


@register.filter
def cpf(value: Any) -> str:
    """`999.999.999-99`."""
    return EMPTY if _is_absent(value) else formats.cpf_mask(str(value))


@register.filter
def documento(value: Any) -> str:
    """The CPF or CNPJ mask, whichever fits."""
    return EMPTY if _is_absent(value) else formats.document_mask(str(value))


@register.filter
def cep(value: Any) -> str:
    """`99999-999`."""
    return EMPTY if _is_absent(value) else formats.cep_mask(str(value))


@register.filter
def telefone(value: Any) -> str:
    """`(11) 91234-5678`."""
    return EMPTY if _is_absent(value) else formats.phone_mask(str(value))


@register.filter
def data(value: Any) -> str:
    """`dd/mm/aaaa` of a date, or of a moment in Brasília time."""
    return EMPTY if _is_absent(value) else formats.date_br(_local(value))


@register.filter
def data_hora(value: Any) -> str:
    """`dd/mm/aaaa HH:MM` in Brasília time."""
    if _is_absent(value):
        return EMPTY
    moment = _local(value)
    return f"{formats.date_br(moment)} {moment:%H:%M}"


@register.filter
def competencia(value: Any) -> str:
    """`mm/aaaa` of a date."""
    return EMPTY if _is_absent(value) else formats.date_br(_local(value))[3:]


@register.filter
def chave(value: Any) -> str:
    """An access key (44 characters, or 50 of the national NFS-e) in groups of four."""
    if _is_absent(value):
        return EMPTY
    key = "".join(str(value).split())
    return " ".join(key[at : at + 4] for at in range(0, len(key), 4))


@register.filter
def sim_nao(value: Any) -> str:
    """“Sim” or “Não”."""
    if _is_absent(value):
        return EMPTY
    return "Sim" if value else "Não"
