"""Two things at once about one note: a template edited, a resending, a void, a crash in between.

Whatever crosses, an invoice has one live note, and none once it is void or cancelled; what is shown
of the note is what it was issued with.
"""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
from factories import ContractFactory, FiscalCompanyFactory
from support.certificates import certify
from support.invoice_notes import fresh, issue_all, make_template, noted, the_note
from support.invoices import check_sums
from support.service_notes import refuses
from support.wire import api_of

from accounts.services.audit import SYSTEM
from billing.errors import CannotVoidWithNote
from billing.models import InvoiceNote, Nfse
from billing.selectors.invariants import violations
from billing.services import note_emission
from billing.services.invoices import cancel_invoice, void_invoice
from billing.services.note_batches import issue_one
from billing.services.note_cancellation import replace_note
from fiscal.models import Company, ServiceNote
from fiscal.services.nfse import dispatch
from fiscal.services.nfse.issue import issue_note
from lib import clock

pytestmark = pytest.mark.django_db
D = Decimal
ENABLED = {"habilita_nfsen_homologacao": True}


def live() -> list[tuple[str, str]]:
    rows = ServiceNote.objects.filter(state="autorizado").order_by("id")
    return list(rows.values_list("tipo", "ref"))


def send_again(note: InvoiceNote) -> None:
    """What fiscal's own page does with a refused note."""
    row = note.service_note
    issue_note(row.company, ambiente=row.ambiente, tipo=row.tipo, ref=row.ref, body=row.payload)


def void(invoice):
    void_invoice(invoice.pk, account=invoice.account, actor=SYSTEM, reason="Valor errado")


def test_a_refused_note_sent_again_from_fiscal_s_page_is_the_invoice_s_note(
    organization, customer, template, issuer, city, account
):
    city.next("send", refuses("E0310", "cTribNac inexistente"))
    invoice = noted(organization, customer, template)
    issue_all()
    send_again(the_note(invoice))

    with pytest.raises(CannotVoidWithNote, match="em processamento"):
        void(invoice)
    issue_all()

    note = the_note(invoice)
    assert (note.state, note.error, Nfse.objects.get().nfse_number) == ("issued", "", note.number)
    assert fresh(invoice).nfe["nfe_issued"] is True
    cancel_invoice(invoice.pk, account=account, actor=SYSTEM)
    assert live() == []
    assert list(violations(account)) == []


def test_a_refused_note_sent_again_and_authorized_unseen_is_cancelled_by_the_void(
    organization, customer, template, issuer, city, account
):
    city.next("send", refuses("E0310", "cTribNac inexistente"))
    invoice = noted(organization, customer, template)
    issue_all()
    send_again(the_note(invoice))
    dispatch.work()  # decided; nobody told billing yet

    void(invoice)

    assert fresh(invoice).void
    assert live() == []


