"""NFS-e 501 of invoice 1001, issued in the demonstration's own past (ux §1.6)."""

from __future__ import annotations

from accounts.models import Account
from billing.models import InvoiceNote
from billing.services import note_emission, note_outcome
from billing.services.demo.ledger import NOTED, SOURCE
from billing.services.note_bodies import body_of
from billing.services.note_source import Source
from billing.services.note_sources import sources_of
from fiscal.services.demo_notes import issued_note
from lib import clock

NUMBER = 501


def load(account: Account) -> None:
    """Fiscal has the note already: billing takes it in as it does after any crash."""
    note = (
        InvoiceNote.objects.of(account)
        .filter(invoice__idempotency_key=f"{SOURCE}:{NOTED}", service_note=None)
        .select_related("invoice")
        .first()
    )
    if note is None:
        return
    source = sources_of([note])[note.pk]
    if not isinstance(source, Source):
        raise LookupError(f"the note of invoice {NOTED} cannot be made: {source}")
    now = clock.now()
    body = body_of(source, now=now)
    issued_note(source.company, ref=note.ref, body=body, number=NUMBER, now=now)
    note_emission.hand_over([note.pk])
    note_outcome.follow([note.pk])
