"""Cancelling agreements and what is still charged for them (§8.5, PRO-1…3)."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from decimal import Decimal

from django.db import DatabaseError, OperationalError, transaction
from django.db.models import Exists, OuterRef, QuerySet

from accounts.models import Account
from accounts.services.audit import SYSTEM, Actor, record
from billing.engine import proration
from billing.engine.schedule import MONTHLY, accrual_month, occurrence
from billing.models import (
    BillingOptions,
    BillingRun,
    Contract,
    Invoice,
    InvoiceLine,
    InvoiceRule,
    Receivable,
    RunEntry,
    Transaction,
)
from billing.services import outbox
from billing.services.materialise import (
    ENTRY_COLUMNS,
    INVOICE_COLUMNS,
    LINE_COLUMNS,
    RECEIVABLE_COLUMNS,
    materialise,
)
from billing.services.planning import RuleTerms, due_dates_of, load_terms
from lib import clock
from lib.bulk import insert_rows, reserve_ids
from lib.calendars import BR_BANK

log = logging.getLogger(__name__)

_ZERO = Decimal("0.00")
_ONE_DAY = timedelta(days=1)


@transaction.atomic
def cancel_contract(
    contract_id: int, *, account: Account, on: date | None = None, reason: str = "", actor: Actor
) -> Contract:
    """End a contract on a date, past or future (SUB-4). Cancelling twice changes nothing (PRO-3).

    Invoices issued up to the date stay; later ones not yet emitted are cancelled. What is still due
    for the period in course is billed by the next run (create_finals).
    """
    contract: Contract = Contract.objects.select_for_update(no_key=True).get_of(
        account, pk=contract_id
    )
    if contract.status == Contract.Status.CANCELLED:
        return contract
    on = on or clock.today(account.time_zone)
    _complete_until(contract, on)
    contract.cancel(on=on, reason=reason)
    contract.save()
    end_rules(contract)
    cancelled = cancel_planned(account, contract, after=on)
    record(
        account,
        actor=actor,
        action="contrato.cancelado",
        target=contract,
        after={"data": on, "motivo": reason, "faturas_canceladas": cancelled},
    )
    return contract


def _complete_until(contract: Contract, on: date) -> None:
    """A cancellation far ahead: what falls before it is created now, while the rules are alive."""
    rules = list(contract.rules.select_for_update(no_key=True).order_by("id"))
    late = [r.pk for r in rules if r.next_occurrence is not None and r.next_occurrence <= on]
    if late:
        materialise(contract.account, rule_ids=late, limit=on)


def end_rules(contract: Contract) -> None:
    """Nothing more is created for the contract."""
    rules = InvoiceRule.objects.filter(contract=contract).exclude(status=InvoiceRule.Status.ENDED)
    for rule in rules.select_for_update(no_key=True).order_by("id"):
        rule.end()
        rule.save()


def cancel_planned(account: Account, contract: Contract, *, after: date | None = None) -> int:
    """PRO-2: cancel what is not emitted, or was to be issued later than `after`; a notice each."""
    found = Invoice.objects.filter(contract=contract, state=Invoice.State.TO_EMIT, is_final=False)
    if after is not None:
        found = found.filter(issue_date__gt=after)
    ids = list(found.select_for_update().order_by("id").values_list("id", flat=True))
    now = clock.now()
    Invoice.objects.filter(id__among=ids).update(
        state=Invoice.State.CANCELLED,
        state_before_cancel=Invoice.State.TO_EMIT,
        cancelled_automatically=True,
        cancelled_at=now,
    )
    Receivable.objects.filter(invoice_id__among=ids).update(
        state=Receivable.State.CANCELLED, state_before_cancel=Receivable.State.TO_EMIT
    )
    outbox.announce_many(
        account.pk,
        outbox.Event.CANCEL,
        invoices=[(pk, contract.pk, contract.token) for pk in ids],
        at=now,
    )
    return len(ids)


@dataclass
class Finals:
    """Contracts finished, final invoices made and credits given, in number."""

    contracts: int = 0
    invoices: int = 0
    credits: int = 0


@dataclass(frozen=True)
class FinalLine:
    """A line of a final invoice, for the days `start` to `end` (none for a fine)."""

    service_item_id: int | None
    title: str
    description: str
    value: Decimal
    start: date | None = None
    end: date | None = None


def create_finals(
    account: Account,
    *,
    until: date,
    run: BillingRun | None = None,
    progress: Callable[[Finals], None] = lambda _: None,
) -> Finals:
    """Bill the end of every contract cancelled up to `until`, once (PRO-1…3)."""
    done = Finals()
    pending = unfinished(account, until=until).order_by("id")
    for contract_id in list(pending.values_list("id", flat=True)):
        _isolated(account, contract_id, run=run, done=done)
        done.contracts += 1
        progress(done)
    return done


def _isolated(account: Account, contract_id: int, *, run: BillingRun | None, done: Finals) -> None:
    """One contract at a time: what cannot be billed is told, and the others go on (REC-6)."""
    try:
        _finish_contract(account, contract_id, run=run, done=done)
    except (DatabaseError, ValueError, ArithmeticError) as error:
        if isinstance(error, OperationalError):
            raise
        extra = {"contract_id": contract_id, "error": type(error).__name__}
        log.warning("contract.final_refused", extra=extra)
        if run is not None:
            outcome = RunEntry.Outcome.PARKED.value
            why = "a fatura final não pôde ser calculada; confira serviços, período e vencimento"
            row = (run.pk, None, contract_id, None, outcome, 0, _ZERO, why)
            insert_rows(RunEntry, ENTRY_COLUMNS, [row])


def unfinished(account: Account, *, until: date) -> QuerySet[Contract]:
    """Contracts cancelled up to `until` whose end was not billed yet."""
    return Contract.objects.of(account).filter(
        status=Contract.Status.CANCELLED, final_billed_at=None, cancel_date__lte=until
    )


@transaction.atomic
def _finish_contract(
    account: Account, contract_id: int, *, run: BillingRun | None, done: Finals
) -> None:
    contract: Contract = Contract.objects.select_for_update(no_key=True).get_of(
        account, pk=contract_id
    )
    if contract.final_billed_at is not None or contract.cancel_date is None:
        return
    fine = minimum_term_fine(contract)
    for terms in load_terms(InvoiceRule.objects.filter(contract=contract).order_by("id")):
        lines = final_lines(contract, terms) + fine
        fine = []
        if any(line.value for line in lines):
            _write_final(account, contract, terms, lines, run=run)
            done.invoices += 1
        done.credits += _give_credit(account, contract, terms)
    contract.final_billed_at = clock.now()
    contract.save(update_fields=["final_billed_at"])


def minimum_term_fine(contract: Contract) -> list[FinalLine]:
    """PRO-2: the contract's own fine, while its minimum term runs, as a line of its own."""
    until = contract.minimum_term_until
    if not contract.minimum_term_fine or until is None or contract.cancel_date is None:
        return []
    if contract.cancel_date >= until:
        return []
    text = f"Multa por rescisão antes de {until:%d/%m/%Y}"
    return [FinalLine(None, "Multa por fidelidade", text, contract.minimum_term_fine)]


