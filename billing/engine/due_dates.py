"""Due dates of an invoice from the rule's settings (DUE-1..7, with DECISIONS 3, 4, 5 and 7)."""

from calendar import monthrange
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final

from billing.engine.schedule import add_months
from lib.calendars import Calendar

FIXED_DAY: Final = "fixed_day"
LAST_DAY_OF_MONTH: Final = "last_day_of_month"
DAY_QUANTITY: Final = "day_quantity"
FIXED_DAY_AND_MONTH_QUANTITY: Final = "fixed_day_and_month_quantity"
CHARGE_TYPES = (FIXED_DAY, LAST_DAY_OF_MONTH, DAY_QUANTITY, FIXED_DAY_AND_MONTH_QUANTITY)

# Limits of ours, far from any real agreement: they keep a typing slip from asking for dates
# beyond the calendar or for a million receivables.
MAX_PARCELS = 360
MAX_DAYS = 3650
MAX_MONTHS = 120


@dataclass(frozen=True)
class DueTerms:
    """The rule's charge_type and receivables_additional_information (billing-api §2.9).

    Without `charge_type` an invoice is due on its issue date; without `parcel_number` it has one
    receivable.
    """

    charge_type: str | None
    day_number: int | None = None
    day_quantity: int | None = None
    month_quantity: int | None = None
    only_business_days: bool = False
    parcel_number: int | None = None


def _on_day(year: int, month: int, day: int) -> date:
    """Day `day` of the month, clamped to its last day."""
    return date(year, month, min(day, monthrange(year, month)[1]))


def _month_end(d: date, calendar: Calendar | None) -> date:
    """Last day of the month of `d`, or its last business day when a calendar is given."""
    last = _on_day(d.year, d.month, 31)
    return last if calendar is None else calendar.previous_business_day(last)


def _monthly(first: date, *, anchor_day: int, parcels: int) -> list[date]:
    """`first` and one date a month after it, each on `anchor_day` clamped to its own month."""
    starts = (add_months(first.replace(day=1), k) for k in range(1, parcels))
    return [first, *(_on_day(start.year, start.month, anchor_day) for start in starts)]


def _fixed_day(issue: date, *, day: int, earliest: date, parcels: int) -> list[date]:
    """DUE-1: the first `day` strictly after the issue date and not before `earliest`."""
    start = max(earliest, issue + timedelta(days=1))
    return _monthly(_first_from(issue, day=day, earliest=start), anchor_day=day, parcels=parcels)


def _first_from(month: date, *, day: int, earliest: date) -> date:
    """Day `day` of the month of that date, or of the first month after it that is not too early."""
    month = month.replace(day=1)
    while (found := _on_day(month.year, month.month, day)) < earliest:
        month = add_months(month, 1)
    return found


def _month_ends(issue: date, *, calendar: Calendar | None, parcels: int) -> list[date]:
    """DUE-2 and DECISIONS 4: month ends strictly after the issue date, each of its own month."""
    start = issue.replace(day=1)
    skipped = 0 if _month_end(start, calendar) > issue else 1
    return [_month_end(add_months(start, skipped + k), calendar) for k in range(parcels)]


def _day_quantity(issue: date, *, days: int, calendar: Calendar | None, parcels: int) -> list[date]:
    """DUE-3, later parcels by DECISIONS 5; with a calendar those too go to a business day.

    They are counted from the first due date before being moved, so a holiday never shifts the
    parcels that follow it.
    """
    if calendar is None:
        first = issue + timedelta(days=days)
        return _monthly(first, anchor_day=first.day, parcels=parcels)
    first = calendar.add_business_days(issue, days)
    dates = _monthly(first, anchor_day=first.day, parcels=parcels)
    return [calendar.next_business_day(d) for d in dates]


