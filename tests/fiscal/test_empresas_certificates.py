"""Certificates sent with a company: what is refused, and who gets them (§14.2, §14.3, CRT-1…5)."""

from __future__ import annotations

import base64
import threading
from collections import OrderedDict
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django_q.models import OrmQ
from factories import FiscalCompanyFactory
from support.certificates import PASSWORD, certify
from support.certificates import authority as ca
from support.companies import certificate_body, company_body, faults
from support.issuing import nfe_body, unreachable
from support.v2 import fiscal_token, v2

from accounts.models import AuditEvent
from fiscal.authorities.base import Misconfigured
from fiscal.errors import NoCertificate
from fiscal.models import Certificate, Company, FiscalDocument
from fiscal.services import certificates
from fiscal.services.certificates import credentials_of, signer_of
from fiscal.services.delivery import advance
from fiscal.signing import verify
from fiscal.tasks import resume_document, sweep_documents
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


@pytest.mark.django_db(transaction=True)
def test_one_certificate_sent_for_two_establishments_at_once(master, company):
    """As somebody does who renews it for all of them."""
    branch = FiscalCompanyFactory(account=company.account, cnpj=BRANCH)
    start, statuses = threading.Barrier(2, timeout=20), []

    def run(pk: int) -> None:
        try:
            start.wait()
            answer = v2(master.token).put(f"empresas/{pk}", certificate_body(ends=800))
            statuses.append(answer.status_code)
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=(one.pk,)) for one in (company, branch)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert statuses == [200, 200]
    assert branch.certificates.count() == 1
    assert credentials_of(branch).thumbprint == credentials_of(company).thumbprint


# --- CRT-1: the chain ------------------------------------------------------------------------


def test_a_chain_that_reaches_no_root_is_a_warning_and_no_refusal(master):
    """The test authority is none of ICP-Brasil: SEFAZ would refuse it."""
    shown = master.post("empresas", company_body() | certificate_body()).json()

    (said,) = shown["certificado_avisos"]
    assert said.startswith("A cadeia do certificado não chega a uma raiz conhecida: falta CN=")
    assert Certificate.objects.get().warnings == [said]
    assert AuditEvent.objects.get(action="certificado.enviado").after["avisos"] == [said]
    again = master.get("empresas/11222333000181").json()
    assert again["certificado_avisos"] == [said]
    branch = master.post("empresas", company_body(cnpj=BRANCH)).json()
    assert branch["certificado_avisos"] == [said]
    nobody = master.post("empresas", company_body(cnpj="11444777000161"), dry_run=1).json()
    assert nobody["certificado_avisos"] == []


def test_where_a_stand_in_answers_its_certificates_are_in_order(master, settings, tmp_path):
    """No noise in homologação; but a short chain is told of there too."""
    settings.FISCAL_CA_FILE = str(ca().folder / "root.pem")
    settings.FISCAL_ENDPOINTS_BASE = "https://127.0.0.1:1"

    def avisos(**options: Any) -> list[str]:
        body = company_body() | certificate_body(**options)
        found: list[str] = master.post("empresas", body, dry_run=1).json()["certificado_avisos"]
        return found

    assert avisos() == []
    assert "falta CN=AC de Teste RFB" in avisos(kind="no_intermediate")[0]
    settings.FISCAL_CA_FILE = str(tmp_path / "lost.pem")
    assert len(avisos()) == 1


# --- SIG-9: what a process keeps open --------------------------------------------------------


def test_what_was_replaced_or_removed_is_not_kept_open(
    master, company, django_capture_on_commit_callbacks, monkeypatch
):
    monkeypatch.setattr(certificates, "_open", OrderedDict())  # a full one drops others' too
    dropped: list[str] = []
    monkeypatch.setattr(certificates.tls, "forget", dropped.append)
    monkeypatch.setattr(certificates.connections, "drop", dropped.append)
    first = credentials_of(company).thumbprint
    assert signer_of(company) is signer_of(company)

    with django_capture_on_commit_callbacks(execute=True):
        master.put(f"empresas/{company.pk}", certificate_body(ends=800))

    assert dropped == [first, first]
    second = credentials_of(company).thumbprint
    assert second != first

    with django_capture_on_commit_callbacks(execute=True):
        assert master.delete(f"empresas/{company.pk}").status_code == 200

    assert dropped[2:] == [second, second]
    with pytest.raises(NoCertificate):
        signer_of(company)


