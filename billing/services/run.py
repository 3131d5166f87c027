"""The billing run: from rules to emitted invoices, provable line by line (DECISIONS 1–3)."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from datetime import date
from decimal import Decimal
from typing import Any

from django.db import transaction
from django.db.models import Count, Exists, OuterRef, Sum

from accounts.models import Account
from accounts.services.audit import SYSTEM, Actor, record
from billing.models import BillingRun, Contract, InvoiceRule, RunEntry
from billing.services.carrying_out import carry_out
from billing.services.contracts import create_finals, refresh_overdue, unfinished
from billing.services.emission import emit_due, emittable, explain_waiting
from billing.services.materialise import ENTRY_COLUMNS, due_rules, extend
from billing.services.readjustments import due_clauses, execute_due
from lib import clock
from lib.bulk import chunks, insert_rows
from lib.money import half_up
from lib.queue import enqueue

log = logging.getLogger(__name__)

_ZERO = Decimal("0.00")
STEPS = ("horizonte", "reajustes", "faturas finais", "emissão")

# (step, items done in it so far, items it began with)
Listener = Callable[[str, int, int], None]


@dataclass(frozen=True)
class RunRequest:
    """What a run is asked for. `selected` are manual invoices that staff chose to emit."""

    account: Account
    until: date
    today: date
    selected: Sequence[int] = field(default=())
    job_id: int | None = None


def run_billing(
    request: RunRequest, *, actor: Actor = SYSTEM, listener: Listener = lambda *_: None
) -> BillingRun:
    """Extend horizons, readjust, bill the end of cancelled contracts, then emit what is due.

    Contracts that their customers have ended are cancelled first, where their last day is over.

    The order matters: occurrences exist before a readjustment changes those it reaches, and every
    price is settled before anything is emitted. Each step works in batches that commit whole, so a
    run may be repeated, overlap another or be killed anywhere: the next one finishes the work.
    """
    run = _begin(request, actor)
    try:
        refused = _steps(run, request, listener)
    except BaseException:
        # Cancelled, or broken: what was committed stays and is told; the next run goes on.
        tally(run)
        raise
    _finish(run, refused, actor)
    return run


def _steps(run: BillingRun, request: RunRequest, listener: Listener) -> list[int]:
    """The four steps; answers the invoices that the database refused to emit."""
    account, until, today = request.account, request.until, request.today
    carry_out(account, today=today)
    n_rules = due_rules(account, max(until, today)).count()
    extend(
        account,
        until=until,
        today=today,
        run=run,
        progress=lambda done: listener(STEPS[0], done.rules, n_rules),
    )
    n_clauses = due_clauses(account, until=until).count()
    execute_due(
        account,
        until=until,
        run=run,
        progress=lambda done: listener(STEPS[1], done.executed + done.skipped, n_clauses),
    )
    n_contracts = unfinished(account, until=until).count()
    create_finals(
        account,
        until=until,
        run=run,
        progress=lambda done: listener(STEPS[2], done.contracts, n_contracts),
    )
    refresh_overdue(account, today=today)
    n_invoices = emittable(account, until=until, selected=request.selected).count()
    emitted = emit_due(
        account,
        until=until,
        today=today,
        run=run,
        selected=request.selected,
        progress=lambda done: listener(STEPS[3], done.count, n_invoices),
    )
    return emitted.refused


def _begin(request: RunRequest, actor: Actor) -> BillingRun:
    with transaction.atomic():
        run = BillingRun.objects.create(
            account=request.account,
            until=request.until,
            today=request.today,
            job_id=request.job_id,
            started_at=clock.now(),
        )
        after = {"ate": request.until}
        record(request.account, actor=actor, action="rodada.iniciada", target=run, after=after)
    return run


@transaction.atomic
def _finish(run: BillingRun, refused: list[int], actor: Actor) -> None:
    explain_waiting(run.account, until=run.until, run=run)
    _explain_rest(run)
    run.finished_at = clock.now()
    tally(run)
    record(
        run.account,
        actor=actor,
        action="rodada.concluida",
        target=run,
        after={"criadas": run.created, "emitidas": run.emitted, "recusadas": refused},
    )
    if run.emitted:
        enqueue("billing.tasks.sweep_follow_ups")
    log.info("billing_run.finished", extra={"run_id": run.pk, "n_emitted": run.emitted})


def tally(run: BillingRun) -> None:
    """Store the run's counts as its entries tell them, also of a run that did not finish."""
    entries = {
        outcome: (items, half_up(total))  # SQLite adds decimals as floats
        for outcome, items, total in RunEntry.objects.filter(run=run)
        .values_list("outcome")
        .annotate(items=Sum("count"), total=Sum("amount"))
    }
    nothing = (0, _ZERO)
    run.created = entries.get(RunEntry.Outcome.CREATED, nothing)[0]
    run.finals = entries.get(RunEntry.Outcome.FINAL, nothing)[0]
    run.emitted, run.emitted_total = entries.get(RunEntry.Outcome.EMITTED, nothing)
    run.skipped = entries.get(RunEntry.Outcome.NOT_EMITTED, nothing)[0]
    of_run = RunEntry.objects.filter(run=run)
    run.readjusted = of_run.filter(outcome=RunEntry.Outcome.READJUSTED).count()
    run.parked = of_run.filter(outcome=RunEntry.Outcome.PARKED).count()
    run.save()


