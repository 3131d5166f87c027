"""The rows that every service note asks for on its way, by queries that are built once (PERF-1)."""

from __future__ import annotations

from datetime import UTC, datetime

from django.db import models

from fiscal.errors import DocumentNotFound
from fiscal.models import (
    Archive,
    Company,
    MunicipalParameter,
    NoteState,
    ServiceNote,
    ServiceSeries,
)
from lib import postgres
from lib.compiled import CompiledInsert, CompiledQuery, CompiledUpdate

NOT_FOUND = "Nota fiscal não encontrada"

_MOMENT = datetime(1901, 2, 3, 4, 5, 6, 7, tzinfo=UTC)
_NOTE = [one.attname for one in ServiceNote._meta.concrete_fields]
_COMPANY = [one.attname for one in Company._meta.concrete_fields if one.attname != "logo"]
_PARAMETER_COLUMNS = [one.attname for one in MunicipalParameter._meta.concrete_fields]
# What a note is from its acceptance on; everything else may change on its way.
_LASTING = frozenset({"id", "account", "company", "ambiente", "tipo", "ref", "created_at"})
_INSERT = CompiledInsert(ServiceNote)
_PROGRESS = CompiledUpdate(
    ServiceNote,
    *(
        one.name
        for one in ServiceNote._meta.concrete_fields
        if one.name not in _LASTING and one.name != "payload"
    ),
)
# Somebody still has to send or ask, with the company's certificate.
WAITING = (
    NoteState.RECEBIDO,
    NoteState.ASSINADO,
    NoteState.TRANSMITINDO,
    NoteState.EM_LOTE,
    NoteState.INDEFINIDO,
)
IS_TO_SEND = models.Q(state__in=(NoteState.RECEBIDO, NoteState.ASSINADO))


def _to_send(now: datetime) -> models.QuerySet[ServiceNote]:
    rows: models.QuerySet[ServiceNote] = ServiceNote.objects.filter(
        IS_TO_SEND, next_attempt_at__lte=now
    )
    return rows.order_by("next_attempt_at", "id")


_LOCKED_TO_SEND = CompiledQuery(
    lambda now: _to_send(now).select_for_update(skip_locked=True).values_list(*_NOTE)[:1],
    marks=(_MOMENT,),
)
_IDS_TO_SEND = CompiledQuery(lambda now: _to_send(now).values_list("pk"), marks=(_MOMENT,))
_LOCKED = CompiledQuery(
    lambda pk: ServiceNote.objects.filter(pk=pk).select_for_update().values_list(*_NOTE)
)
_BY_ID = CompiledQuery(lambda pk: ServiceNote.objects.filter(pk=pk).values_list(*_NOTE))
_BY_REF = CompiledQuery(
    lambda company, ambiente, tipo, ref: _of_ref(company, ambiente, tipo, ref).values_list(*_NOTE),
    marks=(None, "the environment", "nfseX", "the ref"),
)
_LOCKED_BY_REF = CompiledQuery(
    lambda company, ambiente, tipo, ref: (
        _of_ref(company, ambiente, tipo, ref).select_for_update().values_list(*_NOTE)
    ),
    marks=(None, "the environment", "nfseX", "the ref"),
)
_COMPANY_BY_ID = CompiledQuery(lambda pk: Company.objects.filter(pk=pk).values_list(*_COMPANY))
_PARAMETER = CompiledQuery(
    lambda ambiente, name: MunicipalParameter.objects.filter(
        ambiente=ambiente, name=name
    ).values_list(*_PARAMETER_COLUMNS),
    marks=("the environment", "the name"),
)
_HOLDERS = CompiledQuery(
    lambda company, ambiente, municipality, series, number: ServiceNote.objects.filter(
        company_id=company,
        ambiente=ambiente,
        municipality=municipality,
        series=series,
        rps_number=number,
    ).values_list("pk"),
    marks=(None, "the environment", "7 digits", "serie", 7_000_000_000_000_000_901),
)
# The names are those of our own model.
_COUNTED = (
    f"UPDATE {ServiceSeries._meta.db_table} "  # noqa: S608
    "SET next_number = next_number + %s, next_batch = next_batch + 1 "
    "WHERE company_id = %s AND ambiente = %s AND tipo = %s AND municipality = %s AND series = %s "
    "RETURNING next_number - %s, next_batch - 1"
)


def _of_ref(company: int, ambiente: str, tipo: str, ref: str) -> models.QuerySet[ServiceNote]:
    rows: models.QuerySet[ServiceNote] = ServiceNote.objects.filter(
        company_id=company, ambiente=ambiente, tipo=tipo, ref=ref
    )
    return rows