def _months_later(
    issue: date, *, day: int, months: int | None, earliest: date, parcels: int
) -> list[date]:
    """DUE-4: `day` of the month `months` after that of issue, or later (P-11)."""
    if months is None or months < 1:
        raise ValueError("fixed_day_and_month_quantity needs a positive month_quantity")
    month = add_months(issue.replace(day=1), months)
    first = _first_from(month, day=day, earliest=earliest)
    return _monthly(first, anchor_day=day, parcels=parcels)


def due_dates(
    terms: DueTerms,
    *,
    issue: date,
    calendar: Calendar,
    preferred_day: int | None = None,
    min_days: int = 0,
) -> list[date]:
    """Due date of each parcel of an invoice issued on `issue`, in order (DUE-1..6).

    `preferred_day` is the customer's due day (DUE-6), None when unset or when the rule is locked;
    it counts only for the two fixed-day types. Where it is less than `min_days` from issue, the
    following one is used (P-11). A null `day_number` means the issue day. Raises ValueError for
    terms that `validate` refuses and no date can be given for.
    """
    parcels = max(1, terms.parcel_number or 1)
    day = preferred_day or terms.day_number or issue.day
    earliest = issue + timedelta(days=min_days if preferred_day else 0)
    business = calendar if terms.only_business_days else None
    if terms.charge_type is None:
        return _monthly(issue, anchor_day=issue.day, parcels=parcels)
    if terms.charge_type == FIXED_DAY:
        return _fixed_day(issue, day=day, earliest=earliest, parcels=parcels)
    if terms.charge_type == LAST_DAY_OF_MONTH:
        return _month_ends(issue, calendar=business, parcels=parcels)
    if terms.charge_type == DAY_QUANTITY:
        days = terms.day_quantity or 0
        return _day_quantity(issue, days=days, calendar=business, parcels=parcels)
    if terms.charge_type == FIXED_DAY_AND_MONTH_QUANTITY:
        months = terms.month_quantity
        return _months_later(issue, day=day, months=months, earliest=earliest, parcels=parcels)
    raise ValueError(f"unknown charge_type: {terms.charge_type!r}")


def postpone(due: date, *, today: date, min_payment_days: int, calendar: Calendar) -> date:
    """Due date at emission by the run (DUE-7, DECISIONS 3).

    A date earlier than `today` + `min_payment_days` becomes the business day on or after that one;
    any other stays as it is. The caller keeps the original.
    """
    earliest = today + timedelta(days=min_payment_days)
    return due if due >= earliest else calendar.next_business_day(earliest)


def validate(terms: DueTerms) -> list[tuple[str, str]]:
    """(field of receivables_additional_information, pt-BR message) of every fault.

    Only the fields that the charge_type uses are judged (table of billing-api §2.9).
    """
    if terms.charge_type is not None and terms.charge_type not in CHARGE_TYPES:
        return [("charge_type", "não está incluído na lista")]
    return [fault for fault in _faults(terms) if fault[1]]


def _faults(terms: DueTerms) -> list[tuple[str, str]]:
    """Each field in use with its message, empty when it is right."""
    faults = [("parcel_number", _limits(terms.parcel_number, 1, MAX_PARCELS))]
    if terms.charge_type in (FIXED_DAY, FIXED_DAY_AND_MONTH_QUANTITY):
        faults.append(("day_number", _limits(terms.day_number, 1, 31)))
    if terms.charge_type == DAY_QUANTITY:
        faults.append(("day_quantity", _limits(terms.day_quantity, 0, MAX_DAYS)))
    if terms.charge_type == FIXED_DAY_AND_MONTH_QUANTITY:
        faults.append(("month_quantity", _month_quantity_fault(terms.month_quantity)))
    return faults


def _month_quantity_fault(months: int | None) -> str:
    """The recorded message for blank, zero or negative; ours above the limit."""
    if months is None or months <= 0:
        return "o valor deve ser maior do que zero"
    return _limits(months, 1, MAX_MONTHS)


def _limits(value: int | None, least: int, most: int) -> str:
    """Message for an optional number outside `least`–`most`, else empty."""
    if value is None or least <= value <= most:
        return ""
    return f"deve estar entre {least} e {most}"
