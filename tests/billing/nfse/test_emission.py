"""From an emitted invoice to its authorized note, and back again."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest
from factories import PersonFactory
from support.invoice_notes import fresh, issue_all, make_template, noted, the_note
from support.invoices import check_sums
from support.service_notes import Held, refuses, says

from accounts.services.audit import SYSTEM
from billing.errors import CannotCancel, CannotUndoEmission, CannotVoidWithNote
from billing.models import InvoiceNote, InvoiceWithholding, Nfse
from billing.selectors.invariants import violations
from billing.services import note_emission
from billing.services.invoices import cancel_invoice, emit_invoice, undo_emission, void_invoice
from billing.services.note_batches import issue_one
from billing.services.note_cancellation import replace_note
from fiscal.authorities.provider import Kind
from fiscal.models import ServiceNote
from fiscal.services.nfse import orders
from fiscal.services.nfse.cancel import cancel_note
from lib import clock
from lib.errors import InvalidInput

pytestmark = pytest.mark.django_db
D = Decimal


def test_an_invoice_ends_with_its_note_net_of_what_is_withheld(
    organization, customer, template, issuer, city
):
    invoice = noted(organization, customer, template)

    assert (invoice.gross_value, invoice.payment_value) == (D("10000.00"), D("9385.00"))
    check_sums(invoice)
    issue_all()

    note = the_note(invoice)
    service = note.service_note
    assert (note.state, note.kind, note.ref) == ("issued", "nfsen", f"fatura-{invoice.pk}")
    assert (service.state, service.number, service.ref) == ("autorizado", "1000", note.ref)
    assert service.payload["valor_irrf"] == "150.00"
    assert service.payload["valor_csll"] == "465.00"
    assert service.payload["tipo_retencao_pis_cofins"] == "3"
    nfse = Nfse.objects.get()
    assert (nfse.status, nfse.nfse_number, nfse.value) == (1, "1000", D("10000.00"))
    assert (nfse.ir_value, nfse.csll_value, nfse.iss_value) == (D("150"), D("100"), D("500"))
    assert nfse.nfse_service_items.get().value == D("10000.00")
    assert fresh(invoice).nfe["nfe_issued"] is True
    assert fresh(invoice).nfe["nfe_number"] == "1000"
    assert [line["tributo"] for line in note.memory][:4] == ["IR", "PIS", "COFINS", "CSLL"]
    assert note.memory[0]["explicacao"].startswith("R$\u00a010.000,00 × 1,50%")


def test_a_person_is_withheld_nothing_and_the_note_says_so(
    organization, account, template, issuer, city
):
    person = PersonFactory(account=account)
    invoice = noted(organization, person, template)
    issue_all()

    payload = the_note(invoice).service_note.payload
    assert invoice.payment_value == D("10000.00")
    assert payload["cpf_tomador"] == person.document
    assert "valor_irrf" not in payload
    assert not InvoiceWithholding.objects.exists()


def test_a_municipal_note_with_iss_withheld_and_deductions(organization, customer, issuer, city):
    template = make_template(
        organization, tipo_nota="nfse", iss_retido_fonte=True, percentual_deducao_iss=D(40)
    )
    invoice = noted(organization, customer, template)
    issue_all()

    service = the_note(invoice).service_note.payload["servico"]
    assert invoice.payment_value == D("9085.00")  # and 5 % of 6.000,00 of ISS
    assert service["iss_retido"] is True
    assert (service["valor_deducoes"], service["base_calculo"]) == ("4000.00", "6000.00")
    assert (service["valor_iss_retido"], service["valor_pis"]) == ("300.00", "65.00")
    assert service["discriminacao"] == (
        "Consultoria de novembro\nTributos aproximados: R$ 1.345,00 (13,45%). Fonte: IBPT."
    )
    assert Nfse.objects.get().retained_iss_value == D("300.00")


def test_a_month_that_is_added_up_withholds_late_what_it_had_let_go(
    organization, customer, issuer, city
):
    template = make_template(
        organization, limite_retencao_pcc=D("5000.00"), retencoes_acumuladas=["PCC"],
        retencoes_destacadas_nota=["PIS", "COFINS", "CSLL"],
    )  # fmt: skip
    first = noted(organization, customer, template, value="3000.00")
    second = noted(organization, customer, template, value="3000.00")
    next_month = noted(
        organization, customer, template, value="3000.00", issue_date=date(2026, 12, 1)
    )

    assert first.payment_value == D("3000.00")
    assert second.payment_value == D("2721.00")  # 4,65 % of 6.000,00
    assert next_month.payment_value == D("3000.00")
    assert "base anterior no mês" in second.withholdings.get(tax="PIS").explanation


def test_an_amount_to_pay_that_somebody_gave_stands(organization, customer, template, issuer, city):
    invoice = noted(organization, customer, template, payment_value=D("9500.00"))
    issue_all()

    assert invoice.payment_value == D("9500.00")
    assert "A nota leva o cálculo do modelo" in the_note(invoice).memory[-1]["explicacao"]


def test_a_refusal_is_told_and_the_correction_goes_out_under_the_same_reference(
    organization, customer, template, issuer, city, account
):
    city.next("send", refuses("E0310", "cTribNac inexistente", "Informe um código válido"))
    invoice = noted(organization, customer, template)
    issue_all()

    note = the_note(invoice)
    assert (note.state, note.error) == (
        "refused",
        "E0310 – cTribNac inexistente (Informe um código válido)",
    )
    assert fresh(invoice).nfe.get("nfe_issued") is None

    template.codigo_tributacao_nacional = "010701"
    template.save()
    issue_one(invoice.pk, account=account, actor=SYSTEM)
    issue_all()

    again = the_note(invoice)
    assert (again.pk, again.state, again.number) == (note.pk, "issued", "1000")
    assert again.service_note.payload["codigo_tributacao_nacional_iss"] == "010701"
    assert ServiceNote.objects.count() == 1


def test_what_cannot_be_made_is_refused_with_its_reason(organization, customer, template, city):
    without_issuer = noted(organization, customer, template)
    without_template = noted(organization, customer, template, options={"nfse_template_ref": None})
    issue_all()

    assert the_note(without_issuer).error.startswith("Cadastre a empresa emissora com o CNPJ")
    assert the_note(without_template).error == "Escolha um modelo de NFS-e para a fatura."
    assert not ServiceNote.objects.exists()


def test_a_fault_of_the_body_names_its_field(organization, customer, issuer, city):
    template = make_template(organization, codigo_tributacao_nacional="", item_lista_servico="")
    invoice = noted(organization, customer, template)
    issue_all()

    assert "codigo_tributacao_nacional_iss" in the_note(invoice).error


def test_a_note_that_fiscal_took_before_a_crash_is_found_again(
    organization, customer, template, issuer, city, monkeypatch
):
    invoice = noted(organization, customer, template)

    def dies(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(note_emission, "_write", dies)
        with pytest.raises(KeyboardInterrupt):
            note_emission.work_off()
    assert (the_note(invoice).state, ServiceNote.objects.count()) == ("queued", 1)

    InvoiceNote.objects.update(next_attempt_at=clock.now())  # the lease is over
    issue_all()

    assert the_note(invoice).state == "issued"
    assert ServiceNote.objects.count() == 1
    assert len(city.sent()) == 1


def test_an_invoice_without_value_or_wish_gets_no_note(organization, customer, template, issuer):
    noted(organization, customer, template, options={"issue_nfse": False})

    assert not InvoiceNote.objects.exists()


# --- taken back -----------------------------------------------------------------------------------


def test_undoing_the_emission_gives_up_a_waiting_note_and_the_withholdings(
    organization, customer, template, issuer, city, account
):
    invoice = noted(organization, customer, template, days=5)

    undone = undo_emission(invoice.pk, account=account, actor=SYSTEM)

    assert undone.payment_value == D("10000.00")
    check_sums(fresh(invoice))
    assert not InvoiceNote.objects.filter(slot__isnull=False).exists()
    again = emit_invoice(invoice.pk, account=account, actor=SYSTEM)
    assert again.payment_value == D("9385.00")
    assert the_note(invoice).ref == f"fatura-{invoice.pk}-2"


def test_an_issued_note_keeps_the_emission_from_being_undone(
    organization, customer, template, issuer, city, account
):
    invoice = noted(organization, customer, template)
    issue_all()

    with pytest.raises(CannotUndoEmission):
        undo_emission(invoice.pk, account=account, actor=SYSTEM)


# --- void and cancel -----------------------------------------------------------------------------


def test_voiding_the_invoice_cancels_its_note(
    organization, customer, template, issuer, city, account
):
    invoice = noted(organization, customer, template)
    issue_all()

    void_invoice(invoice.pk, account=account, actor=SYSTEM, reason="Valor errado")

    note = InvoiceNote.objects.get()
    nfse = Nfse.objects.get()
    assert (fresh(invoice).void, note.state, note.slot) == (True, "cancelled", None)
    assert (nfse.status, nfse.cancelled_at is not None) == (Nfse.Status.CANCELLED, True)
    assert fresh(invoice).nfe["nfe_issued"] is False
    assert b"anulada: Valor errado" in city.calls[-1].content
    assert list(violations(account)) == []


def test_a_note_that_cannot_be_cancelled_blocks_with_the_reason(
    organization, customer, template, issuer, city, account
):
    city.next("cancel", refuses("E0822", "Prazo de cancelamento expirado"))
    invoice = noted(organization, customer, template)
    issue_all()

    with pytest.raises(CannotVoidWithNote, match=r"1000.*E0822 – Prazo de cancelamento expirado"):
        void_invoice(invoice.pk, account=account, actor=SYSTEM, reason="Valor errado")

    assert fresh(invoice).state == "to_receive"
    assert the_note(invoice).state == "issued"
    nfse = Nfse.objects.get()
    assert (nfse.status, nfse.integration_errors) == (
        Nfse.Status.CANCELLATION_ERROR,
        "E0822 – Prazo de cancelamento expirado",
    )
    void_invoice(invoice.pk, account=account, actor=SYSTEM, reason="Valor errado")
    assert fresh(invoice).void


def test_a_cancellation_in_analysis_blocks_until_the_city_decides(
    organization, customer, template, issuer, city, account
):
    city.next("cancel", says(Kind.CANCEL_PENDING))
    invoice = noted(organization, customer, template)
    issue_all()

    with pytest.raises(CannotCancel, match="analisa"):
        cancel_invoice(invoice.pk, account=account, actor=SYSTEM)

    assert the_note(invoice).state == "cancelling"
    assert Nfse.objects.get().status == Nfse.Status.CANCELLING
    note = the_note(invoice).service_note
    order = note.orders.get()
    city.held[city.calls[0].key] = Held(city.held[city.calls[0].key].note, Kind.CANCELLED)
    orders.resume(order.pk)
    issue_all()

    assert InvoiceNote.objects.get().state == "cancelled"
    assert fresh(invoice).state == "to_receive"
    cancel_invoice(invoice.pk, account=account, actor=SYSTEM)
    assert fresh(invoice).state == "cancelled"


def test_a_note_on_its_way_blocks(organization, customer, template, issuer, city, account):
    invoice = noted(organization, customer, template)
    note_emission.work_off()

    with pytest.raises(CannotVoidWithNote, match="em processamento"):
        void_invoice(invoice.pk, account=account, actor=SYSTEM, reason="Valor errado")

    assert not fresh(invoice).void


def test_a_waiting_note_goes_with_its_invoice(
    organization, customer, template, issuer, city, account
):
    invoice = noted(organization, customer, template)

    void_invoice(invoice.pk, account=account, actor=SYSTEM, reason="Valor errado")
    issue_all()

    assert InvoiceNote.objects.get().state == "dropped"
    assert not ServiceNote.objects.exists()


def test_a_note_cancelled_at_the_city_is_told_on_the_invoice(
    organization, customer, template, issuer, city, account
):
    invoice = noted(organization, customer, template)
    issue_all()

    cancel_note(the_note(invoice).service_note, justificativa="Cancelada pelo contador")
    issue_all()

    assert InvoiceNote.objects.get().state == "cancelled"
    assert Nfse.objects.get().status == Nfse.Status.CANCELLED
    new = issue_one(invoice.pk, account=account, actor=SYSTEM)
    issue_all()
    assert (the_note(invoice).pk, the_note(invoice).state) == (new.pk, "issued")
    assert new.ref == f"fatura-{invoice.pk}-2"


# --- substitution --------------------------------------------------------------------------------


def test_a_note_is_replaced_only_when_the_new_one_is_authorized(
    organization, customer, issuer, city, account
):
    template = make_template(organization, tipo_nota="nfse")
    invoice = noted(organization, customer, template)
    issue_all()
    old = the_note(invoice)
    city.next("send", refuses("E4", "RPS substituído não encontrado"))

    replace_note(invoice.pk, account=account, actor=SYSTEM, reason="Descrição do serviço errada")
    issue_all()
    assert the_note(invoice).pk == old.pk
    assert InvoiceNote.objects.get(slot=1).state == "refused"

    replace_note(invoice.pk, account=account, actor=SYSTEM, reason="Descrição do serviço errada")
    issue_all()

    new = the_note(invoice)
    old.refresh_from_db(fields=["slot"])
    assert (new.generation, new.state, new.replaces_id, old.slot) == (2, "issued", old.pk, None)
    assert new.service_note.payload["numero_rps_substituido"] == "1"
    assert sorted(Nfse.objects.values_list("nfse_number", "status")) == [("1000", 2), ("1001", 1)]
    assert fresh(invoice).nfe["nfe_number"] == "1001"
    with pytest.raises(InvalidInput):
        replace_note(invoice.pk, account=account, actor=SYSTEM, reason="curto")