def _explain_rest(run: BillingRun) -> None:
    """One line for every rule the run had nothing to do for, so that none goes unexplained."""
    told = RunEntry.objects.filter(run=run, rule_id=OuterRef("pk"))
    rows = (
        InvoiceRule.objects.of(run.account)
        .filter(~Exists(told))
        .values_list("id", "contract_id", "status", "contract__status", "last_occurrence")
    )
    for chunk in chunks(rows.iterator(chunk_size=5000), 5000):
        insert_rows(RunEntry, ENTRY_COLUMNS, [_rest_entry(run.pk, *row) for row in chunk])


def _rest_entry(
    run_id: int, rule: int, contract: int, status: str, contract_status: str, last: date | None
) -> tuple[Any, ...]:
    outcome, text = _rest(status, contract_status, last)
    return (run_id, rule, contract, None, outcome.value, 0, _ZERO, text)


def _rest(status: str, contract_status: str, last: date | None) -> tuple[RunEntry.Outcome, str]:
    if contract_status == Contract.Status.CANCELLED:
        return RunEntry.Outcome.ENDED, "contrato cancelado"
    if status == InvoiceRule.Status.PAUSED:
        return RunEntry.Outcome.PAUSED, "regra pausada"
    if status == InvoiceRule.Status.ENDED:
        return RunEntry.Outcome.ENDED, "regra encerrada"
    if last is None:
        return RunEntry.Outcome.UP_TO_DATE, "nada a faturar no período"
    return RunEntry.Outcome.UP_TO_DATE, f"faturas criadas até {last:%d/%m/%Y}"


def report(run: BillingRun) -> dict[str, Any]:
    """The run by outcome: counts and sums (BRL as text), JSON-ready."""
    groups = (
        RunEntry.objects.filter(run=run)
        .values("outcome")
        .annotate(entries=Count("id"), items=Sum("count"), total=Sum("amount"))
        .order_by("outcome")
    )
    labels = dict(RunEntry.Outcome.choices)
    return {
        "run": run.pk,
        "account": run.account.slug,
        "until": run.until.isoformat(),
        "today": run.today.isoformat(),
        "created": run.created,
        "emitted": run.emitted,
        "emitted_total": str(run.emitted_total),
        "readjusted": run.readjusted,
        "finals": run.finals,
        "parked": run.parked,
        "not_emitted": run.skipped,
        "outcomes": [
            {
                "outcome": group["outcome"],
                "label": str(labels[group["outcome"]]),
                "entries": group["entries"],
                "items": group["items"],
                "total": f"{group['total']:.2f}",
            }
            for group in groups
        ],
    }


CSV_HEADER = ("resultado", "regra", "contrato", "fatura", "quantidade", "valor", "explicacao")


def report_rows(run: BillingRun) -> Iterator[tuple[str, ...]]:
    """Every entry of the report, for the downloadable file."""
    labels = dict(RunEntry.Outcome.choices)
    entries = RunEntry.objects.filter(run=run).order_by("outcome", "id")
    for entry in entries.iterator(chunk_size=5000):
        yield (
            labels[entry.outcome],
            str(entry.rule_id or ""),
            str(entry.contract_id or ""),
            str(entry.invoice_id or ""),
            str(entry.count),
            f"{entry.amount:.2f}".replace(".", ","),
            entry.detail,
        )


def to_json(value: Any) -> str:
    """JSON for terminals and files."""
    return json.dumps(
        asdict(value) if hasattr(value, "__dataclass_fields__") else value,
        ensure_ascii=False,
        indent=2,
        default=str,
    )
