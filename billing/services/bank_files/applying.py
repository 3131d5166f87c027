"""Applying a retorno: each of its facts once, some hundreds a transaction, resumed where it died.

Money goes the one road of all money that comes (`arrivals`); what a bank answered about a boleto,
the one road of all such answers (`boletos.answers`). A fact is marked as applied in the
transaction that applies it, by a key that no two applied facts share.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import F, Q, QuerySet

from accounts.models import Account, Job, User
from accounts.services.audit import SYSTEM, Actor, actor_of, record
from accounts.services.jobs import Progress, create_job
from billing.errors import CannotApplyFile, FileHasFaults
from billing.models import CnabFile, CnabRecord
from billing.services.bank_files.facts import apply_facts
from billing.services.bank_files.report import report
from billing.services.bank_files.results import MONEY, Result
from billing.services.bank_files.retorno import keys_applied
from lib import clock
from lib.bulk import update_rows
from lib.errors import DomainError

log = logging.getLogger(__name__)

KIND = "billing.retorno"
BATCH = 300
UNEXPECTED = "Erro inesperado; veja o registro do servidor."
_FACTS = (Result.REGISTERED, Result.REJECTED, Result.CANCELLED, Result.CHANGED)
_TOLD = (Result.FEE, Result.NOTED)  # nothing to do but to keep them
_APPLICABLE = Q(result__in=(*MONEY, *_FACTS, *_TOLD)) | Q(
    resolution__in=(CnabRecord.Resolution.LINKED, CnabRecord.Resolution.CREDITED)
)
_COLUMNS = ("id", "applied_at", "payment", "note", "result", "message")


def applicable(file: CnabFile) -> QuerySet[CnabRecord]:
    """What applying the file would do now, in its order."""
    ignored = CnabRecord.Resolution.IGNORED
    rows = file.records.filter(_APPLICABLE, applied_at=None).exclude(resolution=ignored)
    found: QuerySet[CnabRecord] = rows.order_by("line")
    return found


@transaction.atomic
def start(
    file_id: int, *, account: Account, user: User | None = None, confirmed: bool = False
) -> Job:
    """Queue the application of a retorno. Raises NotFound, CannotApplyFile, or FileHasFaults.

    The last is a question: a file with faults is applied when `confirmed`. An applied file may be
    applied again, for the lines that a person has decided about since.
    """
    file = take(file_id, account=account, confirmed=confirmed)
    under_way = _jobs(file).first()
    return under_way or create_job(account, kind=KIND, params={"file": file.pk}, user=user)


def may_start(file: CnabFile) -> bool:
    """Is there something of a retorno to apply, and nobody at it?

    One that was stopped half way, by a person or a fault, goes on where it was.
    """
    if file.direction != CnabFile.Direction.RETORNO or file.state == CnabFile.State.DISCARDED:
        return False
    if file.state == CnabFile.State.APPLYING:
        return not _jobs(file).exists()
    return applicable(file).exists()


def _jobs(file: CnabFile) -> QuerySet[Job]:
    """Those that apply it, or wait to."""
    found: QuerySet[Job] = Job.objects.of(file.account).filter(
        kind=KIND,
        params__file=file.pk,
        state__in=(Job.State.QUEUED, Job.State.RUNNING),
        cancel_requested=False,
    )
    return found


@transaction.atomic
def take(file_id: int, *, account: Account, confirmed: bool) -> CnabFile:
    """Move a retorno to being applied. Raises as `start`."""
    file: CnabFile = CnabFile.objects.select_for_update().get_of(
        account, pk=file_id, direction=CnabFile.Direction.RETORNO
    )
    if file.state == CnabFile.State.DISCARDED:
        raise CannotApplyFile()
    if file.faults and not confirmed and file.state == CnabFile.State.READ:
        raise FileHasFaults()
    file.state = CnabFile.State.APPLYING
    file.save(update_fields=["state"])
    return file


def run(job: Job, progress: Progress) -> dict[str, Any]:
    """The job's handler; its parameter is `file`. Killed and run again, it goes on where it was."""
    return apply_file(job.params["file"], actor=actor_of(job.started_by), progress=progress)


def apply_file(
    file_id: int, *, actor: Actor = SYSTEM, progress: Progress | None = None
) -> dict[str, Any]:
    """Apply what is applicable of a file that was taken; answers its report, JSON-ready."""
    file = CnabFile.objects.defer("content").select_related("account").get(pk=file_id)
    if progress is not None:
        progress.set_total(applicable(file).count())
    last = 0
    while lines := _next(file, after=last):
        last = lines[-1]
        failures = _apply(file, lines, actor)
        if progress is not None:
            for failed, cause in failures:
                progress.failed(f"linha {failed}", cause)
            progress.ok(len(lines) - len(failures))
    return _finish(file, actor)


def _next(file: CnabFile, *, after: int) -> list[int]:
    """The numbers of the lines that are due next."""
    return list(applicable(file).filter(line__gt=after).values_list("line", flat=True)[:BATCH])


def _apply(file: CnabFile, lines: Sequence[int], actor: Actor) -> list[tuple[int, str]]:
    """A batch together; when something in it fails, one by one, so that only that one does.

    Answers the lines that failed, and why.
    """
    try:
        _together(file, lines, actor)
        return []
    except (IntegrityError, DomainError):
        pass  # also a fact that another file applies at this instant: one by one it is known
    except Exception:
        # One line that nobody foresaw must not keep the others: they are taken one by one.
        log.exception("cnab.crashed", extra={"file_id": file.pk, "line": lines[0]})
    return [failed for one in lines for failed in _alone(file, one, actor)]


def _alone(file: CnabFile, line: int, actor: Actor) -> list[tuple[int, str]]:
    try:
        _together(file, [line], actor)
        return []
    except (IntegrityError, DomainError) as error:
        return [(line, _cause(error))]
    except Exception:
        # The operator is told of this line; the rest of the file goes on.
        log.exception("cnab.crashed", extra={"file_id": file.pk, "line": line})
        return [(line, UNEXPECTED)]


def _cause(error: Exception) -> str:
    return error.mensagem if isinstance(error, DomainError) else UNEXPECTED


@transaction.atomic
def _together(file: CnabFile, lines: Sequence[int], actor: Actor) -> None:
    """Take the lines as they are now, apply them, and mark them as applied."""
    held = list(
        applicable(file)
        .filter(line__in=lines)
        .annotate(parcel=F("charge__receivable_id"))
        .select_for_update(of=("self",))
    )
    known = keys_applied(file.account, [one.key for one in held])
    fresh = [one for one in held if one.key not in known]
    for one in held:
        if one.key in known:  # by another file, since this one was read
            one.result, one.message = Result.SETTLED_BEFORE, "Este registro já foi aplicado."
    apply_facts(file, fresh, actor=actor)
    at = clock.now()
    for one in fresh:
        one.applied_at = at
    update_rows(
        CnabRecord,
        _COLUMNS,
        [(o.pk, o.applied_at, o.payment_id, o.note, o.result, o.message) for o in held],
    )


@transaction.atomic
def _finish(file: CnabFile, actor: Actor) -> dict[str, Any]:
    found = report(file)
    locked = CnabFile.objects.select_for_update().defer("content").get(pk=file.pk)
    if locked.state == CnabFile.State.APPLYING:
        locked.state = CnabFile.State.APPLIED
        locked.closed_at = locked.closed_at or clock.now()
        locked.save(update_fields=["state", "closed_at"])
        record(file.account, actor=actor, action="cnab.aplicado", target=file, after=found)
    return found
