"""Remessas: what waits goes once, in one file, and nothing moves before it is sent (BO-3)."""

from __future__ import annotations

import hashlib
from datetime import date
from decimal import Decimal

import pytest
from factories import CompanyFactory, OrganizationFactory
from support.boletos import BANKS, agreement_with
from support.invoices import TODAY, emitted_invoice, line
from support.retornos import fact_of, received

from accounts.models import AuditEvent
from accounts.services.audit import SYSTEM
from billing.errors import CannotSendFile, NothingToSend, RegistersOnline
from billing.models import BankAgreement, Charge, ChargeTemplate, CnabFile, CnabRecord, Party
from billing.services.bank_files import applying
from billing.services.bank_files.remessa import discard, generate, mark_sent, waiting
from billing.services.boletos import answers
from billing.services.boletos.changes import change_boleto
from billing.services.boletos.issue import issue_boleto
from billing.services.boletos.reissue import reissue
from billing.services.payments.manual import pay_manually
from lib.errors import NotFound

pytestmark = pytest.mark.django_db
D = Decimal


@pytest.fixture(autouse=True)
def _a_day(today):
    today("2026-08-12")


@pytest.fixture
def agreement(organization):
    return agreement_with(organization)


def boleto(organization, customer=None, **fields):
    customer = customer or CompanyFactory(account=organization.account)
    parcel = emitted_invoice(organization, customer, **fields).receivables.get()
    return issue_boleto(parcel.pk, account=parcel.account, actor=SYSTEM, today=TODAY)


def make(agreement, **given):
    return generate(agreement.pk, account=agreement.account, actor=SYSTEM, **given)


def send(file):
    return mark_sent(file.pk, account=file.account, actor=SYSTEM)


def lines_of(file):
    return bytes(file.content).decode("ascii").split("\r\n")[:-1]


def states(*charges):
    rows = Charge.objects.filter(pk__in=[one.pk for one in charges]).order_by("pk")
    return list(rows.values_list("state", "instruction"))


def test_bo_3_a_file_is_frozen_and_moves_nothing_until_it_is_sent(organization, agreement):
    first, second = boleto(organization), boleto(organization, lines=[line("250.50")])

    file = make(agreement)

    assert (file.sequence, file.state, file.layout) == (1, "generated", "240-341")
    assert file.sha256 == hashlib.sha256(bytes(file.content)).hexdigest()
    assert file.declared_total == D("350.50")
    assert states(first, second) == [("registering", "entry")] * 2
    records = file.records.order_by("line")
    assert [(r.result, r.charge_id, r.value) for r in records] == [
        ("entry", first.pk, D("100.00")),
        ("entry", second.pk, D("250.50")),
    ]
    p, q, r = lines_of(file)[2:5]
    assert p[37:49] == f"109{first.nosso_numero}{first.nosso_numero_dv}"
    assert p[195:220].strip() == str(first.pk)  # comes back in the retorno
    assert p[77:100] == f"{first.due_date:%d%m%Y}" + "000000000010000"
    assert p[118:141] == "21082026" + "000000000000003"  # Itaú takes reais a day
    assert r[65:89] == "2" + "21082026" + "000000000000200"
    frozen = first.receivable.invoice.customer_snapshot.data
    assert q[33:63].strip() == frozen["name"].upper()[:30]

    # What is in a file goes with no other, and the bytes stay what they are.
    assert not waiting(agreement).exists()
    with pytest.raises(NothingToSend):
        make(agreement)
    Party.objects.filter(pk=first.receivable.invoice.customer_id).update(name="Outro nome")
    file.refresh_from_db()
    assert lines_of(file)[3] == q

    assert send(file).state == send(file).state == "sent"
    assert states(first, second) == [("registering", "")] * 2
    stored = Charge.objects.get(pk=first.pk)
    assert stored.terms["daily_registered"] == "0.03"  # and for us, too (LATE-3)
    actions = AuditEvent.objects.filter(action__startswith="cnab.").values_list("action", flat=True)
    assert list(actions.order_by("id")) == ["cnab.gerado", "cnab.enviado"]


def test_a_discarded_file_gives_its_boletos_back_but_not_its_number(organization, agreement):
    charge = boleto(organization)
    file = make(agreement)
    discard(file.pk, account=file.account, actor=SYSTEM)

    with pytest.raises(CannotSendFile):
        send(file)
    again = make(agreement)
    assert again.sequence == 2
    assert again.records.get().charge_id == charge.pk
    assert again.filename == "CB12080002.REM"


def test_write_offs_changes_and_what_the_bank_never_heard_of(organization, agreement):
    told, replaced, unknown = (boleto(organization) for _ in range(3))
    send(make(agreement, charges=[told.pk, replaced.pk]))
    for one in (told, replaced):
        answers.registered(one.pk, account=one.account)
    # One is to fall due later, one is reissued, and one was given up before any file had it.
    change_boleto(
        told.receivable_id, account=told.account, actor=SYSTEM, due=date(2026, 8, 28), today=TODAY
    )
    new = reissue(
        replaced.receivable_id, date(2026, 9, 10), account=replaced.account, actor=SYSTEM,
        today=date(2026, 9, 9),
    ).charge  # fmt: skip
    answers.withdraw(Charge.objects.get(pk=unknown.pk), at=unknown.created_at)

    file = make(agreement)

    assert list(file.records.order_by("line").values_list("charge_id", "result", "occurrence")) == [
        (told.pk, "change", "06"),
        (replaced.pk, "write_off", "02"),
        (new.pk, "entry", "01"),
    ]
    assert states(unknown) == [("cancelled", "")]
    segments = [row[13] + row[15:17] for row in lines_of(file)[2:-2]]
    assert segments == ["P06", "Q06", "R06", "P02", "Q02", "P01", "Q01", "R01"]
    assert lines_of(file)[2][77:85] == "28082026"
    send(file)
    assert states(told, replaced, new) == [("open", ""), ("cancelling", ""), ("registering", "")]
    # The change waits for the bank's confirmation; until then nothing shows it (BO-7).
    assert Charge.objects.get(pk=told.pk).change
    assert Charge.objects.get(pk=told.pk).due_date == date(2026, 8, 20)


