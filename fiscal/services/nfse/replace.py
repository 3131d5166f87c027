"""A note that takes the place of another (§2.2, §4.2): which one, as far as we know it."""

from __future__ import annotations

from dataclasses import replace as replaced

from fiscal.documents.service import NFSE, Declared
from fiscal.errors import InvalidRequest
from fiscal.models import NOTE_LIVE, Company, ServiceNote
from fiscal.selectors import service_notes

NOT_LIVE = "A nota a substituir não está autorizada."


def named(company: Company, declared: Declared, *, ambiente: str) -> Declared:
    """`declared` with the key of the note that it replaces, where that note has one.

    The national system knows notes by their keys alone, the body of §4.2 by series and number.
    """
    old = _of_rps(company, declared, ambiente) if declared.tipo == NFSE else None
    if old is None or not old.key:
        return declared
    return replaced(declared, data={**declared.data, "chave_nfse_substituida": old.key})


def link(note: ServiceNote, declared: Declared) -> None:
    """Set what the note replaces by what its body says; the caller saves it.

    The replaced note may be none of ours. Raises InvalidRequest for one of ours that cannot be
    replaced any more.
    """
    note.replaces, note.replaces_number = None, ""
    is_by_rps = declared.tipo == NFSE
    old = _of_rps(note.company, declared, note.ambiente) if is_by_rps else _by_key(note, declared)
    if old is None:
        return
    if old.state not in NOTE_LIVE:
        raise InvalidRequest(NOT_LIVE)
    note.replaces, note.replaces_number = old, old.number


def _by_key(note: ServiceNote, declared: Declared) -> ServiceNote | None:
    key = str(declared.data.get("chave_nfse_substituida") or "")
    note.replaces_number = key
    return service_notes.note_of_key(note.company, ambiente=note.ambiente, key=key) if key else None


def _of_rps(company: Company, declared: Declared, ambiente: str) -> ServiceNote | None:
    number = str(declared.data.get("numero_rps_substituido") or "")
    if not (number.isascii() and number.isdecimal()):
        return None
    found: ServiceNote | None = ServiceNote.objects.filter(
        company=company,
        ambiente=ambiente,
        municipality=declared.data["prestador.codigo_municipio"],
        series=str(declared.data.get("serie_rps_substituido") or ""),
        rps_number=int(number),
    ).first()
    return found
