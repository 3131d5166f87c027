"""What an invoice document is made of: the variables of §5.1, and what makes a PDF stale."""

from __future__ import annotations

import dataclasses
from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from factories import CompanyFactory, OrganizationFactory, PersonFactory
from support.invoices import TODAY, emitted_invoice, line, new_invoice
from support.pdfs import PLAIN, horizonte, july_draft, july_invoice, padaria, use_template

from accounts.services.audit import SYSTEM
from billing.documents import context as module
from billing.documents.context import invoice_source, read_assets
from billing.documents.variables import CATALOGUE
from billing.models import (
    Contract,
    DocumentTemplate,
    Invoice,
    InvoiceLine,
    OrganizationProfile,
    Party,
    Receivable,
)
from billing.services.invoices import cancel_invoice, emit_invoice, void_invoice
from billing.services.receivables import receive
from lib.errors import NotFound
from lib.pdf_wire import dumps, loads

EMITTED_AT = datetime(2026, 8, 12, 15, 4, 5, 678, tzinfo=UTC)


@pytest.fixture
def issuer(account):
    organization = horizonte(account)
    use_template(organization, PLAIN)
    return organization


@pytest.fixture
def invoice(account, issuer):
    """Emitted on 12/08/2026 at 12:04:05 in São Paulo."""
    invoice = july_invoice(issuer, padaria(account), n_lines=5)
    Invoice.objects.filter(pk=invoice.pk).update(emitted_at=EMITTED_AT)
    return Invoice.objects.get(pk=invoice.pk)


def context_of(invoice):
    return invoice_source(invoice.pk, invoice.account).context


def hash_of(invoice):
    return invoice_source(invoice.pk, invoice.account).hash


# --- the variables -----------------------------------------------------------------------------


@pytest.mark.django_db
def test_the_variables_of_section_5_1_are_exact(invoice):
    context = context_of(invoice)

    assert context["invoice_number"] == "INV-01001"
    assert context["date"] == "2026-08-12T12:04:05"
    assert context["due_date"] == "2026-08-20"
    assert context["start_date"] == "2026-07-01"
    assert context["end_date"] == "2026-07-31"
    assert context["total_amount"] == Decimal("2613.00")
    assert context["total_tax"] == Decimal("240.96")
    assert context["client"] == {
        "name": "Padaria Aurora Ltda",
        "document": "11222333000181",
        "address": {
            "address_line_1": "Rua das Flores, 123 – Sala 4",
            "address_line_2": "Centro",
            "city": "Campinas",
            "state": "SP",
            "zip_code": "13010000",
            "country": "Brasil",
        },
    }
    assert context["payment_url"] == ""


@pytest.mark.django_db
def test_a_line_is_a_transaction_with_text_dates_and_exact_numbers(invoice):
    context = context_of(invoice)

    third = invoice.lines.get(position=3)
    fourth = context["lines"][3]
    assert context["transactions"][2] == {
        "transaction_id": str(third.pk),
        "created": "2026-07-03T09:30:00",
        "title": "Telefonia fixa",
        "description": "Tronco SIP com 10 canais",
        "retail_cost": Decimal("249.90"),
        "tax_percentage": Decimal("10"),
        "tax_amount": Decimal("24.99"),
    }
    assert str(context["transactions"][2]["tax_percentage"]) == "10"
    assert (str(fourth["units"]), str(fourth["unit_value"])) == ("112", "0.3875")
    assert str(context["lines"][0]["unit_value"]) == "899.90"
    assert fourth["value"] == Decimal("43.40")
    assert (fourth["period_start"], fourth["period_end"]) == ("2026-07-01", "2026-07-31")


