"""Links to the files of issued notes: signed, expiring, good for one note only."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from django.conf import settings
from django.core import signing

from billing.models import Invoice, InvoiceNote, Nfse
from fiscal.models import ServiceNote
from lib.errors import NotFound
from lib.links import signer

_SALT = "billing.note"
VALID_FOR = timedelta(days=60)
PDF, XML = "pdf", "xml"


def note_url(nfse: Nfse, kind: str) -> str | None:
    """Where whoever holds it may read the note's PDF or XML until it expires.

    None for a note that was not issued here.
    """
    if not nfse.request_sent:
        return None
    signed = signer(_SALT).sign_ids(nfse.account_id, nfse.pk)
    return f"{settings.PUBLIC_URL}/documents/notes/{signed}.{kind}"


def pdf_of(nfse: Nfse) -> str | None:
    """The city's own PDF, where it has one, else ours."""
    return nfse.pdf_url or note_url(nfse, PDF)


def xml_of(nfse: Nfse) -> str | None:
    return nfse.xml_url or note_url(nfse, XML)


@dataclass(frozen=True)
class NoteShown:
    """The note of an invoice as its customer sees it; links expire."""

    number: str
    verification_code: str
    status: str
    page_url: str
    pdf_url: str | None
    xml_url: str | None


def shown_note(invoice: Invoice) -> NoteShown | None:
    """The live note of the invoice; None while none is issued."""
    nfse: Nfse | None = (
        Nfse.objects.filter(invoice=invoice)
        .exclude(status=Nfse.Status.CANCELLED)
        .order_by("-id")
        .first()
    )
    if nfse is None:
        return None
    return NoteShown(
        number=nfse.nfse_number,
        verification_code=nfse.verification_code,
        status=Nfse.Status(nfse.status).label,
        page_url=nfse.city_nfse_url,
        pdf_url=pdf_of(nfse),
        xml_url=xml_of(nfse),
    )


def note_of_link(signed: str) -> ServiceNote:
    """The service note that a link names. NotFound when it was tampered with or has expired."""
    try:
        account_id, pk = signer(_SALT).unsign_object(signed, max_age=VALID_FOR)
    except (signing.BadSignature, ValueError, TypeError) as error:
        raise NotFound() from error
    found = (
        InvoiceNote.objects.filter(
            nfse_id=pk, account_id=account_id, account__is_active=True, service_note__isnull=False
        )
        .select_related("service_note__company")
        .first()
    )
    if found is None or found.service_note is None:
        raise NotFound()
    return found.service_note