def test_what_became_pending_after_the_file_was_written_goes_with_the_next(organization, agreement):
    charge = boleto(organization)
    file = make(agreement)
    answers.withdraw(Charge.objects.get(pk=charge.pk), at=charge.created_at)
    assert states(charge) == [("cancelling", "write_off")]

    send(file)  # its entry went all the same

    assert states(charge) == [("cancelling", "write_off")]
    assert make(agreement).records.get().result == CnabRecord.Result.WRITE_OFF


def test_a_boleto_that_cannot_be_written_is_left_out_and_told(organization, agreement):
    good = boleto(organization)
    bad = boleto(organization, CompanyFactory(account=organization.account, zipcode=""))

    file = make(agreement)

    assert [r.charge_id for r in file.records.all()] == [good.pk]
    assert file.faults == [{"charge": bad.pk, "text": f"{bad}: Falta o CEP do pagador."}]
    with pytest.raises(NothingToSend) as refused:
        make(agreement)
    assert [one.mensagem for one in refused.value.erros] == [f"{bad}: Falta o CEP do pagador."]


@pytest.mark.parametrize("bank", BANKS)
def test_every_bank_has_its_file(account, bank):
    issuer = OrganizationFactory(account=account)
    agreement = agreement_with(
        issuer, bank, account_number=BANKS[bank].get("account_number", "777")
    )
    charge = boleto(issuer)
    send(make(agreement))
    (record,) = CnabRecord.objects.filter(charge=charge)
    assert (record.nosso_numero, record.value) == (charge.nosso_numero, D("100.00"))


def test_files_of_400_positions_and_agreements_without_files(organization):
    agreement = agreement_with(organization, registration=BankAgreement.Registration.CNAB400)
    ChargeTemplate.objects.create(
        account=organization.account, organization=organization, name="Sem encargos",
        fine_type="without", interest_type="without", is_default=True,
    )  # fmt: skip
    boleto(organization)
    file = make(agreement)
    assert (file.layout, len(lines_of(file))) == ("400-341", 3)  # no fine, no line of it
    without = agreement_with(organization, "748", registration=BankAgreement.Registration.CNAB400)
    with pytest.raises(RegistersOnline):
        make(without)


def test_another_account_knows_nothing_of_it(organization, agreement, other_account):
    boleto(organization)
    file = make(agreement)
    for call in (
        lambda: generate(agreement.pk, account=other_account, actor=SYSTEM),
        lambda: mark_sent(file.pk, account=other_account, actor=SYSTEM),
        lambda: discard(file.pk, account=other_account, actor=SYSTEM),
    ):
        with pytest.raises(NotFound):
            call()


def test_each_order_is_confirmed_by_itself_and_a_later_one_waits_for_its_own_file(
    account, organization, agreement
):
    """BO-7: due date and value are two orders; what was asked for since has not been told."""
    given = {"account": account, "actor": SYSTEM, "today": TODAY}
    charge = boleto(organization)
    send(make(agreement))
    answers.registered(charge.pk, account=account)
    pay_manually(
        charge.receivable_id, account=account, actor=SYSTEM, method="cash", amount=D("40.00"),
        on=TODAY, reference="balcão",
    )  # fmt: skip
    change_boleto(charge.receivable_id, due=date(2026, 8, 28), **given)
    file = make(agreement)
    assert [one.occurrence for one in file.records.order_by("line")] == ["06", "31"]
    change_boleto(charge.receivable_id, due=date(2026, 9, 4), **given)  # another day, meanwhile

    send(file)
    _tell(agreement, fact_of(charge, "19"), fact_of(charge, "14"))  # protest is not our order

    found = Charge.objects.get(pk=charge.pk)
    assert (found.due_date, found.amount) == (date(2026, 8, 28), D("100.00"))
    assert found.linha_digitavel[-14:] == "15520000010000"
    assert found.instruction == "change"  # the later day goes with the next file
    _tell(agreement, fact_of(charge, "04"))  # of Itaú: the value
    assert Charge.objects.get(pk=charge.pk).amount == D("60.00")
    later = make(agreement)
    assert [one.due_date for one in later.records.all()] == [date(2026, 9, 4)]
    send(later)
    _tell(agreement, fact_of(charge, "16", reasons="42"))  # refused: it stays as the bank has it
    found = Charge.objects.get(pk=charge.pk)
    assert (found.due_date, found.change, found.instruction) == (date(2026, 8, 28), {}, "")


def test_what_was_given_up_unheard_of_ends_though_nothing_else_waits(organization, agreement):
    charge = boleto(organization)
    answers.withdraw(Charge.objects.get(pk=charge.pk), at=charge.created_at)

    with pytest.raises(NothingToSend):
        make(agreement)

    assert states(charge) == [("cancelled", "")]
    assert BankAgreement.objects.get(pk=agreement.pk).next_file == 1


def _tell(agreement, *facts):
    """The bank's answers, in a file of their own."""
    file = received(agreement, facts, number=CnabFile.objects.count() + 1)
    applying.take(file.pk, account=file.account, confirmed=True)
    applying.apply_file(file.pk)
