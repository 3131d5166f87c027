"""What a boleto says and registers about lateness: terms, limit and instructions."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal

from billing.engine.late_charges import (
    FIXED,
    MONTH_DAYS,
    PERCENTAGE,
    WITHOUT,
    LateTerms,
    warnings_for,
)
from billing.errors import fault
from billing.models import BankAgreement
from lib.br import date_br
from lib.calendars import Calendar
from lib.money import brl, decimal_br, half_up

_ZERO = Decimal("0.00")
# What banks take and the ficha holds.
_FREE_LINES, _WIDTH = 6, 110
NO_TERMS = LateTerms(WITHOUT, _ZERO, WITHOUT, _ZERO)


def registered_terms(
    terms: LateTerms, *, principal: Decimal, agreement: BankAgreement, is_consumer: bool
) -> LateTerms:
    """The terms as the bank takes them, for a boleto of `principal` (BRL).

    A bank that knows no monthly rate gets BRL a day, rounded to cents, which then counts for us
    too (LATE-3). Raises InvalidInput for a fine that this payer may not be asked for (LATE-4).
    """
    for field, text in warnings_for(terms, is_consumer=is_consumer, principal=principal).errors:
        raise fault(field, text)
    if not agreement.registers_daily_interest or terms.interest_type != PERCENTAGE:
        return terms
    daily = half_up(principal * terms.interest_value / (100 * MONTH_DAYS))
    return LateTerms(
        terms.fine_type, terms.fine_value, terms.interest_type, terms.interest_value, daily
    )


def as_stored(terms: LateTerms, *, limit_days: int) -> dict[str, str | int]:
    """The terms as `Charge.terms` keeps them; read back by `selectors.late_terms.charge_terms`."""
    kept: dict[str, str | int] = {
        "fine_type": terms.fine_type,
        "fine_value": str(terms.fine_value),
        "interest_type": terms.interest_type,
        "interest_value": str(terms.interest_value),
        "limit_days": limit_days,
    }
    if terms.daily_registered is not None:
        kept["daily_registered"] = str(terms.daily_registered)
    return kept


def limit_date(due: date, days: int, *, calendar: Calendar) -> date:
    """The last day on which banks take it: `days` after `due`, never before it can be paid."""
    return max(due + timedelta(days=days), calendar.next_business_day(due))


def instructions(
    terms: LateTerms,
    *,
    principal: Decimal,
    limit: date,
    protest_days: int | None,
    parts: tuple[Decimal, Decimal] = (_ZERO, _ZERO),
    free: str = "",
) -> str:
    """One instruction per line, from the data of the charge; `parts` = fine, interest included."""
    lines = [
        _included(principal, *parts),
        _fine(terms, principal),
        _interest(terms, principal),
        f"Protestar {protest_days} dias após o vencimento." if protest_days else "",
        f"Não receber após {date_br(limit)}.",
        *(line[:_WIDTH] for line in free.splitlines()[:_FREE_LINES]),
    ]
    return "\n".join(line.strip() for line in lines if line.strip())


def _included(principal: Decimal, fine: Decimal, interest: Decimal) -> str:
    if not fine and not interest:
        return ""
    return (
        f"Valor atualizado: principal {brl(principal)}, multa {brl(fine)}, juros {brl(interest)}."
    )


def _fine(terms: LateTerms, principal: Decimal) -> str:
    if terms.fine_type == WITHOUT or not terms.fine_value:
        return ""
    if terms.fine_type == FIXED:
        return f"Após o vencimento, cobrar multa de {brl(terms.fine_value)}."
    amount = half_up(principal * terms.fine_value / 100)
    return f"Após o vencimento, cobrar multa de {_percent(terms.fine_value)} ({brl(amount)})."


def _interest(terms: LateTerms, principal: Decimal) -> str:
    if terms.daily_registered is not None:
        return f"Após o vencimento, cobrar juros de {brl(terms.daily_registered)} ao dia."
    if terms.interest_type == WITHOUT or not terms.interest_value:
        return ""
    if terms.interest_type == FIXED:
        return f"Após o vencimento, cobrar juros de {brl(terms.interest_value)} ao dia."
    return f"Após o vencimento, cobrar juros de {_percent(terms.interest_value)} ao mês."


def _percent(value: Decimal) -> str:
    return f"{decimal_br(value, 2)}%"
