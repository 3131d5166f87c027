"""A fiscal template is tried when it is saved: what the city would refuse is told there."""

from __future__ import annotations

import pytest
from django.urls import reverse
from factories import FiscalCompanyFactory
from support.certificates import certify
from support.staff import client_of

from billing.models import NfseTemplate
from fiscal.models import Company

pytestmark = pytest.mark.django_db

BASE = {
    "name": "Suporte",
    "percentual_carga_tributaria": "13,45",
    "limite_retencao_ir": "0",
    "limite_retencao_pcc": "0",
    "limite_retencao_inss": "0",
    "limite_retencao_iss": "0",
}
PAULISTANA = {
    "tipo_nota": "nfse",
    "item_lista_servico": "01.07",
    "codigo_servico_municipal": "02881",
    "aliquota_iss": "2,9",
}
REFORM = {
    "codigo_nbs": "115021000",
    "codigo_indicador_operacao": "100301",
    "ibs_cbs_classificacao_tributaria": "000001",
}
NBS = "NBS: Informe o código NBS (9 dígitos)."
OPERATION = "Indicador da operação (IBS/CBS): Informe o código indicador da operação (6 dígitos)."
LEVY = "Classificação tributária do IBS/CBS: Informe o código de classificação tributária"
# Fields, what is told, how many things are told.
CASES = (
    ({"tipo_nota": "nfsen", "codigo_tributacao_nacional": "010701"}, "", 0),
    ({"tipo_nota": "nfsen"}, "Código de tributação nacional: ", 1),
    (PAULISTANA, NBS, 3),
    (PAULISTANA, OPERATION, 3),
    (PAULISTANA, LEVY, 3),
    (PAULISTANA | REFORM, "", 0),
    (PAULISTANA | REFORM | {"codigo_nbs": ""}, NBS, 1),
    (PAULISTANA | REFORM | {"codigo_servico_municipal": "X1"}, "Informe o código de serviço", 1),
    (PAULISTANA | REFORM | {"item_lista_servico": ""}, "Item da lista de serviços: ", 1),
)


@pytest.fixture
def paulistana(organization) -> Company:
    made: Company = FiscalCompanyFactory(
        account=organization.account, cnpj=organization.document, uf="SP",
        codigo_municipio="3550308", inscricao_municipal="12345678", habilita_nfse=True,
    )  # fmt: skip
    certify(made)
    return made


def saved(organization, **fields):
    """What staff are told after saving; the template is there all the same."""
    before = NfseTemplate.objects.count()
    answer = client_of(organization.account).post(
        reverse("admin:billing_nfsetemplate_add"),
        BASE | {"organization": organization.pk} | fields,
        follow=True,
    )
    assert NfseTemplate.objects.count() == before + 1
    return [str(one) for one in answer.context["messages"] if one.level_tag == "warning"]


def test_what_the_city_would_refuse_is_told_at_saving(organization, paulistana):
    for fields, told, n in CASES:
        warnings = saved(organization, **fields)
        assert len(warnings) == n, (fields, warnings)
        if told:
            assert any(told in one for one in warnings), (fields, warnings)


def test_without_an_issuer_and_for_goods_there_is_nothing_to_try(organization):
    assert saved(organization, **PAULISTANA) == []
    goods = {"tipo_nota": "nfe", "campos_nfe": '{"codigo_ncm": "96081000", "cfop": "5102"}'}
    assert saved(organization, **goods) == []


def test_a_city_without_service_is_told(organization):
    FiscalCompanyFactory(
        account=organization.account, cnpj=organization.document, uf="AC",
        codigo_municipio="1200013", inscricao_municipal="1",
    )  # fmt: skip

    (told,) = saved(organization, **PAULISTANA)

    assert "município" in told
