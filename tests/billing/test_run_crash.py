"""Runs that overlap or die: every occurrence once, no number skipped, nothing half done."""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import date
from typing import Any

import pytest
from django.db import connection, connections
from factories import ContractFactory, OrganizationFactory, RuleFactory
from support.clauses import clause, publish

from accounts.models import Account, AuditEvent, WebhookEvent
from accounts.services.audit import SYSTEM
from billing.engine.schedule import add_months
from billing.models import Contract, FollowUp, Invoice, InvoiceRule, NumberSeries
from billing.selectors.invariants import violations
from billing.services.contracts import cancel_contract
from billing.services.rules import reapply_rule
from billing.services.run import RunRequest, run_billing
from lib.errors import Conflict

pytestmark = pytest.mark.django_db(transaction=True)

fork = multiprocessing.get_context("fork")


def run(account, until):
    return run_billing(RunRequest(account, until, until))


def in_processes(*targets: Callable[[], Any]) -> list[Any]:
    """Start each target in a process of its own, with a database connection of its own."""
    connections.close_all()  # a forked connection would be shared, and closed for both
    processes = [fork.Process(target=target) for target in targets]
    for process in processes:
        process.start()
    return processes


def wait_for(processes: list[Any]) -> list[int | None]:
    for process in processes:
        process.join(60)
    return [process.exitcode for process in processes]


def dies_at_statement(n: int, target: Callable[[], Any]) -> Callable[[], None]:
    """`target`, killed -9 by itself just before its n-th statement."""

    def child() -> None:
        seen = 0

        def counting(execute, sql, params, many, context):
            nonlocal seen
            seen += 1
            if seen == n:
                os.kill(os.getpid(), signal.SIGKILL)
            return execute(sql, params, many, context)

        with connection.execute_wrapper(counting):
            target()

    return child


def prove(account: Account, *, until: date) -> None:
    """Exactly what one undisturbed run would have left."""
    assert list(violations(account)) == []
    emitted = Invoice.objects.of(account).exclude(state="to_emit")
    expected = sum(
        1
        for rule in InvoiceRule.objects.of(account)
        for n in range(60)
        if add_months(rule.init_date, n) <= until
    )
    assert emitted.count() == expected
    assert not Invoice.objects.filter(state="to_emit", issue_date__lte=until).exists()
    ids = sorted(emitted.values_list("id", flat=True))
    announced = WebhookEvent.objects.filter(event="emit").values_list("object_id", flat=True)
    assert sorted(announced) == ids
    audited = AuditEvent.objects.filter(action="fatura.emitida").values_list("object_id", flat=True)
    assert sorted(audited) == ids
    assert sorted(FollowUp.objects.values_list("invoice_id", flat=True)) == ids
    for series in NumberSeries.objects.filter(organization__account=account):
        numbers = sorted(Invoice.objects.filter(series=series).values_list("number", flat=True))
        assert numbers == list(range(1, series.next_number))


def seed(account, rules: int) -> None:
    organization = OrganizationFactory(account=account)
    for n in range(rules):
        contract = ContractFactory(
            account=account, organization=organization, overdue_automatic_management=True
        )
        RuleFactory(contract=contract, init_date=date(2026, 1, 1 + n % 28))


def test_four_runs_that_overlap_bill_everything_once(account):
    seed(account, 60)
    until = date(2026, 3, 31)

    codes = wait_for(in_processes(*[lambda: run(account, until)] * 4))

    assert codes == [0, 0, 0, 0]
    run(account, until)  # what one left to another that had already finished looking
    prove(account, until=until)


def test_four_runs_of_which_one_is_killed_are_completed_by_the_next(account):
    seed(account, 60)
    until = date(2026, 3, 31)

    processes = in_processes(*[lambda: run(account, until)] * 4)
    time.sleep(0.15)
    os.kill(processes[1].pid, signal.SIGKILL)
    wait_for(processes)
    run(account, until)

    prove(account, until=until)


def test_a_run_killed_before_any_of_its_statements_is_completed_by_the_next(account):
    seed(account, 3)
    statement, code = 0, -signal.SIGKILL
    # Each round is a month further, so that every round has work to do; the last one survives.
    while code == -signal.SIGKILL:
        statement += 2
        until = add_months(date(2026, 1, 31), statement // 2)
        child = dies_at_statement(statement, lambda until=until: run(account, until))
        (code,) = wait_for(in_processes(child))

        run(account, until)

        prove(account, until=until)
    assert code == 0
    assert statement > 20


def test_a_run_while_another_readjusts_never_emits_the_old_price(account):
    publish("ipca", {"2026-01": "10"})
    seed(account, 20)
    for rule in InvoiceRule.objects.all():
        clause(rule, on=date(2026, 2, 1), months=1)

    codes = wait_for(in_processes(*[lambda: run(account, date(2026, 2, 28))] * 3))
    run(account, date(2026, 2, 28))

    assert codes == [0, 0, 0]
    assert set(
        Invoice.objects.filter(issue_date__range=(date(2026, 2, 1), date(2026, 2, 28))).values_list(
            "gross_value", "state"
        )
    ) == {(110, "to_receive")}
    assert list(violations(account)) == []


def change_everything(account) -> None:
    """Reschedule, reprice and cancel while runs go on, as staff and imports do."""
    for rule in InvoiceRule.objects.of(account).order_by("-id"):
        with suppress(Conflict):  # its contract was cancelled meanwhile
            reapply_rule(rule.pk, account=account, today=date(2026, 1, 1))
            reapply_rule(rule.pk, account=account, reschedule=False, today=date(2026, 1, 1))


def cancel_some(account) -> None:
    for contract in Contract.objects.of(account).order_by("id")[:15]:
        cancel_contract(contract.pk, account=account, on=date(2026, 2, 15), actor=SYSTEM)


def test_runs_changes_of_rules_and_cancellations_at_once_hurt_nobody(account):
    seed(account, 40)
    run(account, date(2026, 1, 10))

    codes = wait_for(
        in_processes(
            lambda: run(account, date(2026, 2, 28)),
            lambda: change_everything(account),
            lambda: cancel_some(account),
            lambda: run(account, date(2026, 3, 31)),
        )
    )
    run(account, date(2026, 3, 31))

    assert codes == [0, 0, 0, 0]
    assert list(violations(account)) == []
    emitted = Invoice.objects.of(account).filter(state="to_receive")
    assert emitted.filter(receivables=None).count() == 0
    announced = WebhookEvent.objects.filter(event="emit").values_list("object_id", flat=True)
    assert sorted(announced) == sorted(emitted.values_list("id", flat=True))
