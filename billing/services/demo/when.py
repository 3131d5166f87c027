"""The demonstration's calendar: the dates of the specification, moved to the day it is loaded."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from billing.engine.schedule import add_months
from lib.clock import SAO_PAULO

SPECIFIED = date(2026, 8, 12)  # the day for which ux §1.6 tells its dates
_SATURDAY = 5


@dataclass(frozen=True)
class When:
    """`today` is the day of loading; open things stay open and late things late around it."""

    today: date

    def day(self, specified: date) -> date:
        """A date of the specification, as far from today as it is from 12/08/2026."""
        return self.today + (specified - SPECIFIED)

    def last_saturday(self) -> date:
        """The Saturday before today: 08/08/2026 on the day of the specification."""
        return self.today - timedelta(days=(self.today.weekday() - _SATURDAY - 1) % 7 + 1)

    def month(self, n: int) -> date:
        """First day of the month `n` months from the present one."""
        return add_months(self.today.replace(day=1), n)


def moment(day: date, hour: int = 9) -> datetime:
    """That hour of the day in São Paulo."""
    return datetime.combine(day, time(hour), tzinfo=ZoneInfo(SAO_PAULO))
