"""Staff screens of companies, series and certificates: the API's rules, told field by field."""

from __future__ import annotations

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse
from factories import MembershipFactory
from support.certificates import PASSWORD, certify, issued

from accounts.models import AuditEvent
from fiscal.models import Certificate, Company, FiscalDocument, Series
from fiscal.services.companies import csc_of
from lib import clock

pytestmark = pytest.mark.django_db

TYPED = {
    "cnpj": "11.222.333/0001-81",
    "nome": "Padaria Aurora Ltda",
    "nome_fantasia": "Padaria Aurora",
    "inscricao_estadual": "110042490114",
    "regime_tributario": "3",
    "email": "fiscal@aurora.test",
    "telefone": "(11) 3000-1000",
    "logradouro": "Avenida Paulista",
    "numero": "1000",
    "bairro": "Bela Vista",
    "cep": "01310-100",
    "municipio": "São Paulo",
    "uf": "SP",
    "habilita_nfe": "on",
    "enviar_email_destinatario": "on",
}


@pytest.fixture
def staff(account) -> Client:
    client = Client()
    client.force_login(MembershipFactory(account=account, role="fiscal").user)
    return client


def url(model: str, action: str, *args: object) -> str:
    return reverse(f"admin:fiscal_{model}_{action}", args=args)


def errors(answer) -> dict:
    return dict(answer.context["adminform"].form.errors)


def as_typed(company: Company, **changes: str) -> dict[str, str]:
    """The company's page as it would be posted, with changes."""
    flags = dict.fromkeys(("habilita_nfe", "habilita_nfce", "enviar_email_destinatario"), "on")
    texts = {
        name: getattr(company, name)
        for name in TYPED
        if name not in (*flags, "cnpj")
    }  # fmt: skip
    ids = {f"id_token_nfce_{where}": "000001" for where in ("producao", "homologacao")}
    texts["inscricao_municipal"] = company.inscricao_municipal
    return texts | flags | ids | changes


def test_a_company_typed_by_staff_gets_its_tokens_shown_once(staff, account):
    pfx = SimpleUploadedFile("a1.pfx", issued("11222333000181").pfx)

    answer = staff.post(
        url("company", "add"), TYPED | {"certificado": pfx, "senha_certificado": PASSWORD}
    )

    company = Company.objects.get()
    assert (company.account, company.cnpj, company.uf) == (account, "11222333000181", "SP")
    assert company.certificates.get().document == company.cnpj
    page = answer.content.decode()
    assert "não será mostrado outra vez" in page
    assert "producao: " in page
    event = AuditEvent.objects.get(action="empresa.criada")
    assert (event.actor_kind, event.object_id) == ("user", company.pk)
    assert PASSWORD not in str(list(AuditEvent.objects.values()))
    assert "producao: " not in staff.get(url("company", "change", company.pk)).content.decode()


def test_faults_are_told_at_their_fields(staff):
    pfx = SimpleUploadedFile("a1.pfx", issued("11222333000181").pfx)

    answer = staff.post(
        url("company", "add"),
        TYPED | {"cep": "1", "municipio": "X" * 3, "certificado": pfx, "senha_certificado": "y"},
    )

    assert errors(answer) == {
        "cep": ["deve ter 8 dígitos"],
        "municipio": ["não existe em SP: informe o nome por extenso"],
        "senha_certificado": ["A senha do certificado está incorreta."],
    }
    assert not Company.objects.exists()
    assert not AuditEvent.objects.filter(action="empresa.criada").exists()


def test_a_change_keeps_the_secrets_that_were_not_typed(staff, company):
    answer = staff.post(url("company", "change", company.pk), as_typed(company, nome="Nova Razão"))

    changed = Company.objects.get()
    assert answer.status_code == 302
    assert (changed.nome, changed.cnpj) == ("Nova Razão", company.cnpj)
    assert csc_of(changed, "producao").code == "CODIGO-PRODUCAO-0001"
    event = AuditEvent.objects.get(action="empresa.alterada")
    assert (event.before, event.after) == ({"nome": company.nome}, {"nome": "Nova Razão"})


def test_a_code_typed_anew_replaces_the_old_and_is_shown_nowhere(staff, company):
    staff.post(url("company", "change", company.pk), as_typed(company, codigo_producao="NOVO-1"))

    assert csc_of(Company.objects.get(), "producao").code == "NOVO-1"
    page = staff.get(url("company", "change", company.pk)).content.decode()
    assert "NOVO-1" not in page
    assert "NOVO-1" not in str(list(AuditEvent.objects.values()))


def test_a_removed_company_is_only_looked_at(staff, company):
    Company.objects.update(removed_at=clock.now())

    page = staff.get(url("company", "change", company.pk))
    answer = staff.post(url("company", "change", company.pk), as_typed(company, nome="X Y"))

    assert (page.status_code, answer.status_code) == (200, 403)
    assert Company.objects.get().nome == company.nome


def test_who_may_not_set_up_sees_no_companies(account, company):
    client = Client()
    client.force_login(MembershipFactory(account=account, role="financeiro").user)

    assert client.get(url("company", "changelist")).status_code == 403
    assert client.post(url("company", "change", company.pk), as_typed(company)).status_code == 403


def test_the_next_number_is_never_one_that_was_used(staff, company):
    series = Series.objects.create(
        account=company.account, company=company, ambiente="producao", modelo=55, serie=1
    )
    FiscalDocument.objects.create(
        account=company.account, company=company, ambiente="producao", modelo=55, ref="1",
        serie=1, numero=40, state="rejeitado", created_at=clock.now(),
    )  # fmt: skip

    refused = staff.post(url("series", "change", series.pk), {"next_number": "40"})
    staff.post(url("series", "change", series.pk), {"next_number": "50"})

    assert "maior que 40" in errors(refused)["next_number"][0]
    assert Series.objects.get().next_number == 50
    event = AuditEvent.objects.get(action="serie.alterada")
    assert (event.before, event.after) == ({"next_number": 1}, {"next_number": 50})


def test_the_list_of_certificates_says_which_end_soon(staff, company):
    Certificate.objects.all().delete()
    for begins, ends in ((-400, -1), (-1, 10), (-1, 300), (2, 300)):
        certify(company, begins=begins, ends=ends)

    page = staff.get(url("certificate", "changelist")).content.decode()

    for text in ("Vencido", "Vence em 9 dia(s)", "Válido", "Ainda não vale"):
        assert text in page
    detail = staff.get(url("certificate", "change", Certificate.objects.first().pk))
    assert "PRIVATE KEY" not in detail.content.decode()
    assert Certificate.objects.first().key not in detail.content.decode()
