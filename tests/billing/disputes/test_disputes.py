"""Disputes from both sides: opened, written in, ended, and what they do to collecting (P-7…P-9)."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from functools import partial
from typing import Any

import pytest
from django.core.files.storage import default_storage
from django.db import transaction
from support.disputes import (
    WHY,
    actor_customer,
    codes,
    customer_user,
    disputed,
    pdf,
    png,
    staff,
)
from support.dunning import World, at, dunning_world, executed
from support.invoices import emitted_invoice, in_threads, line

from accounts.models import AuditEvent
from accounts.services.audit import SYSTEM
from billing.models import (
    ChargeTemplate,
    CustomerCredit,
    Dispute,
    DisputeFile,
    DisputeMessage,
    DunningPause,
    EmailMessage,
    Invoice,
    OrganizationProfile,
    Receivable,
)
from billing.selectors.disputes import (
    Sla,
    by_urgency,
    contested_amount,
    get_dispute,
    get_file,
    sla_of,
    thread_of,
)
from billing.selectors.situations import Action, situation
from billing.services.boletos.quotes import Quoting
from billing.services.disputes import files, resolving, thread
from billing.services.disputes.faults import (
    CannotDispute,
    CreditTooHigh,
    DisputeClosed,
    DisputeOpen,
)
from billing.services.disputes.opening import Statement, open_dispute
from billing.services.disputes.uploads import Upload
from billing.services.dunning import turns
from billing.services.dunning.selection import select_due
from billing.services.invoices import void_invoice
from billing.services.payments.manual import amount_owed, pay_manually
from billing.services.protocols import take_protocol
from lib import clock
from lib.errors import InvalidInput, NotFound

D = Decimal
WEDNESDAY = "2026-08-12"


@pytest.fixture
def invoice(organization: Any, customer: Any, today: Any) -> Invoice:
    """R$ 100,00 in two lines, due on 20/08/2026; today is 12/08/2026."""
    today(WEDNESDAY)
    OrganizationProfile.objects.filter(party=organization).update(support_email="time@exemplo.test")
    return emitted_invoice(organization, customer, lines=[line("60.00"), line("40.00")])


def mails(template: str) -> list[EmailMessage]:
    return list(EmailMessage.objects.filter(key__startswith=f"{template}:").order_by("pk"))


def fresh(dispute: Dispute) -> Dispute:
    return Dispute.objects.get(pk=dispute.pk)


def parcel(invoice: Invoice) -> Receivable:
    found: Receivable = invoice.receivables.get()
    return found


def test_opening_tells_both_sides_and_pauses_collecting(invoice: Invoice) -> None:
    user = customer_user(invoice)
    first = invoice.lines.order_by("position").first()
    assert first is not None
    sent = (Upload("tela.png", png()), Upload("nota.pdf", pdf()))

    dispute = disputed(invoice, user, lines=[first.pk], files=sent)

    assert (dispute.protocol, dispute.state) == ("CTS-2026-000001", "open")
    assert (dispute.email, dispute.answer_by) == (user.email, date(2026, 8, 13))
    assert contested_amount(dispute) == D("60.00")
    [message] = thread_of(dispute)
    assert (message.row.author, message.row.text, message.row.author_name) == (
        "customer", WHY, user.name,
    )  # fmt: skip
    assert [(f.name, f.content_type) for f in message.files] == [
        ("tela.png", "image/png"),
        ("nota.pdf", "application/pdf"),
    ]
    assert files.read(message.files[0]) == png()
    pause = DunningPause.objects.get()
    assert (pause.receivable, pause.reason, pause.until, pause.note) == (
        parcel(invoice), "dispute", None, dispute.protocol,
    )  # fmt: skip
    [receipt] = mails("contestacao_recebida")
    assert (receipt.recipient, receipt.subject) == (
        user.email,
        f"Recebemos sua contestação {dispute.protocol}",
    )
    assert "Resposta em até 1 dia útil, por este e-mail" in receipt.body
    assert WHY in receipt.body
    [told] = mails("contestacao_equipe")
    assert told.recipient == "time@exemplo.test"
    assert f"/admin/billing/dispute/{dispute.pk}/change/" in told.body
    assert codes(dispute) == ["contestacao.aberta"]
    assert situation(invoice, today=date(2026, 8, 12)).dispute == dispute


def test_what_is_refused_changes_nothing(invoice: Invoice, other_account: Any) -> None:
    user = customer_user(invoice)
    other = emitted_invoice(invoice.organization, invoice.customer)
    foreign = other.lines.get().pk
    for field, given in (
        ("texto", {"text": "a" * 19}),
        ("texto", {"text": "a" * 2001}),
        ("motivo", {"reason": "qualquer"}),
        ("itens", {"lines": [foreign]}),
        ("anexos", {"files": [Upload("a.pdf", b"<html>")]}),
    ):
        with pytest.raises(InvalidInput) as refusal:
            disputed(invoice, user, **given)
        assert [one.campo for one in refusal.value.erros] == [field]
    stranger = emitted_invoice(invoice.organization, _other_customer(invoice))
    ask = partial(open_dispute, statement=Statement("outro", WHY), user=user,
                  actor=actor_customer(user))  # fmt: skip
    with pytest.raises(NotFound):
        ask(stranger.pk, account=invoice.account, customer=invoice.customer)
    with pytest.raises(NotFound):
        ask(invoice.pk, account=other_account, customer=invoice.customer)
    assert not Dispute.objects.exists()
    assert not DunningPause.objects.exists()
    assert not EmailMessage.objects.exists()

    first = disputed(invoice, user)
    with pytest.raises(DisputeOpen, match=first.protocol) as again:
        disputed(invoice, user)
    assert again.value.dispute == first
    # A number that a rollback gave back is given again.
    assert disputed(other, user).protocol == "CTS-2026-000002"


def _other_customer(invoice: Invoice) -> Any:
    from factories import CompanyFactory

    return CompanyFactory(account=invoice.account)


def test_which_states_may_be_disputed(invoice: Invoice, today: Any) -> None:
    user = customer_user(invoice)
    paid = emitted_invoice(invoice.organization, invoice.customer)
    void = emitted_invoice(invoice.organization, invoice.customer)
    given = {"account": invoice.account, "actor": SYSTEM}
    pay_manually(parcel(paid).pk, method="cash", **given)  # type: ignore[arg-type]
    void_invoice(void.pk, reason="engano", **given)  # type: ignore[arg-type]
    with pytest.raises(CannotDispute, match="agora: Anulada"):
        disputed(void, user)
    today("2026-11-11")  # 91 days after
    with pytest.raises(CannotDispute, match="agora: Paga em 12/08/2026"):
        disputed(paid, user)
    today("2026-11-10")
    assert disputed(paid, user).state == "open"
    assert not DunningPause.objects.exists()
    assert disputed(invoice, user).answer_by == date(2026, 11, 11)


def test_the_thread(invoice: Invoice, other_account: Any, today: Any) -> None:
    """P09-3, B12-1: staff's answer is in thread and mail; an internal note in neither."""
    user, agent = customer_user(invoice), staff(invoice)
    dispute = disputed(invoice, user)
    ours = {"account": invoice.account, "actor": agent}
    theirs = {
        "account": invoice.account, "customer": invoice.customer, "user": user,
        "actor": actor_customer(user),
    }  # fmt: skip

    thread.take(dispute.pk, **ours)
    assert (fresh(dispute).state, fresh(dispute).assignee_id) == ("in_review", agent.id)
    thread.note(dispute.pk, "Cliente antigo, cuidado.", **ours)
    thread.reply(dispute.pk, "Estamos vendo com o financeiro.", **ours)
    [answer] = mails("contestacao_resposta")
    assert (answer.recipient, "com o financeiro" in answer.body) == (user.email, True)
    assert fresh(dispute).answer_by == date(2026, 8, 19)
    thread.ask(dispute.pk, "Qual é o contrato?", **ours)
    assert fresh(dispute).state == "waiting"
    today("2026-08-25")
    assert sla_of(fresh(dispute), now=clock.now()) == Sla.STOPPED
    thread.write(dispute.pk, "O de número 7.", uploads=[Upload("c.pdf", pdf())], **theirs)
    assert (fresh(dispute).state, fresh(dispute).answer_by) == ("in_review", date(2026, 8, 26))
    [told] = mails("contestacao_equipe_mensagem")
    assert "O de número 7." in told.body

    seen = [one.row.text for one in thread_of(dispute)]
    assert seen == [WHY, "Estamos vendo com o financeiro.", "Qual é o contrato?", "O de número 7."]
    assert len(thread_of(dispute, for_staff=True)) == 5
    assert not EmailMessage.objects.filter(body__contains="cuidado").exists()
    note = DisputeMessage.objects.get(is_internal=True)
    hidden = DisputeFile.objects.create(message=note, name="x", content_type="x", size=1, path="x")
    assert get_file(dispute, hidden.pk, for_staff=True) == hidden
    with pytest.raises(NotFound):
        get_file(dispute, hidden.pk)
    with pytest.raises(NotFound):
        files.read(hidden)
    for refused in ("", " \u200b "):
        with pytest.raises(InvalidInput):
            thread.write(dispute.pk, refused, **theirs)
        with pytest.raises(InvalidInput, match="Escreva a resposta ao cliente"):
            thread.reply(dispute.pk, refused, **ours)
    other = _other_customer(invoice)
    for whose in ({"customer": other}, {"account": other_account}):
        with pytest.raises(NotFound):
            thread.write(dispute.pk, "oi", **{**theirs, **whose})
    with pytest.raises(NotFound):
        get_dispute(invoice.account, other, dispute.protocol)
    assert codes(dispute) == [
        "contestacao.aberta", "contestacao.assumida", "contestacao.nota_interna",
        "contestacao.mensagem", "contestacao.mensagem", "contestacao.mensagem",
    ]  # fmt: skip

    thread.withdraw(dispute.pk, **theirs)
    assert (fresh(dispute).state, fresh(dispute).grace_until) == ("withdrawn", None)
    assert DunningPause.objects.get().lifted_at is not None
    assert codes(dispute)[-1] == "contestacao.encerrada"
    for again in (thread.withdraw, partial(thread.write, text="oi")):
        with pytest.raises(DisputeClosed):
            again(dispute.pk, **theirs)
    with pytest.raises(DisputeClosed):
        thread.reply(dispute.pk, "tarde", **ours)
    assert disputed(invoice, user).protocol == "CTS-2026-000002"


