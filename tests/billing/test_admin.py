"""The back-office: every address, for everybody who may knock."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest
from django.apps import apps
from django.contrib import admin
from django.db import connection, models
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django_fsm import FSMField
from factories import (
    AccountFactory,
    CompanyFactory,
    ContractFactory,
    MembershipFactory,
    OrganizationFactory,
    RuleFactory,
    ServiceItemFactory,
    TransactionFactory,
    UserFactory,
)
from support.invoices import TODAY, emitted_invoice, new_invoice
from support.rows import one_of_each

from accounts.access import MODEL_CAPABILITIES, Capability, can, grant
from accounts.admin_base import TenantAdmin
from accounts.models import (
    Account,
    ApiToken,
    Attempt,
    AuditEvent,
    Heartbeat,
    Membership,
    RecoveryCode,
    SecondFactor,
    TaskCall,
    User,
    UserSession,
    WebhookEndpoint,
)
from accounts.services.audit import SYSTEM
from billing.admin.invoices import invoice_chips
from billing.admin.parties import INVALID_CNPJ
from billing.documents.cache import PdfFailed
from billing.models import (
    BankAgreement,
    BillingRun,
    ChargeTemplate,
    CnabFile,
    Contact,
    Contract,
    CustomerAccess,
    DocumentTemplate,
    DocumentTemplateVersion,
    DunningPause,
    EmailSuppression,
    EmailTemplate,
    FinancialAccount,
    GatewayAccount,
    HelpArticle,
    Invitation,
    Invoice,
    InvoiceRule,
    NfseTemplate,
    NotificationRuler,
    NumberSeries,
    OrganizationProfile,
    Party,
    PriceIndexValue,
    RunEntry,
    ServiceItem,
    Transaction,
)
from billing.services.invoices import void_invoice
from billing.services.receivables import receive
from fiscal.models import AuthorityStatus, Company, Consumption, MunicipalParameter
from lib import clock

STAFF = ("admin", "financeiro", "fiscal", "suporte")
# Who sees every screen sends every statement that the others send.
ONE_ROLE_ON_BOTH_ENGINES = (
    STAFF[0],
    *(pytest.param(role, marks=pytest.mark.either_engine) for role in STAFF[1:]),
)
ADDED = {
    ApiToken, BankAgreement, ChargeTemplate, CnabFile, Company, Contact, CustomerAccess,
    DocumentTemplate, DocumentTemplateVersion, DunningPause, EmailSuppression, EmailTemplate,
    FinancialAccount, GatewayAccount, HelpArticle, Invitation, Membership, NfseTemplate,
    NotificationRuler, Party, ServiceItem, Transaction, User, WebhookEndpoint,
}  # fmt: skip
SHARED = {
    Attempt,
    AuthorityStatus,
    Consumption,
    Heartbeat,
    MunicipalParameter,
    PriceIndexValue,
    RecoveryCode,
    SecondFactor,
    TaskCall,
    UserSession,
}  # of no account, so in nobody's trail
DELETED = {
    Contact, CustomerAccess, EmailSuppression, HelpArticle, Membership, Transaction,
    WebhookEndpoint,
}  # fmt: skip
CONFIGURED = {WebhookEndpoint}  # not by who may only resend
APPS = ("accounts", "billing", "fiscal")
OURS = [m for app in APPS for m in apps.get_app_config(app).get_models()]


def url(model: type[models.Model], action: str, *args: object) -> str:
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_{action}", args=args)


def addresses(model: type[models.Model], row: models.Model) -> dict[str, str]:
    return {
        "changelist": url(model, "changelist"),
        "add": url(model, "add"),
        **{action: url(model, action, row.pk) for action in ("change", "delete", "history")},
    }


def client_for(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


def staff(account: Account, role: str) -> User:
    return MembershipFactory(account=account, role=role).user


def expected(role: str, model: type[models.Model]) -> dict[str, int]:
    """What the permission matrix says, as answers of the server."""
    capability = MODEL_CAPABILITIES[model._meta.label_lower]
    sees = capability is not None and can(role, capability)
    writes = capability is not None and can(role, capability, write=True)
    if model in CONFIGURED and capability is not None:
        writes = writes and not grant(role, capability).limit
    reads_trail = can(role, Capability.AUDIT)
    allowed = {
        "changelist": sees,
        "add": writes and model in ADDED,
        "change": sees and model is not AuditEvent,
        "delete": writes and model in DELETED,
        "history": sees and reads_trail and model not in {AuditEvent, *SHARED},
    }
    return {action: 200 if yes else 403 for action, yes in allowed.items()}


def answers(client: Client, model: type[models.Model], row: models.Model) -> dict[str, int]:
    return {name: client.get(path).status_code for name, path in addresses(model, row).items()}


def test_every_model_has_a_screen_a_place_in_the_menu_and_a_line_in_the_permission_table():
    screens = {m: s for m, s in admin.site._registry.items() if m in OURS}

    assert set(screens) == set(OURS)
    assert all(isinstance(screen, TenantAdmin) for screen in screens.values())
    assert [m for m, s in screens.items() if bool(s.section) == s.secondary] == []
    assert {m._meta.label_lower for m in screens} == set(MODEL_CAPABILITIES)


def test_no_form_writes_a_state_and_no_filter_lists_the_rows_of_another_model():
    for model, screen in admin.site._registry.items():
        if not isinstance(screen, TenantAdmin):
            continue
        written = [model._meta.get_field(n) for n in (*screen.editable, *screen.only_on_add)
                   if n in {f.name for f in model._meta.fields}]  # fmt: skip
        assert not [f for f in written if isinstance(f, FSMField)], model
        filters = [n for n in screen.list_filter if isinstance(n, str)]
        assert not [n for n in filters if model._meta.get_field(n).is_relation], model


@pytest.mark.django_db
def test_every_screen_has_a_row_to_be_looked_at(account):
    assert set(one_of_each(account)) == set(OURS)


@pytest.mark.django_db
@pytest.mark.parametrize("role", ONE_ROLE_ON_BOTH_ENGINES)
def test_each_role_opens_what_the_matrix_says_and_nothing_else(account, role):
    rows = one_of_each(account)
    client = client_for(staff(account, role))

    found = {model: answers(client, model, row) for model, row in rows.items()}

    assert found == {model: expected(role, model) for model in rows}


@pytest.mark.django_db
def test_the_operator_opens_everything_but_what_nobody_may_do(account):
    client = client_for(UserFactory(is_superuser=True))

    for model, row in one_of_each(account).items():
        found = answers(client, model, row)
        adds = model in ADDED or model is Account
        assert found == {
            "changelist": 200,
            "add": 200 if adds else 403,
            "change": 403 if model is AuditEvent else 200,
            "delete": 200 if model in DELETED else 403,
            "history": 403 if model in {AuditEvent, *SHARED} else 200,
        }, model


@pytest.mark.django_db
def test_the_queue_s_own_screens_are_the_operator_s_alone(account):
    foreign = [m for m in admin.site._registry if m not in OURS]
    operator, member = (
        client_for(UserFactory(is_superuser=True)),
        client_for(staff(account, "admin")),
    )

    for model in foreign:
        assert operator.get(url(model, "changelist")).status_code == 200
        assert member.get(url(model, "changelist")).status_code == 403
    assert {m._meta.app_label for m in foreign} == {"django_q"}


@pytest.mark.django_db
def test_staff_of_another_account_see_no_row_and_get_404_for_each(account, other_account):
    rows = one_of_each(account)
    client = client_for(staff(other_account, "admin"))
    for model, row in rows.items():
        if MODEL_CAPABILITIES[model._meta.label_lower] is None:
            assert set(answers(client, model, row).values()) == {403}
            continue
        listed = client.get(url(model, "changelist"))
        assert listed.status_code == 200
        assert (row in listed.context["cl"].queryset) == (model in SHARED), model
        assert account.slug.upper() not in listed.content.decode(), model
        if model in SHARED:
            continue
        for action in ("change", "delete", "history"):
            closed = 403 if model is AuditEvent and action != "delete" else 404
            path = url(model, action, row.pk)
            assert client.get(path).status_code == closed, (model, action)
            assert client.post(path, {"post": "yes"}).status_code == closed, (model, action)
        assert model._default_manager.filter(pk=row.pk).exists()


@pytest.mark.django_db
def test_nobody_signed_in_is_taken_to_the_door_and_back(account):
    client = Client()

    for model, row in one_of_each(account).items():
        for path in addresses(model, row).values():
            answer = client.get(path)
            assert (answer.status_code, answer["Location"]) == (302, f"/admin/login/?next={path}")


@pytest.mark.django_db
def test_a_customer_is_refused_at_every_door(account):
    rows = one_of_each(account)
    client = client_for(rows[CustomerAccess].user)

    for model, row in rows.items():
        for path in addresses(model, row).values():
            assert client.get(path).status_code == 302, path
    page = client.get("/admin/", follow=True)
    assert "Esta área é da equipe. Acesse a Central de Faturas." in page.content.decode()


@pytest.mark.django_db
def test_choices_offer_only_rows_of_the_person_s_accounts(account, other_account):
    mine, theirs = one_of_each(account), one_of_each(other_account)
    client = client_for(staff(account, "admin"))

    for field, model in (
        ("customer", Transaction),
        ("contract", Transaction),
        ("service_item", Transaction),
        ("party", Contact),
        ("user", Membership),
        ("customer", CustomerAccess),
    ):
        target = model._meta.get_field(field).related_model
        query = {
            "app_label": model._meta.app_label,
            "model_name": model._meta.model_name,
            "field_name": field,
        }
        found = client.get("/admin/autocomplete/", {**query, "term": ""}).json()["results"]
        ids = {int(each["id"]) for each in found}
        assert mine[target].pk in ids, field
        assert theirs[target].pk not in ids, field


@pytest.mark.django_db
def test_another_tenant_s_row_cannot_be_posted_into_a_form(account, other_account):
    theirs = CompanyFactory(account=other_account)
    client = client_for(staff(account, "financeiro"))

    answer = client.post(
        url(Contact, "add"), {"party": theirs.pk, "name": "Intruso", "email": "", "phone": ""}
    )

    assert answer.status_code == 200
    assert "party" in answer.context["adminform"].form.errors
    assert not Contact.objects.exists()


@pytest.mark.django_db
def test_who_works_for_two_accounts_cannot_mix_their_rows(account, other_account):
    user = staff(account, "financeiro")
    MembershipFactory(user=user, account=other_account, role="financeiro")
    theirs = CompanyFactory(account=other_account)

    answer = client_for(user).post(
        url(Contact, "add"), {"account": account.pk, "party": theirs.pk, "name": "Misturado"}
    )

    assert answer.context["adminform"].form.errors == {
        "party": ["Escolha um registro da mesma conta."]
    }
    assert not Contact.objects.exists()


@pytest.mark.django_db
def test_a_role_in_one_account_gives_no_right_in_another(account, other_account):
    user = staff(account, "financeiro")
    MembershipFactory(user=user, account=other_account, role="suporte")
    mine = TransactionFactory(customer=CompanyFactory(account=account))
    theirs = TransactionFactory(customer=CompanyFactory(account=other_account))
    client = client_for(user)

    listed = client.get(url(Transaction, "changelist")).context["cl"].queryset

    assert list(listed) == [mine]
    assert client.get(url(Transaction, "change", theirs.pk)).status_code == 403


@pytest.mark.django_db
def test_a_posted_account_does_not_move_a_row(account, other_account):
    row = ServiceItemFactory(account=account, name="Antes")
    data = {"name": "Depois", "description": "", "value": "10,50", "unit": "item",
            "tax_percentage": "0", "account": other_account.pk}  # fmt: skip

    client_for(staff(account, "financeiro")).post(url(ServiceItem, "change", row.pk), data)

    row = ServiceItem.objects.get(pk=row.pk)
    assert (row.name, row.value, row.account) == ("Depois", Decimal("10.50"), account)


@pytest.mark.django_db
@pytest.mark.parametrize(
    "typed", ["1234,56", "1.234,56", "1234.56"], ids=["comma", "grouped", "dot"]
)
def test_amounts_are_taken_as_people_write_them(account, typed):
    data = {"name": "Serviço", "value": typed, "unit": "item", "tax_percentage": "0"}

    client_for(staff(account, "financeiro")).post(url(ServiceItem, "add"), data)

    assert ServiceItem.objects.get().value == Decimal("1234.56")


@pytest.mark.django_db
def test_a_change_is_told_to_the_trail_with_before_and_after(account):
    row = ServiceItemFactory(account=account, name="Antes", value=Decimal(10))
    user = staff(account, "financeiro")
    data = {"name": "Depois", "value": "10", "unit": "item", "tax_percentage": "0"}

    client_for(user).post(url(ServiceItem, "change", row.pk), data)

    event = AuditEvent.objects.get()
    assert (event.action, event.object_id, event.actor_label) == (
        "cadastro.alterado", row.pk, user.email,
    )  # fmt: skip
    assert (event.before, event.after) == ({"name": "Antes"}, {"name": "Depois"})


@pytest.mark.django_db
def test_a_duplicate_is_a_message_in_the_form_not_a_crash(account):
    ServiceItemFactory(account=account, name="Suporte")
    data = {"name": "Suporte", "value": "1", "unit": "item", "tax_percentage": "0"}

    answer = client_for(staff(account, "financeiro")).post(url(ServiceItem, "add"), data)

    assert answer.status_code == 200
    assert answer.context["errors"]
    assert ServiceItem.objects.count() == 1


# --- parties ---------------------------------------------------------------------------------


PARTY = {"kind": "company", "name": "Padaria Aurora", "country": "Brasil", "language": "pt-BR",
         "contacts-TOTAL_FORMS": "0", "contacts-INITIAL_FORMS": "0"}  # fmt: skip


@pytest.mark.django_db
def test_a_customer_is_added_with_a_masked_document_and_can_be_found_without_accents(account):
    client = client_for(staff(account, "suporte"))

    client.post(
        url(Party, "add"),
        PARTY | {"name": "Café Ação", "document": "12.abc.345/01de-35", "zipcode": "01310-100"},
    )

    party = Party.objects.get()
    assert (party.account, party.document, party.zipcode) == (account, "12ABC34501DE35", "01310100")
    found = client.get(url(Party, "changelist"), {"q": "cafe acao"}).context["cl"].queryset
    assert list(found) == [party]


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("fields", "field", "message"),
    [
        (
            {"document": "11.222.333/0001-82"},
            "document",
            INVALID_CNPJ,
        ),
        (
            {"kind": "person", "document": "529.982.247-26"},
            "document",
            "CPF inválido. Confira os 11 números.",
        ),
        ({"zipcode": "0131"}, "zipcode", "O CEP deve ter 8 números."),
        ({"state": "XX"}, "state", "UF inválida. Use a sigla, por exemplo SP."),
    ],
)
def test_a_wrong_field_of_a_party_is_refused_in_words(account, fields, field, message):
    client = client_for(staff(account, "admin"))

    answer = client.post(url(Party, "add"), PARTY | fields)

    assert answer.context["adminform"].form.errors == {field: [message]}
    assert not Party.objects.exists()


@pytest.mark.django_db
def test_a_new_organization_can_bill_at_once(account):
    client_for(staff(account, "admin")).post(
        url(Party, "add"), PARTY | {"kind": "organization", "document": "11222333000181"}
    )

    party = Party.objects.get()
    assert OrganizationProfile.objects.filter(party=party).exists()
    assert NumberSeries.objects.get(organization=party).next_number == 1
    assert DocumentTemplate.objects.filter(organization=party, is_default=True).count() == 1


@pytest.mark.django_db
def test_only_administrators_change_an_organization(account):
    organization = OrganizationFactory(account=account)
    path = url(Party, "change", organization.pk)

    financeiro = client_for(staff(account, "financeiro"))
    answer = financeiro.post(path, PARTY | {"name": "Tomada"})
    added = financeiro.post(url(Party, "add"), PARTY | {"kind": "organization"})

    assert answer.status_code == 403
    assert "kind" in added.context["adminform"].form.errors
    assert Party.objects.get().name == organization.name


@pytest.mark.django_db
def test_a_logo_is_kept_as_bytes_and_another_kind_of_file_is_refused(account):
    from django.core.files.uploadedfile import SimpleUploadedFile

    organization = OrganizationFactory(account=account)
    client = client_for(staff(account, "admin"))
    path = url(OrganizationProfile, "change", organization.pk)
    data = {"color_primary": "#1351B4", "color_accent": "#176B3A", "min_payment_days": "5",
            "minimum_receivable": "0", "due_day_options": "[5, 10]",
            "extra_holidays": '["2026-01-25"]'}  # fmt: skip

    refused = client.post(path, data | {"logo_file": SimpleUploadedFile("a.exe", b"MZ")})
    client.post(path, data | {"logo_file": SimpleUploadedFile("a.svg", b"<svg></svg>")})

    profile = OrganizationProfile.objects.get()
    assert refused.context["adminform"].form.errors == {
        "logo_file": ["Tipo de arquivo não aceito."]
    }
    assert (bytes(profile.logo), profile.logo_type) == (b"<svg></svg>", "image/svg+xml")
    assert (profile.due_day_options, profile.extra_holidays) == ([5, 10], ["2026-01-25"])


# --- contracts, rules, transactions ------------------------------------------------------------


@pytest.mark.django_db
def test_a_contract_s_texts_change_and_its_terms_do_not(account):
    contract = ContractFactory(account=account, title="Antes")

    client_for(staff(account, "financeiro")).post(
        url(Contract, "change", contract.pk),
        {"title": "Depois", "description": "d", "comments": "c", "init_date": "01/01/2020",
         "status": "cancelled"},
    )  # fmt: skip

    contract = Contract.objects.get()
    assert (contract.title, contract.status, contract.init_date) == (
        "Depois", "established", date(2026, 1, 1),
    )  # fmt: skip


@pytest.mark.django_db
def test_a_rule_is_not_changed_by_a_form_its_invoices_would_not_follow(account):
    rule = RuleFactory(contract=ContractFactory(account=account))

    answer = client_for(staff(account, "admin")).post(
        url(InvoiceRule, "change", rule.pk), {"gross_value": "1", "title": "Outra"}
    )

    assert answer.status_code == 403
    assert InvoiceRule.objects.get().gross_value == Decimal("100.00")


@pytest.mark.django_db
def test_a_transaction_goes_through_its_service_and_is_told_once(account):
    customer = CompanyFactory(account=account)
    client = client_for(staff(account, "financeiro"))
    data = {"customer": customer.pk, "title": "Consulta", "retail_cost": "100,00",
            "tax_percentage": "10",
            "created_at_0": "01/07/2026", "created_at_1": "14:00"}  # fmt: skip

    client.post(url(Transaction, "add"), data)
    row = Transaction.objects.get()
    client.post(url(Transaction, "change", row.pk), data | {"retail_cost": "200"})
    client.post(url(Transaction, "delete", row.pk), {"post": "yes"})

    assert row.tax_amount == Decimal("10.00")
    assert not Transaction.objects.exists()
    assert list(AuditEvent.objects.order_by("pk").values_list("action", flat=True)) == [
        "transacao.criada", "transacao.alterada", "transacao.excluida",
    ]  # fmt: skip


@pytest.mark.django_db
def test_a_billed_transaction_is_read_only_and_cannot_be_deleted(account):
    customer = CompanyFactory(account=account)
    invoice = emitted_invoice(OrganizationFactory(account=account), customer)
    row = TransactionFactory(customer=customer, invoice=invoice)
    client = client_for(staff(account, "admin"))

    changed = client.post(url(Transaction, "change", row.pk), {"title": "Outro"})
    deleted = client.post(url(Transaction, "delete", row.pk), {"post": "yes"})

    assert (changed.status_code, deleted.status_code) == (403, 403)
    assert Transaction.objects.get().title == "Uso"


# --- invoices ----------------------------------------------------------------------------------


@pytest.mark.django_db
def test_an_invoice_says_its_state_with_icon_and_word(account):
    organization = OrganizationFactory(account=account)
    customer = CompanyFactory(account=account)
    open_ = emitted_invoice(organization, customer)
    late = emitted_invoice(organization, customer, due_dates=[date(2026, 8, 10)])
    saturday = emitted_invoice(organization, customer, due_dates=[date(2026, 8, 8)])
    paid = emitted_invoice(organization, customer)
    receive(paid.receivables.get().pk, account=account, actor=SYSTEM)
    void = emitted_invoice(organization, customer)
    void_invoice(void.pk, account=account, actor=SYSTEM, reason="Engano.")
    waiting = new_invoice(organization, customer)

    def words(invoice: Invoice, due: date | None, today: date = TODAY) -> list[str]:
        fresh = Invoice.objects.get(pk=invoice.pk)
        return [text for _, _, text in invoice_chips(fresh, open_due=due, today=today)]

    assert words(open_, date(2026, 8, 20)) == ["Não pago"]
    assert words(late, date(2026, 8, 10)) == ["Vencida há 2 dias"]
    assert words(saturday, date(2026, 8, 8), date(2026, 8, 10)) == ["Não pago"]
    assert words(saturday, date(2026, 8, 8), date(2026, 8, 11)) == ["Vencida há 3 dias"]
    assert words(paid, None) == ["Pago"]
    assert words(void, None) == ["Anulada"]
    assert words(waiting, date(2026, 8, 20)) == ["A emitir"]


@pytest.mark.django_db
def test_an_invoice_page_shows_lines_and_receivables_in_brazilian_formats(account):
    invoice = emitted_invoice(OrganizationFactory(account=account), CompanyFactory(account=account))

    page = client_for(staff(account, "suporte")).get(url(Invoice, "change", invoice.pk))

    text = page.content.decode()
    for expected_text in ("R$\u00a0100,00", "20/08/2026", "Itens cobrados", "Parcelas", "00001"):
        assert expected_text in text
    assert 'name="_save"' not in text


@pytest.mark.django_db
@pytest.mark.parametrize("term", ["00001", "1", "padaria", "MENSALIDADE", "São João"])
def test_invoices_are_found_by_number_title_or_customer(account, term):
    organization = OrganizationFactory(account=account)
    customer = CompanyFactory(account=account, name="Padaria São João")
    invoice = emitted_invoice(organization, customer)
    emitted_invoice(organization, CompanyFactory(account=account, name="Outro"), title="Avulsa")

    listed = client_for(staff(account, "suporte")).get(url(Invoice, "changelist"), {"q": term})

    assert invoice in listed.context["cl"].queryset
    assert listed.context["cl"].result_count == 1


@pytest.mark.django_db
def test_the_operator_narrows_lists_to_one_account():
    first, second = AccountFactory(slug="um"), AccountFactory(slug="dois")
    mine = CompanyFactory(account=first)
    CompanyFactory(account=second)

    listed = client_for(UserFactory(is_superuser=True)).get(
        url(Party, "changelist"), {"conta": first.pk}
    )

    assert list(listed.context["cl"].queryset) == [mine]


@pytest.mark.django_db
def test_no_list_asks_the_database_more_when_it_has_more_rows(account):
    client = client_for(UserFactory(is_superuser=True))
    one_of_each(account)
    pages = {model: url(model, "changelist") for model in OURS}
    for path in pages.values():
        client.get(path)  # content types and the like are read once

    def queries() -> dict[type[models.Model], int]:
        found = {}
        for model, path in pages.items():
            with CaptureQueriesContext(
                connection,
            ) as captured:
                client.get(path)
            found[model] = len(captured)
        return found

    before = queries()
    for _ in range(3):
        one_of_each(account)

    assert {m: n for m, n in queries().items() if n > before[m]} == {}


@pytest.mark.django_db
def test_a_template_version_is_published_activated_and_never_changed(account):
    organization = OrganizationFactory(account=account)
    template = DocumentTemplate.objects.create(
        account=account, organization=organization, name="Meu"
    )
    client = client_for(staff(account, "financeiro"))

    wrong = client.post(
        url(DocumentTemplateVersion, "add"), {"template": template.pk, "html": "{% if %}"}
    )
    client.post(
        url(DocumentTemplateVersion, "add"),
        {"template": template.pk, "html": "<p>{{ title }}</p>", "css": ""},
    )
    version = DocumentTemplateVersion.objects.get()
    client.post(
        url(DocumentTemplateVersion, "changelist"),
        {"action": "activate", "_selected_action": [version.pk]},
    )

    assert wrong.context["adminform"].form.errors["html"][0].startswith("Linha 1, coluna ")
    assert DocumentTemplate.objects.get(pk=template.pk).active_version == version
    changed = client.post(url(DocumentTemplateVersion, "change", version.pk), {"html": "x"})
    assert changed.status_code == 403
    assert version.created_by is not None


@pytest.mark.django_db(transaction=True)
def test_staff_read_the_pdf_of_their_own_invoices_only():
    account, other = AccountFactory(), AccountFactory(slug="outra")
    invoice = emitted_invoice(OrganizationFactory(account=account), CompanyFactory(account=account))
    path = reverse("admin:billing_invoice_pdf", args=(invoice.pk,))

    answer = client_for(staff(account, "suporte")).get(path)

    assert (answer.status_code, answer["Content-Type"]) == (200, "application/pdf")
    assert answer.content.startswith(b"%PDF-")
    assert client_for(staff(other, "admin")).get(path).status_code == 404
    assert Client().get(path).status_code == 302


@pytest.mark.django_db
def test_a_pdf_that_fails_is_told_on_the_invoice_s_page(account, monkeypatch):
    invoice = emitted_invoice(OrganizationFactory(account=account), CompanyFactory(account=account))

    def fail(*_: object, **__: object) -> None:
        raise PdfFailed("o modelo tem um erro na linha 3", kind="template")

    monkeypatch.setattr("billing.admin.invoices.invoice_pdf", fail)
    client = client_for(staff(account, "suporte"))

    page = client.get(reverse("admin:billing_invoice_pdf", args=(invoice.pk,)), follow=True)

    assert page.redirect_chain == [(url(Invoice, "change", invoice.pk), 302)]
    assert "o modelo tem um erro na linha 3" in page.content.decode()


@pytest.mark.django_db
def test_the_report_of_a_run_is_downloaded_by_those_who_may_see_it(client):
    account = AccountFactory()
    run = BillingRun.objects.create(
        account=account, until=date(2026, 1, 31), today=date(2026, 1, 31), started_at=clock.now()
    )
    RunEntry.objects.create(run=run, rule_id=7, outcome="parked", detail="=sem serviços")
    address = f"/admin/billing/billingrun/{run.pk}/relatorio.csv"
    answers = {}
    for role in ("financeiro", "suporte"):
        client.force_login(MembershipFactory(account=account, role=role).user)
        answers[role] = client.get(address)
    stranger = MembershipFactory(account=AccountFactory(slug="outra"), role="admin")
    client.force_login(stranger.user)
    answers["outra conta"] = client.get(address)

    assert {who: answer.status_code for who, answer in answers.items()} == {
        "financeiro": 200,
        "suporte": 403,
        "outra conta": 404,
    }
    lines = b"".join(answers["financeiro"].streaming_content).decode("utf-8-sig").splitlines()
    assert lines[1] == "Impedida;7;;;0;0,00;'=sem serviços"
