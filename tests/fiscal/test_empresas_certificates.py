"""Certificates sent with a company: what is refused, and who gets them (§14.2, §14.3, CRT-1…5)."""

from __future__ import annotations

import base64
from datetime import timedelta

import pytest
from factories import FiscalCompanyFactory
from support.certificates import PASSWORD, certify
from support.companies import certificate_body, company_body, faults

from accounts.models import AuditEvent
from fiscal.models import Certificate, Company
from fiscal.services.certificates import credentials_of, signer_of, warn_expiring
from lib import clock

pytestmark = pytest.mark.django_db

BRANCH = "11222333000262"
FILE, WORD = "arquivo_certificado_base64", "senha_certificado"


def test_a_company_comes_with_its_certificate(master):
    shown = master.post("empresas", company_body() | certificate_body()).json()

    leaf = Certificate.objects.get()
    assert shown["certificado_cnpj"] == "11222333000181"
    assert shown["certificado_valido_ate"][:10] == f"{clock.today() + timedelta(days=365)}"
    assert signer_of(Company.objects.get()).certificate_der
    # CRT-4: neither the key nor the password is readable in the database or in the trail.
    everything = f"{Certificate.objects.values().get()}{list(AuditEvent.objects.values())}"
    assert "PRIVATE KEY" not in everything
    assert PASSWORD not in everything + str(Company.objects.values().get())
    assert leaf.key not in str(shown)


def test_line_breaks_and_a_data_prefix_do_no_harm(master):
    body = certificate_body()
    packed = body[FILE]
    lines = "\r\n".join(packed[at : at + 64] for at in range(0, len(packed), 64))

    for text in (lines, f"data:application/x-pkcs12;base64,{packed}"):
        answer = master.post("empresas", company_body() | body | {FILE: text}, dry_run=1)
        assert answer.status_code == 200


def test_a_legacy_pfx_is_taken(master):
    """CRT-3: 3DES with a SHA-1 MAC, as old tools wrote."""
    answer = master.post("empresas", company_body() | certificate_body(kind="legacy"))

    assert answer.json()["certificado_cnpj"] == "11222333000181"


@pytest.mark.parametrize(
    ("changes", "campo", "mensagem"),
    [
        ({WORD: "errada"}, WORD, "A senha do certificado está incorreta."),
        ({WORD: None}, WORD, "senha_certificado não informado"),
        (
            {FILE: base64.b64encode(b"x" * 500).decode()},
            FILE,
            "O arquivo não é um certificado A1 (PFX ou P12).",
        ),
        ({FILE: "não é base64"}, FILE, "arquivo_certificado_base64 não está em base64"),
        (
            "11444777000161",
            FILE,
            "O certificado é de 11.444.777/0001-61, e não de 11.222.333/0001-81.",
        ),
    ],
    ids=["password", "no password", "no PFX", "no base64", "another CNPJ"],
)
def test_a_certificate_that_does_not_fit_is_refused(master, company, changes, campo, mensagem):
    Certificate.objects.all().delete()
    changes = certificate_body(changes) if isinstance(changes, str) else changes

    answer = master.put(f"empresas/{company.pk}", certificate_body() | changes)

    assert answer.status_code == 422
    assert faults(answer) == {campo: mensagem}
    assert not Certificate.objects.exists()


def test_an_expired_certificate_is_refused_with_its_day(master):
    body = company_body() | certificate_body(begins=-400, ends=-3)

    answer = master.post("empresas", body)

    ended = clock.now() - timedelta(days=3)
    assert faults(answer) == {FILE: f"O certificado venceu em {ended:%d/%m/%Y}."}
    assert not Company.objects.exists()


def test_faults_of_the_certificate_come_with_the_others(master):
    answer = master.post("empresas", company_body(email="x") | certificate_body() | {WORD: "y"})

    assert faults(answer).keys() == {"email", WORD}


def test_a_new_certificate_reaches_the_companies_of_the_same_root(master, account, other_account):
    """§14.2: except those with a certificate of their own."""
    branch = FiscalCompanyFactory(account=account, cnpj=BRANCH)
    apart = FiscalCompanyFactory(account=account, cnpj="11222333000343")
    Company.objects.filter(pk=apart.pk).update(certificado_especifico=True)
    stranger = FiscalCompanyFactory(account=account)
    foreign = FiscalCompanyFactory(account=other_account, cnpj="11222333000424")

    master.post("empresas", company_body() | certificate_body())

    matriz = Company.objects.get(cnpj="11222333000181")
    assert set(Certificate.objects.values_list("company", flat=True)) == {matriz.pk, branch.pk}
    assert credentials_of(branch).thumbprint == credentials_of(matriz).thumbprint
    assert not Certificate.objects.filter(company__in=[apart, stranger, foreign]).exists()


def test_a_certificate_of_its_own_stays_with_the_company(master, account):
    branch = FiscalCompanyFactory(account=account, cnpj=BRANCH)
    body = company_body(certificado_especifico=True) | certificate_body()

    master.post("empresas", body)

    assert not branch.certificates.exists()


def test_a_new_branch_takes_the_certificate_of_its_root(master, company):
    shown = master.post("empresas", company_body(cnpj=BRANCH)).json()

    assert shown["certificado_cnpj"] == company.cnpj
    branch = Company.objects.get(cnpj=BRANCH)
    assert signer_of(branch).certificate_der == signer_of(company).certificate_der


def test_the_same_certificate_again_changes_nothing(master, company):
    body = certificate_body()
    first = master.put(f"empresas/{company.pk}", body).json()

    assert master.put(f"empresas/{company.pk}", body).json() == first
    assert Certificate.objects.filter(company=company).count() == 1


def test_a_renewal_is_shown_and_signs_at_once(master, company):
    master.put(f"empresas/{company.pk}", certificate_body(ends=800))

    renewed = Certificate.objects.order_by("-not_after").first()
    assert credentials_of(company).thumbprint == renewed.thumbprint
    shown = master.get(f"empresas/{company.pk}").json()
    assert shown["certificado_valido_ate"][:10] == f"{clock.today() + timedelta(days=800)}"


@pytest.fixture
def expiring(company):
    """The company's one certificate ends in 20 days."""
    Certificate.objects.all().delete()
    return certify(company, ends=20)


def test_each_warning_is_told_once(expiring):
    """CRT-5: 60, 30, 15, 7, 3 and 1 days before the end."""
    end = expiring.not_after
    told = [
        (days, warn_expiring(at=end - timedelta(days=days)))
        for days in (70, 60, 60, 45, 30, 29, 15, 8, 7, 4, 3, 2, 1, 0)
    ]

    assert [days for days, n in told if n] == [60, 30, 15, 7, 3, 1]
    events = AuditEvent.objects.filter(action="certificado.vencendo")
    assert events.count() == 6
    assert events.first().after["certificado"] == expiring.pk


def test_a_missed_night_is_made_up_for_once(expiring):
    end = expiring.not_after

    assert warn_expiring(at=end - timedelta(days=5)) == 1
    assert Certificate.objects.get().warned_days == 7
    assert warn_expiring(at=end - timedelta(days=5)) == 0


def test_a_renewed_certificate_ends_without_a_warning(company, expiring):
    certify(company, ends=700)

    assert warn_expiring(at=expiring.not_after - timedelta(days=7)) == 0
