"""Background tasks of billing. Each may run twice or be cut anywhere."""

from __future__ import annotations

import logging

from accounts.models import Account
from accounts.services.jobs import create_job
from billing.models import PriceIndex
from billing.selectors import invariants
from billing.services import tallies
from lib import clock
from lib.errors import DomainError, GatewayRefused, GatewayUnavailable

log = logging.getLogger(__name__)


def nightly_run() -> int:
    """Queue the billing run of every active account, up to its own today."""
    accounts = list(Account.objects.filter(is_active=True).order_by("id"))
    for account in accounts:
        today = clock.today(account.time_zone)
        create_job(account, kind="billing.run", params={"until": today.isoformat()})
    return len(accounts)


def sweep_follow_ups() -> int:
    """Do the work that emitted invoices are owed and that is due now."""
    from billing.services.follow_ups import work_off

    return work_off()


def work_off_notes() -> int:
    """Hand over the notes of invoices that are due, and take in what was decided about others."""
    from billing.services.note_emission import work_off

    return work_off()


def purge_pdf_cache() -> int:
    """Drop old and unread PDFs; they are rendered again when somebody asks (PDF-5)."""
    from billing.documents.cache import purge

    return purge()


def purge_attachments() -> int:
    """Delete attached files that a rollback or a deleted invoice left behind."""
    from billing.services.attachments import purge_orphans

    return purge_orphans()


def fetch_indexes() -> dict[str, str]:
    """Ask Banco Central for each index; one that fails does not stop the others."""
    from billing.services.indexes import fetch_index

    results = {}
    for index in PriceIndex.values:
        try:
            results[index] = str(fetch_index(index))
        except (GatewayUnavailable, GatewayRefused, DomainError) as error:
            log.warning("index.fetch_failed", extra={"index": index, "error": str(error)})
            results[index] = str(error)
    return results


def merge_tallies() -> int:
    """Keep few the rows from which the invoice list reads its counts."""
    return tallies.merge_tallies()


def check_invariants() -> int:
    """Prove the invariants of every account; a violation is for an operator to look at."""
    count = 0
    for account in Account.objects.order_by("id"):
        for violation in invariants.violations(account):
            log.warning("invariant.violated", extra={"rule": violation.rule, "row": violation.row})
            count += 1
    return count
