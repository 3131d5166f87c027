"""Exactly one live note for each invoice: whoever is quick, and whatever is repeated."""

from __future__ import annotations

from decimal import Decimal
from functools import partial
from typing import Any

import pytest
from django.db import IntegrityError, transaction
from support.invoice_notes import issue_all, make_template, noted, the_note, to_be_noted
from support.invoices import in_threads

from accounts.services.audit import SYSTEM
from billing.models import Invoice, InvoiceNote, Nfse
from billing.models.invoice_note import NoteStage
from billing.services import note_batches, note_emission
from billing.services.invoices import emit_invoice, void_invoice
from billing.services.note_outcome import follow
from billing.services.note_schedule import plan_notes
from fiscal.models import ServiceNote
from fiscal.services.nfse import dispatch
from lib import clock


def work() -> Any:
    note_emission.work_off()
    dispatch.work()
    return note_emission.work_off()


@pytest.mark.django_db(transaction=True)
def test_many_workers_issue_each_note_once(organization, customer, template, issuer, city):
    invoices = [noted(organization, customer, template) for _ in range(4)]

    in_threads([work] * 4)
    issue_all()

    assert {the_note(one).state for one in invoices} == {"issued"}
    assert (ServiceNote.objects.count(), Nfse.objects.count(), len(city.sent())) == (4, 4, 4)


@pytest.mark.django_db(transaction=True)
def test_many_who_ask_for_the_same_note_get_one(organization, customer, template, issuer, city):
    invoice = noted(organization, customer, template, options={"issue_nfse": False})
    ask = partial(note_batches.issue_one, invoice.pk, account=invoice.account, actor=SYSTEM)

    in_threads([ask] * 4)
    in_threads([work] * 3)
    issue_all()

    assert InvoiceNote.objects.get().state == "issued"
    assert (ServiceNote.objects.count(), Nfse.objects.count()) == (1, 1)


@pytest.mark.django_db(transaction=True)
def test_a_void_and_an_emission_at_once_never_leave_a_note_on_a_void_invoice(
    organization, customer, template, issuer, city
):
    invoices = [noted(organization, customer, template) for _ in range(3)]
    voids = [
        partial(void_invoice, one.pk, account=one.account, actor=SYSTEM, reason="Valor errado")
        for one in invoices
    ]

    in_threads([work, *voids, work])
    issue_all()

    for invoice in Invoice.objects.all():
        live = ServiceNote.objects.filter(ref__startswith=f"fatura-{invoice.pk}").exclude(
            state="cancelado"
        )
        assert live.count() == (0 if invoice.void else 1)


@pytest.mark.django_db(transaction=True)
def test_two_emissions_to_one_taker_add_up_its_month(organization, customer, issuer):
    template = make_template(
        organization,
        limite_retencao_pcc=Decimal("5000.00"),
        retencoes_acumuladas=["PCC"],
        retencoes_destacadas_nota=["PIS", "COFINS", "CSLL"],
    )
    made = [to_be_noted(organization, customer, template, value="3000.00") for _ in range(3)]

    in_threads([partial(emit_invoice, one.pk, account=one.account, actor=SYSTEM) for one in made])

    paid = sorted(Invoice.objects.values_list("payment_value", flat=True))
    # 4,65 % of 6.000,00 with the second, of 3.000,00 with the third.
    assert paid == [Decimal("2721.00"), Decimal("2860.50"), Decimal("3000.00")]


@pytest.mark.django_db
def test_the_database_itself_refuses_a_second_live_note(organization, customer, template, issuer):
    invoice = noted(organization, customer, template)
    again = InvoiceNote(
        account=invoice.account, invoice=invoice, kind="nfsen", generation=2, created_at=clock.now()
    )

    with pytest.raises(IntegrityError), transaction.atomic():
        again.save()
    assert plan_notes([invoice.pk], at=clock.now()) == 0


@pytest.mark.django_db
@pytest.mark.parametrize("state", [NoteStage.CANCELLED, NoteStage.ISSUED])
def test_the_database_knows_what_a_state_promises(organization, customer, template, issuer, state):
    note = the_note(noted(organization, customer, template))

    with pytest.raises(IntegrityError), transaction.atomic():
        InvoiceNote.objects.filter(pk=note.pk).update(state=state)


@pytest.mark.django_db
def test_a_decision_taken_in_twice_changes_nothing(organization, customer, template, issuer, city):
    invoice = noted(organization, customer, template)
    issue_all()

    assert follow() == 0
    note_emission.work_off()

    assert Nfse.objects.get().invoice_id == invoice.pk


@pytest.mark.django_db
def test_a_note_of_another_kind_is_one_note_too(organization, customer, issuer, city):
    """The template changed between two attempts: nothing of the first was issued."""
    template = make_template(organization, tipo_nota="nfse", item_lista_servico="")
    invoice = noted(organization, customer, template)
    issue_all()
    assert the_note(invoice).state == "refused"

    template.tipo_nota = "nfsen"
    template.save()
    note_batches.issue_one(invoice.pk, account=invoice.account, actor=SYSTEM)
    issue_all()

    assert (the_note(invoice).kind, the_note(invoice).state) == ("nfsen", "issued")
    assert Nfse.objects.count() == 1
