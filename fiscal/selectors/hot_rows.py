"""The rows that every document asks for on its way, by queries that are built once (PERF-1).

Building a query anew costs more than the database takes to answer it, and a document asks some
twenty of them.
"""

from __future__ import annotations

from datetime import UTC, datetime

from django.db import models

from fiscal.models import (
    Archive,
    AuthorityStatus,
    Certificate,
    Company,
    Consumption,
    Contingency,
    EventState,
    FiscalDocument,
    FiscalEvent,
    FiscalHook,
    Inutilizacao,
    Series,
    State,
    VoidState,
)
from lib import postgres
from lib.compiled import CompiledInsert, CompiledQuery, CompiledUpdate


def _names(model: type[models.Model], *without: str) -> list[str]:
    return [one.attname for one in model._meta.concrete_fields if one.attname not in without]


# Marks that fit into columns of two and of four bytes, and are no value of theirs.
_MODELO, _SERIE, _NUMERO = 30_001, 30_002, 2_000_000_001

_MOMENT = datetime(1901, 2, 3, 4, 5, 6, 7, tzinfo=UTC)

_DOCUMENT = _names(FiscalDocument)
_WITHOUT_PAYLOAD = _names(FiscalDocument, "payload")  # saving such a row writes no payload either
# What a document is from its acceptance on; everything else may change on its way.
_LASTING = frozenset(
    {"id", "account", "company", "ambiente", "modelo", "ref", "payload", "is_imported",
     "superseded_by", "created_at"}
)  # fmt: skip
_INSERT = CompiledInsert(FiscalDocument)
_PROGRESS = CompiledUpdate(
    FiscalDocument,
    *(one.name for one in FiscalDocument._meta.concrete_fields if one.name not in _LASTING),
)
_COMPANY = _names(Company, "logo")  # tens of kilobytes that only prints need
_CERTIFICATE = _names(Certificate, "key", "pem")
_ARCHIVE = _names(Archive)
_SERIES = _names(Series)
_STATUS = _names(AuthorityStatus)
_CONTINGENCY = _names(Contingency)
_HOOK = _names(FiscalHook, "recent")


_LOCKED_DOCUMENT = CompiledQuery(
    lambda pk: FiscalDocument.objects.filter(pk=pk).select_for_update().values_list(*_DOCUMENT)
)
# Whether one was replaced is seen when it is picked: asked here, PostgreSQL may sort all that wait.
IS_TO_SEND = models.Q(state__in=(State.RECEBIDO, State.ASSINADO, State.CONTINGENCIA))


def _to_send(now: datetime) -> models.QuerySet[FiscalDocument]:
    rows: models.QuerySet[FiscalDocument] = FiscalDocument.objects.filter(
        IS_TO_SEND, next_attempt_at__lte=now
    )
    return rows.order_by("next_attempt_at", "id")