@pytest.mark.django_db
def test_the_additions_have_their_own_names(invoice):
    context = context_of(invoice)

    assert context["contract"] == {
        "title": "Internet e telefonia",
        "name": f"CT-{invoice.customer_id:05d}",
    }
    assert context["accrual"] == "07/2026"
    assert context["title"] == "Serviços de julho de 2026"
    assert context["status"] == {"code": "open", "label": "Em aberto"}
    assert context["organization"] == {
        "name": "Horizonte Telecom",
        "company_name": "Horizonte Telecomunicações Ltda",
        "document": "12ABC34501DE35",
        "document_masked": "12.ABC.345/01DE-35",
        "address_line_1": "Av. Paulista, 1000 – Conjunto 101",
        "address_line_2": "Bela Vista",
        "city": "São Paulo",
        "state": "SP",
        "zip_code": "01310100",
        "country": "Brasil",
        "email": "financeiro@horizonte.test",
        "phone": "1132101234",
        "logo": "asset:logo",
        "color_primary": "#0b7285",
        "color_accent": "#d9480f",
    }
    assert context["notes"] == (
        "Após o vencimento: multa de 2% e juros de 1% ao mês.\nDúvidas? Ligue (11) 3210-1234."
    )
    assert [(r["number"], r["due_date"], r["value"]) for r in context["receivables"]] == [
        (1, "2026-08-20", Decimal("1426.98")),
        (2, "2026-09-20", Decimal("1426.98")),
    ]


@pytest.mark.django_db
def test_every_variable_of_the_catalogue_is_there(invoice):
    context = context_of(invoice)

    missing = [
        variable.name
        for variable in CATALOGUE
        if not _found(context, variable.name) and not _may_be_empty(variable.name)
    ]
    assert missing == []


def _may_be_empty(name):
    return name.startswith(("discounts[]", "withholdings[]"))


def _found(value, name):
    for part in name.replace("[]", ".[]").split("."):
        if part == "[]":
            value = value[0] if value else None
        elif isinstance(value, dict) and part in value:
            value = value[part]
        else:
            return False
    return True


@pytest.mark.django_db
def test_the_context_is_plain_data_and_survives_the_way_to_the_renderer(invoice):
    context = context_of(invoice)

    assert loads(dumps(context)) == context


@pytest.mark.django_db
def test_a_person_is_billed_by_name_and_an_invoice_without_contract_has_none(issuer):
    person = PersonFactory(account=issuer.account, name="Ana Souza", company_name="Ana ME")

    context = context_of(emitted_invoice(issuer, person))

    assert context["client"]["name"] == "Ana Souza"
    assert context["contract"] == {}
    assert (context["start_date"], context["end_date"], context["accrual"]) == ("", "", "")


@pytest.mark.django_db
def test_absent_address_fields_are_empty_text(issuer):
    nowhere = {"address": "", "number": "", "district": "", "zipcode": "", "city": "", "state": ""}
    customer = CompanyFactory(account=issuer.account, country="", **nowhere)

    address = context_of(emitted_invoice(issuer, customer))["client"]["address"]

    assert set(address.values()) == {""}


@pytest.mark.django_db
def test_a_line_without_its_own_date_was_created_when_its_period_began(issuer, customer):
    lines = [line(period_start=date(2026, 7, 1)), line()]

    created = [
        t["created"] for t in context_of(new_invoice(issuer, customer, lines=lines))["transactions"]
    ]

    assert created == ["2026-07-01T00:00:00", "2026-08-12T00:00:00"]


@pytest.mark.django_db
def test_an_untitled_line_is_named_by_its_description_or_by_the_invoice(invoice):
    invoice.lines.filter(position=1).update(title="", description="Acesso")
    invoice.lines.filter(position=2).update(title="", description="")

    named = [(row["title"], row["description"]) for row in context_of(invoice)["lines"][:2]]

    assert named == [("Acesso", ""), ("Serviços de julho de 2026", "")]


@pytest.mark.django_db
def test_an_invoice_emitted_late_shows_its_issue_date(invoice):
    Invoice.objects.filter(pk=invoice.pk).update(issue_date=date(2026, 7, 5))

    assert context_of(invoice)["date"] == "2026-07-05T00:00:00"


