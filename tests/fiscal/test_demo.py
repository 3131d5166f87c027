"""The issuers of the demonstration."""

from __future__ import annotations

import pytest
from support.v2 import v2

from accounts.models import Account, ApiToken
from fiscal.models import Archive, Certificate, Company, FiscalDocument, FiscalEvent
from fiscal.services import demo
from fiscal.services.certificates import signer_of
from lib import clock

pytestmark = pytest.mark.django_db


@pytest.fixture
def loaded(account) -> list[demo.DemoToken]:
    return demo.load(account, at=clock.now())


def test_the_issuers_are_in_several_ufs_and_can_sign(loaded):
    companies = {company.uf: company for company in Company.objects.all()}

    assert companies.keys() == {"SP", "RS", "MG", "PR"}
    assert companies["PR"].cnpj == "D3M0CAFE000145"
    for company in companies.values():
        assert signer_of(company).certificate_der
        assert company.codigo_municipio


def test_the_tokens_told_are_those_of_the_companies(loaded):
    fiscal = [token for token in loaded if token.scope == "fiscal"]
    [master] = [token for token in loaded if token.scope == "master"]

    assert len(fiscal) == 8
    shown = {one["cnpj"]: one for one in v2(master.token).get("empresas").json()}
    for token in fiscal:
        assert shown[token.company][f"token_{token.ambiente}"] == token.token
    assert ApiToken.objects.filter(scope="fiscal").count() == 8


def test_loading_again_changes_nothing(account, loaded):
    before = list(Company.objects.values()), list(Certificate.objects.values("pk"))

    again = demo.load(account, at=clock.now())

    assert again == loaded
    assert (list(Company.objects.values()), list(Certificate.objects.values("pk"))) == before


def test_a_certificate_that_ends_soon_is_renewed(account, loaded):
    soon = Certificate.objects.order_by("not_after").first().not_after

    demo.load(account, at=soon - demo._RENEWED)

    assert Certificate.objects.count() == 8


def test_wiping_takes_the_issuers_of_that_account_alone(account, other_account, loaded):
    demo_company = Company.objects.first()
    from support.fiscal_rows import fiscal_rows

    fiscal_rows(other_account, "OUTRA", 77)
    now = clock.now()
    common = {"account": account, "company": demo_company, "ambiente": "homologacao",
              "modelo": 55, "created_at": now}  # fmt: skip
    successor = FiscalDocument.objects.create(**common, ref="1")
    first = FiscalDocument.objects.create(**common, ref="1", superseded_by=successor)
    cancelled = FiscalEvent.objects.create(
        account=account, document=first, tp_evento="110110", n_seq=1, authority="SP", xml=b"x",
        dh_evento=now, created_at=now,
    )  # fmt: skip
    FiscalEvent.objects.create(
        account=account, document=first, tp_evento="110111", n_seq=1, authority="SP", xml=b"x",
        dh_evento=now, created_at=now, target=cancelled,
    )  # fmt: skip

    demo.wipe(account)

    assert set(Company.objects.values_list("account", flat=True)) == {other_account.pk}
    for model in (FiscalDocument, FiscalEvent, Archive, Certificate):
        assert model.objects.get().account == other_account
    assert Account.objects.filter(pk=account.pk).exists()