def final_lines(
    contract: Contract, terms: RuleTerms, *, emitted: Sequence[Invoice] | None = None
) -> list[FinalLine]:
    """PRO-1: what a post-paid rule is still owed for the period in course, line by line.

    `emitted` are the rule's `emitted_invoices`, where the caller has them.
    """
    if not terms.post_paid or contract.cancel_date is None or terms.schedule.init_date is None:
        return []
    if terms.schedule.period_unit == MONTHLY and not terms.schedule.month_quantity:
        return []
    values = [service.value for service in terms.services]
    used = _used_part(contract, terms, values)
    if used is None:
        return []
    if _is_billed(terms, contract.cancel_date, emitted):
        return []
    note = f"{used.start:%d/%m/%Y} a {contract.cancel_date:%d/%m/%Y} ({used.days} dias)"
    lines = [
        FinalLine(
            s.service_item_id,
            s.title,
            f"{s.description or s.title} – {note}",
            amount,
            used.start,
            contract.cancel_date,
        )
        for s, amount in zip(terms.services, used.amounts, strict=True)
        if amount
    ]
    return _never_negative(lines)


def emitted_invoices(rule_ids: Collection[int], *, since: date) -> QuerySet[Invoice]:
    """Emitted invoices of the rules that bill days from `since` on, with their lines; no finals."""
    found: QuerySet[Invoice] = Invoice.objects.filter(
        rule_id__in=rule_ids,
        state__in=(Invoice.State.TO_RECEIVE, Invoice.State.RECEIVED),
        is_final=False,
        end_date__gte=since,
    )
    return found.prefetch_related("lines")