@pytest.mark.django_db
def test_moments_are_told_in_the_accounts_time_zone(invoice):
    account = invoice.account
    account.time_zone = "America/Manaus"

    context = invoice_source(invoice.pk, account).context

    assert context["date"] == "2026-08-12T11:04:05"
    assert context["transactions"][0]["created"] == "2026-07-01T08:30:00"


@pytest.mark.django_db
def test_what_is_withheld_makes_the_printed_total_the_amount_to_pay(issuer, customer):
    invoice = emitted_invoice(issuer, customer, payment_value=Decimal("95.35"))

    assert context_of(invoice)["withholdings"] == [
        {"name": "Retenções na fonte", "percentage": Decimal(0), "value": Decimal("4.65")}
    ]


@pytest.mark.django_db
def test_the_number_that_the_client_typed_wins(issuer, customer):
    draft = new_invoice(issuer, customer)
    typed = emitted_invoice(issuer, customer, client_number="2026/77")

    assert context_of(draft)["invoice_number"] == f"{draft.pk:05d}"
    assert context_of(typed)["invoice_number"] == "2026/77"


# --- state -------------------------------------------------------------------------------------


def _void(invoice):
    void_invoice(invoice.pk, account=invoice.account, actor=SYSTEM, reason="errada")


def _cancel(invoice):
    cancel_invoice(invoice.pk, account=invoice.account, actor=SYSTEM)


def _paid(status):
    return lambda invoice: Invoice.objects.filter(pk=invoice.pk).update(payment_status=status)


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("change", "status", "watermark"),
    [
        (lambda invoice: None, ("open", "Em aberto"), None),
        (_void, ("void", "Anulada – não pague"), "ANULADA"),
        (_cancel, ("cancelled", "Cancelada"), "CANCELADA"),
        (_paid("partially_paid"), ("partially_paid", "Paga em parte"), None),
        (_paid("paid"), ("paid", "Paga"), None),
        (_paid("partially_refunded"), ("partially_refunded", "Reembolsada em parte"), None),
        (_paid("refunded"), ("refunded", "Reembolsada"), None),
    ],
)
def test_the_state_is_printed_and_what_must_not_be_paid_is_marked(
    invoice, change, status, watermark
):
    change(invoice)

    source = invoice_source(invoice.pk, invoice.account)

    assert tuple(source.context["status"].values()) == status
    assert source.watermark == watermark


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("ambiente", "tenant", "sandbox"),
    [
        ("producao", False, False),
        ("producao", True, True),
        ("homologacao", False, True),
        ("homologacao", True, True),
    ],
)
def test_the_sandbox_banner_follows_the_environment_and_the_tenant(
    invoice, settings, ambiente, tenant, sandbox
):
    settings.AMBIENTE = ambiente
    invoice.account.is_sandbox = tenant

    assert context_of(invoice)["sandbox"] is sandbox


@pytest.mark.django_db
def test_before_emission_the_parties_are_as_they_are_now_and_afterwards_frozen(account, issuer):
    draft = july_draft(issuer, padaria(account))
    rename = Party.objects.filter(pk=draft.customer_id)

    rename.update(company_name="Padaria Aurora S.A.")
    before = context_of(draft)
    emit_invoice(draft.pk, account=account, actor=SYSTEM, today=TODAY)
    rename.update(company_name="Outra Ltda")
    after = context_of(draft)

    assert before["client"]["name"] == after["client"]["name"] == "Padaria Aurora S.A."
    assert before["status"]["label"] == "A emitir"
    assert before["organization"] == after["organization"]


# --- which template ----------------------------------------------------------------------------


@pytest.mark.django_db
def test_an_emitted_invoice_keeps_the_version_it_was_pinned_to(invoice, issuer):
    pinned = invoice_source(invoice.pk, invoice.account).version

    use_template(issuer, PLAIN + "<p>nova</p>")

    assert invoice_source(invoice.pk, invoice.account).version == pinned
    assert pinned.id == invoice.template_version_id


