"""Certificates about to end: the trail, the operator and those who can renew them know (CRT-5)."""

from __future__ import annotations

from datetime import datetime

import structlog
from django.db import transaction

from accounts.models.user import Membership
from accounts.services.audit import SYSTEM, record
from fiscal.models import Certificate, Company
from fiscal.services import mail
from fiscal.services.certificates import WARNING_DAYS

log = structlog.get_logger(__name__)

_ROLES = (Membership.Role.ADMIN, Membership.Role.FISCAL)  # whoever may send a certificate


def warn_expiring(*, at: datetime) -> int:
    """Tell of certificates about to end (CRT-5), also by e-mail; answers how many.

    Each of the days 60, 30, 15, 7, 3 and 1 is told once, also when the task missed it. Only the
    certificate that signs counts: one that has been renewed ends unnoticed.
    """
    companies = Company.objects.filter(removed_at=None).select_related("account").defer("logo")
    return sum(_warn(company, at=at) for company in companies.order_by("pk").iterator())


@transaction.atomic
def _warn(company: Company, *, at: datetime) -> bool:
    last = company.certificates.defer("key", "pem").order_by("-not_after", "-pk").first()
    days = days_to_tell(last, at=at) if last else None
    if last is None or days is None:
        return False
    # Guarded by the row: a task that runs twice, or in two workers, tells once.
    if not Certificate.objects.filter(pk=last.pk, warned_days=last.warned_days).update(
        warned_days=days
    ):
        return False
    known = {"certificado": last.pk, "serie": last.serial, "valido_ate": last.not_after}
    record(company.account, actor=SYSTEM, action="certificado.vencendo", target=company,
           after=known)  # fmt: skip
    log.warning("certificate.expiring", company_id=company.pk, days=days)
    mail.tell_of_certificate(last, company, days=days, to=contacts(company), now=at)
    return True


def days_to_tell(certificate: Certificate, *, at: datetime) -> int | None:
    """The warning that is due: the smallest of the days that was reached and not told."""
    left = (certificate.not_after - at).total_seconds()
    reached = [days for days in WARNING_DAYS if left <= days * 86_400]
    if not reached or left <= 0:
        return None
    due = reached[-1]
    return due if certificate.warned_days is None or due < certificate.warned_days else None


def contacts(company: Company) -> list[str]:
    """The company's own address, and the people of the account who may send a certificate."""
    people = Membership.objects.filter(
        account=company.account_id, role__in=_ROLES, user__is_active=True
    )
    return [company.email, *people.order_by("user").values_list("user__email", flat=True)]