def test_kept_up_it_is_paid_without_charges_for_some_days(invoice: Invoice, today: Any) -> None:
    """P09: after five business days everything counts from the original date again."""
    ChargeTemplate.objects.create(
        account=invoice.account, organization=invoice.organization, name="Usual", is_default=True
    )
    dispute = disputed(invoice)
    today("2026-08-31")  # eleven days late
    assert _owed(invoice, "2026-08-31") == D("102.37")
    with pytest.raises(InvalidInput, match="Escreva a resposta ao cliente"):
        resolving.keep(dispute.pk, " ", account=invoice.account, actor=SYSTEM)
    assert fresh(dispute).state == "open"

    agent = staff(invoice)
    resolving.keep(dispute.pk, "O valor é o do contrato.", account=invoice.account, actor=agent)

    last = date(2026, 9, 8)  # the 7th is a holiday
    kept = fresh(dispute)
    assert (kept.state, kept.grace_until, parcel(invoice).grace_until) == ("rejected", last, last)
    assert _owed(invoice, "2026-08-31") == _owed(invoice, "2026-09-08") == D("100.00")
    assert _owed(invoice, "2026-09-09") == D("102.67")
    quoting = Quoting.of(parcel(invoice), invoice)
    assert quoting.is_in_grace(last)
    assert not quoting.is_in_grace(date(2026, 9, 9))
    assert [quoting.at(day).total for day in (last, date(2026, 9, 9))] == [D("100.00"), D("102.67")]
    [told] = mails("contestacao_resolvida")
    assert told.subject == f"{dispute.protocol}: Resolvida: cobrança mantida"
    assert "Até 08/09/2026 a fatura pode ser paga sem multa e juros." in told.body
    assert DunningPause.objects.get().lifted_at is not None
    assert Action.DISPUTE in situation(invoice, today=date(2026, 8, 31)).actions
    assert codes(dispute)[-1] == "contestacao.resolvida"


