"""A worker of the fiscal soak: works the queue and sweeps, with a clock of the engine that hurries.

`python fiscal_worker.py work` runs until it is killed; `… issue FIRST LAST` accepts that many
documents and ends. Every pause of the engine is divided, so that a day of recovery fits minutes.
"""

from __future__ import annotations

import random
import sys
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests"), str(ROOT)]

from benchmarks.lab import set_up  # noqa: E402

set_up()

from django.utils.module_loading import import_string  # noqa: E402
from django_q.models import OrmQ  # noqa: E402
from support.issuing import nfce_body, nfe_body  # noqa: E402

from fiscal.authorities.sefaz import Sefaz  # noqa: E402
from fiscal.authorities.transport import Limits  # noqa: E402
from fiscal.models import Company  # noqa: E402
from fiscal.services import (  # noqa: E402
    authority_status,
    consumption,
    contingency,
    delivery,
    events,
    inutilizacao,
    issue,
    recovery,
    signing_step,
    sweeps,
    transmit,
    verdicts,
)
from lib.errors import DomainError  # noqa: E402


def hurry() -> None:
    """The engine's pauses, some hundred times shorter."""
    short = timedelta(seconds=4)
    signing_step.LEASE = sweeps.LEASE = short
    issue.LEASE = short
    transmit.DEADLINE = timedelta(seconds=6)
    authority_status.EVERY = timedelta(seconds=2)
    verdicts.FIRST_QUERY = verdicts.PAUSE = timedelta(seconds=1)
    verdicts.LONGEST_PAUSE = verdicts.STOPPED = short
    verdicts.ABANDONED = timedelta(seconds=15)
    events._AGAIN = inutilizacao._AGAIN = timedelta(seconds=1)
    recovery._PAUSES, recovery._LAST_PAUSE = ((5, 1), (20, 2)), 3
    recovery._POLLS, recovery._LAST_POLL = ((5, 1),), 2
    consumption.HOUR = timedelta(seconds=20)
    consumption.LIMITS = dict.fromkeys(consumption.LIMITS, 1000)
    delivery.QUICK_MS = 1_000
    _impatient()


def _impatient() -> None:
    original = Sefaz.__init__

    def init(self: Any, *args: Any, **kwargs: Any) -> None:
        kwargs.setdefault("asking", Limits(read=2))
        kwargs.setdefault("changing", Limits(read=2))
        original(self, *args, **kwargs)

    Sefaz.__init__ = init  # type: ignore[method-assign]


def work() -> None:
    """Tasks as they come, and what is scheduled each minute whenever there are none."""
    while True:
        if not _one_task():
            sweeps.claim_due()
            contingency.review_now()
            if not OrmQ.objects.exists():
                time.sleep(0.2)


def _one_task() -> bool:
    """Take a task and run it; whoever dies in the middle has lost it, as a broker would."""
    for row in OrmQ.objects.order_by("id")[:8]:
        task = row.task
        if OrmQ.objects.filter(pk=row.pk).delete()[0]:
            try:
                import_string(task["func"])(*task["args"])
            except DomainError as error:
                print(f"tarefa recusada: {error.codigo}", file=sys.stderr)
            return True
    return False


def accept(first: int, last: int) -> None:
    """Documents of both models; a sale that its client does not see answered is not sent again."""
    companies = list(Company.objects.order_by("pk"))
    for n in range(first, last):
        company = companies[n % len(companies)]
        modelo = 65 if company.uf == "SC" and n % 3 == 0 else 55
        try:
            issue.issue_document(
                company, ambiente="homologacao", modelo=modelo, ref=f"s{n}",
                body=_body(company, modelo, n),
            )  # fmt: skip
        except DomainError as error:
            print(f"s{n}: {error.codigo}", file=sys.stderr)


def _body(company: Company, modelo: int, n: int) -> dict[str, Any]:
    if modelo == 65:
        return nfce_body()
    place = {"uf_destinatario": company.uf, "municipio_destinatario": company.municipio}
    return nfe_body(serie=str(1 + n % 2), **place)


if __name__ == "__main__":
    hurry()
    random.seed()
    if sys.argv[1] == "work":
        work()
    else:
        accept(int(sys.argv[2]), int(sys.argv[3]))
