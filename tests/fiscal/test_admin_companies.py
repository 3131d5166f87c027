"""What staff do to a company beyond its form: tokens, removal, logo, numbers (ux B14)."""

from __future__ import annotations

import base64
import re
from datetime import timedelta
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from factories import FiscalCompanyFactory
from support.certificates import PASSWORD, certify, issued
from support.companies import png
from support.staff import act, client_of, form_of, path, said
from support.v2 import v2

from accounts.models import ApiToken, AuditEvent
from fiscal.models import Certificate, Company, FiscalDocument, Series, State
from lib import clock

pytestmark = pytest.mark.django_db


@pytest.fixture
def staff(account: Any) -> Client:
    return client_of(account)


def page(client: Client, company: Company) -> str:
    return str(client.get(path("company", "change", company.pk)).content.decode())


def form(client: Client, company: Company, **changes: Any) -> dict[str, Any]:
    """The company's page as a browser would post it, with changes."""
    fields = client.get(path("company", "change", company.pk)).context["adminform"].form
    values = {name: fields.get_initial_for_field(field, name) for name, field in
              fields.fields.items()}  # fmt: skip
    sent = {name: value for name, value in values.items() if value not in (None, False, "")}
    return {name: "on" if value is True else value for name, value in sent.items()} | changes


def test_a_token_is_renewed_shown_once_and_the_old_one_is_dead(staff, company):
    first = act(staff, company, "token-homologacao")
    old = re.findall(r"<pre>([0-9a-f]{32})</pre>", first.content.decode())[0]
    where = path("company", "act", company.pk, "token-homologacao")
    sent = form_of(staff, where)

    answer = staff.post(where, sent)
    again = staff.post(where, sent)

    new = re.findall(r"<pre>([0-9a-f]{32})</pre>", answer.content.decode())[0]
    assert "no-store" in answer["Cache-Control"]
    assert new != old
    assert v2(new).get("nfe/nenhuma").status_code == 404
    assert v2(old).get("nfe/nenhuma").status_code == 403
    assert "já tinha sido feito" in said(again)
    assert new not in again.content.decode() + page(staff, company)
    assert new not in str(list(AuditEvent.objects.values()))
    live = ApiToken.objects.filter(ambiente="homologacao", revoked_at=None)
    assert live.count() == 1
    assert AuditEvent.objects.filter(action="empresa.token_trocado").count() == 2


def test_a_company_goes_by_the_rules_of_the_api(staff, company):
    waiting = FiscalDocument.objects.create(
        account=company.account, company=company, ambiente="producao", modelo=55, ref="1",
        serie=1, numero=1, state=State.INDEFINIDO, created_at=clock.now(),
    )  # fmt: skip

    refused = act(staff, company, "excluir")
    assert "em processamento" in refused.content.decode()
    assert Company.objects.get().removed_at is None
    FiscalDocument.objects.filter(pk=waiting.pk).update(state=State.REJEITADO)
    answer = act(staff, company, "excluir")

    gone = Company.objects.get()
    assert "Empresa excluída" in said(answer)
    assert gone.removed_at is not None
    assert (gone.csc_nfce_producao, gone.token_producao) == ("", "")
    assert not Certificate.objects.exists()
    text = page(staff, gone)
    assert "Excluída" in text
    assert "Trocar token" not in text
    assert staff.get(path("company", "act", company.pk, "excluir")).status_code == 302


@pytest.mark.parametrize("role", ["financeiro", "suporte"])
def test_who_does_not_set_up_neither_renews_nor_removes(account, other_account, company, role):
    for slug in ("token-producao", "excluir"):
        where = path("company", "act", company.pk, slug)
        assert client_of(account, role).get(where).status_code == 403
        assert client_of(account, role).post(where, {"idempotency_key": "k"}).status_code == 403
        assert client_of(other_account, "admin").post(where, {}).status_code == 404
    assert not ApiToken.objects.exists()
    assert Company.objects.get().removed_at is None