def get_note(company: Company, *, ambiente: str, tipo: str, ref: str) -> ServiceNote:
    """The note that answers to `ref`. Raises DocumentNotFound."""
    found = note_of_ref(company, ambiente=ambiente, tipo=tipo, ref=ref)
    if found is None:
        raise DocumentNotFound(NOT_FOUND)
    return found


def note_of_ref(
    company: Company, *, ambiente: str, tipo: str, ref: str, is_locked: bool = False
) -> ServiceNote | None:
    """The note of a ref, locked until the transaction ends if so asked."""
    query = _LOCKED_BY_REF if is_locked else _BY_REF
    rows = query.rows(company.pk, ambiente, tipo, ref)
    return _note(rows[0], company) if rows else None


def note_with_company(note_id: int) -> ServiceNote:
    """The note as it stands now, with its company. Raises DoesNotExist."""
    return _one(_BY_ID.rows(note_id))


def locked_note(note_id: int) -> ServiceNote:
    """The note, locked until the transaction ends, with its company. Raises DoesNotExist."""
    return _one(_LOCKED.rows(note_id))


def relocked_note(note_id: int, company: Company) -> ServiceNote:
    """As `locked_note`, with a company that was read a moment ago."""
    return _one(_LOCKED.rows(note_id), company)


def locked_next_to_send(now: datetime) -> ServiceNote | None:
    """The note that has waited longest to be sent, of those that nobody has locked; locked."""
    rows = _LOCKED_TO_SEND.rows(now)
    return _one(rows) if rows else None


def n_to_send(now: datetime, *, at_most: int) -> int:
    """How many notes wait to be sent now, counted up to `at_most`."""
    return len(_IDS_TO_SEND.rows(now, window=(0, at_most)))


def keep_progress(note: ServiceNote) -> None:
    """Insert a new note, or write what changes on the way of one that is locked; not its payload.

    As `save()`, without asking again for a state that nobody else can have changed. Raises
    DoesNotExist, and IntegrityError for a ref or number that is taken.
    """
    if note.pk is None:
        _INSERT.insert(note)
    elif not _PROGRESS.write(note):
        raise ServiceNote.DoesNotExist
    note._update_initial_state()


def counted(
    company_id: int, ambiente: str, tipo: str, municipality: str, series: str, *, by: int = 1
) -> tuple[int, int] | None:
    """(number, lot) of a series, counted up under the lock of its row; None without a row.

    With `by` 0 only a lot is taken.
    """
    key = [company_id, ambiente, tipo, municipality, series]
    rows = postgres.fetched(_COUNTED, [by, *key, by])
    return (int(rows[0][0]), int(rows[0][1])) if rows else None


def is_number_taken(
    company_id: int, ambiente: str, municipality: str, series: str, number: int
) -> bool:
    """Does a note hold that number with that city or system?"""
    return bool(_HOLDERS.rows(company_id, ambiente, municipality, series, number))


def last_file(note: ServiceNote, kind: str) -> Archive | None:
    """The last file of that kind."""
    found: Archive | None = (
        Archive.objects.filter(service_note=note, kind=kind).order_by("-id").first()
    )
    return found


def last_file_name(note: ServiceNote, kind: str) -> str:
    """Its published name; "" without one."""
    rows = Archive.objects.filter(service_note=note, kind=kind).order_by("-id")
    return rows.values_list("name", flat=True).first() or ""


def replacement_of(note: ServiceNote) -> ServiceNote | None:
    """The issued note that took the place of this one, if we issued it."""
    found: ServiceNote | None = note.replaced_by.exclude(number="").order_by("-id").first()
    return found


def note_of_key(company: Company, *, ambiente: str, key: str) -> ServiceNote | None:
    """Our own note with that national key."""
    found: ServiceNote | None = ServiceNote.objects.filter(
        company=company, ambiente=ambiente, key=key
    ).first()
    return found


def _one(rows: list[object], company: Company | None = None) -> ServiceNote:
    if not rows:
        raise ServiceNote.DoesNotExist
    return _note(rows[0], company)


def parameter(ambiente: str, name: str) -> MunicipalParameter | None:
    """What is known of a city under that name."""
    rows = _PARAMETER.rows(ambiente, name)
    return MunicipalParameter.from_db("default", _PARAMETER_COLUMNS, rows[0]) if rows else None


def _note(row: object, company: Company | None) -> ServiceNote:
    note: ServiceNote = ServiceNote.from_db("default", _NOTE, row)
    if company is None:
        rows = _COMPANY_BY_ID.rows(note.company_id)
        company = Company.from_db("default", _COMPANY, rows[0])
    note.company = company
    return note