def test_another_process_drops_the_old_key_when_it_sees_the_new_row(company, monkeypatch):
    monkeypatch.setattr(certificates, "_open", OrderedDict())  # a full one drops others' too
    dropped: list[str] = []
    monkeypatch.setattr(certificates.tls, "forget", dropped.append)
    old = credentials_of(company).thumbprint

    certify(company, ends=800)

    assert credentials_of(company).thumbprint != old
    assert dropped == [old]


# --- §8.4: a company that was stopped goes on ------------------------------------------------


def forbidden(*_: Any) -> Any:
    raise Misconfigured("HTTP 495")


@pytest.mark.parametrize(
    "change",
    [certificate_body(ends=800), {"csc_nfce_homologacao": "NOVO", "id_token_nfce_homologacao": 2},
     {"inscricao_estadual": "110042490115"}],
    ids=["certificate", "CSC", "record"],
)  # fmt: skip
@pytest.mark.django_db(transaction=True)
def test_a_change_wakes_what_waited_behind_a_refusal_at_the_door(
    master, company, nfe, authority, change, at_moment
):
    authority.next("authorize", forbidden)
    for ref in ("a", "b"):
        nfe.post("nfe", nfe_body(), ref=ref)
        advance(FiscalDocument.objects.get(ref=ref).pk)
    now = clock.now()
    assert authority.names() == ["authorize"]
    waiting = FiscalDocument.objects.filter(state="assinado", next_attempt_at__gt=now)
    assert waiting.count() == 2

    assert master.put(f"empresas/{company.pk}", change).status_code == 200
    OrmQ.objects.all().delete()
    at_moment(now + timedelta(minutes=1))
    assert sweep_documents() == 2
    for document in FiscalDocument.objects.order_by("pk"):
        resume_document(document.pk)

    assert set(FiscalDocument.objects.values_list("state", flat=True)) == {"autorizado"}
    assert authority.names() == ["authorize"] * 3


@pytest.mark.django_db(transaction=True)
def test_what_was_signed_before_the_certificate_ended_goes_with_the_next(
    master, company, nfe, authority, at_moment
):
    """Also for the branches that share it; what others wait for stays as it is."""
    branch = FiscalCompanyFactory(account=company.account, cnpj=BRANCH)
    certify(branch)
    authority.next("authorize", unreachable, unreachable)
    for client in (nfe, v2(fiscal_token(branch))):
        client.post("nfe", nfe_body(), ref="n")
    for document in FiscalDocument.objects.order_by("pk"):
        advance(document.pk)
    later = clock.now() + timedelta(hours=1)
    Certificate.objects.update(not_after=later - timedelta(minutes=1))
    at_moment(later)
    for document in FiscalDocument.objects.order_by("pk"):
        resume_document(document.pk)
    assert FiscalDocument.objects.filter(next_attempt_at__gt=later).count() == 2

    master.put(f"empresas/{company.pk}", certificate_body(ends=800))

    assert not FiscalDocument.objects.filter(next_attempt_at__gt=later).exists()
    for document in FiscalDocument.objects.order_by("pk"):
        resume_document(document.pk)
    assert set(FiscalDocument.objects.values_list("state", flat=True)) == {"autorizado"}
    # 291: under the old certificate it would be refused. Nothing but the signature is another.
    before, after = authority.sent()[:2], authority.sent()[2:]
    renewed = signer_of(company).certificate_der
    for old, new in zip(before, after, strict=True):
        assert verify(new).certificate_der == renewed != verify(old).certificate_der
        assert old.partition(b"<Signature")[0] == new.partition(b"<Signature")[0]
        assert verify(old).digest_value == verify(new).digest_value
