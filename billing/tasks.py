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


def carry_out_cancellations() -> int:
    """Cancel the contracts that their customers have ended and whose last day is over."""
    from billing.services.carrying_out import carry_out_all

    return carry_out_all()


def sweep_follow_ups() -> int:
    """Do the work that emitted invoices are owed and that is due now."""
    from billing.services.follow_ups import work_off

    return work_off()


def work_off_notes() -> int:
    """Hand over the notes of invoices that are due, and take in what was decided about others."""
    from billing.services.note_emission import work_off

    return work_off()


def apply_notice(event_id: int) -> str:
    """Work off what a provider told us."""
    from billing.services import inbound

    return inbound.apply_notice(event_id)


def sweep_notices() -> int:
    """Queue the providers' notices that wait for another try."""
    from billing.services import inbound

    return inbound.sweep_notices()


def sweep_pix() -> int:
    """Go on with the Pix that wait for their bank."""
    from billing.services.pix.sweep import sweep_pix as sweep

    return sweep()


def reconcile_pix() -> int:
    """Book the Pix that no notice told of, and what banks gave back unasked."""
    from billing.services.pix.reconciling import reconcile_all

    return reconcile_all()


def sweep_boletos() -> int:
    """Tell banks with an API of the boletos that wait for it."""
    from billing.services.boletos.registration import work_off

    return work_off()


def fetch_settlements() -> int:
    """Ask banks with an API which boletos were paid."""
    from billing.services.boletos.settlements import fetch_settlements as fetch

    return fetch()


def expire_boletos() -> int:
    """Boletos past their limit date are taken by no bank any more."""
    from billing.services.boletos.expiry import expire_boletos as expire

    return expire()


def tell_reissue(charge_id: int) -> int:
    """Send the customer the reissued boleto that its bank has registered."""
    from billing.services.boletos.telling import tell_reissue as tell

    return tell(charge_id)


def use_customer_credit(customer_id: int) -> int:
    """Pay a customer's oldest open parcels with its credit, where that is wanted (MN-3)."""
    from billing.services.payments.credits import use_by_itself

    return use_by_itself(customer_id)


def use_credits() -> int:
    """The same for every customer: of invoices emitted since, and of tasks that were lost."""
    from billing.services.payments.credits import sweep

    return sweep()


def send_emails() -> int:
    """Send the e-mails that are due."""
    from billing.services.emails.sending import work_off

    return work_off()


def run_dunning() -> int:
    """Select the steps of rulers that are due now, in every account."""
    from billing.services.dunning.turns import run

    return run()


def work_off_dunning() -> int:
    """Do the steps that were selected."""
    from billing.services.dunning.turns import work_off

    return work_off()


def check_card_payments() -> int:
    """Ask about card payments and refunds whose outcome is not known (PAY-1)."""
    from billing.services.payments import card_checks, card_refunds

    return card_checks.check_due() + card_refunds.check_due()


def queue_due_cards() -> int:
    """Queue the parcels whose card is to be charged today, and retries of refusals."""
    from billing.services.payments.card_retries import queue_due_cards as queue

    return queue()


def charge_due_card(receivable_id: int) -> bool:
    """Charge a parcel that falls due to the customer's card."""
    from billing.services.payments.card_retries import charge_due_card as charge

    return charge(receivable_id) is not None


def retry_due_card(receivable_id: int) -> bool:
    """Charge a parcel again whose card was refused (DUN-6)."""
    from billing.services.payments.card_retries import retry_due_card as retry

    return retry(receivable_id) is not None


def charge_with_new_card(method_id: int) -> int:
    """A card was saved: one attempt at what another one was refused for."""
    from billing.services.payments.card_retries import charge_with_new_card as charge

    return len(charge(method_id))


def detach_card(method_id: int) -> bool:
    """Tell the provider of a card that the customer removed."""
    from billing.services.payments.card_saving import detach_removed

    return detach_removed(method_id)


def tell_card_action(payment_id: int) -> int:
    """E-mail the customer that the bank wants a confirmation (ST-4)."""
    from billing.services.payments.card_mails import tell_action

    return tell_action(payment_id)


def tell_paid(*payment_ids: int) -> int:
    """E-mail customers that their money came, however they paid."""
    from billing.services.payments.receipt_mails import tell_paid as tell

    return tell(payment_ids)


def tell_card_refund(refund_id: int) -> int:
    """E-mail the customer that money goes back to the card."""
    from billing.services.payments.card_mails import tell_refund

    return tell_refund(refund_id)


def reconcile_cards() -> int:
    """Hold the card payments of the last days against the provider's (ST-9)."""
    from billing.services.payments.card_reconciliation import reconcile_all

    return reconcile_all()


def send_summaries() -> int:
    """Tell the customers who asked for it of their last month (P18)."""
    from billing.services.monthly_summary import send_summaries as send

    return send()


def purge_pdf_cache() -> int:
    """Drop old and unread PDFs; they are rendered again when somebody asks (PDF-5)."""
    from billing.documents.cache import purge

    return purge()


def purge_attachments() -> int:
    """Delete attached files that a rollback or a deleted invoice left behind; disputes', too."""
    from billing.services import attachments
    from billing.services.disputes import files

    return attachments.purge_orphans() + files.purge_orphans()


def tell_export(job_id: int) -> bool:
    """E-mail whoever asked for an export that it has ended."""
    from billing.services.exports.telling import tell

    return tell(job_id)


def purge_exports() -> int:
    """Delete the files of exports whose week is over."""
    from billing.services.exports.files import purge

    return purge()


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