_LOCKED_TO_SEND = CompiledQuery(
    # The 1 in the statement itself: with a parameter the plan sorts all that wait.
    lambda now: _to_send(now).select_for_update(skip_locked=True).values_list(*_DOCUMENT)[:1],
    marks=(_MOMENT,),
)
_IDS_TO_SEND = CompiledQuery(lambda now: _to_send(now).values_list("pk"), marks=(_MOMENT,))
_TOOK_A_PLACE_AND_HAS_EVENTS = (
    models.Exists(
        FiscalDocument.objects.filter(superseded_by_id=models.OuterRef("pk")).exclude(
            pk=models.OuterRef("pk")
        )
    ),
    models.Exists(
        FiscalEvent.objects.filter(document=models.OuterRef("pk"), state=EventState.REGISTRADO)
    ),
)
_RELOCKED_DOCUMENT = CompiledQuery(
    lambda pk: (
        FiscalDocument.objects.filter(pk=pk)
        .select_for_update()
        .values_list(*_WITHOUT_PAYLOAD, *_TOOK_A_PLACE_AND_HAS_EVENTS)
    )
)
_DOCUMENT_BY_REF = CompiledQuery(
    lambda company, ambiente, modelo, ref: _by_ref(company, ambiente, modelo, ref).values_list(
        *_DOCUMENT
    ),
    marks=(None, "the environment", _MODELO, "the ref"),
)
_LOCKED_BY_REF = CompiledQuery(
    lambda company, ambiente, modelo, ref: (
        _by_ref(company, ambiente, modelo, ref).select_for_update().values_list(*_DOCUMENT)
    ),
    marks=(None, "the environment", _MODELO, "the ref"),
)
_AROUND = CompiledQuery(
    lambda pk: FiscalDocument.objects.filter(pk=pk).values_list(*_TOOK_A_PLACE_AND_HAS_EVENTS)
)
_PUBLISHED_XML = CompiledQuery(
    lambda pk: (
        Archive.objects.filter(
            document_id=pk, kind__in=(Archive.Kind.AUTHORIZED, Archive.Kind.IMPORTED)
        )
        .order_by("-id")
        .values_list(*_ARCHIVE)
    )
)
_DOCUMENT_BY_ID = CompiledQuery(
    lambda pk: FiscalDocument.objects.filter(pk=pk).values_list(*_DOCUMENT)
)
_COMPANY_BY_ID = CompiledQuery(lambda pk: Company.objects.filter(pk=pk).values_list(*_COMPANY))
_COMPANY_BY_CNPJ = CompiledQuery(
    lambda account, cnpj: Company.objects.filter(
        account_id=account, cnpj=cnpj, removed_at=None
    ).values_list(*_COMPANY),
    marks=(None, "the CNPJ"),
)
_CERTIFICATES = CompiledQuery(
    lambda company: (
        Certificate.objects.filter(company_id=company)
        .order_by("-not_after", "-pk")
        .values_list(*_CERTIFICATE)
    )
)
_KEY_OF_SERIES = (None, "the environment", _MODELO, _SERIE)
_LOCKED_SERIES = CompiledQuery(
    lambda company, ambiente, modelo, serie: (
        Series.objects.filter(company_id=company, ambiente=ambiente, modelo=modelo, serie=serie)
        .select_for_update()
        .values_list(*_SERIES)
    ),
    marks=_KEY_OF_SERIES,
)
# The names are those of our own model.
_COUNTED = (
    f"UPDATE {Series._meta.db_table} SET next_number = next_number + 1 "  # noqa: S608
    "WHERE company_id = %s AND ambiente = %s AND modelo = %s AND serie = %s "
    "RETURNING next_number - 1"
)


def _holders(
    company: int, ambiente: str, modelo: int, serie: int, numero: int
) -> models.QuerySet[FiscalDocument]:
    rows: models.QuerySet[FiscalDocument] = FiscalDocument.objects.filter(
        company_id=company, ambiente=ambiente, modelo=modelo, serie=serie, numero=numero
    )
    return rows


def _voids(
    company: int, ambiente: str, modelo: int, serie: int, numero: int
) -> models.QuerySet[Inutilizacao]:
    rows: models.QuerySet[Inutilizacao] = Inutilizacao.objects.filter(
        company_id=company, ambiente=ambiente, modelo=modelo, serie=serie,
        first__lte=numero, last__gte=numero,
    )  # fmt: skip
    return rows.exclude(state=VoidState.REJEITADA).order_by("-last")


_NUMBER_HOLDER = CompiledQuery(
    lambda *of_number: _holders(*of_number).values_list("pk"), marks=(*_KEY_OF_SERIES, _NUMERO)
)
# One row, of the company itself: what else is asked for has none in the usual case.
_USE_OF_NUMBER = CompiledQuery(
    lambda company, *of_number: Company.objects.filter(pk=company).values_list(
        models.Subquery(_voids(company, *of_number).values("last")[:1]),
        models.Exists(_holders(company, *of_number)),
    ),
    marks=(*_KEY_OF_SERIES, _NUMERO),
)
_AUTHORITY = CompiledQuery(
    lambda authority, modelo, ambiente, uf: AuthorityStatus.objects.filter(
        authority=authority, modelo=modelo, ambiente=ambiente, uf__in=("", uf)
    ).values_list(*_STATUS),
    marks=("the authority", _MODELO, "the environment", "its UF"),
)
_CONTINGENCIES = CompiledQuery(
    lambda uf, modelo, ambiente, company: (
        Contingency.objects.filter(
            models.Q(company=None) | models.Q(company_id=company),
            uf=uf,
            modelo=modelo,
            ambiente=ambiente,
            left_at=None,
        )
        .order_by(models.F("company").desc(nulls_last=True))
        .values_list(*_CONTINGENCY)
    ),
    marks=("the UF", _MODELO, "the environment", None),
)
_BLOCKS = CompiledQuery(
    lambda base, ambiente, one, of_one, other, of_other: Consumption.objects.filter(
        models.Q(service=one, subject__in=("", of_one))
        | models.Q(service=other, subject__in=("", of_other)),
        base=base,
        ambiente=ambiente,
        blocked_until__isnull=False,
    ).values_list("blocked_until"),
    marks=("the base", "the environment", "a service", "its subject", "another", "its own"),
)