def _owed(invoice: Invoice, day: str) -> Decimal:
    on = date.fromisoformat(day)
    return amount_owed(parcel(invoice).pk, account=invoice.account, on=on).paid


def test_credit_pays_the_invoice_and_the_rest_stays(invoice: Invoice, today: Any) -> None:
    dispute = disputed(invoice, lines=[invoice.lines.order_by("position")[0].pk])
    given = {"account": invoice.account, "actor": staff(invoice)}
    with pytest.raises(CreditTooHigh):
        resolving.credit(dispute.pk, "Ok", amount=D("60.01"), **given)
    assert not CustomerCredit.objects.exists()

    resolving.credit(dispute.pk, "Devolvemos a metade.", amount=D("30.00"), **given)

    assert (fresh(dispute).state, fresh(dispute).grace_until) == (
        "partially_accepted",
        date(2026, 8, 19),
    )
    assert parcel(invoice).open_principal == D("70.00")
    assert sum(CustomerCredit.objects.values_list("amount", flat=True)) == 0
    again = disputed(invoice, reason="valor")
    resolving.credit(again.pk, "O resto também.", amount=D("100.00"), **given)
    assert (fresh(again).state, fresh(again).grace_until) == ("accepted", None)
    assert Invoice.objects.get(pk=invoice.pk).state == "received"
    assert sum(CustomerCredit.objects.values_list("amount", flat=True)) == D("30.00")


