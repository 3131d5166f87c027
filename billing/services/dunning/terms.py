"""What the engine reasons with, from rows: rulers, calendars, local moments."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date, datetime, time
from zoneinfo import ZoneInfo

from django.db.models import Q

from accounts.models import Account
from billing.engine import dunning
from billing.engine.dunning import Moment, Step
from billing.engine.local_days import calendar_with
from billing.models import NotificationRuler, OrganizationProfile, RulerStep
from lib.calendars import Calendar


def moment_at(account: Account, now: datetime) -> Moment:
    """The account's local day and hour."""
    local = now.astimezone(ZoneInfo(account.time_zone))
    return Moment(local.date(), local.hour)


def time_of(account: Account, moment: Moment) -> datetime:
    """The beginning of a local hour."""
    return datetime.combine(moment.day, time(moment.hour), tzinfo=ZoneInfo(account.time_zone))


def start_of(account: Account, day: date) -> datetime:
    """The local midnight that a day begins with."""
    return time_of(account, Moment(day, 0))


def calendar_of(organization_id: int) -> Calendar:
    """The bank calendar with the organization's own closed days."""
    profile = OrganizationProfile.objects.filter(party_id=organization_id).first()
    return calendar_with(tuple(profile.extra_holidays or ()) if profile else ())


def step_terms(step: RulerStep) -> Step:
    """Raises ValueError when the stored condition means nothing."""
    return Step(
        step.pk, step.offset_days, step.hour, step.channel, step.action,
        dunning.read_condition(step.condition),
    )  # fmt: skip


def terms_of(ruler: NotificationRuler, steps: Iterable[RulerStep], *, since: date) -> dunning.Ruler:
    """The ruler as if it had been switched on at `since`."""
    active = (step_terms(step) for step in steps if step.is_active)
    found = sorted(active, key=lambda step: step.order)
    return dunning.Ruler(tuple(found), since, ruler.past)


def served_by(ruler: NotificationRuler, *, path: str = "") -> Q:
    """The condition that an invoice is served by the ruler; `path` leads to the invoice.

    An invoice may name a ruler of its organization. One that names none, or one of an outside
    service (billing-api §2.8), has the default one.
    """
    name = f"{path}notification_ruler_ref"
    if not ruler.is_default:
        return Q(**{name: ruler.pk, f"{path}organization": ruler.organization_id})
    others = NotificationRuler.objects.filter(organization=ruler.organization_id)
    named = list(others.exclude(pk=ruler.pk).values_list("pk", flat=True))
    unnamed = Q(**{f"{name}__isnull": True}) | ~Q(**{f"{name}__in": named})
    return Q(**{f"{path}organization": ruler.organization_id}) & unnamed


def ruler_serving(
    organization_id: int, ref: int | None, rulers: Sequence[NotificationRuler]
) -> NotificationRuler | None:
    """Which of the organization's `rulers` serves an invoice that names `ref`; None without one."""
    own = [ruler for ruler in rulers if ruler.organization_id == organization_id]
    named = next((ruler for ruler in own if ruler.pk == ref), None)
    return named or next((ruler for ruler in own if ruler.is_default), None)