def test_the_logo_is_sent_shown_and_removed(staff, account, other_account, company):
    big = SimpleUploadedFile("grande.png", base64.b64decode(png(201, 1)), "image/png")
    fine = SimpleUploadedFile("logo.png", base64.b64decode(png(20, 1)), "image/png")

    refused = staff.post(path("company", "change", company.pk), form(staff, company, logotipo=big))
    staff.post(path("company", "change", company.pk), form(staff, company, logotipo=fine))

    assert "no máximo 200 x 200" in refused.content.decode()
    shown = staff.get(path("company", "logo", company.pk))
    assert (shown.status_code, shown["Content-Type"]) == (200, "image/png")
    assert path("company", "logo", company.pk) in page(staff, company)
    assert client_of(account, "suporte").get(path("company", "logo", company.pk)).status_code == 403
    foreign = client_of(other_account, "admin")
    assert foreign.get(path("company", "logo", company.pk)).status_code == 404

    staff.post(path("company", "change", company.pk), form(staff, company, remove_logotipo="on"))

    assert staff.get(path("company", "logo", company.pk)).status_code == 404


def test_series_and_next_numbers_are_set_and_never_go_back(staff, company):
    where = path("company", "change", company.pk)

    answer = staff.post(
        where, form(staff, company, serie_nfe_producao="2", proximo_numero_nfe_producao="500")
    )
    assert answer.status_code == 302
    series = Series.objects.get(modelo=55, ambiente="producao", serie=2)
    assert series.next_number == 500
    FiscalDocument.objects.create(
        account=company.account, company=company, ambiente="producao", modelo=55, ref="1",
        serie=2, numero=600, state=State.REJEITADO, created_at=clock.now(),
    )  # fmt: skip

    refused = staff.post(where, form(staff, company, proximo_numero_nfe_producao="600"))
    unchanged = staff.post(where, form(staff, company, nome="Outro nome"))

    assert "maior que 600" in refused.content.decode()
    assert unchanged.status_code == 302
    series.refresh_from_db()
    assert series.next_number == 500


def test_four_bad_certificates_get_their_texts_and_save_nothing(staff, company):
    before = set(Certificate.objects.values_list("pk", flat=True))
    where = path("company", "change", company.pk)
    pfx = issued("11222333000181").pfx
    cases = (
        (pfx, "errada", "A senha do certificado está incorreta."),
        (b"isto nao e um pfx", PASSWORD, "não é um certificado A1"),
        (issued("11444777000161").pfx, PASSWORD, "11.444.777/0001-61"),
        (pfx, "", "A senha do certificado está incorreta."),
    )
    for content, password, text in cases:
        upload = SimpleUploadedFile("a1.pfx", content)
        sent = form(staff, company, certificado=upload, senha_certificado=password)
        answer = staff.post(where, sent)
        assert answer.status_code == 200, text
        assert text in answer.content.decode()
        assert not password or password not in answer.content.decode()
    assert set(Certificate.objects.values_list("pk", flat=True)) == before


def test_a_good_certificate_is_told_with_its_end_and_warned_of_before_it(staff, company):
    Certificate.objects.all().delete()
    assert "Sem certificado" in page(staff, company)
    upload = SimpleUploadedFile("a1.pfx", issued("11222333000181").pfx)

    answer = staff.post(
        path("company", "change", company.pk),
        form(staff, company, certificado=upload, senha_certificado=PASSWORD),
    )

    assert "Certificado guardado, válido até" in said(answer)
    ends = clock.now() + timedelta(days=20)
    Certificate.objects.update(not_after=ends)
    assert "Certificado no fim" in page(staff, company)


def test_the_lists_of_companies_series_and_certificates_ask_no_more_when_longer(
    staff, account, company
):
    lists = [path(model, "changelist") for model in ("company", "series", "certificate")]

    def asked(where: str) -> int:
        with CaptureQueriesContext(connection) as seen:
            assert staff.get(where).status_code == 200
        return len(seen)

    key = {"account": account, "ambiente": "producao", "modelo": 55}
    Series.objects.create(company=company, serie=1, **key)
    before = [asked(where) for where in lists]
    for n, cnpj in enumerate(("44555666000145", "55666777000105"), start=2):
        other = FiscalCompanyFactory(account=account, cnpj=cnpj)
        Series.objects.create(company=other, serie=n, **key)
        certify(other)

    assert [asked(where) for where in lists] == before
