"""Emission by the run: number, snapshot and announce invoices by the thousand (DECISIONS 2, 3)."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any, NamedTuple

from django.db import DataError, IntegrityError, transaction
from django.db.models import Case, Exists, F, Min, OuterRef, Q, QuerySet, Subquery, Value, When

from accounts.models import Account
from accounts.services.audit import SYSTEM, record_many
from billing.engine.local_days import calendar_with
from billing.models import (
    BillingRun,
    Invoice,
    Management,
    OrganizationProfile,
    Party,
    Receivable,
    RunEntry,
    ScheduledUpdate,
)
from billing.selectors.endings import ends_before
from billing.selectors.templates import default_template_versions, version_for
from billing.services import outbox
from billing.services.dunning.suspensions import emission_blocked
from billing.services.materialise import ENTRY_COLUMNS
from billing.services.note_schedule import plan_notes
from billing.services.numbering import take_numbers
from billing.services.owed_work import owe
from billing.services.snapshots import snapshots_for
from billing.services.withholdings import withhold_from
from lib import clock
from lib.bulk import insert_rows, update_rows

log = logging.getLogger(__name__)

INVOICES_PER_BATCH = 2000
_ZERO = Decimal("0.00")


@dataclass
class Emitted:
    """What was emitted: count and sum (BRL); `refused` are ids the database would not take."""

    count: int = 0
    amount: Decimal = _ZERO
    refused: list[int] = field(default_factory=list)

    def add(self, other: Emitted) -> None:
        self.count += other.count
        self.amount += other.amount
        self.refused += other.refused


class Row(NamedTuple):
    """The columns of an invoice that emission needs."""

    id: int
    organization_id: int
    customer_id: int
    contract_id: int | None
    contract_token: str | None
    rule_id: int | None
    series_id: int | None
    number: int | None
    issue_date: date
    due_date: date | None
    gross_value: Decimal
    payment_value: Decimal


_COLUMNS = (
    "id",
    "organization_id",
    "customer_id",
    "contract_id",
    "contract__token",
    "rule_id",
    "series_id",
    "number",
    "issue_date",
    "due_date",
    "gross_value",
    "payment_value",
)


@dataclass(frozen=True)
class Terms:
    """An organization's payment term on a given day (DUE-7): earlier dues go to `target`."""

    threshold: date
    target: date


def waiting(account: Account, *, until: date) -> QuerySet[Invoice]:
    """Every invoice not emitted whose issue date has come."""
    return Invoice.objects.of(account).filter(state=Invoice.State.TO_EMIT, issue_date__lte=until)


def obstacles() -> dict[str, tuple[Q, str]]:
    """Why an invoice is left alone: code → (condition, explanation in pt-BR), in this order."""
    pending = ScheduledUpdate.objects.filter(
        rule_id=OuterRef("rule_id"),
        state=ScheduledUpdate.State.SCHEDULED,
        execution_date__lte=OuterRef("issue_date"),
    )
    return {
        "bloqueada": (
            Q(approval_status=Invoice.Approval.BLOCKED),
            "a fatura está bloqueada; aprove-a para emitir",
        ),
        "manual": (
            Q(management_type=Management.MANUAL),
            "faturamento manual: aguarda alguém da equipe",
        ),
        "inadimplente": (
            Q(contract__overdue=True, contract__overdue_automatic_management=False),
            "contrato inadimplente: a emissão automática está suspensa",
        ),
        "regua": (emission_blocked(), "a régua de cobrança bloqueou novas emissões do contrato"),
        "encerrado": (
            ends_before("issue_date"),
            "o cliente pediu o cancelamento e o contrato termina antes desta emissão",
        ),
        "sem_documento": (Q(customer__document=""), "o cliente não tem CPF nem CNPJ"),
        "reajuste": (Q(Exists(pending)), "há reajuste a aplicar antes desta emissão"),
    }


def emittable(
    account: Account, *, until: date, selected: Sequence[int] = (), after_readjusting: bool = False
) -> QuerySet[Invoice]:
    """Invoices the run emits: nothing stands in the way. `selected` manual ones go along.

    `after_readjusting` counts on the readjustments being done before (a simulation does).
    """
    reasons = obstacles()
    if after_readjusting:
        del reasons["reajuste"]
    manual, _ = reasons.pop("manual")
    found = waiting(account, until=until).filter(~manual | Q(id__in=selected))
    for condition, _ in reasons.values():
        found = found.filter(~condition)
    return found


