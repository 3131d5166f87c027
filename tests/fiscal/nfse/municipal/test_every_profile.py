"""Every profile of tables/nfse: least and fullest body, valid by the published schema and signed;
and no field of §4.2 is dropped in silence (ABR-3, ABR-4, ABR-8, ABR-9)."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from lxml import etree
from support import a1
from support.city_declarations import ISSUER, NOW, identity, signatures

from fiscal.authorities.municipal import profiles
from fiscal.documents.nfse import untold
from fiscal.documents.nfse.catalogue import Field, catalogue
from fiscal.documents.nfse.reading import read
from fiscal.sandbox.schemas import first_fault
from fiscal.tables import nfse_cities
from fiscal.tables.loaders import yaml_table

FAMILIES = sorted(yaml_table("nfse/families.yaml")["familias"])
# Schema by our own name for it in the sandbox, and how many signatures (ABR-4).
WANTED = {
    "issnet-2.04": ("abrasf204", 1),
    "webiss-2.02": ("abrasf202", 2),
    "webiss-1.00": ("abrasf100", 1),
    "sao-paulo": ("paulistana_v02/PedidoEnvioRPS_v02.xsd", 1),
}
# Carried by an element that has another name for it.
COMPUTED = {
    "data_emissao", "data_competencia", "natureza_operacao", "prestador.cnpj",
    "prestador.inscricao_municipal", "servico.codigo_municipio",
    "servico.codigo_indicador_operacao",
}  # fmt: skip
# What §4.2 says of them: "may be ignored", "ignored by some municipalities", "where supported";
# the city itself is told by the address.
DOCUMENTED = {
    "prestador.codigo_municipio", "regime_especial_tributacao", "optante_simples_nacional",
    "incentivador_cultural", "art", "tomador.endereco.tipo_logradouro", "tomador.telefone",
    "servico.valor_iss", "servico.valor_iss_retido", "servico.outras_retencoes",
    "servico.base_calculo", "servico.desconto_incondicionado", "servico.desconto_condicionado",
    "servico.codigo_cnae", "servico.item_lista_servico", "servico.percentual_total_tributos",
    "servico.fonte_total_tributos", "intermediario.razao_social",
}  # fmt: skip
# Refused by name where the city does not replace notes (checks.py).
REFUSED = {"numero_rps_substituido", "serie_rps_substituido", "tipo_rps_substituido"}

SAMPLES: dict[str, Any] = {
    "data_emissao": "2026-11-20T10:00:00-03:00",
    "prestador.cnpj": ISSUER.cnpj,
    "tomador.cnpj": "11444777000161",
    "intermediario.cnpj": "12ABC34501DE35",
    "destinatario.cnpj": "11444777000161",
    "servico.valor_servicos": "1000.00",
    "servico.base_calculo": "980.00",
    "servico.aliquota": "2.92",
    "servico.item_lista_servico": "0107",
    "servico.codigo_tributario_municipio": "2658",
    "servico.codigo_nbs": "1.1502.20.00",
    "servico.codigo_indicador_operacao": "100301",
    "codigo_indicador_operacao": "100301",
    "servico.ibs_cbs_classificacao_tributaria": "000001",
    "servico.discriminacao": "Análise de sistemas & suporte\nsegunda linha",
    "tomador.endereco.uf": "SP",
    "tomador.endereco.cep": "01001000",
    "destinatario.endereco.cep": "01001000",
    "tomador.telefone": "1133334444",
    "tomador.email": "a@exemplo.com.br",
    "destinatario.email": "a@exemplo.com.br",
    "codigo_obra": "123",
    "numero_rps_substituido": "7",
    "serie_rps_substituido": "A",
    "tipo_rps_substituido": "1",
    "evento.codigo": "12",
    "imovel.codigo_cib": "12345678",
    "documentos_referenciados": [{"tipo": "1"}],
    "chaves_nfse_referenciadas": [{"chave_nfse": "1" * 50}],
    "evento.endereco": {"logradouro": "Rua A"},
    "imovel.endereco": {"logradouro": "Rua A"},
}
# One or the other; a country makes the service an export.
LEFT_OUT = {
    "tomador.cpf", "intermediario.cpf", "destinatario.cpf", "destinatario.nif", "tomador.nif",
    "tomador.motivo_ausencia_nif", "intermediario.nif", "intermediario.motivo_ausencia_nif",
    "servico.codigo_pais_prestacao", "servico.codigo_pais_ext", "codigo_pais_resultado",
}  # fmt: skip
LEAST = {
    "data_emissao", "natureza_operacao", "optante_simples_nacional", "prestador.cnpj",
    "prestador.codigo_municipio", "prestador.inscricao_municipal", "servico.valor_servicos",
    "servico.iss_retido", "servico.item_lista_servico", "servico.discriminacao",
}  # fmt: skip
REFORM = {
    "servico.codigo_tributario_municipio", "servico.codigo_nbs",
    "servico.codigo_indicador_operacao", "servico.ibs_cbs_classificacao_tributaria",
}  # fmt: skip


@pytest.fixture(autouse=True)
def _everywhere(settings: Any) -> None:
    settings.FISCAL_ENDPOINTS_BASE = "https://localhost:1"


def sample(field: Field, city: str) -> Any:
    if field.path in SAMPLES:
        return SAMPLES[field.path]
    if field.path.endswith("codigo_municipio") or field.path.endswith("municipio_prestacao"):
        return city if field.path.startswith("prestador") else "3550308"
    simple = {
        "decimal": "1.00", "boolean": True, "date": "2026-11-20", "array": [], "object": {},
        "digits": "1" * (field.exact_length or 4),
    }  # fmt: skip
    if field.kind == "enum":
        return field.enum[0]
    return simple.get(field.kind, "1" * (field.exact_length or min(field.max_length or 6, 6)))


def bodied(paths: Any, city: str) -> dict[str, Any]:
    made: dict[str, Any] = {}
    for path in paths:
        *above, last = path.split(".")
        place = made
        for name in above:
            place = place.setdefault(name, {})
        place[last] = sample(catalogue()[path], city)
    return made


def cities() -> dict[str, str]:
    """A city of each family: code by name."""
    return {each.family: code for code, each in nfse_cities.cities().items() if each.family}


def paths_of(family: str, *, is_full: bool) -> list[str]:
    if not is_full:
        return sorted(LEAST | (REFORM if family == "sao-paulo" else set()))
    skipped = LEFT_OUT | (set() if profiles.family(family).replaces else REFUSED)
    return [path for path in catalogue() if "[]" not in path and path not in skipped]


@pytest.mark.parametrize("is_full", [False, True], ids=["least", "full"])
def test_the_message_is_valid_by_the_published_schema_and_signed(is_full):
    assert set(WANTED) == set(FAMILIES)
    for family in FAMILIES:
        city = cities()[family]
        provider = profiles.city(city, "homologacao")
        body = bodied(paths_of(family, is_full=is_full), city)

        declared = read(body, issuer=ISSUER, ambiente="homologacao", now=NOW)
        assert list(provider.check(declared)) == [], family
        prepared = provider.build(declared, identity(), signer=a1.signer())

        schema, n_signatures = WANTED[family]
        assert first_fault(etree.fromstring(prepared.xml), schema) == "", family
        assert signatures(prepared.xml) == n_signatures
        assert prepared.summary.total == Decimal("1000.00")
        assert not declared.notes, declared.notes  # every field of the catalogue is known


@pytest.mark.parametrize("family", FAMILIES)
def test_no_field_is_dropped_in_silence(family):
    city = cities()[family]
    carried = profiles.city(city, "homologacao").features.carries
    assert carried is not None
    paths = paths_of(family, is_full=True)
    declared = read(bodied(paths, city), issuer=ISSUER, ambiente="homologacao", now=NOW)

    told = {one["campo"] for one in untold.notes_of(declared, carried)}

    assert not told & carried
    assert set(paths) - carried - told <= COMPUTED | DOCUMENTED
    assert "servico.cbs_valor" in told


def test_every_city_that_is_active_can_be_spoken_to(settings):
    settings.FISCAL_ENDPOINTS_BASE = ""
    seen = set()
    for code, city in nfse_cities.cities().items():
        if city.status != nfse_cities.ACTIVE or not city.family:
            continue
        assert city.addresses, code
        for ambiente, url in city.addresses.items():
            found = profiles.profile("", municipality=code, ambiente=ambiente)
            assert found.url == url
            assert url.startswith("https://"), code
            seen.add(found.family.slug)
    assert seen == set(FAMILIES)
