"""Business days of Brazilian banks (CAL-1 of boleto-pix.md).

`br_bank` serves due dates and late charges; `br_fin`, the settlement calendar, differs only in
working on the last weekday of the year. Years are computed on demand and cached, so an instalment
plan of thousands of dates costs one bisection each.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta
from functools import lru_cache

BR_BANK_CODE = "br_bank"
BR_FIN_CODE = "br_fin"
CODES = (BR_BANK_CODE, BR_FIN_CODE)

_FIXED = {
    (1, 1): "Confraternização Universal",
    (4, 21): "Tiradentes",
    (5, 1): "Dia do Trabalho",
    (9, 7): "Independência do Brasil",
    (10, 12): "Nossa Senhora Aparecida",
    (11, 2): "Finados",
    (11, 15): "Proclamação da República",
    (12, 25): "Natal",
}
# Days from Easter: Resolução CMN 4.880/2020 and the custom of the banking market.
_MOVABLE = {
    -48: "Carnaval (segunda-feira)",
    -47: "Carnaval (terça-feira)",
    -2: "Sexta-feira Santa",
    60: "Corpus Christi",
}
_ZUMBI_SINCE = 2024  # Lei 14.759/2023; a business day nationally before it
_ONE_DAY = timedelta(days=1)


def easter(year: int) -> date:
    """Easter Sunday by the Gregorian computus (Meeus, Jones and Butcher)."""
    golden = year % 19
    century, in_century = divmod(year, 100)
    leap_centuries, century_rest = divmod(century, 4)
    moon_shift = (century - (century + 8) // 25 + 1) // 3
    epact = (19 * golden + century - leap_centuries - moon_shift + 15) % 30
    leaps, leap_rest = divmod(in_century, 4)
    weekday = (32 + 2 * century_rest + 2 * leaps - epact - leap_rest) % 7
    correction = (golden + 11 * epact + 22 * weekday) // 451
    month, day = divmod(epact + weekday - 7 * correction + 114, 31)
    return date(year, month, day + 1)


def national_closures(year: int, code: str) -> dict[date, str]:
    """Closed dates of `year` and why (pt-BR); weekends appear only when also a holiday.

    `code` is br_bank or br_fin, else ValueError. The dict is the caller's own.
    """
    _check_code(code)
    return dict(_closures(year, code))


def _check_code(code: str) -> None:
    """Refuse an unknown calendar at once instead of taking it for br_fin."""
    if code not in CODES:
        raise ValueError(f"unknown calendar code: {code!r}")


@lru_cache(maxsize=512)
def _closures(year: int, code: str) -> dict[date, str]:
    """The cached table behind national_closures, items 2 to 5 of CAL-1."""
    closed = {date(year, month, day): name for (month, day), name in _FIXED.items()}
    if year >= _ZUMBI_SINCE:
        closed[date(year, 11, 20)] = "Dia da Consciência Negra"
    sunday = easter(year)
    closed |= {sunday + timedelta(days=shift): name for shift, name in _MOVABLE.items()}
    if code == BR_BANK_CODE:
        closed[_last_weekday(year)] = "Último dia útil do ano, sem expediente bancário ao público"
    return dict(sorted(closed.items()))


def _last_weekday(year: int) -> date:
    """The last Monday-to-Friday date of `year`: 29, 30 or 31 December, so never Christmas."""
    last = date(year, 12, 31)
    return last - max(0, last.weekday() - 4) * _ONE_DAY


@lru_cache(maxsize=1024)
def _business_days(year: int, code: str, extra_closed: frozenset[date]) -> tuple[date, ...]:
    """All business days of `year` in order."""
    closed = _closures(year, code)
    first = date(year, 1, 1)
    days = (first + n * _ONE_DAY for n in range((date(year, 12, 31) - first).days + 1))
    return tuple(d for d in days if d.weekday() < 5 and d not in closed and d not in extra_closed)


@dataclass(frozen=True)
class Calendar:
    """A bank calendar: `code` is br_bank or br_fin, `extra_closed` the organisation's own days."""

    code: str
    extra_closed: frozenset[date] = frozenset()

    def __post_init__(self) -> None:
        """Refuse an unknown code."""
        _check_code(self.code)

    def is_business_day(self, d: date) -> bool:
        """Whether banks serve the public on `d`."""
        return (
            d.weekday() < 5 and d not in _closures(d.year, self.code) and d not in self.extra_closed
        )

    def next_business_day(self, d: date) -> date:
        """`d` itself if it is a business day, else the first one after it."""
        return d if self.is_business_day(d) else self._nth(d, 0, bisect_left)

    def previous_business_day(self, d: date) -> date:
        """`d` itself if it is a business day, else the last one before it."""
        return d if self.is_business_day(d) else self._nth(d, -1, bisect_left)

    def add_business_days(self, d: date, n: int) -> date:
        """The n-th business day after `d`; n = 0 is next_business_day, n < 0 counts backwards."""
        if n > 0:
            return self._nth(d, n - 1, bisect_right)
        return self._nth(d, n, bisect_left)

    def _nth(self, d: date, offset: int, bisect: Callable[[tuple[date, ...], date], int]) -> date:
        """The business day `offset` places from where `bisect` puts `d` in the list of its year."""
        year = d.year
        days = _business_days(year, self.code, self.extra_closed)
        index = bisect(days, d) + offset
        while index >= len(days):
            index -= len(days)
            year += 1
            days = _business_days(year, self.code, self.extra_closed)
        while index < 0:
            year -= 1
            days = _business_days(year, self.code, self.extra_closed)
            index += len(days)
        return days[index]


BR_BANK = Calendar(BR_BANK_CODE)
BR_FIN = Calendar(BR_FIN_CODE)
