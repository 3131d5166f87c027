"""Background tasks of the engine. Each may run twice or be cut anywhere: the rows guard."""

from __future__ import annotations


def send_waiting() -> int:
    """Send the documents that wait; called for by those that write them, and each minute."""
    from fiscal.services.dispatch import work

    return work()


def send_service_notes() -> int:
    """Send the service notes that wait; called for by those that write them, and each minute."""
    from fiscal.services.nfse.dispatch import work

    return work()


def resume_service_note(note_id: int) -> None:
    """Go on with a service note whose time has come; the sweep has claimed it."""
    from fiscal.services.nfse.sending import resume

    resume(note_id)


def resume_service_order(order_id: int) -> None:
    """Go on with the cancellation of a service note; the sweep has claimed it."""
    from fiscal.services.nfse.orders import resume

    resume(order_id)


def resume_document(document_id: int) -> None:
    """Go on with a document whose time has come; the sweep has claimed it."""
    from fiscal.services.resuming import resume

    resume(document_id)


def resume_event(event_id: int) -> None:
    from fiscal.services.events import send

    send(event_id)


def resume_void(void_id: int) -> None:
    from fiscal.services.void_sending import send

    send(void_id)


def sweep_documents() -> int:
    """Find what waits and is due: documents, events, voidings. Each minute."""
    from fiscal.services.sweeps import claim_due

    return claim_due()


def review_authorities() -> int:
    """Ask silent authorities for their status; enter and leave contingency. Each minute."""
    from fiscal.services.contingency_review import review_now

    return review_now()


def sweep_numbers() -> int:
    """Have numbers voided that no document holds (NUM-5). Each night."""
    from fiscal.services.gaps import sweep

    return sweep()


def warn_certificates() -> int:
    """Tell of certificates that are about to end (CRT-5). Each night."""
    from fiscal.services.certificate_expiry import warn_expiring
    from lib import clock

    return warn_expiring(at=clock.now())


def deliver_hooks() -> int:
    """Send the notices of gatilhos that are due; called for, and each minute."""
    from fiscal.services.hook_delivery import deliver

    return deliver()


def purge_hooks() -> int:
    """Forget notices of gatilhos older than 30 days. Each night."""
    from fiscal.services.hooks import purge_old

    return purge_old()


def send_mail(message_id: int, n_attempts: int) -> None:
    """Send one e-mail about a document, if it was tried so often before."""
    from fiscal.services.mail_sending import send

    send(message_id, n_attempts)


def prepare_backups() -> int:
    """Begin the monthly files that are due, and delete old ones (§15). Each night."""
    from fiscal.services.backups import prepare
    from lib import clock

    return prepare(now=clock.now())


def build_backup(backup_id: int) -> None:
    """Go on with a monthly file; queues itself again until it is finished."""
    from fiscal.services.backups import build

    build(backup_id)


def sweep_deliveries() -> int:
    """Queue e-mails and monthly files whose time has come. Each minute."""
    from fiscal.services import backups, mail_sending
    from lib import clock

    now = clock.now()
    return mail_sending.sweep(now=now) + backups.sweep(now=now)


def sweep_received() -> int:
    """Call for the questions for received documents that are due (DIS-2). Each 5 minutes."""
    from fiscal.services.received.cursors import sweep
    from lib import clock

    return sweep(now=clock.now())


def fetch_received(cursor_id: int) -> int:
    """Ask one source for what was issued against a company."""
    from fiscal.services.received.fetching import fetch

    return fetch(cursor_id)


def resume_manifestation(manifestation_id: int) -> None:
    from fiscal.services.received.manifest_sending import send

    send(manifestation_id)


def purge_prints() -> int:
    """Drop old and unread prints; they are rendered again when somebody asks (PDF-1)."""
    from fiscal.services.print_cache import purge
    from lib import clock

    return purge(now=clock.now())
