"""Sending a signed request to void numbers, and recording what came back (§2.4, §8.5).

The natural key makes it safe to send the same bytes again: 563 means done before.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import models, transaction

from fiscal import access_key
from fiscal.authorities import registry, tables
from fiscal.authorities.answers import proc_inut
from fiscal.authorities.base import Answer, Lost, Misconfigured, NotSent, VoidAnswer
from fiscal.authorities.cstat import Class, classify
from fiscal.authorities.sefaz import Sefaz
from fiscal.errors import CertificateExpired, NoCertificate
from fiscal.models import (
    Archive,
    Attempt,
    Company,
    FiscalDocument,
    Inutilizacao,
    State,
    VoidState,
)
from fiscal.services import archive, consumption, notices, transmit
from fiscal.services.certificates import credentials_of
from fiscal.services.consumption import Service
from fiscal.services.signing_step import local_time
from lib import clock

AGAIN = timedelta(minutes=2)
WITHOUT_CERTIFICATE = timedelta(hours=1)
_Outcome = Attempt.Outcome
_PASSING = (Class.SERVICE_PAUSED, Class.SERVICE_DOWN, Class.RETRY)


@dataclass(frozen=True)
class Numbers:
    """A range of numbers of a series, both ends included."""

    ambiente: str
    modelo: int
    serie: int
    first: int
    last: int


@dataclass(frozen=True)
class _Sending:
    attempt_id: int
    void_id: int
    subject: str
    xml: bytes
    to: Sefaz


def send(void_id: int) -> None:
    """Send the request, if it is not answered yet. Safe to run again.

    A lost answer is asked for at once by the same bytes: 563 tells that they had arrived.
    """
    try:
        if _attempt(void_id) is _Outcome.LOST:
            _attempt(void_id)
    except (CertificateExpired, NoCertificate):
        rows = Inutilizacao.objects.filter(pk=void_id, next_attempt_at__isnull=False)
        rows.update(next_attempt_at=clock.now() + WITHOUT_CERTIFICATE)


def _attempt(void_id: int) -> Attempt.Outcome | None:
    sending = _begin(void_id, now=clock.now())
    if sending is None:
        return None
    try:
        answer = sending.to.void(sending.xml)
    except (NotSent, Misconfigured) as error:
        return _unanswered(sending, _Outcome.NOT_SENT, error, now=clock.now())
    except Lost as error:
        return _unanswered(sending, _Outcome.LOST, error, now=clock.now())
    _record(sending, answer, now=clock.now())
    return _Outcome.ANSWERED


# --- what it is about ---------------------------------------------------------------------------


def documents_of(company: Company, numbers: Numbers) -> models.QuerySet[FiscalDocument]:
    """Those that hold a number of the range."""
    return FiscalDocument.objects.filter(
        company=company,
        ambiente=numbers.ambiente,
        modelo=numbers.modelo,
        serie=numbers.serie,
        numero__range=(numbers.first, numbers.last),
    )


def file_name(row: Inutilizacao) -> str:
    """Published name (fiscal-api §1.10)."""
    return f"{subject_of(row)}-inu.xml"


def subject_of(row: Inutilizacao) -> str:
    """Id of the request without its prefix."""
    return access_key.void_id(
        cuf=tables.state(row.company.uf).c_uf,
        ano=row.ano,
        cnpj=row.company.cnpj,
        modelo=row.modelo,
        serie=row.serie,
        first=row.first,
        last=row.last,
    ).removeprefix("ID")


# --- transactions A and B -----------------------------------------------------------------------


def _begin(void_id: int, *, now: datetime) -> _Sending | None:
    company = Inutilizacao.objects.select_related("company").get(pk=void_id).company
    credentials = credentials_of(company)
    with transaction.atomic():
        row = Inutilizacao.objects.select_for_update().get(pk=void_id)
        if row.state not in (VoidState.SOLICITADA, VoidState.INDEFINIDA):
            return None
        subject = subject_of(row)
        if transmit.is_being_sent(subject, now=now) or _is_throttled(row, company, subject, now):
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
        return _Sending(attempt.pk, row.pk, subject, content, to)


def _is_throttled(row: Inutilizacao, company: Company, subject: str, now: datetime) -> bool:
    try:
        consumption.spend(_who(row, company), service=Service.VOID, subject=subject, now=now)
    except consumption.Throttled as error:
        row.next_attempt_at = error.until
        row.save()
        return True
    return False


def _who(row: Inutilizacao, company: Company) -> consumption.Caller:
    return consumption.caller(company.document, row.ambiente)


@transaction.atomic
def _unanswered(
    sending: _Sending, outcome: Attempt.Outcome, error: Exception, *, now: datetime
) -> Attempt.Outcome:
    row = Inutilizacao.objects.select_for_update().get(pk=sending.void_id)
    if row.state == VoidState.INDEFINIDA:
        if outcome == _Outcome.NOT_SENT:
            row.not_sent(again_at=now + _pause(row))
        else:
            row.next_attempt_at = now + _pause(row)  # the same bytes again: 563 would tell
        row.save()
    if isinstance(error, NotSent):
        who = _who(row, row.company)
        consumption.give_back(who, service=Service.VOID, subject=sending.subject)
    _close(sending, outcome, now, error=str(error)[:300])
    return outcome


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
    elif found is Class.THROTTLED:
        who = _who(row, row.company)
        row.not_sent(again_at=consumption.block(who, service=Service.VOID, now=now))
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
        content = proc_inut(archive.unpacked(row.xml or b""), said.xml)
        # The month of the issuer's clock: in UTC the last evening is the next month already.
        month = f"{local_time(row.company, said.dh_recbto or now):%Y%m}"
        archive.keep_for_company(
            row.company, ambiente=row.ambiente, month=month, kind=Archive.Kind.VOID,
            name=file_name(row), content=content, at=now,
        )  # fmt: skip
    _void_documents(row, now)
    notices.announce_void(row)


def _void_documents(row: Inutilizacao, now: datetime) -> None:
    """The rows that held the numbers: their documents can never be authorized any more.

    That settles a conflict too: the authority would not have voided a number that it holds (241).
    """
    numbers = Numbers(row.ambiente, row.modelo, row.serie, row.first, row.last)
    rows = documents_of(row.company, numbers)
    states = (State.REJEITADO, State.ASSINADO, State.INDEFINIDO, State.CONFLITO)
    for document in rows.select_for_update().filter(state__in=states).order_by("pk"):
        unknown = (_Outcome.OPEN, _Outcome.LOST)
        document.attempts.filter(outcome__in=unknown).update(
            outcome=_Outcome.NOT_PROCESSED, ended_at=now
        )
        document.void(protocolo=row.protocolo, c_stat=row.c_stat, x_motivo=row.x_motivo)
        document.save()


def _pause(row: Inutilizacao) -> timedelta:
    return AGAIN * 2 ** min(row.n_attempts, 5) / 2


def _close(sending: _Sending, outcome: str, now: datetime, **facts: object) -> None:
    Attempt.objects.filter(pk=sending.attempt_id).update(outcome=outcome, ended_at=now, **facts)
