"""What is known of a city from the national system, asked once a day (NAC-13).

A missing answer never stops a note: it only takes a pre-check away. What was answered last counts
until there is a newer answer, so that a city does not change hands while the service is down.
"""

from __future__ import annotations

import logging
from datetime import date, datetime, timedelta
from decimal import Decimal

from django.db import IntegrityError, transaction

from fiscal.authorities.base import Credentials, Lost, Misconfigured, NotSent
from fiscal.authorities.national import parameters
from fiscal.authorities.national.parameters import Agreement, Parameters
from fiscal.documents.nfe.faults import Faults
from fiscal.documents.nfsen import rate_rules
from fiscal.documents.service import NFSEN, Declared
from fiscal.errors import CertificateExpired, NoCertificate
from fiscal.models import Company, MunicipalParameter
from fiscal.selectors.service_notes import parameter
from fiscal.services import certificates
from lib import clock
from lib.errors import FieldError
from lib.queue import enqueue

log = logging.getLogger(__name__)

FRESH = timedelta(days=1)
AGAIN = timedelta(minutes=10)  # after an attempt that brought no answer
_UNANSWERED = 0  # status of a row whose answer is still to come, or did not come


def adopts_national_emitter(city: str, *, ambiente: str, now: datetime) -> bool | None:
    """Whether the city issues through the national system; None when nobody knows (§12.1).

    `city` is the IBGE code. The first question about a city goes out at once, with short limits;
    later ones in the background. Not inside a transaction.
    """
    told = agreement(city, ambiente=ambiente, now=now)
    return None if told is None else told.is_active and told.uses_emitter


def has_agreement(city: str, *, ambiente: str, now: datetime) -> bool | None:
    """Whether the agreement of the city is active, which decides about pAliq; None: unknown."""
    told = agreement(city, ambiente=ambiente, now=now)
    return None if told is None else told.is_active


def faults_of(declared: Declared, city: str, *, ambiente: str, now: datetime) -> list[FieldError]:
    """What a national declaration breaks of the rules that depend on its city; empty when fine."""
    if declared.tipo != NFSEN:
        return []
    faults = Faults()
    is_active = has_agreement(city, ambiente=ambiente, now=now)
    rate_rules.check_agreement(declared.data, faults, is_active=is_active)
    return list(faults.values())


def agreement(city: str, *, ambiente: str, now: datetime) -> Agreement | None:
    """The agreement of a city; None when it is not known. No agreement is one of neither kind."""
    row = _known(parameters.agreement_name(city), ambiente=ambiente, now=now)
    if row is None or not row.answer:
        return None
    return parameters.agreement(row.answer) or Agreement(is_active=False, uses_emitter=False)


def rate(city: str, service: str, on: date, *, ambiente: str, now: datetime) -> Decimal | None:
    """The city's rate of a service (cTribNac, or with cTribMun), in percent; None: unknown."""
    row = _known(parameters.rate_name(city, service, on), ambiente=ambiente, now=now)
    return parameters.rate(row.answer) if row else None


def refresh(row_id: int) -> None:
    """Ask again for what a row holds. Safe to run again; a failure leaves what was known."""
    row = MunicipalParameter.objects.get(pk=row_id)
    _ask(row, now=clock.now())


def _known(name: str, *, ambiente: str, now: datetime) -> MunicipalParameter | None:
    row = parameter(ambiente, name)
    if row is None:
        return _first(name, ambiente, now)
    if now - row.asked_at >= (FRESH if row.status else AGAIN):
        _queue(row, now)
    return row


def _first(name: str, ambiente: str, now: datetime) -> MunicipalParameter | None:
    """A row for what nobody asked yet, and the question; None when another asks right now."""
    row = MunicipalParameter(
        ambiente=ambiente, name=name, status=_UNANSWERED, asked_at=now, answer={}
    )
    try:
        with transaction.atomic():
            row.save()
    except IntegrityError:
        return parameter(ambiente, name)
    if _is_inside():
        # No network inside a transaction: the next note will know.
        enqueue("fiscal.services.nfse_parameters.refresh", row.pk)
        return row
    return _ask(row, now=now)


def _is_inside() -> bool:
    return transaction.get_connection().in_atomic_block


def _queue(row: MunicipalParameter, now: datetime) -> None:
    """One question at a time: whoever moves the row on asks."""
    moved = MunicipalParameter.objects.filter(pk=row.pk, asked_at=row.asked_at)
    if moved.update(asked_at=now, status=_UNANSWERED):
        enqueue("fiscal.services.nfse_parameters.refresh", row.pk)


def _ask(row: MunicipalParameter, *, now: datetime) -> MunicipalParameter:
    credentials = _credentials(row.name.partition("/")[0])
    if credentials is None:
        return row
    try:
        told = Parameters(row.ambiente, credentials).ask(row.name)
    except (NotSent, Lost, Misconfigured) as error:
        log.info("parameters.failed", extra={"parameter": row.name, "kind": type(error).__name__})
        return row
    # An answer that says "nothing" is one: told apart from none by not being empty.
    row.answer, row.status, row.asked_at = told.answer or {"mensagem": ""}, told.status, now
    row.save()
    return row


def _credentials(city: str) -> Credentials | None:
    """The certificate of a company of that city: any is welcome there."""
    for company in Company.objects.filter(codigo_municipio=city).order_by("pk")[:5]:
        try:
            return certificates.credentials_of(company)
        except (CertificateExpired, NoCertificate):
            continue
    return None
