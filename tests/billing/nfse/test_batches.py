"""Notes by the many: the billing run, the job that staff start, goods, files and the API."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from urllib.parse import urlparse

import pytest
from django.test import Client
from django.urls import reverse
from factories import ContractFactory, MembershipFactory, OrganizationFactory, RuleFactory
from support.invoice_notes import fresh, issue_all, make_template, noted, the_note
from support.service_notes import refuses
from support.wire import api_of

from accounts.models import AuditEvent, Job
from accounts.services.jobs import run_job
from billing.documents.context import invoice_source
from billing.errors import CannotIssueNote
from billing.models import Invoice, InvoiceNote
from billing.selectors.note_links import shown_note
from billing.services.note_batches import start_batch
from billing.services.note_texts import expand, tags_of
from billing.services.run import RunRequest, run_billing
from fiscal.models import FiscalDocument, ServiceNote

pytestmark = pytest.mark.django_db
D = Decimal


def client_as(account, role):
    client = Client()
    client.force_login(MembershipFactory(account=account, role=role).user)
    return client


def test_the_billing_run_ends_in_authorized_notes(organization, customer, template, issuer, city):
    account = organization.account
    contract = ContractFactory(account=account, organization=organization, party=customer)
    RuleFactory(
        contract=contract, init_date=date(2026, 11, 1), services=[("2", "1500.00")],
        issue_nfse=True, nfse_template_ref=template.pk, gross_value=D("3000.00"),
    )  # fmt: skip

    run_billing(RunRequest(account, until=date(2026, 11, 20), today=date(2026, 11, 20)))
    issue_all()

    invoice = Invoice.objects.get(state="to_receive")
    assert (invoice.gross_value, invoice.payment_value) == (D("3000.00"), D("2815.50"))
    receivable = invoice.receivables.get()
    assert (receivable.payment_value, receivable.open_principal) == (D("2815.50"), D("2815.50"))
    assert the_note(invoice).state == "issued"
    told = AuditEvent.objects.filter(object_type="invoice", object_id=invoice.pk)
    assert "nota.emitida" in told.values_list("action", flat=True)


def test_queueing_many_notes_costs_no_more_statements_than_few(
    organization, customer, template, issuer, django_assert_num_queries
):
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    from billing.services.note_batches import queue_notes

    def cost(n):
        options = {"issue_nfse": False}
        ids = [noted(organization, customer, template, options=options).pk for _ in range(n)]
        with CaptureQueriesContext(
            connection,
        ) as caught:
            assert len(queue_notes(organization.account, ids)) == n
        return len(caught)

    assert cost(2) == cost(6)


def test_a_batch_tells_how_far_it_is_and_what_failed(
    organization, customer, template, issuer, city, account
):
    good = [noted(organization, customer, template) for _ in range(2)]
    bad = noted(organization, customer, template, options={"nfse_template_ref": None})
    job = start_batch(account, [one.pk for one in [*good, bad]], user=None)

    done = run_job(job.pk)

    assert (done.state, done.total, done.n_ok, done.n_failed) == ("done_with_errors", 3, 2, 1)
    assert done.result == {"notas": {"sent": 2, "refused": 1}}
    assert done.errors.get().cause == "Escolha um modelo de NFS-e para a fatura."
    issue_all()
    with pytest.raises(CannotIssueNote):
        start_batch(account, [one.pk for one in good], user=None)


def test_staff_issue_chosen_notes_once_confirmed(
    organization, customer, template, issuer, city, account
):
    invoices = [noted(organization, customer, template, days=9) for _ in range(2)]
    client = client_as(account, "fiscal")
    chosen = {"action": "issue_notes", "_selected_action": [one.pk for one in invoices]}
    url = reverse("admin:billing_invoice_changelist")

    page = client.post(url, chosen)
    assert "2 nota(s), R$" in page.content.decode()
    assert not Job.objects.exists()
    client.post(url, chosen | {"confirmado": "1"})
    run_job(Job.objects.get().pk)
    issue_all()

    assert {the_note(one).state for one in invoices} == {"issued"}
    refused = client_as(account, "suporte").post(url, chosen | {"confirmado": "1"})
    assert Job.objects.count() == 1, refused.content


def test_staff_give_a_template_to_invoices_that_have_none(
    organization, customer, template, issuer, city, account, other_account
):
    with_one = noted(organization, customer, template, days=9)
    plain = {"issue_nfse": False, "nfse_template_ref": None}
    bare = noted(organization, customer, template, options=plain)
    gone = noted(organization, customer, template, options={"nfse_template_ref": 999_999})
    foreign = make_template(OrganizationFactory(account=other_account), name="Modelo alheio")
    client = client_as(account, "financeiro")
    url = reverse("admin:billing_invoice_changelist")
    rows = [with_one.pk, bare.pk, gone.pk]
    chosen = {"action": "issue_notes", "_selected_action": rows}

    page = client.post(url, chosen).content.decode()
    assert "2 sem modelo fiscal" in page
    assert f'<option value="{template.pk}">Consultoria</option>' in page
    assert "Modelo alheio" not in page
    refused = client.post(url, chosen | {"confirmado": "1", "modelo": foreign.pk})
    assert "Faça uma escolha válida" in refused.content.decode()
    assert not Job.objects.exists()
    left = client.post(url, chosen | {"confirmado": "1", "modelo": ""}, follow=True)
    assert "2 fatura(s) sem modelo fiscal ficaram de fora" in left.content.decode()
    assert Job.objects.get().params == {"invoices": [with_one.pk]}
    assert fresh(bare).issue_nfse is False

    done = client.post(url, chosen | {"confirmado": "1", "modelo": template.pk}, follow=True)
    assert "Emissão de notas fiscais nº" in done.content.decode()
    run_job(Job.objects.order_by("-pk").first().pk)
    issue_all()

    assert {the_note(one).state for one in (with_one, bare, gone)} == {"issued"}
    again = client.post(url, chosen | {"confirmado": "1"}, follow=True)
    assert "tem nota a emitir" in again.content.decode()


def test_refused_notes_are_issued_again_from_their_own_list(
    organization, customer, template, issuer, city, account
):
    city.next("send", refuses("E0310", "cTribNac inexistente"))
    refused = noted(organization, customer, template)
    issue_all()
    waits = noted(organization, customer, template, days=2)
    client = client_as(account, "fiscal")
    url = reverse("admin:billing_invoicenote_changelist")
    listed = client.get(url).content.decode()
    assert "2 dias úteis após o recebimento" in listed
    ids = [the_note(refused).pk, the_note(waits).pk]
    chosen = {"action": "issue_notes", "_selected_action": ids}

    assert "2 nota(s), R$" in client.post(url, chosen).content.decode()
    client.post(url, chosen | {"confirmado": "1"})
    run_job(Job.objects.get().pk)
    issue_all()

    assert {the_note(one).state for one in (refused, waits)} == {"issued"}


def test_staff_see_why_and_issue_again(organization, customer, template, issuer, city, account):
    city.next("send", refuses("E0310", "cTribNac inexistente"))
    invoice = noted(organization, customer, template)
    issue_all()
    client = client_as(account, "admin")
    note = the_note(invoice)

    page = client.get(reverse("admin:billing_invoice_change", args=[invoice.pk])).content.decode()
    assert "E0310 – cTribNac inexistente" in page
    assert "Retenções na fonte" in page
    act = reverse("admin:billing_invoicenote_act", args=[note.pk, "emitir"])
    form = client.get(act)
    assert "A última recusa foi: E0310" in form.content.decode()
    posted = {"idempotency_key": "chave-de-teste", "situacao": "refused"}
    client.post(act, posted)
    issue_all()

    page = client.get(reverse("admin:billing_invoicenote_change", args=[note.pk]))
    shown = page.content.decode()
    assert the_note(invoice).state == "issued"
    assert "https://city.invalid/note" in shown
    assert "RIR/2018" in shown  # the memory, with its law


def test_the_api_tells_number_and_links_and_the_links_lead_to_the_files(
    organization, customer, template, issuer, city, account, other_account
):
    invoice = noted(organization, customer, template)
    issue_all()

    path = f"organizations/{organization.pk}/nfses/search"
    (shown,) = api_of(account).get(path, {"q[invoice_id_eq]": invoice.pk}).json()["nfses"]

    assert (shown["nfse_number"], shown["status"]) == ("1000", "Emitida")
    assert shown["city_nfse_url"] == "https://city.invalid/note"
    assert shown["ir_value"] == "150.0"
    assert shown["nfse_environment"] == "Homologacao"
    xml = Client().get(urlparse(shown["xml_url"]).path)
    assert (xml.status_code, xml.content[:6]) == (200, b"<Nfse>")
    seen = shown_note(invoice)
    assert (seen.number, seen.status, seen.page_url) == ("1000", "Emitida", shown["city_nfse_url"])
    tags = tags_of(invoice, [], nfse=the_note(invoice).nfse)
    said = expand("$CODIGO_VERIFICACAO $NFSE_PDF_LINK $X", tags)
    assert said == f"ABC-123 {seen.pdf_url} $X"
    printed = invoice_source(invoice.pk, account).context["withholdings"]
    assert [(one["name"], one["value"]) for one in printed] == [
        ("IR retido", D("150.00")), ("PIS retido", D("65.00")), ("COFINS retido", D("300.00")),
        ("CSLL retido", D("100.00")),
    ]  # fmt: skip
    wrong = urlparse(shown["xml_url"]).path.replace(".xml", "x.xml")
    assert Client().get(wrong).status_code == 404
    assert api_of(other_account).get(path).status_code == 404


# --- goods ---------------------------------------------------------------------------------------

GOODS = {
    "codigo_ncm": "96081000",
    "cfop": "5102",
    "cfop_interestadual": "6102",
    "icms_origem": "0",
    "icms_situacao_tributaria": "00",
    "icms_modalidade_base_calculo": "3",
    "icms_aliquota": "18.00",
    "pis_situacao_tributaria": "07",
    "cofins_situacao_tributaria": "07",
    "ibs_cbs_situacao_tributaria": "000",
    "ibs_cbs_classificacao_tributaria": "000001",
}


def test_an_invoice_of_goods_gets_an_nfe(organization, customer, issuer):
    template = make_template(
        organization, tipo_nota="nfe", campos_nfe=GOODS, retencoes_destacadas_nota=[]
    )
    invoice = noted(organization, customer, template, value="150.00")
    issue_all()

    note = the_note(invoice)
    assert (note.state, note.error) == ("sent", "")
    document = note.document
    assert (document.modelo, document.ref) == (55, f"fatura-{invoice.pk}")
    (item,) = document.payload["items"]
    assert (item["cfop"], item["valor_bruto"]) == ("5102", "150.00")
    assert fresh(invoice).payment_value == D("150.00")
    assert not ServiceNote.objects.exists()


def test_a_fault_of_the_goods_is_told(organization, customer, issuer):
    template = make_template(organization, tipo_nota="nfe", campos_nfe={"cfop": "5102"})
    noted(organization, customer, template, value="150.00")
    issue_all()

    assert "codigo_ncm" in InvoiceNote.objects.get().error


def test_the_decision_about_goods_comes_back_too(organization, customer, issuer):
    template = make_template(
        organization, tipo_nota="nfe", campos_nfe=GOODS, retencoes_destacadas_nota=[]
    )
    sold, refused = (noted(organization, customer, template, value="150.00") for _ in range(2))
    issue_all()
    rows = FiscalDocument.objects
    rows.filter(ref=the_note(sold).ref).update(
        state="autorizado", numero=7, serie=1, chave="3" * 44, protocolo="135260000000001"
    )
    rows.filter(ref=the_note(refused).ref).update(
        state="rejeitado", c_stat="703", x_motivo="Rejeicao: data"
    )

    issue_all()

    assert (the_note(sold).state, the_note(sold).number) == ("issued", "7")
    assert fresh(sold).nfe["nfe_verification"] == "3" * 44
    assert (the_note(refused).state, the_note(refused).error) == ("refused", "703 – Rejeicao: data")