_HOOKS = CompiledQuery(
    lambda account, company, ambiente, event: (
        FiscalHook.objects.filter(
            models.Q(company=None) | models.Q(company_id=company),
            account_id=account,
            ambiente__in=("", ambiente),
            event=event,
            state=FiscalHook.State.ACTIVE,
        )
        .order_by("pk")
        .values_list(*_HOOK)
    ),
    marks=(None, None, "the environment", "the event"),
)


def locked_document(document_id: int) -> FiscalDocument:
    """The document, locked until the transaction ends, with its company. Raises DoesNotExist."""
    return _with_company(_one_document(_LOCKED_DOCUMENT, document_id))


def locked_next_to_send(now: datetime) -> FiscalDocument | None:
    """The document that has waited longest to be sent, of those that nobody has locked; locked.

    None when there is none. Offline ones are among them, oldest first (CON-6).
    """
    rows = _LOCKED_TO_SEND.rows(now)
    return _with_company(FiscalDocument.from_db("default", _DOCUMENT, rows[0])) if rows else None


def n_to_send(now: datetime, *, at_most: int) -> int:
    """How many documents wait to be sent now, counted up to `at_most`."""
    return len(_IDS_TO_SEND.rows(now, window=(0, at_most)))


def relocked_document(document_id: int, company: Company) -> FiscalDocument:
    """As `locked_document`, without payload, with a company that was read a moment ago."""
    rows = _RELOCKED_DOCUMENT.rows(document_id)
    if not rows:
        raise FiscalDocument.DoesNotExist
    *values, took_a_place, has_events = rows[0]
    document = FiscalDocument.from_db("default", _WITHOUT_PAYLOAD, values)
    document.company = company
    document.__dict__["_around"] = took_a_place, has_events
    return document


def keep_progress(document: FiscalDocument) -> None:
    """Insert a new document, or write what changes on the way of one that is locked.

    As `save()`, without asking again for a state that nobody else can have changed. Raises
    DoesNotExist, and IntegrityError for a ref or number that is taken.
    """
    if document.pk is None:
        _INSERT.insert(document)
    elif not _PROGRESS.write(document):
        raise FiscalDocument.DoesNotExist
    document._update_initial_state()


def document_of_ref(
    company: Company, ambiente: str, modelo: int, ref: str, *, is_locked: bool = False
) -> FiscalDocument | None:
    """The document that answers to `ref` now, locked until the transaction ends if so asked."""
    query = _LOCKED_BY_REF if is_locked else _DOCUMENT_BY_REF
    rows = query.rows(company.pk, ambiente, modelo, ref)
    if not rows:
        return None
    document = FiscalDocument.from_db("default", _DOCUMENT, rows[0])
    document.company = company
    return document


def took_a_place(document: FiscalDocument) -> bool:
    """Did the document take the place of another? Few did."""
    return _around(document)[0]


def has_events(document: FiscalDocument) -> bool:
    """Is any event of the document registered? Few have one."""
    return _around(document)[1]


def stands_alone(document: FiscalDocument) -> FiscalDocument:
    """The same row, just made: it took no place and has no event, which nobody has to look up."""
    document.__dict__["_around"] = False, False
    return document


def _around(document: FiscalDocument) -> tuple[bool, bool]:
    """Looked up once for each copy of the row in memory: an answer asks several times."""
    found: tuple[bool, bool] | None = document.__dict__.get("_around")
    if found is None:
        found = document.__dict__["_around"] = tuple(_AROUND.rows(document.pk)[0])
    return found


def published_xml(document: FiscalDocument) -> Archive | None:
    """The authorized XML, or the imported one."""
    kept: Archive | None = document.__dict__.get("_published")
    if kept is not None:
        return kept
    rows = _PUBLISHED_XML.rows(document.pk, window=(0, 1))
    return Archive.from_db("default", _ARCHIVE, rows[0]) if rows else None


