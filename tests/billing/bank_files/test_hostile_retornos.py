"""Retornos that nobody foresaw: foreign, damaged, told twice, cut; no money lost or misplaced."""

from __future__ import annotations

from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from support.boletos import agreement_with
from support.cnab_files import SENDERS, Fact, joined, lines_of, number_of, put
from support.retornos import content_of, fact_of, new_boleto, open_boleto, received

from accounts.models import Job
from accounts.services.audit import SYSTEM
from accounts.services.jobs import run_job
from billing.gateways.cnab.registry import OF_240
from billing.models import Charge, CnabFile, CnabRecord, Payment, Receivable
from billing.selectors.invariants import violations
from billing.services.bank_files import applying
from billing.services.bank_files.retorno import receive

pytestmark = pytest.mark.django_db
D = Decimal
LAYOUT, SENDER = OF_240["341"], SENDERS["341"]
NINES = "9" * 17


@pytest.fixture(autouse=True)
def _a_day(today):
    today("2026-09-10")


@pytest.fixture(autouse=True)
def _invariants_hold(account):
    yield
    assert list(violations(account)) == []


@pytest.fixture
def agreement(organization):
    return agreement_with(organization)


def read(content, account, name="RET.TXT"):
    return receive(content, filename=name, account=account, actor=SYSTEM)


def apply(file, **given):
    job = applying.start(file.pk, account=file.account, confirmed=True, **given)
    return run_job(job.pk)


def rows(file):
    return list(file.records.order_by("line"))


def parcel(charge):
    return Receivable.objects.get(pk=charge.receivable_id)


def test_what_no_column_holds_is_a_fault_and_not_a_crash(account, organization, agreement):
    charges = [open_boleto(organization) for _ in range(4)]
    lines = lines_of(LAYOUT, SENDER, [fact_of(one) for one in charges])
    lines[2] = put(lines[2], 149, "CLIENTE\x00COM\x00NULOS\x1a\x0b")
    lines[5] = put(put(lines[5], 18, NINES[:15]), 123, NINES[:15])  # additions and other credits
    lines[6] = put(lines[6], 74, "99999999")  # "contra apresentação"
    lines[9] = put(put(lines[9], 138, "0" * 8), 146, "0" * 8)
    lines[-2] = put(lines[-2], 30, NINES)

    file = read(joined(lines), account)

    found = rows(file)
    assert [one.result for one in found] == ["settle", "unknown", "settle", "settle"]
    assert found[0].payer.startswith("CLIENTE COM NULOS")
    assert "\x00" not in found[0].payer
    assert found[1].paid == 0
    assert "acréscimos" in found[1].message
    assert found[2].due_date is None
    assert (found[3].occurred_on, found[3].credited_on) == (None, None)
    assert any("não confere com as linhas" in one["text"] for one in file.faults)
    apply(file)
    assert [parcel(one).state for one in charges[:3]] == ["received", "to_receive", "received"]
    # Without any day it came on the day that the file did.
    came = file.created_at.astimezone(ZoneInfo("America/Sao_Paulo")).date()
    assert Payment.objects.get(charge=charges[3]).received_on == came


def test_a_fact_keeps_its_name_when_its_agreement_is_put_out_of_use(account, organization):
    """Two agreements of one bank account: which of them is active names no fact anew."""
    first = agreement_with(organization)
    charge = open_boleto(organization)
    agreement_with(organization, financial_account=first.financial_account, carteira="175")
    apply(received(first, [fact_of(charge)]))
    first.is_active = False
    first.save()

    again = received(first, [fact_of(charge)], number=2)

    assert [one.result for one in rows(again)] == ["settled_before"]
    apply(again)
    assert Payment.objects.count() == 1


def test_a_number_of_another_carteira_is_another_boleto(account, organization, agreement):
    """What another system issued in a carteira of its own has the same numbers as ours."""
    charge = open_boleto(organization)
    content = content_of(agreement, [fact_of(charge, company_use="", document_number="")])
    number = charge.nosso_numero.encode()
    foreign = content.replace(b"109" + number, b"175" + number)

    assert [one.charge_id for one in rows(read(foreign, account))] == [None]


