"""Staff screens of e-mail, charge and note templates, bank accounts and service notes."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from django.contrib.messages import get_messages
from django.db import models
from django.test import Client
from django.urls import reverse
from factories import CompanyFactory, MembershipFactory, OrganizationFactory
from support.rows import one_of_each

from accounts.models import Account, AuditEvent
from billing.admin.collection import (
    FIXED_FINE_IN_USE,
    NO_FIXED_FINE,
    NOTHING_TO_CHARGE,
    OTHER_ORGANIZATION,
    PAYOUT_PARTS,
)
from billing.admin.nfse_templates import INVALID_CNAE, INVALID_CODE, INVALID_FIELDS, INVALID_ITEM
from billing.models import ChargeTemplate, EmailTemplate, FinancialAccount, Nfse, NfseTemplate

pytestmark = pytest.mark.django_db

ABOVE_LIMIT = "A multa não pode passar de 10% do valor da parcela."
EMAIL = {"name": "Aviso", "subject": "Fatura disponível", "body": "Prezado $CLIENTE"}
BANK = {"bank_code": "341", "bank_branch": "4321", "bank_account": "098765"}
TERMS = {
    "name": "Boleto",
    "payment_method": "boleto",
    "fine_type": "percentage",
    "fine_value": "2",
    "interest_type": "percentage",
    "interest_value": "1",
}
NOTE = {
    "name": "Padrão",
    "percentual_carga_tributaria": "0",
    "limite_retencao_ir": "0",
    "limite_retencao_pcc": "0",
    "limite_retencao_inss": "0",
    "limite_retencao_iss": "0",
}
FORMS: dict[type[models.Model], dict[str, Any]] = {
    EmailTemplate: EMAIL,
    FinancialAccount: BANK,
    ChargeTemplate: TERMS,
    NfseTemplate: NOTE,
}


def url(model: type[models.Model], action: str, *args: object) -> str:
    return reverse(f"admin:billing_{model._meta.model_name}_{action}", args=args)


def signed_in(account: Account, role: str = "admin") -> Client:
    client = Client()
    client.force_login(MembershipFactory(account=account, role=role).user)
    return client


def add(model: type[models.Model], organization: Any, **fields: Any) -> Any:
    data = FORMS[model] | {"organization": organization.pk} | fields
    return signed_in(organization.account).post(url(model, "add"), data)


def change(row: Any, **fields: Any) -> Any:
    data = FORMS[type(row)] | fields
    return signed_in(row.account).post(url(type(row), "change", row.pk), data)


def errors(answer: Any) -> dict[str, list[str]]:
    assert answer.status_code == 200
    return answer.context["adminform"].form.errors


def bank(organization: Any, **fields: Any) -> FinancialAccount:
    return FinancialAccount.objects.create(
        account=organization.account, organization=organization, **(BANK | fields)
    )


# --- all of them ---------------------------------------------------------------------------------


@pytest.mark.parametrize("model", FORMS)
def test_a_row_is_added_to_an_organization_and_told_to_the_trail(account, organization, model):
    answer = add(model, organization)

    row = model._default_manager.get()
    assert answer.status_code == 302
    assert (row.account, row.organization) == (account, organization)
    event = AuditEvent.objects.get(action="cadastro.criado")
    assert (event.object_type, event.object_id) == (model._meta.model_name, row.pk)


@pytest.mark.parametrize("model", FORMS)
def test_a_customer_is_no_organization_to_choose(account, model):
    answer = add(model, CompanyFactory(account=account))

    assert list(errors(answer)) == ["organization"]
    assert not model._default_manager.exists()


@pytest.mark.parametrize("model", FORMS)
def test_an_organization_of_another_account_cannot_be_chosen(account, other_account, model):
    theirs = OrganizationFactory(account=other_account)
    data = FORMS[model] | {"organization": theirs.pk}

    answer = signed_in(account).post(url(model, "add"), data)

    assert list(errors(answer)) == ["organization"]
    assert not model._default_manager.exists()


@pytest.mark.parametrize("model", FORMS)
def test_who_works_for_two_accounts_cannot_mix_them(account, other_account, model):
    user = MembershipFactory(account=account, role="admin").user
    MembershipFactory(account=other_account, user=user, role="admin")
    theirs = OrganizationFactory(account=other_account)
    client = Client()
    client.force_login(user)

    answer = client.post(
        url(model, "add"), FORMS[model] | {"account": account.pk, "organization": theirs.pk}
    )

    assert errors(answer) == {"organization": ["Escolha um registro da mesma conta."]}
    assert not model._default_manager.exists()


@pytest.mark.parametrize("model", FORMS)
def test_a_row_stays_with_its_organization(account, organization, model):
    add(model, organization)
    row = model._default_manager.get()
    sister = OrganizationFactory(account=account)

    answer = change(row, organization=sister.pk)

    assert answer.status_code == 302
    assert model._default_manager.get().organization == organization


# --- e-mails -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("flag", "message"),
    [
        ("default_template", "Esta organização já tem um modelo de e-mail padrão."),
        (
            "subscription_default_template",
            "Esta organização já tem um modelo de e-mail padrão das assinaturas.",
        ),
    ],
)
def test_an_organization_has_one_default(account, organization, flag, message):
    add(EmailTemplate, organization, **{flag: "on"})
    add(EmailTemplate, organization, name="Segundo")
    second = EmailTemplate.objects.get(name="Segundo")

    added = add(EmailTemplate, organization, name="Terceiro", **{flag: "on"})
    changed = change(second, name="Segundo", **{flag: "on"})
    elsewhere = add(EmailTemplate, OrganizationFactory(account=account), **{flag: "on"})

    assert errors(added) == {"__all__": [message]}
    assert errors(changed) == {"__all__": [message]}
    assert elsewhere.status_code == 302
    assert EmailTemplate.objects.filter(**{flag: True}).count() == 2
    assert EmailTemplate.objects.count() == 3


@pytest.mark.parametrize(
    ("field", "text", "wrong"),
    [
        ("sender", "nada", "nada"),
        ("sender", "Ana <ana>", "Ana <ana>"),
        ("sender", "a@exemplo.test, b@exemplo.test", "a@exemplo.test, b@exemplo.test"),
        ("cc", "a@exemplo.test, b", "b"),
        ("cc", "a@exemplo.test b@exemplo.test", "a@exemplo.test b@exemplo.test"),
    ],
)
def test_a_wrong_address_is_refused_by_name(organization, field, text, wrong):
    answer = add(EmailTemplate, organization, **{field: text})

    assert errors(answer) == {field: [f"E-mail inválido: {wrong}"]}
    assert not EmailTemplate.objects.exists()


def test_addresses_may_have_names_and_be_many(organization):
    add(
        EmailTemplate, organization, sender="Cobrança <cobranca@exemplo.test>",
        cc="Ana <ana@exemplo.test>; bia@exemplo.test,",
    )  # fmt: skip

    template = EmailTemplate.objects.get()
    assert template.sender == "Cobrança <cobranca@exemplo.test>"
    assert template.cc == "Ana <ana@exemplo.test>; bia@exemplo.test,"


def test_the_form_tells_which_tags_are_replaced(organization):
    page = signed_in(organization.account).get(url(EmailTemplate, "add")).content.decode()

    assert "$DATAS_VENCIMENTO" in page


# --- bank accounts -------------------------------------------------------------------------------


def test_a_bank_account_waits_for_the_bank_and_its_situation_is_not_typed(organization):
    add(FinancialAccount, organization, status="active", payment_methods=["boleto"],
        bank_account="12345-X", accept_fixed_fine="on")  # fmt: skip

    row = FinancialAccount.objects.get()
    assert row.status == "processing"
    assert (row.payment_methods, row.bank_account) == (["boleto"], "12345-X")
    assert row.accept_fixed_fine is True


@pytest.mark.parametrize(
    ("field", "text"),
    [
        ("bank_code", "34"),
        ("bank_code", "34A"),
        ("bank_code", "٣٤١"),
        ("bank_branch", "12.34"),
        ("bank_account", "9 8765"),
        ("bank_account", "conta"),
        ("payment_methods", "dinheiro"),
    ],
)
def test_a_wrong_bank_number_is_refused(organization, field, text):
    answer = add(FinancialAccount, organization, **{field: text})

    assert list(errors(answer)) == [field]
    assert not FinancialAccount.objects.exists()


def test_an_account_to_pass_money_on_to_is_whole_or_none(organization):
    answer = add(FinancialAccount, organization, payout_bank_code="001")

    assert errors(answer) == {"payout_bank_code": [PAYOUT_PARTS]}
    whole = {"payout_bank_code": "001", "payout_bank_branch": "1234", "payout_bank_account": "5-X"}
    assert add(FinancialAccount, organization, **whole).status_code == 302


def test_the_same_bank_account_is_entered_once(organization):
    first = bank(organization)
    second = bank(organization, bank_account="1")

    added = add(FinancialAccount, organization)
    changed = change(second)

    message = "Esta organização já tem esta conta bancária."
    assert errors(added) == {"__all__": [message]}
    assert errors(changed) == {"__all__": [message]}
    assert change(first).status_code == 302
    assert FinancialAccount.objects.count() == 2


# --- charge templates ----------------------------------------------------------------------------


def test_terms_start_at_two_percent_and_one_percent_a_month(organization):
    form = signed_in(organization.account).get(url(ChargeTemplate, "add")).context["adminform"].form

    assert {name: form[name].value() for name in TERMS if name != "name"} == {
        "payment_method": "boleto",
        "fine_type": "percentage",
        "fine_value": Decimal(2),
        "interest_type": "percentage",
        "interest_value": Decimal(1),
    }


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"fine_value": "-1"}, {"fine_value": ["não pode ser negativo"]}),
        ({"interest_value": "-1"}, {"interest_value": ["não pode ser negativo"]}),
        ({"fine_value": "10,01"}, {"fine_value": [ABOVE_LIMIT]}),
        ({"fine_type": "without"}, {"fine_value": [NOTHING_TO_CHARGE]}),
        ({"interest_type": "without"}, {"interest_value": [NOTHING_TO_CHARGE]}),
        (
            {"fine_type": "without", "interest_type": "without"},
            {"fine_value": [NOTHING_TO_CHARGE], "interest_value": [NOTHING_TO_CHARGE]},
        ),
    ],
    ids=str,
)
def test_wrong_terms_are_refused(organization, fields, expected):
    answer = add(ChargeTemplate, organization, **fields)

    assert errors(answer) == expected
    assert not ChargeTemplate.objects.exists()


@pytest.mark.parametrize(
    ("fields", "warnings"),
    [
        ({}, []),
        ({"fine_type": "without", "fine_value": "0"}, []),
        (
            {"fine_value": "10"},
            ["Multa acima de 2%: só vale para clientes que não são consumidores."],
        ),
        (
            {"interest_value": "1,5"},
            ["Juros acima de 1% ao mês podem ser contestados pelo cliente."],
        ),
        (
            {"fine_type": "fixed", "fine_value": "10"},
            ["Multa em valor fixo: confira se ela não passa de 10% do valor de cada parcela."],
        ),
    ],
    ids=str,
)
def test_unusual_terms_are_kept_with_a_warning(organization, fields, warnings):
    answer = add(ChargeTemplate, organization, **fields)

    assert answer.status_code == 302
    told = [str(m) for m in get_messages(answer.wsgi_request) if m.level_tag == "warning"]
    assert told == warnings
    assert ChargeTemplate.objects.count() == 1


def test_a_fixed_fine_needs_a_bank_that_takes_it(organization):
    strict = bank(organization)
    lenient = bank(organization, bank_account="1", accept_fixed_fine=True)
    fixed = {"fine_type": "fixed", "fine_value": "10"}

    refused = add(ChargeTemplate, organization, financial_account=strict.pk, **fixed)

    assert errors(refused) == {"fine_type": [NO_FIXED_FINE]}
    answer = add(ChargeTemplate, organization, financial_account=lenient.pk, **fixed)
    assert answer.status_code == 302
    row = ChargeTemplate.objects.get()
    assert errors(change(row, financial_account=strict.pk, **fixed)) == {
        "fine_type": [NO_FIXED_FINE]
    }


def test_a_bank_whose_fixed_fines_are_in_use_goes_on_taking_them(organization):
    lenient = bank(organization, accept_fixed_fine=True)
    add(ChargeTemplate, organization, financial_account=lenient.pk,
        fine_type="fixed", fine_value="10")  # fmt: skip

    answer = change(lenient)

    assert errors(answer) == {"accept_fixed_fine": [FIXED_FINE_IN_USE]}
    assert FinancialAccount.objects.get().accept_fixed_fine is True


def test_the_bank_account_is_of_the_same_organization(account, organization):
    sister = bank(OrganizationFactory(account=account))
    row = ChargeTemplate.objects.create(account=account, organization=organization, name="Boleto")

    added = add(ChargeTemplate, organization, financial_account=sister.pk)
    changed = change(row, financial_account=sister.pk)

    assert errors(added) == {"financial_account": [OTHER_ORGANIZATION]}
    assert errors(changed) == {"financial_account": [OTHER_ORGANIZATION]}
    assert ChargeTemplate.objects.get().financial_account is None


def test_the_bank_account_of_another_tenant_is_no_choice(organization, other_account):
    theirs = bank(OrganizationFactory(account=other_account))

    answer = add(ChargeTemplate, organization, financial_account=theirs.pk)

    assert list(errors(answer)) == ["financial_account"]
    assert not ChargeTemplate.objects.exists()


# --- notes ---------------------------------------------------------------------------------------


def test_a_note_template_keeps_its_withholdings_and_a_bare_cnae(organization):
    add(
        NfseTemplate, organization, cnae="6209-1/00", item_lista_servico="01.07",
        retencoes_destacadas_nota=["IR", "ISS"], aliquota_iss="2,9",
    )  # fmt: skip

    row = NfseTemplate.objects.get()
    assert (row.cnae, row.item_lista_servico) == ("6209100", "01.07")
    assert (row.retencoes_destacadas_nota, row.aliquota_iss) == (["IR", "ISS"], Decimal("2.9"))


@pytest.mark.parametrize(
    ("field", "text", "message"),
    [
        ("cnae", "620910", INVALID_CNAE),
        ("item_lista_servico", "1.7", INVALID_ITEM),
        ("codigo_nbs", "12", INVALID_CODE.format(9)),
        ("campos_nfe", "[1]", INVALID_FIELDS),
        ("aliquota_iss", "100,01", "Informe um valor de 0 a 100."),
        ("aliquota_iss", "-1", "Informe um valor de 0 a 100."),
        (
            "limite_retencao_ir", "-1",
            "Certifique-se que este valor seja maior ou igual a 0.",
        ),
        (
            "retencoes_destacadas_nota", "ICMS",
            "Faça uma escolha válida. ICMS não é uma das escolhas disponíveis.",
        ),
    ],
)  # fmt: skip
def test_a_wrong_field_of_a_note_template_is_refused_in_words(organization, field, text, message):
    answer = add(NfseTemplate, organization, **{field: text})

    assert errors(answer) == {field: [message]}
    assert not NfseTemplate.objects.exists()


def test_a_note_is_shown_and_never_typed(account):
    row = one_of_each(account)[Nfse]
    client = signed_in(account)
    path = url(Nfse, "change", row.pk)

    page = client.get(path)
    posted = client.post(path, {"nfse_number": "2", "status": "2"})

    assert "Emitida" in page.content.decode()
    assert "EXEMPLO serviço" in page.content.decode()
    assert posted.status_code == 403
    assert Nfse.objects.get().nfse_number == "1"
    assert client.get(url(Nfse, "add")).status_code == 403
    assert client.post(url(Nfse, "delete", row.pk), {"post": "yes"}).status_code == 403