def _is_billed(terms: RuleTerms, day: date, emitted: Sequence[Invoice] | None) -> bool:
    """The period that holds `day` was emitted: what is too much of it comes back as a credit."""
    if emitted is None:
        emitted = list(emitted_invoices([terms.id], since=day))
    return any(
        one.start_date is not None
        and one.end_date is not None
        and one.start_date <= day <= one.end_date
        for one in emitted
    )


def _never_negative(lines: list[FinalLine]) -> list[FinalLine]:
    """Rounding each line may leave a free period a cent below zero: the discount gives it back."""
    total = sum((line.value for line in lines), _ZERO)
    if total >= 0:
        return lines
    largest = min(range(len(lines)), key=lambda at: lines[at].value)
    lines[largest] = replace(lines[largest], value=lines[largest].value - total)
    return lines


def _used_part(
    contract: Contract, terms: RuleTerms, values: Sequence[Decimal]
) -> proration.Proration | None:
    """The period in course. Before the first issue date it is the one which that would have paid.

    There, use begins with the contract, when that is later than the period.
    """
    cancel = contract.cancel_date
    assert cancel is not None
    schedule = terms.schedule
    if cancel >= schedule.init_date:
        return proration.final_charge(values, schedule=schedule, cancel_date=cancel)
    start, end = occurrence(schedule, -1), schedule.init_date - _ONE_DAY
    begin = max(start, contract.init_date or start)
    if cancel < begin:
        return None
    days, period_days = (cancel - begin).days + 1, (end - start).days + 1
    amounts = tuple(
        proration.prorated(value, start=start, end=end, used_until=start + timedelta(days=days - 1))
        for value in values
    )
    return proration.Proration(begin, end, days, period_days, amounts)


def _write_final(
    account: Account,
    contract: Contract,
    terms: RuleTerms,
    lines: Sequence[FinalLine],
    *,
    run: BillingRun | None,
) -> None:
    """One final invoice of a rule, in one parcel; its key makes a second one impossible."""
    issue = contract.cancel_date
    assert issue is not None
    (pk,) = reserve_ids(Invoice, 1)
    now = clock.now()
    total = sum((line.value for line in lines), _ZERO)
    single = replace(terms.due_terms, parcel_number=None)
    (due,) = due_dates_of(replace(terms, due_terms=single), issue)
    title = f"Fatura final – {terms.title}"[:200]
    values = {
        "id": pk,
        "account": account.pk,
        "organization": terms.organization_id,
        "customer": terms.customer_id,
        "contract": terms.contract_id,
        "rule": terms.id,
        "occurrence_date": None,
        "title": title,
        "start_date": min((line.start for line in lines if line.start), default=issue),
        "end_date": issue,
        "issue_date": issue,
        "estimated_issue_date": issue,
        "accrual_date": accrual_month(issue, terms.accrual),  # type: ignore[arg-type]
        "due_date": due,
        "total_amount": total,
        "total_tax": _ZERO,
        "gross_value": total,
        "payment_value": total,
        "state": Invoice.State.TO_EMIT.value,
        "approval_status": Invoice.Approval.APPROVED.value,
        **dict(zip(BillingOptions.OPTION_FIELDS, terms.options, strict=True)),
        "nfe": {},
        "fold": f"fatura final {terms.fold}",
        "created_at": now,
        "is_final": True,
        "idempotency_key": f"final:{terms.id}",
    }
    columns = (*INVOICE_COLUMNS, "is_final", "idempotency_key")
    insert_rows(Invoice, columns, [tuple(values[name] for name in columns)])
    insert_rows(
        InvoiceLine,
        LINE_COLUMNS,
        [
            (
                pk,
                position,
                line.service_item_id,
                line.title,
                line.description,
                Decimal(1),
                line.value,
                line.value,
                line.start,
                line.end,
            )
            for position, line in enumerate(lines, start=1)
        ],
    )
    state = Receivable.State.TO_EMIT.value
    money = (Decimal(100), total, total, total)
    parcel = (account.pk, pk, 1, due, due, *money, state, now, terms.organization_id, issue)
    insert_rows(Receivable, RECEIVABLE_COLUMNS, [parcel])
    record(account, actor=SYSTEM, action="fatura.final_criada", target=contract, after={"id": pk})
    if run is not None:
        outcome = RunEntry.Outcome.FINAL.value
        text = f"contrato cancelado em {issue:%d/%m/%Y}"
        row = (run.pk, terms.id, contract.pk, pk, outcome, 1, total, text)
        insert_rows(RunEntry, ENTRY_COLUMNS, [row])


