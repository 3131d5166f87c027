"""The file that a city gives back for a batch: all of its notes become issued, or none (§6)."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from django.db import transaction

from fiscal.authorities.provider import IssuedNote, Kind, Outcome
from fiscal.documents.rps_file import sao_paulo_answer
from fiscal.documents.rps_file.sao_paulo_answer import Line, Unreadable
from fiscal.errors import RecordInvalid
from fiscal.models import NOTE_LIVE, Archive, NoteState, RpsBatch, ServiceNote
from fiscal.selectors import service_notes
from fiscal.services import archive
from fiscal.services.nfse import notices, verdicts
from fiscal.services.signing_step import local_time
from fiscal.tables import nfse_cities
from lib import br, clock
from lib.errors import FieldError

_ISSUED = (*NOTE_LIVE, NoteState.CANCELADO, NoteState.SUBSTITUIDO)


@transaction.atomic
def answer_batch(batch: RpsBatch, content: bytes) -> list[ServiceNote]:
    """The notes of the batch by number, as they stand after the answer.

    A note that the file leaves out goes on waiting; the same file again changes nothing. Raises
    RecordInvalid with every fault: unreadable, a RPS of no note of the batch, another inscription,
    another number than the note has.
    """
    now = clock.now()
    try:
        lines = sao_paulo_answer.read(content)
    except Unreadable as error:
        raise RecordInvalid(erros=[FieldError("arquivo", str(error))]) from error
    notes = _locked(batch)
    by_rps = {(note.series, note.rps_number): note for note in notes}
    faults = [fault for line in lines for fault in _faults(line, by_rps, batch)]
    faults += _repeated(lines)
    if faults:
        raise RecordInvalid(erros=faults)
    for line in lines:
        _take(by_rps[line.series, line.rps_number], line, now)
    _keep(batch, content, now)
    return notes


def _locked(batch: RpsBatch) -> list[ServiceNote]:
    rows = ServiceNote.objects.filter(batches=batch).order_by("pk").values_list("pk", flat=True)
    return [service_notes.locked_note(pk) for pk in rows]


def _faults(
    line: Line, by_rps: dict[tuple[str, int | None], ServiceNote], batch: RpsBatch
) -> list[FieldError]:
    where = f"linha {line.place}"
    note = by_rps.get((line.series, line.rps_number))
    if line.inscription != _inscription(batch):
        return [FieldError(where, "A inscrição municipal é de outro prestador.")]
    if note is None:
        rps = f"{line.series} {line.rps_number}"
        return [FieldError(where, f"O RPS {rps} não é deste lote.")]
    if note.state in _ISSUED and note.number != line.number:
        return [FieldError(where, f"O RPS já é a NFS-e {note.number}.")]
    return []


def _repeated(lines: Iterable[Line]) -> list[FieldError]:
    """A note may come twice, issued and then cancelled; two notes of one RPS may not."""
    seen: dict[tuple[str, int], str] = {}
    return [
        FieldError(f"linha {line.place}", f"O RPS {line.rps_number} tem duas NFS-e no arquivo.")
        for line in lines
        if seen.setdefault((line.series, line.rps_number), line.number) != line.number
    ]


def _inscription(batch: RpsBatch) -> str:
    given = br.only_digits(str(batch.payload["prestador"].get("inscricao_municipal") or ""))
    return given.lstrip("0")


def _take(note: ServiceNote, line: Line, now: datetime) -> None:
    if note.state == NoteState.EM_LOTE:
        issued = IssuedNote(
            number=line.number,
            verification_code=line.code,
            issued_at=line.issued_at,
            url=_page(note, line),
            service_amount=line.services,
            iss=line.iss,
            taker_document=line.taker_document,
        )
        verdicts.adopt(note, Outcome(Kind.AUTHORIZED, note=issued), now=now, is_first=True)
    if line.is_cancelled and note.state in NOTE_LIVE:
        note.cancel(at=line.cancelled_at or now)
        notices.announce(note, notices.CANCELLED, is_awaited=False)
    service_notes.keep_progress(note)


def _page(note: ServiceNote, line: Line) -> str:
    """The public page, where the city's family has one."""
    city = nfse_cities.cities().get(note.municipality)
    page = nfse_cities.family_options(city.family).get("pagina", "") if city and city.family else ""
    return str(page).format(inscricao=line.inscription, numero=line.number, codigo=line.code)


def _keep(batch: RpsBatch, content: bytes, now: datetime) -> None:
    batch.answered_at = now
    batch.save(update_fields=["answered_at"])
    archive.keep_for_company(
        batch.company,
        ambiente=batch.ambiente,
        month=f"{local_time(batch.company, now):%Y%m}",
        kind=Archive.Kind.BATCH,
        name=f"lote-rps-{batch.pk}-resposta.txt",
        content=content,
        at=now,
    )
