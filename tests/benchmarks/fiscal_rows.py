"""The cases of `fiscal_store`: a million documents written by COPY, and how they are found."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from benchmarks.seeding import analyse
from django.db import connection, transaction
from django.db.models import QuerySet
from factories import AccountFactory, FiscalCompanyFactory, cnpj
from support.v2 import fiscal_token

from accounts.models import Account
from fiscal.models import Archive, Company, FiscalDocument, FiscalEvent, Inutilizacao, State
from fiscal.services import archive, sweeps
from lib.bulk import insert_rows, reserve_ids

COMPANIES = 20
CHUNK = 50_000
ASKED = 400  # different documents
WAITING = 500  # one in that many is due
WITH_EVENT = 20  # one in that many has a carta de correção
PER_VOID = 100  # documents for one voided number, in a series of its own
FIRST_DAY = datetime(2026, 1, 1, 12, tzinfo=UTC)
LATER = datetime(2026, 11, 1, tzinfo=UTC)
PAGE = 100
_PAYLOAD = {"natureza_operacao": "Venda", "items": [{"numero_item": 1, "descricao": "Caderno"}]}
_XML = archive.packed(b'<nfeProc xmlns="http://www.portalfiscal.inf.br/nfe" versao="4.00"/>')
_DOCUMENT = (
    "id", "account", "company", "ambiente", "modelo", "ref", "state", "payload", "serie", "numero",
    "chave", "cnf", "tp_emis", "dh_emi", "digest_value", "x_just", "is_effected", "id_lote",
    "recibo", "protocolo", "authorized_at", "c_stat", "x_motivo", "notes", "recipient_document",
    "recipient_name", "recipient_email", "total", "is_imported", "n_attempts", "next_attempt_at",
    "created_at", "updated_at",
)  # fmt: skip
_ARCHIVE = (
    "account", "company", "document", "kind", "name", "ambiente", "month", "content", "size",
    "sha256", "created_at",
)  # fmt: skip
_EVENT = (
    "account", "document", "tp_evento", "n_seq", "state", "details", "authority", "xml",
    "dh_evento", "protocolo", "c_stat", "x_motivo", "next_attempt_at", "n_attempts", "created_at",
)  # fmt: skip
_VOID = (
    "account", "company", "ambiente", "modelo", "ano", "serie", "first", "last", "justificativa",
    "is_automatic", "state", "protocolo", "c_stat", "x_motivo", "next_attempt_at", "n_attempts",
    "created_at",
)  # fmt: skip


def seed(*, n: int) -> dict[str, Any]:
    """`n` authorised NF-e of twenty companies with their XML; what a client of one asks for."""
    number = Account.objects.count()
    account = AccountFactory(slug=f"notas-{number}")
    companies = [
        FiscalCompanyFactory(account=account, cnpj=cnpj(72_000_000 + number * COMPANIES + i))
        for i in range(COMPANIES)
    ]
    for start in range(0, n, CHUNK):
        _write(companies, range(start, min(start + CHUNK, n)))
    analyse()
    company = companies[0]
    own = range(0, n, COMPANIES)
    some = own[:: max(1, len(own) // ASKED)]
    return {
        "token": fiscal_token(company),
        "account": account.pk,
        "company": company.pk,
        "refs": [_ref(i) for i in some],
        "files": [_file(company, i) for i in some],
    }


def _write(companies: list[Company], numbers: range) -> None:
    ids = reserve_ids(FiscalDocument, len(numbers))
    with transaction.atomic():
        rows = (_row(companies, i, pk) for i, pk in zip(numbers, ids, strict=True))
        insert_rows(FiscalDocument, _DOCUMENT, rows)
        insert_rows(Archive, _ARCHIVE, _archives(companies, numbers, ids))
        insert_rows(FiscalEvent, _EVENT, _events(companies, numbers, ids))
        insert_rows(Inutilizacao, _VOID, _voids(companies, numbers))


def _row(companies: list[Company], i: int, pk: int) -> tuple[Any, ...]:
    company = companies[i % COMPANIES]
    at = _moment(i)
    is_due = i % WAITING == 0
    state = State.INDEFINIDO if is_due else State.AUTORIZADO
    protocol = "" if is_due else f"1352600{i:08d}"
    return (
        pk, company.account_id, company.pk, "homologacao", 55, _ref(i), state, _PAYLOAD, 1,
        i // COMPANIES + 1, _key(company, i), "12345678", 1, at, "j6b7sxUmXW2c4vWxV8sYJ4LCeKs=", "",
        False, f"{i:015d}", "", protocol, at, "100", "Autorizado o uso da NF-e", [],
        "11444777000161", "Cliente", "", Decimal("20.00"), False, 1, at if is_due else None, at, at,
    )  # fmt: skip


def _archives(
    companies: list[Company], numbers: range, ids: range | list[int]
) -> Iterator[tuple[Any, ...]]:
    for i, pk in zip(numbers, ids, strict=True):
        company, at = companies[i % COMPANIES], _moment(i)
        key = _key(company, i)
        yield (
            company.account_id, company.pk, pk, "authorized", archive.nfe_name(key), "homologacao",
            f"20{key[2:6]}", _XML, 100, "0" * 64, at,
        )  # fmt: skip


def _events(
    companies: list[Company], numbers: range, ids: range | list[int]
) -> Iterator[tuple[Any, ...]]:
    for i, pk in zip(numbers, ids, strict=True):
        if i % WITH_EVENT:
            continue
        company, at = companies[i % COMPANIES], _moment(i)
        is_due = i // WITH_EVENT % WAITING == 0
        yield (
            company.account_id, pk, "110110", 1, "indefinido" if is_due else "registrado", {}, "SP",
            _XML, at, "" if is_due else f"1352600{i:08d}", "" if is_due else "135", "",
            at if is_due else None, 1, at,
        )  # fmt: skip


def _voids(companies: list[Company], numbers: range) -> Iterator[tuple[Any, ...]]:
    for i in numbers:
        if i % PER_VOID:
            continue
        n = i // PER_VOID
        company, at, is_due = companies[n % COMPANIES], _moment(i), n % WAITING == 0
        yield (
            company.account_id, company.pk, "homologacao", 55, 26, 2, n + 1, n + 1,
            "Numero nao utilizado por falha", True, "indefinida" if is_due else "homologada",
            "" if is_due else f"1352600{n:08d}", "" if is_due else "102", "",
            at if is_due else None, 1, at,
        )  # fmt: skip


def _ref(i: int) -> str:
    return f"venda-{i}"


def _moment(i: int) -> datetime:
    return FIRST_DAY + timedelta(seconds=20 * i)


def _key(company: Company, i: int) -> str:
    """Of the form of a key; nobody here counts its check digit."""
    return f"35{_moment(i):%y%m}{company.cnpj}55001{i // COMPANIES + 1:09d}1123456780"


def _file(company: Company, i: int) -> str:
    key = _key(company, i)
    folder = f"/arquivos_development/{company.cnpj}_{company.pk}/20{key[2:6]}"
    return f"{folder}/XMLs/{archive.nfe_name(key)}"


# --- plans -----------------------------------------------------------------------------------


def plans(*, account: int, company: int, ref: str, is_small: bool) -> dict[str, list[str]]:
    """What reads a whole table, for each way in which rows are found.

    In a small table everybody reads it whole: with `is_small` only what has no index does.
    """
    logging.disable(logging.WARNING)
    ways = _ways(account, company, ref)
    with connection.cursor() as cursor:
        if is_small and connection.vendor == "postgresql":
            cursor.execute("SET enable_seqscan = off")
    return {name: _whole_reads(rows) for name, rows in ways.items()}


def _ways(account: int, company: int, ref: str) -> dict[str, QuerySet[Any]]:
    documents = FiscalDocument.objects.filter(company=company, ambiente="homologacao", modelo=55)
    row = documents.get(ref=ref)
    files = Archive.objects.filter(company=company, ambiente="homologacao", month="202601")
    listed = FiscalDocument.objects.filter(account=account).order_by("-created_at", "-pk")
    return {
        "por ref": documents.filter(ref=ref, superseded_by=None),
        "por chave": FiscalDocument.objects.filter(chave=row.chave),
        "arquivo por chave": files.filter(name=archive.nfe_name(row.chave)).order_by("-id"),
        "arquivos de uma nota": Archive.objects.filter(document=row).order_by("-id"),
        "lista da conta": listed[:PAGE],
        "lista da empresa": documents.order_by("-dh_emi")[:PAGE],
        "notas à espera": sweeps.due(FiscalDocument, LATER)[: sweeps.BATCH],
        "eventos à espera": sweeps.due(FiscalEvent, LATER)[: sweeps.BATCH],
        "inutilizações à espera": sweeps.due(Inutilizacao, LATER)[: sweeps.BATCH],
        "números de uma série": documents.filter(serie=1, numero__gt=10, numero__lt=20),
    }


def _whole_reads(rows: QuerySet[Any]) -> list[str]:
    """The lines of the plan that read a table from its beginning to its end."""
    lines = rows.explain().splitlines()
    return [line.strip() for line in lines if _reads_whole(line)]


def _reads_whole(line: str) -> bool:
    if connection.vendor == "postgresql":
        return "Seq Scan" in line
    return "SCAN" in line and "INDEX" not in line