@pytest.mark.django_db
def test_an_unpinned_invoice_follows_the_default_in_the_customers_language(account, issuer):
    draft = july_draft(issuer, padaria(account))
    version = invoice_source(draft.pk, account).version
    english = use_template(issuer, PLAIN + "<p>total</p>", language="en")

    Party.objects.filter(pk=draft.customer_id).update(language="en")
    source = invoice_source(draft.pk, account)

    assert version.language == "pt-BR"
    assert source.version.language == source.context["language"] == "en"
    assert source.version.id == english.pk


@pytest.mark.django_db
def test_without_an_active_default_any_active_template_will_do(account, issuer):
    draft = july_draft(issuer, padaria(account))
    DocumentTemplate.objects.filter(organization=issuer).update(is_default=False)

    assert invoice_source(draft.pk, account).version is not None


@pytest.mark.django_db
def test_without_any_template_there_is_no_version(account):
    organization = OrganizationFactory(account=account)
    draft = new_invoice(organization, CompanyFactory(account=account))

    assert invoice_source(draft.pk, account).version is None


# --- what makes a PDF stale (PDF-4) ------------------------------------------------------------


def _line_changes(**values):
    return lambda i: InvoiceLine.objects.filter(invoice=i, position=2).update(**values)


def _invoice_changes(**values):
    return lambda i: Invoice.objects.filter(pk=i.pk).update(**values)


def _parcel_changes(**values):
    return lambda i: Receivable.objects.filter(invoice=i, position=2).update(**values)


def _other_customer(invoice):
    other = emitted_invoice(invoice.organization, CompanyFactory(account=invoice.account))
    _invoice_changes(customer_snapshot=other.customer_snapshot)(invoice)


def _other_look(invoice):
    OrganizationProfile.objects.filter(party=invoice.organization).update(logo=b"<svg/>")
    other = emitted_invoice(invoice.organization, CompanyFactory(account=invoice.account))
    _invoice_changes(organization_snapshot=other.organization_snapshot)(invoice)


def _unpin(invoice):
    version = use_template(invoice.organization, PLAIN + "<p>nova</p>")
    _invoice_changes(template_version=version)(invoice)


def _receive_one(invoice):
    parcel = invoice.receivables.get(position=1)
    receive(parcel.pk, account=invoice.account, actor=SYSTEM, on=TODAY)


CHANGES = {
    "line value": _line_changes(value=Decimal("1.00")),
    "line tax": _line_changes(tax_amount=Decimal("1.00")),
    "line title": _line_changes(title="Outro"),
    "line description": _line_changes(description="Outra"),
    "line units": _line_changes(units=Decimal("3.0000")),
    "line price": _line_changes(unit_value=Decimal("0.0001")),
    "line date": _line_changes(occurred_at=EMITTED_AT),
    "line period": _line_changes(period_end=date(2026, 7, 30)),
    "line order": lambda i: InvoiceLine.objects.filter(invoice=i, position=2).update(position=9),
    "line removed": lambda i: InvoiceLine.objects.filter(invoice=i, position=5).delete(),
    "start": _invoice_changes(start_date=date(2026, 7, 2)),
    "end": _invoice_changes(end_date=date(2026, 7, 30)),
    "issue date": _invoice_changes(issue_date=date(2026, 8, 11)),
    "due date": _invoice_changes(due_date=date(2026, 8, 21)),
    "accrual": _invoice_changes(accrual_date=date(2026, 8, 1)),
    "title": _invoice_changes(title="Agosto"),
    "number": _invoice_changes(client_number="77"),
    "notes": _invoice_changes(notes=""),
    "total": _invoice_changes(total_amount=Decimal("1.00")),
    "withholding": _invoice_changes(payment_value=Decimal("1.00")),
    "customer snapshot": _other_customer,
    "organization snapshot and logo": _other_look,
    "parcel date": _parcel_changes(due_date=date(2026, 9, 21)),
    "parcel amount": _parcel_changes(payment_value=Decimal("1.00")),
    "parcel removed": lambda i: Receivable.objects.filter(invoice=i, position=2).delete(),
    "payment status": _paid("paid"),
    "one parcel received": _receive_one,
    "void": _void,
    "cancelled": _cancel,
    "template version": _unpin,
    "contract title": lambda i: Contract.objects.filter(pk=i.contract_id).update(title="Outro"),
    "series prefix": lambda i: i.organization.series.update(prefix="F-"),
}