def test_a_correction_voids_and_prepares_another(invoice: Invoice, monkeypatch: Any) -> None:
    dispute = disputed(invoice)
    given = {"account": invoice.account, "actor": staff(invoice)}
    # Cut off after the void: made again, it goes on from there.
    with monkeypatch.context() as patch:
        patch.setattr(resolving, "_draft_again", lambda *a, **k: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            resolving.correct(dispute.pk, "Corrigimos.", **given)
    assert Invoice.objects.get(pk=invoice.pk).void
    assert fresh(dispute).is_live

    resolving.correct(dispute.pk, "Corrigimos.", **given)

    redone = Invoice.objects.get(replaces=invoice)
    assert (redone.state, redone.approval_status, redone.gross_value, redone.title) == (
        "to_emit", "blocked", D("100.00"), "Mensalidade",
    )  # fmt: skip
    assert list(redone.lines.values_list("value", flat=True)) == [D("60.00"), D("40.00")]
    assert parcel(redone).due_date == date(2026, 8, 20)
    assert (fresh(dispute).state, fresh(dispute).grace_until) == ("accepted", None)
    assert AuditEvent.objects.filter(action="fatura.anulada").count() == 1


def test_dunning_waits_and_goes_on_the_next_business_day(account: Any, monkeypatch: Any) -> None:
    """P-9: contacts on the next business day; nothing is done before the third."""
    world = dunning_world(account, [0])
    world.step(1, action="suspend")
    from factories import ContractFactory

    contract = ContractFactory(
        account=account, organization=world.organization, party=world.customer
    )
    _when(monkeypatch, "2026-08-07")
    due = world.parcel("2026-08-10", contract_id=contract.pk)
    dispute = disputed(due.invoice)
    assert _turns(world, monkeypatch, "2026-08-10", "2026-08-11", "2026-08-13") == [0, 0, 0]
    resolving.keep(dispute.pk, "É devido.", account=account, actor=staff(due.invoice))
    assert _turns(world, monkeypatch, "2026-08-13", "2026-08-14") == [0, 1]
    assert _turns(world, monkeypatch, "2026-08-17", "2026-08-18") == [0, 1]
    assert executed(world) == [(0, "done"), (1, "done")]


def _when(monkeypatch: Any, day: str) -> None:
    monkeypatch.setattr(clock, "now", lambda: at(day))
    monkeypatch.setattr(clock, "today", lambda tz="": date.fromisoformat(day))


def _turns(world: World, monkeypatch: Any, *days: str) -> list[int]:
    done = []
    for day in days:
        _when(monkeypatch, day)
        select_due(world.account, now=clock.now())
        done.append(turns.work_off())
    return done


def test_the_inbox_is_in_order_of_urgency(invoice: Invoice, today: Any) -> None:
    """B12-3: two business days later the case is over time and on top."""
    old = disputed(invoice)
    assert sla_of(old, now=at(WEDNESDAY, 10)) == Sla.ON_TIME
    assert sla_of(old, now=at("2026-08-13", 23)) == Sla.SOON
    today("2026-08-14")
    young = disputed(emitted_invoice(invoice.organization, invoice.customer))
    waiting = disputed(emitted_invoice(invoice.organization, invoice.customer))
    thread.ask(waiting.pk, "Qual?", account=invoice.account, actor=staff(invoice))
    assert sla_of(old, now=clock.now()) == Sla.OVER
    found = by_urgency(Dispute.objects.of(invoice.account))
    assert list(found) == [old, young, fresh(waiting)]


def test_files_that_no_row_names_are_deleted(invoice: Invoice, monkeypatch: Any) -> None:
    dispute = disputed(invoice, files=[Upload("a.pdf", pdf())])
    kept = DisputeFile.objects.get(message__dispute=dispute)
    lost = default_storage.save("disputes/ff/ffff", default_storage.open(kept.path))
    assert files.purge_orphans() == 0  # too young
    monkeypatch.setattr(clock, "now", lambda: at("2100-01-01"))
    assert files.purge_orphans() >= 1
    assert default_storage.exists(kept.path)
    assert not default_storage.exists(lost)


@pytest.mark.django_db(transaction=True)
def test_of_two_at_once_one_is_opened(organization: Any, customer: Any, today: Any) -> None:
    today(WEDNESDAY)
    invoice = emitted_invoice(organization, customer)
    other = emitted_invoice(organization, customer)
    user = customer_user(invoice)

    answers = in_threads([partial(disputed, one, user) for one in (invoice,) * 3 + (other,) * 2])

    opened = [one for one in answers if isinstance(one, Dispute)]
    assert {one.invoice_id for one in opened} == {invoice.pk, other.pk}
    assert len(opened) == 2
    assert all(isinstance(one, DisputeOpen) for one in answers if one not in opened)
    assert {one.protocol for one in opened} == {"CTS-2026-000001", "CTS-2026-000002"}
    with transaction.atomic():
        assert take_protocol(invoice.account, "CAN", on=date(2027, 1, 1)) == "CAN-2027-000001"
