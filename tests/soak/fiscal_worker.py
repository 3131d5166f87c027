"""What a process of the fiscal soak does, by a clock that hurries (soak.pace).

`work` works the queue and sweeps until it is killed, `accept` hands documents in, `correct` sends
what was refused again, `night` has unused numbers voided. Each survives the loss of its database,
as the server and the queue do, and ends with an error at anything that it does not expect.
"""

from __future__ import annotations

import logging
import os
import sys
import time
import traceback
from collections.abc import Callable
from typing import Any

from django.db import InterfaceError, OperationalError, connection
from django.utils.module_loading import import_string
from django_q.models import OrmQ
from psycopg import errors
from soak import pace
from soak.fiscal_faults import SERIES
from support.issuing import nfce_body, nfe_body

from fiscal.models import Company, FiscalDocument, State
from fiscal.services import contingency_review, gaps, issue, sweeps
from lib.errors import DomainError

MINUTE = 60 / pace.TIMES
BACKLOG = 1_000  # documents on their way; clients wait for fewer
NFE, NFCE = 55, 65
WITHOUT_PAPER = "fiscal.tasks.deliver_hooks"  # no address listens here; the notices are counted


def patient(step: Callable[[], Any]) -> Any:
    """`step`, once more when the server of the database went away; nothing else is forgiven."""
    while True:
        try:
            return step()
        except (OperationalError, InterfaceError) as error:
            if not _is_outage(error):
                raise
            connection.close()
            time.sleep(0.2)


def _is_outage(error: BaseException | None) -> bool:
    """The server of the database is away; a deadlock is a fault of ours."""
    is_lost = isinstance(error, OperationalError | InterfaceError)
    return is_lost and not isinstance(getattr(error, "__cause__", None), errors.DeadlockDetected)


class Unexpected(logging.Handler):
    """The queue logs what a document fails with and goes on; here that ends the process."""

    def emit(self, record: logging.LogRecord) -> None:
        """Only what was logged with an exception is of interest."""
        if record.exc_info and not _is_outage(record.exc_info[1]):
            traceback.print_exception(record.exc_info[1])
            os._exit(3)


# --- workers -----------------------------------------------------------------------------------


def work() -> None:
    """Tasks as they come, and each minute of the hurried clock what is scheduled for it."""
    last = 0.0
    while True:
        if not patient(_one_task):
            time.sleep(0.1)
        if time.monotonic() - last > MINUTE:
            last = time.monotonic()
            patient(sweeps.claim_due)
            patient(contingency_review.review_now)


def _one_task() -> bool:
    """Take a task and run it; whoever dies in the middle has lost it, as a broker would."""
    for row in OrmQ.objects.order_by("id")[:8]:
        task = row.task
        if OrmQ.objects.filter(pk=row.pk).delete()[0]:
            if task["func"] != WITHOUT_PAPER:
                _run(task)
            return True
    return False


def _run(task: dict[str, Any]) -> None:
    """Lost with its database connection like any other; the sweep brings it back."""
    try:
        import_string(task["func"])(*task["args"])
    except DomainError as error:
        print(f"tarefa recusada: {error.codigo}", file=sys.stderr)


# --- clients -----------------------------------------------------------------------------------


def accept(first: int, last: int) -> None:
    """Documents of both models for all companies; who comes back goes on where it was."""
    companies = patient(lambda: list(Company.objects.order_by("pk")))
    known = patient(lambda: set(FiscalDocument.objects.values_list("ref", flat=True)))
    for n in range(first, last):
        if f"s{n}" in known:
            continue
        while patient(_is_full):
            time.sleep(0.1)
        company, modelo = companies[n % len(companies)], NFCE if n // 4 % 3 == 0 else NFE
        patient(lambda c=company, m=modelo, n=n: _issue(c, m, n))  # type: ignore[misc]


def _is_full() -> bool:
    return FiscalDocument.objects.filter(next_attempt_at__isnull=False).count() > BACKLOG


def _issue(company: Company, modelo: int, n: int) -> None:
    """A refusal is right when the document is there: its client did not see the answer before."""
    try:
        issue.issue_document(
            company, ambiente="homologacao", modelo=modelo, ref=f"s{n}",
            body=_body(company, modelo, n),
        )  # fmt: skip
    except DomainError as error:
        if not FiscalDocument.objects.filter(company=company, ref=f"s{n}").exists():
            raise
        print(f"s{n}: {error.codigo}", file=sys.stderr)


def _body(company: Company, modelo: int, n: int) -> dict[str, Any]:
    if modelo == NFCE:
        return nfce_body(serie=SERIES["65"][0])
    place = {"uf_destinatario": company.uf, "municipio_destinatario": company.municipio}
    return nfe_body(serie=SERIES["55"][n % 2], **place)


def correct() -> None:
    """Every second refused document is sent again, as its client would after mending it."""
    rows = FiscalDocument.objects.filter(state=State.REJEITADO, superseded_by=None)
    for row in rows.select_related("company").order_by("pk")[::2]:
        patient(lambda row=row: _issue(row.company, row.modelo, int(row.ref[1:])))  # type: ignore[misc]


def night() -> None:
    """What is scheduled for each night: give numbers up, and void them."""
    patient(gaps.sweep)


JOBS: dict[str, Callable[..., None]] = {
    "work": work,
    "accept": accept,
    "correct": correct,
    "night": night,
}


def run(job: str, *arguments: int) -> None:
    """The whole life of a process."""
    pace.hurry()
    engine = logging.getLogger("fiscal")
    engine.handlers, engine.propagate = [Unexpected()], False
    # It tells of each call after a commit that the database was not there for.
    logging.getLogger("django.db.backends.base").setLevel(logging.CRITICAL)
    JOBS[job](*arguments)
