"""Where the print of a service note is read: its published path, and an address for anybody.

`url_danfse` (§4.4) needs no token, as the page of the city or of the national portal needs none,
and lasts as long as the note: integrators keep it and hand it on to the taker.
"""

from __future__ import annotations

from django.conf import settings
from django.core import signing

from fiscal.models import Company, ServiceNote
from fiscal.selectors.service_notes import NOT_FOUND
from fiscal.services.nfse import files
from lib.errors import NotFound

_SALT = "fiscal.service_note"
_LONGEST_NUMBER = 15


def pdf_url(note: ServiceNote) -> str:
    """The city's own PDF where it has one, ours otherwise."""
    if note.url_pdf:
        return note.url_pdf
    signed = signing.Signer(salt=_SALT).sign_object([note.company_id, note.pk])
    return f"{settings.PUBLIC_URL}/notas_servico/{signed}.pdf"


def note_of_link(signed: str) -> ServiceNote:
    """The issued note that a link names. Raises NotFound for any other text."""
    try:
        company_id, pk = signing.Signer(salt=_SALT).unsign_object(signed)
    except (signing.BadSignature, ValueError, TypeError) as error:
        raise NotFound(NOT_FOUND) from error
    rows = ServiceNote.objects.select_related("company").exclude(number="")
    found: ServiceNote | None = rows.filter(
        pk=pk, company_id=company_id, account__is_active=True
    ).first()
    if found is None:
        raise NotFound(NOT_FOUND)
    return found


def note_of_stem(company: Company, *, ambiente: str, stem: str) -> ServiceNote | None:
    """The issued note whose files are called `stem` (§1.10)."""
    rows = ServiceNote.objects.select_related("company").filter(company=company, ambiente=ambiente)
    _, _, rest = stem.partition("-")
    city, _, rest = rest.partition("-")
    number = rest.rpartition("-")[2]
    if not rest:
        same = rows.filter(key=stem)
    elif number.isascii() and number.isdecimal() and len(number) <= _LONGEST_NUMBER:
        same = rows.filter(municipality=city, rps_number=int(number))
    else:
        return None
    return next((one for one in same.exclude(number="") if files.stem(one) == stem), None)
