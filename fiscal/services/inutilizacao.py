"""Voiding ranges of numbers that no document will use (§2.4, NUM-5).

The natural key makes it safe to send the same bytes again: 563 means done before.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import IntegrityError, models, transaction

from fiscal import access_key, xml
from fiscal.authorities import registry, tables
from fiscal.authorities.base import (
    TP_AMB,
    Answer,
    Lost,
    Misconfigured,
    NotSent,
    VoidAnswer,
)
from fiscal.authorities.cstat import Class, classify
from fiscal.authorities.sefaz import Sefaz
from fiscal.errors import InProcessing, InvalidRequest, SchemaInvalid
from fiscal.models import (
    Archive,
    Attempt,
    Company,
    FiscalDocument,
    Inutilizacao,
    State,
    VoidState,
)
from fiscal.services import archive, notices, transmit
from fiscal.services.certificates import credentials_of, signer_of
from fiscal.services.signing_step import local_time
from lib import clock

MAX_RANGE = 1_000  # NUM-5, by prudence
_AGAIN = timedelta(minutes=2)
_Outcome = Attempt.Outcome
_LIVE = (State.ASSINADO, State.TRANSMITINDO, State.EM_LOTE, State.INDEFINIDO, State.CONTINGENCIA,
         State.EPEC)  # fmt: skip
_PASSING = (Class.SERVICE_PAUSED, Class.SERVICE_DOWN, Class.THROTTLED, Class.RETRY)


@dataclass(frozen=True)
class _Sending:
    attempt_id: int
    void_id: int
    xml: bytes
    to: Sefaz


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
    now = clock.now()
    row = _signed(company, ambiente, modelo, serie, first, last, justificativa, automatic, now)
    send(row.pk)
    return Inutilizacao.objects.get(pk=row.pk)


def send(void_id: int) -> None:
    """Send the request once, if it is not answered yet. Safe to run again."""
    sending = _begin(void_id, now=clock.now())
    if sending is None:
        return
    try:
        answer = sending.to.void(sending.xml)
    except (NotSent, Misconfigured) as error:
        _unanswered(sending, _Outcome.NOT_SENT, error, now=clock.now())
    except Lost as error:
        _unanswered(sending, _Outcome.LOST, error, now=clock.now())
    else:
        _record(sending, answer, now=clock.now())


def _refuse(company: Company, first: int, last: int) -> None:
    if not company.cnpj:
        raise InvalidRequest("A inutilização não existe para emitente pessoa física.")
    if not 1 <= first <= last:
        raise InvalidRequest('Parâmetro "numero_inicial" deve ser menor ou igual ao final.')
    if last - first >= MAX_RANGE:
        raise InvalidRequest(f"Inutilize no máximo {MAX_RANGE} números por vez.")


@transaction.atomic
def _signed(
    company: Company,
    ambiente: str,
    modelo: int,
    serie: int,
    first: int,
    last: int,
    justificativa: str,
    automatic: bool,
    now: datetime,
) -> Inutilizacao:
    ano = local_time(company, now).year % 100
    key = {
        "company": company, "ambiente": ambiente, "modelo": modelo, "ano": ano, "serie": serie,
        "first": first, "last": last,
    }  # fmt: skip
    same = Inutilizacao.objects.exclude(state=VoidState.REJEITADA).filter(**key)
    found: Inutilizacao | None = same.first()
    if found is not None:
        return found
    _refuse_live(company, ambiente, modelo, serie, first, last)
    text = xml.text(justificativa)
    content = _sign(company, ambiente, modelo, ano, serie, first, last, text, now)
    try:
        with transaction.atomic():
            return Inutilizacao.objects.create(
                account_id=company.account_id,
                **key,
                justificativa=text,
                is_automatic=automatic,
                xml=archive.packed(content),
                next_attempt_at=now + _AGAIN,
                created_at=now,
            )
    except IntegrityError:
        return same.get()


def _refuse_live(
    company: Company, ambiente: str, modelo: int, serie: int, first: int, last: int
) -> None:
    """What is on its way may yet be authorized; a number whose sale has another document may go."""
    rows = _documents(company, ambiente, modelo, serie, first, last)
    if rows.filter(state__in=_LIVE, superseded_by=None).exists():
        raise InProcessing("Há nota fiscal em processamento nesta faixa de números.")


def _documents(
    company: Company, ambiente: str, modelo: int, serie: int, first: int, last: int
) -> models.QuerySet[FiscalDocument]:
    return FiscalDocument.objects.filter(
        company=company, ambiente=ambiente, modelo=modelo, serie=serie, numero__range=(first, last)
    )


def _sign(
    company: Company,
    ambiente: str,
    modelo: int,
    ano: int,
    serie: int,
    first: int,
    last: int,
    justificativa: str,
    now: datetime,
) -> bytes:
    """`<inutNFe>`, valid for its schema. Raises SchemaInvalid."""
    c_uf = tables.state(company.uf).c_uf
    element_id = access_key.void_id(
        cuf=c_uf, ano=ano, cnpj=company.cnpj, modelo=modelo, serie=serie, first=first, last=last
    )
    inner = (
        f'<infInut xmlns="{xml.NFE}" Id="{element_id}"><tpAmb>{TP_AMB[ambiente]}</tpAmb>'
        f"<xServ>INUTILIZAR</xServ><cUF>{c_uf}</cUF><ano>{ano:02d}</ano>"
        f"<CNPJ>{company.cnpj}</CNPJ><mod>{modelo}</mod><serie>{serie}</serie>"
        f"<nNFIni>{first}</nNFIni><nNFFin>{last}</nNFFin>"
        f"<xJust>{xml.escape(justificativa)}</xJust></infInut>"
    ).encode()
    signature, _ = signer_of(company, at=now).signature(inner, element_id=element_id)
    own = inner.replace(f' xmlns="{xml.NFE}"'.encode(), b"", 1)
    content = f'<inutNFe xmlns="{xml.NFE}" versao="4.00">'.encode() + own + signature
    content += b"</inutNFe>"
    if xml.faults(content, "inutNFe"):
        raise SchemaInvalid()
    return content


def subject_of(row: Inutilizacao) -> str:
    """Id of the request without its prefix: also the name of its file."""
    return access_key.void_id(
        cuf=tables.state(row.company.uf).c_uf,
        ano=row.ano,
        cnpj=row.company.cnpj,
        modelo=row.modelo,
        serie=row.serie,
        first=row.first,
        last=row.last,
    ).removeprefix("ID")


# --- sending -----------------------------------------------------------------------------------


def _begin(void_id: int, *, now: datetime) -> _Sending | None:
    company = Inutilizacao.objects.select_related("company").get(pk=void_id).company
    credentials = credentials_of(company)
    with transaction.atomic():
        row = Inutilizacao.objects.select_for_update().get(pk=void_id)
        if row.state not in (VoidState.SOLICITADA, VoidState.INDEFINIDA):
            return None
        subject = subject_of(row)
        if transmit.is_being_sent(subject, now=now):
            return None
        # CON-4: voiding waits for the home authority, never goes to an SVC.
        to = registry.sefaz(
            uf=company.uf, modelo=row.modelo, ambiente=row.ambiente, credentials=credentials
        )
        content = archive.unpacked(row.xml or b"")
        attempt = Attempt.objects.create(
            account_id=row.account_id,
            company=company,
            kind=Attempt.Kind.VOID,
            subject=subject,
            authority=to.route.authority,
            sha256=hashlib.sha256(content).hexdigest(),
            started_at=now,
        )
        row.begin(again_at=now + transmit.DEADLINE)
        row.save()
        return _Sending(attempt.pk, row.pk, content, to)


@transaction.atomic
def _unanswered(sending: _Sending, outcome: str, error: Exception, *, now: datetime) -> None:
    row = Inutilizacao.objects.select_for_update().get(pk=sending.void_id)
    if row.state == VoidState.INDEFINIDA:
        if outcome == _Outcome.NOT_SENT:
            row.not_sent(again_at=now + _pause(row))
        else:
            row.next_attempt_at = now + _pause(row)  # the same bytes again: 563 would tell
        row.save()
    _close(sending, outcome, now, error=str(error)[:300])


@transaction.atomic
def _record(sending: _Sending, answer: Answer, *, now: datetime) -> None:
    row = Inutilizacao.objects.select_for_update().get(pk=sending.void_id)
    said = answer.void
    c_stat, x_motivo = (said or answer).c_stat, (said or answer).x_motivo
    _close(
        sending, _Outcome.ANSWERED, now, c_stat=c_stat, x_motivo=x_motivo,
        reply=archive.packed(answer.raw), elapsed_ms=answer.elapsed_ms,
    )  # fmt: skip
    if row.state != VoidState.INDEFINIDA:
        return
    found = classify(c_stat)
    # 256 says that some number of the range was voided before: all of them only if it is one.
    done = c_stat != "256" or row.first == row.last
    if found in (Class.VOIDED, Class.VOIDED_ALREADY) and done:
        _homologated(row, said, c_stat, x_motivo, now)
    elif found in _PASSING:
        row.not_sent(again_at=now + _pause(row))
    else:
        row.reject(c_stat=c_stat, x_motivo=x_motivo)
    row.save()


def _homologated(
    row: Inutilizacao, said: VoidAnswer | None, c_stat: str, x_motivo: str, now: datetime
) -> None:
    row.homologate(
        protocolo=said.protocolo if said else "",
        at=said.dh_recbto if said else None,
        c_stat=c_stat,
        x_motivo=x_motivo,
    )
    if said is not None:
        content = f'<ProcInutNFe xmlns="{xml.NFE}" versao="4.00">'.encode()
        content += archive.unpacked(row.xml or b"") + said.xml + b"</ProcInutNFe>"
        archive.keep_for_company(
            row.company, ambiente=row.ambiente, kind=Archive.Kind.VOID,
            name=f"{subject_of(row)}-inu.xml", content=content, at=now,
        )  # fmt: skip
    _void_documents(row, now)
    notices.announce_void(row)


def _void_documents(row: Inutilizacao, now: datetime) -> None:
    """The rows that held the numbers: their documents can never be authorized any more."""
    rows = _documents(row.company, row.ambiente, row.modelo, row.serie, row.first, row.last)
    states = (State.REJEITADO, State.ASSINADO, State.INDEFINIDO)
    for document in rows.select_for_update().filter(state__in=states).order_by("pk"):
        unknown = (_Outcome.OPEN, _Outcome.LOST)
        document.attempts.filter(outcome__in=unknown).update(
            outcome=_Outcome.NOT_PROCESSED, ended_at=now
        )
        document.void(protocolo=row.protocolo, c_stat=row.c_stat, x_motivo=row.x_motivo)
        document.save()


def _pause(row: Inutilizacao) -> timedelta:
    return _AGAIN * 2 ** min(row.n_attempts, 5) / 2


def _close(sending: _Sending, outcome: str, now: datetime, **facts: object) -> None:
    Attempt.objects.filter(pk=sending.attempt_id).update(outcome=outcome, ended_at=now, **facts)
