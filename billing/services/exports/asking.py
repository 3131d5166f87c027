"""Beginning an export."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from django.db import transaction

from accounts.models import Account, Job, User
from accounts.services.audit import Actor, record
from accounts.services.jobs import create_job
from billing.models import Party
from billing.selectors.customer_notes import customer_notes
from billing.services.exports.selection import chosen
from lib.errors import Conflict, FieldError, InvalidInput

KIND = "portal.export"
AT_ONCE = 3


class What(StrEnum):
    """Values of the form."""

    INVOICES = "faturas"
    LINES = "itens"
    NOTES = "notas"
    PDFS = "pdfs"
    PERSONAL = "dados"


LABELS = {
    What.INVOICES: "Faturas (CSV)",
    What.LINES: "Itens (CSV)",
    What.NOTES: "Notas fiscais (ZIP de XML)",
    What.PDFS: "PDFs (ZIP)",
    What.PERSONAL: "Dados cadastrais e histórico (JSON)",
}


@dataclass(frozen=True)
class Period:
    """From the month of `first` to that of `last`, both included."""

    first: date
    last: date


class NothingThere(Conflict):
    codigo = "sem_dados"
    mensagem = "Não há dados neste período."


class TooManyAtOnce(Conflict):
    codigo = "exportacoes_demais"
    mensagem = f"Você já tem {AT_ONCE} exportações em andamento. Aguarde uma delas terminar."


@transaction.atomic
def ask_export(
    what: str,
    period: Period,
    *,
    account: Account,
    customer: Party,
    user: User,
    actor: Actor,
    today: date,
) -> Job:
    """Queue an export of the customer's data; the person who asked is told when it is ready.

    Raises InvalidInput (fields `o_que`, `ate`), NothingThere, TooManyAtOnce.
    """
    if what not in LABELS:
        raise InvalidInput(erros=[FieldError("o_que", "Escolha o que exportar.")])
    if period.first > period.last:
        text = "A data de início deve ser igual ou anterior à data de término."
        raise InvalidInput(erros=[FieldError("ate", text)])
    if not _is_there(What(what), period, account, customer, today):
        raise NothingThere()
    if len(_unfinished(account, user)) >= AT_ONCE:
        raise TooManyAtOnce()
    params = {
        "customer": customer.pk,
        "what": what,
        "first": period.first.isoformat(),
        "last": period.last.isoformat(),
    }
    job = create_job(account, kind=KIND, params=params, user=user, actor=actor, notify=True)
    after = {"o_que": what, "de": period.first, "ate": period.last}
    record(account, actor=actor, action="exportacao.pedida", target=job, after=after)
    return job


def _is_there(what: What, period: Period, account: Account, customer: Party, today: date) -> bool:
    if what == What.PERSONAL:
        return True
    rows = chosen(account, customer, period.first, period.last, today=today)
    if what != What.NOTES:
        return bool(rows)
    notes = customer_notes([row.pk for row in rows])
    return any(note.is_issued for mine in notes.values() for note in mine)


def _unfinished(account: Account, user: User) -> list[int]:
    waiting = (Job.State.QUEUED, Job.State.RUNNING)
    rows = Job.objects.of(account).filter(kind=KIND, started_by=user, state__in=waiting)
    return list(rows.values_list("pk", flat=True))


def exports_of(account: Account, customer: Party, user: User, *, limit: int = 10) -> list[Job]:
    """The person's last exports for this company, the newest first."""
    rows = Job.objects.of(account).filter(kind=KIND, started_by=user, params__customer=customer.pk)
    return list(rows.order_by("-pk")[:limit])


def label_of(job: Job) -> str:
    """“Faturas (CSV)” of an export."""
    return LABELS[What(job.params["what"])]