def test_another_system_s_id_is_not_ours(account, organization, agreement):
    """The company's own field holds our id only in what we sent."""
    charge = open_boleto(organization)
    theirs = Fact(
        number_of("341", 77_000_001), value=D("912.34"), paid=D("912.34"),
        company_use=str(charge.pk), document_number="NF-9",
    )  # fmt: skip
    ours = Fact(number_of("341", 77_000_002), paid=D("90.00"), company_use=str(charge.pk))

    found = rows(received(agreement, [theirs, ours]))

    assert [one.charge_id for one in found] == [None, charge.pk]


def test_a_file_whose_application_was_stopped_goes_on_later(account, organization, agreement):
    charges = [open_boleto(organization) for _ in range(3)]
    file = received(agreement, [fact_of(one) for one in charges])
    job = applying.start(file.pk, account=account)
    assert applying.start(file.pk, account=account).pk == job.pk  # a second click is one job
    Job.objects.filter(pk=job.pk).update(cancel_requested=True)

    assert run_job(job.pk).state == "cancelled"

    file = CnabFile.objects.get(pk=file.pk)
    assert file.state == CnabFile.State.APPLYING
    assert applying.may_start(file)
    second = applying.start(file.pk, account=account)
    assert second.pk != job.pk
    assert not applying.may_start(file)  # it is under way
    assert run_job(second.pk).state == "done"
    assert {parcel(one).state for one in charges} == {"received"}
    assert CnabFile.objects.get(pk=file.pk).state == CnabFile.State.APPLIED


def test_a_fact_that_another_file_applies_at_this_instant_is_not_an_error(
    account, organization, agreement, monkeypatch
):
    """One line alone: what its unique key refuses was applied by the other file."""
    charge = open_boleto(organization)
    one, other = (received(agreement, [fact_of(charge)], number=n) for n in (1, 2))
    apply(one)
    real, asked = applying.keys_applied, []

    def blind_at_first(*args):
        asked.append(1)
        return real(*args) if len(asked) > 1 else set()

    monkeypatch.setattr(applying, "keys_applied", blind_at_first)
    job = apply(other)

    assert (job.state, job.n_failed) == ("done", 0)
    assert [row.result for row in rows(other)] == ["settled_before"]
    assert Payment.objects.count() == 1


def test_lines_that_failed_are_not_counted_as_done(organization, agreement, monkeypatch):
    charges = [open_boleto(organization) for _ in range(3)]
    file = received(agreement, [fact_of(one) for one in charges])
    real = applying.apply_facts

    def failing(file, records, *, actor):
        if any(one.charge_id == charges[1].pk for one in records):
            raise RuntimeError("inesperado")
        real(file, records, actor=actor)

    monkeypatch.setattr(applying, "apply_facts", failing)
    job = apply(file)

    assert (job.n_ok, job.n_failed) == (2, 1)
    assert CnabRecord.objects.filter(applied_at__isnull=False).count() == 2


def test_a_rejection_of_what_is_open_and_a_confirmation_of_what_is_over_change_nothing(
    account, organization, agreement
):
    """Files come late and in any order."""
    kept, over, fresh = (
        open_boleto(organization),
        open_boleto(organization),
        new_boleto(organization),
    )
    apply(received(agreement, [fact_of(over), fact_of(fresh)]))
    apply(
        received(
            agreement,
            [fact_of(kept, "03", reasons="15"), fact_of(over, "02"), fact_of(over, "09"),
             fact_of(fresh, "02")],
            number=2,
        )
    )  # fmt: skip

    states = [Charge.objects.get(pk=one.pk).state for one in (kept, over, fresh)]
    assert states == ["open", "paid", "paid"]


def test_a_parcel_paid_in_parts_by_one_file_is_shown_as_it_will_be(organization, agreement):
    charge = open_boleto(organization)
    parts = ("60.00", "40.00", "10.00")
    file = received(agreement, [fact_of(charge, paid=D(amount)) for amount in parts])

    assert [one.result for one in rows(file)] == ["divergent", "settle", "duplicate"]

    apply(file)
    assert parcel(charge).state == "received"
    assert [one.note for one in rows(file)] == [
        "Pago a menor: faltam R$\u00a040,00.", "",
        "Pagamento em duplicidade: R$\u00a010,00 viraram crédito do cliente.",
    ]  # fmt: skip