def remember_published(document: FiscalDocument, archive: Archive) -> None:
    """The authorized XML was kept just now: spares `published_xml` looking for it."""
    document.__dict__["_published"] = archive


def document_with_company(document_id: int) -> FiscalDocument:
    """The document as it stands now, with its company. Raises DoesNotExist."""
    return _with_company(_one_document(_DOCUMENT_BY_ID, document_id))


def company_of_cnpj(account_id: int, cnpj: str) -> Company | None:
    """The account's company of that CNPJ, unless it was removed."""
    rows = _COMPANY_BY_CNPJ.rows(account_id, cnpj)
    return Company.from_db("default", _COMPANY, rows[0]) if rows else None


def certificates_of(company_id: int) -> list[Certificate]:
    """Without keys and chains; the one that ends last first."""
    rows = _CERTIFICATES.rows(company_id)
    return [Certificate.from_db("default", _CERTIFICATE, row) for row in rows]


def locked_series(company_id: int, ambiente: str, modelo: int, serie: int) -> Series | None:
    """The row of a series, locked until the transaction ends."""
    rows = _LOCKED_SERIES.rows(company_id, ambiente, modelo, serie)
    return Series.from_db("default", _SERIES, rows[0]) if rows else None


def is_number_taken(company_id: int, ambiente: str, modelo: int, serie: int, numero: int) -> bool:
    """Does a document hold that number?"""
    return bool(_NUMBER_HOLDER.rows(company_id, ambiente, modelo, serie, numero))


def counted(company_id: int, ambiente: str, modelo: int, serie: int) -> int | None:
    """The next number of a series, counted up under the lock of its row; None without a row."""
    rows = postgres.fetched(_COUNTED, [company_id, ambiente, modelo, serie])
    return int(rows[0][0]) if rows else None


def use_of_number(
    company_id: int, ambiente: str, modelo: int, serie: int, numero: int
) -> tuple[int | None, bool]:
    """(last number of the range that voids `numero` or is asked to, does a document hold it?)"""
    last, is_taken = _USE_OF_NUMBER.rows(company_id, ambiente, modelo, serie, numero)[0]
    return last, bool(is_taken)


def authority_rows(authority: str, modelo: int, ambiente: str, uf: str) -> list[AuthorityStatus]:
    """What is known of an authority as a whole (row without UF) and of its service to a UF."""
    rows = _AUTHORITY.rows(authority, modelo, ambiente, uf)
    return [AuthorityStatus.from_db("default", _STATUS, row) for row in rows]


def contingency_of(company: Company, modelo: int, ambiente: str) -> Contingency | None:
    """The open contingency of the company's UF, or of the company itself."""
    rows = _CONTINGENCIES.rows(company.uf, modelo, ambiente, company.pk)
    return Contingency.from_db("default", _CONTINGENCY, rows[0]) if rows else None


def hooks_of(company: Company, ambiente: str, event: str) -> list[FiscalHook]:
    """The active addresses that are told of the company's event."""
    rows = _HOOKS.rows(company.account_id, company.pk, ambiente, event)
    return [FiscalHook.from_db("default", _HOOK, row) for row in rows]


def blocks(
    base: str, ambiente: str, *, one: tuple[str, str], other: tuple[str, str], now: datetime
) -> list[datetime]:
    """Until when two services are blocked, each for a subject or as a whole."""
    rows = _BLOCKS.rows(base, ambiente, *one, *other)
    return [until for (until,) in rows if until > now]


def _by_ref(company: int, ambiente: str, modelo: int, ref: str) -> models.QuerySet[FiscalDocument]:
    rows: models.QuerySet[FiscalDocument] = FiscalDocument.objects.filter(
        company_id=company, ambiente=ambiente, modelo=modelo, ref=ref, superseded_by=None
    )
    return rows


def _one_document(query: CompiledQuery, document_id: int) -> FiscalDocument:
    rows = query.rows(document_id)
    if not rows:
        raise FiscalDocument.DoesNotExist
    return FiscalDocument.from_db("default", _DOCUMENT, rows[0])


def _with_company(document: FiscalDocument) -> FiscalDocument:
    row = _COMPANY_BY_ID.rows(document.company_id)[0]
    document.company = Company.from_db("default", _COMPANY, row)
    return document
