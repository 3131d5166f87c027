"""The one table of §1.2: what each invoice of the demonstration is, and what may be done."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from billing.models import Contract, Dispute, Invoice, OrganizationProfile, Party, Receivable
from billing.selectors.customer_invoices import customer_invoices, get_invoice
from billing.selectors.customer_standing import customer_standings
from billing.services.drafts import InvoiceDraft, LineDraft
from lib.errors import NotFound
from portal.states import Action, chips, situations

TODAY = date(2026, 8, 12)
PAYING = {"2via", "pix", "pagar"}


@pytest.fixture
def a(demo):
    return Party.objects.get(account=demo, document="12ABC34501DE35")


def of(demo, customer, today=TODAY):
    found = situations(customer_invoices(demo, customer), today=today)
    return {one.invoice.number: one for one in found.values()}


def test_each_invoice_is_in_its_state_with_its_actions(demo, a):
    found = of(demo, a)

    told = {number: (one.estado.value, one.texto) for number, one in found.items()}
    assert told == {
        1001: ("aberta", "Em aberto"),
        1002: ("vencida", "Vencida há 33 dias"),
        1003: ("paga", "Paga em 12/06/2026"),
        1004: ("paga", "Paga em 17/07/2026"),
        1005: ("anulada", "Anulada – não pague"),
        1006: ("reembolsada", "Reembolsada"),
        1007: ("processando", "Pagamento em processamento"),
        1008: ("aberta", "Em aberto"),
        1009: ("aberta", "Em aberto"),
        1010: ("vencida", "Vencida há 4 dias"),
    }
    for number in (1001, 1002, 1009, 1010):
        assert found[number].actions == PAYING | {"detalhes", "contestar"}, number
    assert found[1008].actions == PAYING | {"detalhes", "contestacao"}
    assert found[1003].actions == {"detalhes", "recibo", "contestar"}
    for number in (1005, 1006, 1007):
        assert found[number].actions == {"detalhes"}, number
    marks = {number: [mark.texto for mark in chips(one)] for number, one in found.items()}
    assert {number: texts for number, texts in marks.items() if texts} == {
        1008: ["Contestada"],
        1009: ["Parcial (1 de 2)"],
    }
    assert found[1009].due_date == date(2026, 8, 25)
    assert found[1009].open_principal == 600


def test_a_paid_invoice_may_be_disputed_for_ninety_days(demo, a):
    last = date(2026, 7, 17) + timedelta(days=90)

    assert Action.DISPUTE in of(demo, a, last)[1004].actions
    assert Action.DISPUTE not in of(demo, a, last + timedelta(days=1))[1004].actions


def test_a_blocked_invoice_is_not_paid(demo, a):
    Invoice.objects.filter(number=1001).update(approval_status="blocked")

    found = of(demo, a)[1001]

    assert found.actions == {"detalhes", "contestar"}
    assert [mark.texto for mark in chips(found)] == ["Bloqueada"]


def test_p06_3_a_day_without_banks_is_payable_on_the_next(demo, a):
    def told(day):
        return of(demo, a, day)[1010].estado.value

    assert told(date(2026, 8, 10)) == "aberta"  # the Monday after
    assert told(date(2026, 8, 11)) == "vencida"
    OrganizationProfile.objects.update(extra_holidays=["2026-08-10"])
    assert told(date(2026, 8, 11)) == "aberta"
    assert told(date(2026, 8, 12)) == "vencida"


def test_the_questions_do_not_grow_with_the_invoices(demo, a):
    invoices = list(customer_invoices(demo, a))
    counts = []
    for some in (invoices[:1], invoices):
        with CaptureQueriesContext(connection) as captured:
            for one in situations(some, today=TODAY).values():
                assert one.texto
                assert one.actions
        counts.append(len(captured))

    assert counts == [4, 4]


def test_an_invoice_is_found_by_its_number_as_people_write_it(demo, a):
    for text in ("1001", "01001", "0001001"):
        assert get_invoice(demo, a, text).number == 1001
    nobodys = ("2001", "999999", "", "x", "-1001", "1001.0", "٣", "9" * 400, "1001@2", "%", "\x00")
    for text in nobodys:
        with pytest.raises(NotFound):
            get_invoice(demo, a, text)


def test_two_invoices_of_one_number_have_addresses_of_their_own(demo, a):
    one, other = Invoice.objects.filter(customer=a, number__in=(1001, 1002)).order_by("number")
    Invoice.objects.filter(pk__in=(one.pk, other.pk)).update(client_number="2026/7")

    rows = customer_standings(demo, a, today=TODAY)
    listed = rows.situations([row for row in rows.rows if row.label == "2026/7"])
    alone = situations([Invoice.objects.get(pk=one.pk)], today=TODAY)

    assert {found.address for found in listed} == {f"2026/7@{one.pk}", f"2026/7@{other.pk}"}
    assert alone[one.pk].address == f"2026/7@{one.pk}"
    assert get_invoice(demo, a, f"2026/7@{one.pk}") == one
    assert get_invoice(demo, a, "2026/7") == other
    boa_vista = Party.objects.get(account=demo, document="11222333000181")
    with pytest.raises(NotFound):
        get_invoice(demo, boa_vista, f"2026/7@{one.pk}")


def test_what_was_never_emitted_is_not_there(demo, a):
    from accounts.services.audit import SYSTEM
    from billing.services.invoices import create_invoice, void_invoice

    draft = InvoiceDraft(
        organization_id=Contract.objects.filter(party=a).first().organization_id,
        customer_id=a.pk,
        title="A emitir",
        issue_date=TODAY,
        due_dates=[TODAY],
        lines=[LineDraft("Serviço", 1, 100)],
    )
    planned = create_invoice(draft, account=demo, actor=SYSTEM)
    dropped = create_invoice(draft, account=demo, actor=SYSTEM)
    void_invoice(dropped.pk, account=demo, actor=SYSTEM, reason="engano")

    mine = set(customer_invoices(demo, a).values_list("pk", flat=True))

    assert len(mine) == 10
    assert not mine & {planned.pk, dropped.pk}


def test_what_a_page_and_a_list_say_is_the_same(demo, a):
    """Public link, page and list stand on one derivation."""
    from portal.paying import to_pay

    rows = customer_standings(demo, a, today=TODAY)
    for invoice in customer_invoices(demo, a).select_related("account", "organization"):
        assert rows.estados[invoice.pk] == to_pay(invoice, today=TODAY).estado

    late = Receivable.objects.filter(invoice__customer=a, state="to_receive", due_date__lt=TODAY)
    assert rows.late_total(rows.rows) == sum(row.open_principal for row in late) == 580
    assert str(rows.late_today()) == "597.21"
    assert Dispute.objects.filter(invoice__customer=a).count() == 1