def emit_due(
    account: Account,
    *,
    until: date,
    today: date,
    run: BillingRun | None = None,
    selected: Sequence[int] = (),
    progress: Callable[[Emitted], None] = lambda _: None,
) -> Emitted:
    """Emit everything due, oldest issue date first. Batches commit whole; safe to overlap."""
    done = Emitted()
    last: tuple[date, int] | None = None
    while True:
        found = emittable(account, until=until, selected=selected)
        if last is not None:
            day, pk = last
            found = found.filter(Q(issue_date__gt=day) | Q(issue_date=day, id__gt=pk))
        keys = list(
            found.order_by("issue_date", "id").values_list("issue_date", "id")[:INVOICES_PER_BATCH]
        )
        if not keys:
            return done
        last = keys[-1]
        ids = [pk for _, pk in keys]
        done.add(_isolating(account, ids, until=until, today=today, run=run, selected=selected))
        progress(done)


def _isolating(account: Account, ids: Sequence[int], **options: Any) -> Emitted:
    """One batch; when the database refuses it, halve it until the invoice at fault stands alone."""
    try:
        return _batch(account, ids, **options)
    except (IntegrityError, DataError, ArithmeticError) as error:
        if len(ids) == 1:
            log.warning(
                "invoice.refused", extra={"invoice_id": ids[0], "error": type(error).__name__}
            )
            return Emitted(refused=[ids[0]])
        middle = len(ids) // 2
        first = _isolating(account, ids[:middle], **options)
        first.add(_isolating(account, ids[middle:], **options))
        return first


@transaction.atomic
def _batch(
    account: Account,
    ids: Sequence[int],
    *,
    until: date,
    today: date,
    run: BillingRun | None,
    selected: Sequence[int],
) -> Emitted:
    """Emit those of `ids` that are still emittable and that nobody else is working on."""
    locked = (
        emittable(account, until=until, selected=selected)
        .filter(id__among=ids)
        .order_by("issue_date", "id")
        .select_for_update(of=("self",), skip_locked=True)
    )
    rows = [Row(*values) for values in locked.values_list(*_COLUMNS)]
    if not rows:
        return Emitted()
    now = clock.now()
    net = withhold_from([row.id for row in rows])
    rows = [row._replace(payment_value=net.get(row.id, row.payment_value)) for row in rows]
    terms = payment_terms({row.organization_id for row in rows}, today=today)
    _move_receivables(rows, terms, today=today)
    numbers = _freeze(rows, terms, now=now)
    _move_due_dates(rows, terms)
    plan_notes([row.id for row in rows], at=now)
    _announce(account, rows, numbers, now=now, run=run)
    return Emitted(len(rows), sum((row.gross_value for row in rows), _ZERO))


def payment_terms(organization_ids: Iterable[int], *, today: date) -> dict[int, Terms]:
    """Per organization: receivables due before `threshold` go to `target` (DECISIONS 3)."""
    found = {
        pk: (days, tuple(holidays or ()))
        for pk, days, holidays in OrganizationProfile.objects.filter(
            party_id__in=organization_ids
        ).values_list("party_id", "min_payment_days", "extra_holidays")
    }
    terms = {}
    for pk in organization_ids:
        days, holidays = found.get(pk, (5, ()))
        threshold = today + timedelta(days=days)
        terms[pk] = Terms(threshold, calendar_with(holidays).next_business_day(threshold))
    return terms


def _move_receivables(rows: Sequence[Row], terms: dict[int, Terms], *, today: date) -> None:
    """Receivables to to_receive; those due too soon get the organization's earliest date."""
    by_terms: dict[Terms, list[int]] = defaultdict(list)
    for row in rows:
        if row.payment_value:
            by_terms[terms[row.organization_id]].append(row.id)
    for term, ids in by_terms.items():
        Receivable.objects.filter(invoice_id__among=ids, state=Receivable.State.TO_EMIT).update(
            state=Receivable.State.TO_RECEIVE,
            due_date=Case(
                When(due_date__lt=term.threshold, then=Value(term.target)), default=F("due_date")
            ),
        )
    free = [row.id for row in rows if not row.payment_value]
    if free:  # PF-10: nothing to pay is paid at once
        Receivable.objects.filter(invoice_id__among=free, state=Receivable.State.TO_EMIT).update(
            state=Receivable.State.RECEIVED,
            received_value=_ZERO,
            received_at=today,
            open_principal=_ZERO,
        )


