"""The demonstration as ux §1.6 tells it, and as tests find it."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest
from django.contrib.auth import authenticate

from accounts.models import Account, User
from billing.models import (
    Charge,
    CustomerAccess,
    Dispute,
    EmailSuppression,
    HelpArticle,
    Invoice,
    InvoiceNote,
    OrganizationProfile,
    Party,
    SavedMethod,
)
from billing.selectors import invariants
from billing.selectors.customer_contracts import contract_counts
from billing.selectors.customer_notes import PDF, XML, note_file
from billing.selectors.situations import situations

TODAY = date(2026, 8, 12)


def of_a(account: Account) -> dict[int, Invoice]:
    rows = Invoice.objects.of(account).filter(series__code="1").select_related("series")
    return {int(row.number): row for row in rows}


def test_the_ten_invoices_of_a_stand_as_specified(demo):
    invoices = of_a(demo)
    found = situations(invoices.values(), today=TODAY)

    def stands(number: int) -> tuple[str, str, Decimal]:
        one = found[invoices[number].pk]
        return str(one.estado), one.texto, one.open_principal

    d = Decimal
    assert {number: stands(number) for number in invoices} == {
        1001: ("aberta", "Em aberto", d("1234.56")),
        1002: ("vencida", "Vencida há 33 dias", d("500.00")),
        1003: ("paga", "Paga em 12/06/2026", d(0)),
        1004: ("paga", "Paga em 17/07/2026", d(0)),
        1005: ("anulada", "Anulada – não pague", d(0)),
        1006: ("reembolsada", "Reembolsada", d(0)),
        1007: ("processando", "Pagamento em processamento", d("640.00")),
        1008: ("aberta", "Em aberto", d("980.00")),
        1009: ("aberta", "Em aberto", d("600.00")),
        1010: ("vencida", "Vencida há 4 dias", d("80.00")),
    }
    assert found[invoices[1009].pk].partial == "Parcial (1 de 2)"
    methods = {
        number: [p.method for p in invoices[number].payments.order_by("pk")]
        for number in (1003, 1004, 1006, 1007, 1009)
    }
    assert methods == {
        1003: ["card"], 1004: ["cash"], 1006: ["card"], 1007: ["card"], 1009: ["transfer"],
    }  # fmt: skip
    assert not list(invariants.violations(demo))


def test_1008_is_disputed_since_yesterday_at_four(demo):
    [dispute] = Dispute.objects.of(demo)

    assert dispute.invoice.number == 1008
    assert dispute.opened_at.isoformat() == "2026-08-11T19:00:00+00:00"  # 16:00 in São Paulo
    assert (dispute.protocol, dispute.state) == ("CTS-2026-000001", "open")
    assert dispute.answer_by == TODAY


def test_1001_has_its_nfs_e_501_with_both_files(demo):
    [note] = InvoiceNote.objects.of(demo).select_related("invoice")

    assert (note.invoice.number, note.number, note.state) == (1001, "501", "issued")
    xml = note_file(demo, note.invoice, note.pk, XML)
    pdf = note_file(demo, note.invoice, note.pk, PDF)
    assert b"<nNFSe>501</nNFSe>" in xml.content
    assert b"12ABC34501DE35" in xml.content
    assert pdf.content.startswith(b"%PDF")


def test_the_cards_of_a_and_what_each_of_them_does(demo, providers):
    cards = SavedMethod.objects.of(demo).order_by("pk")

    assert [(one.last4, one.is_default) for one in cards] == [
        ("4242", True), ("0002", False), ("9995", False), ("3155", False),
    ]  # fmt: skip
    assert set(cards.values_list("customer__name", flat=True)) == {"Padaria Aurora Ltda"}
    assert providers.books("stripe")["accounts"]  # the stand-in knows them, too


def test_what_is_open_has_a_boleto_that_the_bank_has_registered(demo):
    found = Charge.objects.of(demo).filter(kind=Charge.Kind.BOLETO)

    numbers = set(found.values_list("receivable__invoice__number", flat=True))
    assert numbers == {1001, 1002, 1008, 1009, 1010}
    assert set(found.values_list("state", flat=True)) == {"open"}
    assert all(len(one.linha_digitavel) == 47 for one in found)


def test_the_contracts_help_and_people_of_the_specification(demo):
    a = Party.objects.get(account=demo, external_code="demo-a")

    assert contract_counts(demo, a) == (3, 1)  # in force, registered
    assert a.contracts.filter(status="cancelled").count() == 2
    assert HelpArticle.objects.of(demo).count() == 2
    profile = OrganizationProfile.objects.get(party__account=demo)
    assert (profile.support_email, profile.dpo_email, profile.due_day_options) == (
        "atendimento@demo.test", "privacidade@demo.test", [5, 10, 15],
    )  # fmt: skip
    companies = CustomerAccess.objects.filter(user__email="titular@aurora.test").order_by("pk")
    assert [one.customer.name for one in companies] == ["Padaria Aurora Ltda", "Aurora Filial Ltda"]
    assert User.objects.filter(is_active=True).count() == 10
    assert authenticate(None, username="eva@pessoa.test", password="Demo!2026-ok") is not None
    assert not EmailSuppression.objects.exists()


@pytest.mark.parametrize("turn", [1, 2])
def test_what_a_test_changes_ends_with_it(demo, central, turn):
    assert Invoice.objects.get(number=1001).title == "Plataforma de pedidos"
    assert central().session.session_key
    Invoice.objects.filter(number=1001).update(title="mudou")
