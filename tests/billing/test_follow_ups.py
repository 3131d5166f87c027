"""The work that emitted invoices are owed: done once, put off when it fails, never lost."""

from __future__ import annotations

from datetime import timedelta
from functools import partial

import pytest
from django.db import connection
from django_q.models import OrmQ
from factories import CompanyFactory, OrganizationFactory
from support.invoices import emitted_invoice, in_threads
from support.logs import capture_logs
from support.pdfs import PLAIN, use_template

from accounts.services.audit import SYSTEM
from billing.models import FollowUp, PdfCache
from billing.services import follow_ups
from billing.services.follow_ups import INTERRUPTED, UNEXPECTED, work_off
from billing.services.invoices import void_invoice
from billing.tasks import sweep_follow_ups
from lib import clock
from lib.locks import locked_file

FAILING = "<p>1</p>\n{{ 1 / 0 }}"


@pytest.fixture
def issuer(account):
    organization = OrganizationFactory(account=account)
    use_template(organization, PLAIN)
    return organization


@pytest.fixture
def owed(account, issuer):
    """The follow-up of an invoice just emitted."""
    return emitted(issuer)


def emitted(issuer):
    invoice = emitted_invoice(issuer, CompanyFactory(account=issuer.account))
    return FollowUp.objects.get(invoice=invoice)


def again(row):
    return FollowUp.objects.get(pk=row.pk)


def due_now(row, **values):
    FollowUp.objects.filter(pk=row.pk).update(next_attempt_at=clock.now(), **values)


@pytest.mark.django_db
def test_the_pdf_of_an_emitted_invoice_is_made_ahead(owed):
    assert sweep_follow_ups() == 1

    row = again(owed)
    assert (row.state, row.attempts, row.error) == ("done", 1, "")
    assert PdfCache.objects.get().invoice_id == owed.invoice_id
    assert not OrmQ.objects.exists()


@pytest.mark.django_db
def test_done_work_is_not_done_again(owed):
    work_off()
    PdfCache.objects.all().delete()

    assert work_off() == 0
    assert not PdfCache.objects.exists()


@pytest.mark.django_db
def test_work_that_is_not_due_waits(owed):
    FollowUp.objects.update(next_attempt_at=clock.now() + timedelta(minutes=1))

    assert work_off() == 0
    assert again(owed).attempts == 0


@pytest.mark.django_db
@pytest.mark.parametrize(("attempts", "minutes"), [(0, 1), (1, 5), (2, 30), (3, 120)])
def test_a_failure_is_put_off_longer_each_time(issuer, attempts, minutes):
    use_template(issuer, FAILING)
    owed = emitted(issuer)
    due_now(owed, attempts=attempts)
    before = clock.now()

    assert work_off() == 0

    row = again(owed)
    assert (row.state, row.attempts) == ("waiting", attempts + 1)
    assert row.error == "Não foi possível gerar o PDF: divisão por zero. (linha 2 do modelo)"
    wait = row.next_attempt_at - before
    assert timedelta(minutes=minutes) <= wait < timedelta(minutes=minutes, seconds=30)


@pytest.mark.django_db
def test_after_the_fifth_failure_it_is_given_up_with_its_reason(issuer):
    use_template(issuer, FAILING)
    owed = emitted(issuer)
    due_now(owed, attempts=4)

    with capture_logs() as logs:
        assert work_off() == 0

    row = again(owed)
    assert (row.state, row.attempts) == ("failed", 5)
    assert row.error == "Não foi possível gerar o PDF: divisão por zero. (linha 2 do modelo)"
    assert logs[-1]["event"] == "follow_up.failed"
    assert work_off() == 0


@pytest.mark.django_db
def test_a_failure_does_not_keep_the_others_waiting_and_a_mended_template_is_enough(
    issuer, account
):
    sound = OrganizationFactory(account=account)
    use_template(sound, PLAIN)
    use_template(issuer, FAILING)
    bad, good = emitted(issuer), emitted(sound)

    assert work_off() == 1
    assert (again(bad).state, again(good).state) == ("waiting", "done")

    # The version is pinned at emission: the invoice is emitted again with the mended template.
    bad.invoice.template_version = use_template(issuer, PLAIN)
    bad.invoice.save()
    due_now(bad)
    assert work_off() == 1
    assert (again(bad).state, again(bad).error) == ("done", "")


