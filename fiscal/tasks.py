"""Background tasks of the engine. Each may run twice or be cut anywhere: the rows guard."""

from __future__ import annotations


def process_document(document_id: int) -> None:
    """Sign and send a document that was just accepted; one that is further on is left alone."""
    from fiscal.services.delivery import advance

    advance(document_id)


def resume_document(document_id: int) -> None:
    """Go on with a document whose time has come; the sweep has claimed it."""
    from fiscal.services.delivery import resume

    resume(document_id)


def resume_event(event_id: int) -> None:
    from fiscal.services.events import send

    send(event_id)


def resume_void(void_id: int) -> None:
    from fiscal.services.inutilizacao import send

    send(void_id)


def sweep_documents() -> int:
    """Find what waits and is due: documents, events, voidings. Each minute."""
    from fiscal.services.sweeps import claim_due

    return claim_due()


def review_authorities() -> int:
    """Ask silent authorities for their status; enter and leave contingency. Each minute."""
    from fiscal.services.contingency import review_now

    return review_now()


def sweep_numbers() -> int:
    """Have numbers voided that no document holds (NUM-5). Each night."""
    from fiscal.services.gaps import sweep

    return sweep()


def warn_certificates() -> int:
    """Tell of certificates that are about to end (CRT-5). Each night."""
    from fiscal.services.certificates import warn_expiring
    from lib import clock

    return warn_expiring(at=clock.now())