def test_a_template_of_another_kind_after_a_crash_makes_no_second_note(
    organization, customer, issuer, city, monkeypatch
):
    template = make_template(organization, tipo_nota="nfse")
    invoice = noted(organization, customer, template)

    def dies(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(note_emission, "_write", dies)
        with pytest.raises(KeyboardInterrupt):
            note_emission.work_off()
    template.tipo_nota = "nfsen"
    template.save()
    InvoiceNote.objects.update(next_attempt_at=clock.now())  # the lease is over
    issue_all()

    assert live() == [("nfse", f"fatura-{invoice.pk}")]
    assert (the_note(invoice).kind, the_note(invoice).state) == ("nfse", "issued")


@pytest.mark.parametrize("is_deleted", [False, True])
def test_what_changes_while_the_city_thinks_is_not_shown(
    organization, customer, template, issuer, city, is_deleted
):
    invoice = noted(organization, customer, template)
    note_emission.work_off()
    if is_deleted:
        template.delete()
    else:
        template.aliquota_iss, template.iss_retido_fonte = D(2), True
        template.item_lista_servico = "1.07"
        template.save()
    asked_for = customer.name
    customer.name = "Outro nome"
    customer.save()
    issue_all()

    nfse = Nfse.objects.get()
    item = nfse.nfse_service_items.get()
    assert the_note(invoice).state == "issued"
    assert (nfse.iss_value, nfse.retained_iss_value, nfse.ir_value) == (D(500), D(0), D(150))
    assert (nfse.customer_name, item.item_lista_servico) == (asked_for, "17.01")
    assert (nfse.percentual_carga_tributaria, item.aliquota_iss) == (D("13.45"), D(5))


def test_the_day_of_the_note_is_the_customer_s_not_that_of_utc(
    organization, customer, template, issuer, city, account
):
    invoice = noted(organization, customer, template)
    contract = ContractFactory(account=account, organization=organization, party=customer)
    type(invoice).objects.update(contract=contract)
    note_emission.work_off()
    dispatch.work()
    ServiceNote.objects.update(issued_at=datetime(2026, 12, 1, 1, 30, tzinfo=UTC))
    issue_all()

    path = f"contracts/{contract.pk}/invoices/{invoice.pk}"
    shown = api_of(account).get(path).json()["invoice"]

    assert (shown["nfe_issued"], shown["nfe_issue_date"]) == (True, "30/11/2026")


def test_a_void_waits_for_the_note_that_is_to_replace_another(
    organization, customer, issuer, city, account
):
    template = make_template(organization, tipo_nota="nfse")
    invoice = noted(organization, customer, template)
    issue_all()
    replace_note(invoice.pk, account=account, actor=SYSTEM, reason="Descrição do serviço errada")
    note_emission.work_off()  # handed over, not answered

    with pytest.raises(CannotVoidWithNote, match="substituta"):
        void(invoice)
    issue_all()
    void(invoice)

    assert fresh(invoice).void
    assert live() == []


def test_a_void_gives_up_a_replacement_that_nobody_sent(
    organization, customer, issuer, city, account
):
    template = make_template(organization, tipo_nota="nfse")
    invoice = noted(organization, customer, template)
    issue_all()
    replace_note(invoice.pk, account=account, actor=SYSTEM, reason="Descrição do serviço errada")

    void(invoice)
    issue_all()

    assert sorted(InvoiceNote.objects.values_list("state", flat=True)) == ["cancelled", "dropped"]
    assert live() == []
    assert ServiceNote.objects.count() == 1


def test_a_note_in_conflict_tells_why_and_blocks_the_void(
    organization, customer, template, issuer, city
):
    invoice = noted(organization, customer, template)
    note_emission.work_off()
    dispatch.work()
    fault = {"codigo": "E0014", "mensagem": "DPS já usada", "correcao": None}
    ServiceNote.objects.update(state="conflito", errors=[fault])
    note_emission.work_off()

    assert (the_note(invoice).state, the_note(invoice).error) == ("sent", "E0014 – DPS já usada")
    with pytest.raises(CannotVoidWithNote, match="E0014 – DPS já usada"):
        void(invoice)
    ServiceNote.objects.update(state="autorizado")  # settled by a person
    issue_all()
    assert (the_note(invoice).state, the_note(invoice).error) == ("issued", "")


def test_what_leaves_less_than_a_cent_for_a_parcel_is_withheld_all_the_same(
    organization, customer, issuer, city, account
):
    given = {"retencoes_destacadas_nota": ["IR"], "retencao_minima": D(0)}
    most = make_template(organization, aliquota_ir=D(99), **given)
    dates = [date(2026, 12, 10), date(2027, 1, 10), date(2027, 2, 10)]
    invoice = noted(organization, customer, most, value="1.00", due_dates=dates)
    issue_all()

    parcels = list(invoice.receivables.order_by("position").values_list("payment_value", flat=True))
    assert parcels == [D("0.00"), D("0.00"), D("0.01")]
    check_sums(fresh(invoice))
    assert the_note(invoice).service_note.payload["valor_irrf"] == "0.99"
    assert list(violations(account)) == []


def test_the_invariants_find_a_second_live_note_and_one_of_a_void_invoice(
    organization, customer, template, issuer, city, account
):
    invoice = noted(organization, customer, template)
    issue_all()
    type(invoice).objects.filter(pk=invoice.pk).update(state="cancelled")
    invoice.withholdings.filter(tax="IR").update(withheld=D("1.00"))

    found = {(one.rule, one.row.split(":")[0].split(",")[0]) for one in violations(account)}

    assert ("NOTE-1", f"fatura {invoice.pk} está cancelada") in found
    assert ("M-6", f"fatura {invoice.pk}") in found


def test_what_is_wrong_with_the_issuer_is_told_and_mended_under_the_same_reference(
    organization, customer, template, city, account, other_account
):
    FiscalCompanyFactory(account=other_account, cnpj=organization.document, **ENABLED)
    invoice = noted(organization, customer, template)

    def told() -> str:
        issue_all()
        error = the_note(invoice).error
        if the_note(invoice).state == "refused":
            issue_one(invoice.pk, account=account, actor=SYSTEM)
        return error

    assert told().startswith("Cadastre a empresa emissora com o CNPJ")  # another tenant's is none
    company = FiscalCompanyFactory(account=account, cnpj=organization.document)
    assert told() == "Emitente ainda não habilitado para emissão de NFSe Nacional"
    Company.objects.filter(pk=company.pk).update(**ENABLED)
    assert "ertificado" in told()
    certify(company)
    assert told() == ""

    assert live() == [("nfsen", f"fatura-{invoice.pk}")]
    assert ServiceNote.objects.get().company == company