@pytest.mark.django_db
def test_an_error_that_nobody_foresaw_is_logged_and_put_off(owed, issuer, monkeypatch):
    def crash(taken):
        if taken.id == owed.pk:
            raise KeyError("nobody foresaw this")

    # Cannot be staged otherwise: every known failure is a PdfFailed.
    monkeypatch.setitem(follow_ups._WORK, FollowUp.Kind.PDF, crash)
    other = emitted(issuer)

    with capture_logs() as logs:
        assert work_off() == 1

    assert [entry["event"] for entry in logs] == ["follow_up.crashed"]
    assert (again(owed).state, again(owed).error) == ("waiting", UNEXPECTED)
    assert again(other).state == "done"


@pytest.mark.django_db
def test_a_killed_worker_only_delays(owed):
    taken = follow_ups._take(clock.now())  # and then the worker is gone

    assert taken.id == owed.pk
    assert work_off() == 0
    FollowUp.objects.update(next_attempt_at=clock.now())  # the lease is over
    assert work_off() == 1
    assert (again(owed).state, again(owed).attempts) == ("done", 2)


@pytest.mark.django_db
def test_work_that_kills_its_worker_each_time_comes_to_an_end(owed):
    for _ in range(5):
        follow_ups._take(clock.now())
        FollowUp.objects.update(next_attempt_at=clock.now())

    assert work_off() == 0
    assert (again(owed).state, again(owed).error) == ("failed", INTERRUPTED)


@pytest.mark.django_db
def test_work_asked_for_anew_in_between_is_not_marked_done(owed):
    taken = follow_ups._take(clock.now())
    due_now(owed, attempts=0)  # the invoice was emitted again

    follow_ups._do(taken)

    assert (again(owed).state, again(owed).attempts) == ("waiting", 0)


@pytest.mark.django_db
def test_work_of_an_invoice_voided_meanwhile_vanishes(owed, account):
    taken = follow_ups._take(clock.now())
    void_invoice(owed.invoice_id, account=account, actor=SYSTEM, reason="errada")

    follow_ups._do(taken)

    assert not FollowUp.objects.exists()


@pytest.mark.django_db
def test_when_time_is_up_the_rest_is_queued(issuer):
    rows = [emitted(issuer) for _ in range(3)]

    assert work_off(limit_seconds=0) == 0

    [queued] = OrmQ.objects.all()
    assert queued.func() == "billing.tasks.sweep_follow_ups"
    assert {again(row).attempts for row in rows} == {0}


@pytest.mark.django_db
def test_the_longest_waiting_comes_first(issuer):
    rows = [emitted(issuer) for _ in range(3)]
    due_now(rows[0])

    order = [follow_ups._take(clock.now()).id for _ in rows]

    assert order == [rows[1].pk, rows[2].pk, rows[0].pk]


@pytest.mark.django_db
def test_without_a_free_place_nothing_is_taken_and_nothing_queued(owed):
    with locked_file("follow-ups", 0) as held:
        answer = work_off()

    assert held
    assert answer == 0
    assert again(owed).attempts == 0
    assert not OrmQ.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_no_transaction_is_open_while_the_pdf_is_made(owed, monkeypatch):
    seen = []
    monkeypatch.setitem(
        follow_ups._WORK, FollowUp.Kind.PDF, lambda taken: seen.append(connection.in_atomic_block)
    )

    work_off()

    assert seen == [False]


@pytest.mark.django_db(transaction=True)
def test_four_sweeps_together_do_each_thing_once(issuer, settings):
    settings.Q_CLUSTER = settings.Q_CLUSTER | {"workers": 5}
    rows = [emitted(issuer) for _ in range(8)]

    done = in_threads([partial(work_off)] * 4)

    assert sum(done) == 8
    assert {(again(row).state, again(row).attempts) for row in rows} == {("done", 1)}
    assert PdfCache.objects.count() == 8