def _freeze(rows: Sequence[Row], terms: dict[int, Terms], *, now: datetime) -> dict[int, int]:
    """Number the invoices and point them to the data they print. Answers id → number."""
    parties = {row.customer_id for row in rows} | set(terms)
    snapshots = snapshots_for(
        Party.objects.filter(id__among=parties).select_related("profile"), at=now
    )
    versions = _template_versions(terms, parties)
    numbered = _numbers(rows)  # the series row is the hottest lock: taken last
    update_rows(
        Invoice,
        (
            "id",
            "state",
            "payment_status",
            "series",
            "number",
            "emitted_at",
            "received_at",
            "customer_snapshot",
            "organization_snapshot",
            "template_version",
        ),
        [
            (
                row.id,
                Invoice.State.TO_RECEIVE if row.payment_value else Invoice.State.RECEIVED,
                Invoice.PaymentStatus.UNPAID if row.payment_value else Invoice.PaymentStatus.PAID,
                *numbered[row.id],
                now,
                None if row.payment_value else now,
                snapshots[row.customer_id],
                snapshots[row.organization_id],
                versions(row.organization_id, row.customer_id),
            )
            for row in rows
        ],
    )
    return {pk: number for pk, (_, number) in numbered.items()}


def _template_versions(
    organizations: Iterable[int], parties: Iterable[int]
) -> Callable[[int, int], int | None]:
    """TPL-3: the organization's default template in the customer's language, else in pt-BR."""
    by_organization = default_template_versions(list(organizations))
    if not by_organization:
        return lambda organization, customer: None
    languages = dict(Party.objects.filter(id__among=parties).values_list("id", "language"))

    def version(organization: int, customer: int) -> int | None:
        return version_for(by_organization.get(organization, {}), languages[customer])

    return version


def _numbers(rows: Sequence[Row]) -> dict[int, tuple[int, int]]:
    """id → (series, number). An invoice whose emission was undone keeps its own (INV-8)."""
    found = {row.id: (row.series_id, row.number) for row in rows if row.number and row.series_id}
    by_organization: dict[int, list[int]] = defaultdict(list)
    for row in rows:
        if row.id not in found:
            by_organization[row.organization_id].append(row.id)
    for organization_id in sorted(by_organization):
        ids = by_organization[organization_id]
        series, first = take_numbers(organization_id, len(ids))
        for offset, pk in enumerate(ids):
            found[pk] = (series.pk, first + offset)
    return found


def _move_due_dates(rows: Sequence[Row], terms: dict[int, Terms]) -> None:
    """The invoice's due date follows its first receivable, where that one moved."""
    moved = [
        row.id
        for row in rows
        if row.payment_value
        and row.due_date is not None
        and row.due_date < terms[row.organization_id].threshold
    ]
    if not moved:
        return
    first_due = (
        Receivable.objects.filter(invoice_id=OuterRef("pk"))
        .values("invoice_id")
        .annotate(first=Min("due_date"))
        .values("first")
    )
    Invoice.objects.filter(id__among=moved).update(due_date=Subquery(first_due))


def _announce(
    account: Account,
    rows: Sequence[Row],
    numbers: dict[int, int],
    *,
    now: datetime,
    run: BillingRun | None,
) -> None:
    """Outbox, audit, follow-ups and the run's report: one statement each."""
    outbox.announce_many(
        account.pk,
        outbox.Event.EMIT,
        invoices=[(row.id, row.contract_id, row.contract_token) for row in rows],
        at=now,
    )
    free = [row for row in rows if not row.payment_value]
    outbox.announce_many(
        account.pk,
        outbox.Event.CONFIRM_RECEIVAL,
        invoices=[(row.id, row.contract_id, row.contract_token) for row in free],
        at=now,
    )
    record_many(
        account,
        actor=SYSTEM,
        action="fatura.emitida",
        object_type="invoice",
        entries=((row.id, {"numero": numbers[row.id]}) for row in rows),
    )
    owe(account.pk, [row.id for row in rows], at=now)
    if run is not None:
        insert_rows(RunEntry, ENTRY_COLUMNS, [_entry(run.pk, row, numbers[row.id]) for row in rows])


def _entry(run_id: int, row: Row, number: int) -> tuple[Any, ...]:
    return (
        run_id,
        row.rule_id,
        row.contract_id,
        row.id,
        RunEntry.Outcome.EMITTED.value,
        1,
        row.gross_value,
        f"fatura {number:05d}, emissão {row.issue_date:%d/%m/%Y}",
    )


def explain_waiting(account: Account, *, until: date, run: BillingRun) -> None:
    """Write into the report why each due invoice was not emitted."""
    whens = [When(condition, then=Value(text)) for condition, text in obstacles().values()]
    rows = (
        waiting(account, until=until)
        .annotate(why=Case(*whens, default=Value("em processamento por outra rodada")))
        .values_list("rule_id", "contract_id", "id", "gross_value", "why")
    )
    outcome = RunEntry.Outcome.NOT_EMITTED.value
    entries = [
        (run.pk, rule, contract, pk, outcome, 1, amount, why)
        for rule, contract, pk, amount, why in rows.iterator(chunk_size=5000)
    ]
    insert_rows(RunEntry, ENTRY_COLUMNS, entries)