def _give_credit(account: Account, contract: Contract, terms: RuleTerms) -> int:
    """PRO-3: what was billed beyond the cancellation comes back as a credit transaction."""
    unused = unused_days(contract, terms)
    for invoice, part in unused:
        _credit_invoice(account, contract, invoice, part)
    return len(unused)


def unused_days(
    contract: Contract, terms: RuleTerms, *, emitted: Sequence[Invoice] | None = None
) -> list[tuple[Invoice, proration.Proration]]:
    """Emitted invoices of the rule that bill days after the cancellation, and that part of each.

    A pre-paid period in course is given back only if the organization says so (PRO-1). `emitted`
    are the rule's `emitted_invoices`, where the caller has them.
    """
    cancel = contract.cancel_date
    assert cancel is not None
    if emitted is None:
        emitted = list(emitted_invoices([terms.id], since=cancel + _ONE_DAY))
    return [
        (invoice, _unused(invoice, cancel))
        for invoice in emitted
        if invoice.start_date is not None
        and invoice.end_date is not None
        and invoice.end_date > cancel
        and (terms.refunds_unused or terms.post_paid or invoice.start_date > cancel)
    ]


def _unused(invoice: Invoice, cancel: date) -> proration.Proration:
    assert invoice.start_date is not None
    assert invoice.end_date is not None
    period = proration.BilledPeriod(
        invoice.start_date, invoice.end_date, tuple(line.value for line in invoice.lines.all())
    )
    (unused,) = proration.unused_credit([period], cancel_date=cancel)
    return unused


def _credit_invoice(
    account: Account, contract: Contract, invoice: Invoice, unused: proration.Proration
) -> None:
    Transaction.objects.create(
        account=account,
        customer_id=invoice.customer_id,
        contract=contract,
        kind=Transaction.Kind.CREDIT,
        created_at=clock.now(),
        title="Crédito por cancelamento",
        description=(
            f"{contract.title}: {unused.days} de {unused.period_days} dias não usados "
            f"da fatura {invoice.label}"
        ),
        retail_cost=-unused.total,
        source=f"cancelamento:{invoice.pk}",
    )


def refresh_overdue(account: Account, *, today: date) -> None:
    """Store which contracts are overdue today, in two statements (§3.3, LATE-1).

    A receivable is late from the first day on which charges would run: after the first business day
    on or after its due date, that is, when it fell due up to the business day before yesterday's
    end.
    """
    limit = BR_BANK.previous_business_day(today - _ONE_DAY)
    late = Receivable.objects.filter(
        invoice__contract_id=OuterRef("pk"),
        account=account,
        state=Receivable.State.TO_RECEIVE,
        due_date__lte=limit,
    )
    live = Contract.objects.of(account).exclude(status=Contract.Status.CANCELLED)
    live.filter(Exists(late), overdue=False).update(overdue=True)
    live.filter(~Exists(late), overdue=True).update(overdue=False)
