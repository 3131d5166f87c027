"""Voiding ranges of numbers that no document will use (§2.4, NUM-5): what is asked for, signed."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime

from django.db import IntegrityError, transaction

from fiscal import xml
from fiscal.authorities import tables
from fiscal.authorities.base import TP_AMB
from fiscal.errors import InProcessing, InvalidRequest, SchemaInvalid
from fiscal.models import Company, Inutilizacao, State, VoidState
from fiscal.services import archive
from fiscal.services.certificates import signer_of
from fiscal.services.numbering import LAST_NUMBER, locked_series
from fiscal.services.signing_step import local_time
from fiscal.services.void_sending import AGAIN, Numbers, documents_of, send, subject_of
from lib import clock

MAX_RANGE = 1_000  # NUM-5, by prudence
_LIVE = (State.ASSINADO, State.TRANSMITINDO, State.EM_LOTE, State.INDEFINIDO, State.CONTINGENCIA,
         State.EPEC)  # fmt: skip


def request_void(
    company: Company,
    *,
    ambiente: str,
    modelo: int,
    serie: int,
    first: int,
    last: int,
    justificativa: str,
    automatic: bool = False,
) -> Inutilizacao:
    """Void the numbers at the home authority, now; the row's state tells how it went.

    A range that was asked for before goes on, or is answered as it stands. Raises InvalidRequest
    for an impossible range or a CPF issuer, InProcessing while a document of the range is on its
    way, SchemaInvalid, CertificateExpired, NoCertificate.
    """
    _refuse(company, first, last)
    numbers = Numbers(ambiente, modelo, serie, first, last)
    row = _requested(company, numbers, xml.text(justificativa), automatic, now=clock.now())
    send(row.pk)
    return Inutilizacao.objects.select_related("company").get(pk=row.pk)


def _refuse(company: Company, first: int, last: int) -> None:
    if not company.cnpj:
        raise InvalidRequest("A inutilização não existe para emitente pessoa física.")
    if not 1 <= first <= last <= LAST_NUMBER:
        raise InvalidRequest('Parâmetro "numero_inicial" deve ser menor ou igual ao final.')
    if last - first >= MAX_RANGE:
        raise InvalidRequest(f"Inutilize no máximo {MAX_RANGE} números por vez.")


@transaction.atomic
def _requested(
    company: Company, numbers: Numbers, justificativa: str, automatic: bool, *, now: datetime
) -> Inutilizacao:
    key = {
        "company": company, "ano": local_time(company, now).year % 100, **asdict(numbers)
    }  # fmt: skip
    same = Inutilizacao.objects.exclude(state=VoidState.REJEITADA).filter(**key)
    found: Inutilizacao | None = same.first()
    if found is not None:
        return found
    # Nobody takes a number of the range between the check and the row that passes it over.
    ambiente, modelo = numbers.ambiente, numbers.modelo
    locked_series(company, ambiente=ambiente, modelo=modelo, serie=numbers.serie)
    _refuse_live(company, numbers)
    row = Inutilizacao(
        account_id=company.account_id,
        **key,
        justificativa=justificativa,
        is_automatic=automatic,
        next_attempt_at=now + AGAIN,
        created_at=now,
    )
    row.xml = archive.packed(_signed(row, now))
    try:
        with transaction.atomic():
            row.save()
    except IntegrityError:  # asked for by another client at the same time
        return same.get()
    return row


def _refuse_live(company: Company, numbers: Numbers) -> None:
    """What is on its way may yet be authorized; a number whose sale has another document may go."""
    if documents_of(company, numbers).filter(state__in=_LIVE, superseded_by=None).exists():
        raise InProcessing("Há nota fiscal em processamento nesta faixa de números.")


def _signed(row: Inutilizacao, now: datetime) -> bytes:
    """`<inutNFe>`, valid for its schema. Raises SchemaInvalid."""
    c_uf = tables.state(row.company.uf).c_uf
    element_id = f"ID{subject_of(row)}"
    inner = (
        f'<infInut xmlns="{xml.NFE}" Id="{element_id}"><tpAmb>{TP_AMB[row.ambiente]}</tpAmb>'
        f"<xServ>INUTILIZAR</xServ><cUF>{c_uf}</cUF><ano>{row.ano:02d}</ano>"
        f"<CNPJ>{row.company.cnpj}</CNPJ><mod>{row.modelo}</mod><serie>{row.serie}</serie>"
        f"<nNFIni>{row.first}</nNFIni><nNFFin>{row.last}</nNFFin>"
        f"<xJust>{xml.escape(row.justificativa)}</xJust></infInut>"
    ).encode()
    signature, _ = signer_of(row.company, at=now).signature(inner, element_id=element_id)
    own = inner.replace(f' xmlns="{xml.NFE}"'.encode(), b"", 1)
    content = f'<inutNFe xmlns="{xml.NFE}" versao="4.00">'.encode() + own + signature
    content += b"</inutNFe>"
    if xml.faults(content, "inutNFe"):
        raise SchemaInvalid()
    return content