@pytest.mark.django_db
@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES.keys())
def test_a_change_of_what_is_printed_changes_the_hash(invoice, change):
    before = hash_of(invoice)

    change(invoice)

    assert hash_of(invoice) != before


@pytest.mark.django_db
def test_another_engine_changes_the_hash(invoice, monkeypatch):
    before = hash_of(invoice)

    # Cannot be staged: the package is pinned.
    monkeypatch.setattr(module, "ENGINE_VERSION", "weasyprint-99")

    assert hash_of(invoice) != before


@pytest.mark.django_db
def test_the_sandbox_banner_changes_the_hash(invoice, settings):
    before = hash_of(invoice)

    settings.AMBIENTE = "producao"

    assert hash_of(invoice) != before


UNSEEN = {
    "comments": _invoice_changes(comments="ligar antes"),
    "sent": _invoice_changes(sent_at=EMITTED_AT),
    "customer's data of today": lambda i: Party.objects.filter(pk=i.customer_id).update(
        company_name="Outra", address="Rua Nova"
    ),
    "organization's look of today": lambda i: OrganizationProfile.objects.filter(
        party=i.organization_id
    ).update(color_primary="#000000", logo=b"<svg/>"),
    "another invoice": lambda i: emitted_invoice(i.organization, i.customer),
    "a newer template": lambda i: use_template(i.organization, PLAIN + "<p>nova</p>"),
}


@pytest.mark.django_db
@pytest.mark.parametrize("change", UNSEEN.values(), ids=UNSEEN.keys())
def test_what_is_not_printed_leaves_the_hash_alone(invoice, change):
    before = hash_of(invoice)

    change(invoice)

    assert hash_of(invoice) == before


# --- logo, tenancy, cost -----------------------------------------------------------------------


@pytest.mark.django_db
def test_the_logo_is_the_one_of_the_snapshot(invoice):
    source = invoice_source(invoice.pk, invoice.account)
    before = read_assets(source)

    OrganizationProfile.objects.filter(party=invoice.organization_id).update(logo=b"<svg/>")

    assert before["logo"].startswith(b"<svg xmlns")
    assert read_assets(source) == before


@pytest.mark.django_db
def test_a_logo_that_was_not_kept_is_missing(invoice):
    source = invoice_source(invoice.pk, invoice.account)
    lost = dataclasses.replace(source, assets={"logo": "0" * 64})

    assert read_assets(lost) == {}


@pytest.mark.django_db
@pytest.mark.parametrize("pk", [0, -1, 2**31, 2**63 - 1, 2**63, 10**30])
def test_an_id_that_is_nobodys_is_not_found(account, pk):
    with pytest.raises(NotFound):
        invoice_source(pk, account)


@pytest.mark.django_db
def test_another_tenants_invoice_is_not_found(invoice, other_account):
    with pytest.raises(NotFound):
        invoice_source(invoice.pk, other_account)


@pytest.mark.django_db
@pytest.mark.parametrize("n_lines", [1, 40])
def test_an_emitted_invoice_is_read_in_four_queries(account, issuer, n_lines):
    invoice = july_invoice(issuer, padaria(account), n_lines=n_lines)

    with CaptureQueriesContext(connection) as queries:
        invoice_source(invoice.pk, account)

    assert len(queries) == 4
