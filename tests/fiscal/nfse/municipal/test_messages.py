"""Messages to cities: valid by their schemas, signed, and the same for the same declaration."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from lxml import etree
from support import a1
from support.city_declarations import (
    CITIES,
    COMPETENCE_OF_LAYOUT_1,
    MOMENT,
    SAO_PAULO,
    declared,
    identity,
    note,
    opens,
    provider,
    signatures,
)

from fiscal import xml
from fiscal.authorities.base import NotOffered
from fiscal.authorities.municipal import profiles
from fiscal.authorities.municipal.abrasf_values import item
from fiscal.authorities.municipal.sao_paulo import SaoPaulo
from fiscal.authorities.municipal.sao_paulo_values import cancel_string, rps_string
from fiscal.errors import InvalidRequest, SchemaInvalid


@pytest.fixture(autouse=True)
def _everywhere(settings: Any) -> None:
    settings.FISCAL_ENDPOINTS_BASE = "https://localhost:1"


def built(municipality: str, **also: Any) -> Any:
    return provider(municipality).build(
        declared(municipality, **also), identity(), signer=a1.signer()
    )


def texts(document: bytes, name: str) -> list[str]:
    return [each.text or "" for each in etree.fromstring(document).iter(f"{{*}}{name}")]


@pytest.mark.parametrize(
    ("family", "root", "n_signatures", "expected"),
    [
        (
            "issnet-2.04",
            "GerarNfseEnvio",
            1,
            {"Aliquota": "5.00", "ItemListaServico": "01.07", "DataEmissao": "2026-11-20"},
        ),
        (
            "webiss-2.02",
            "EnviarLoteRpsSincronoEnvio",
            2,
            {"Aliquota": "5.00", "ItemListaServico": "1.07", "MunicipioIncidencia": "4301602"},
        ),
        (
            "webiss-1.00",
            "EnviarLoteRpsEnvio",
            1,
            {"Aliquota": "0.0500", "DataEmissao": "2026-11-20T10:00:00", "NaturezaOperacao": "1"},
        ),
    ],
)
def test_one_declaration_is_the_best_message_of_each_family(family, root, n_signatures, expected):
    prepared = built(CITIES[family], servico__iss_retido="true")

    document = prepared.xml
    assert document.startswith(f"<{root} ".encode())
    assert signatures(document) == n_signatures
    assert {name: texts(document, name)[0] for name in expected} == expected
    assert texts(document, "ValorIss") == ["50.00"]
    assert texts(document, "RazaoSocial")[0] == "Tomador & Cia Ltda"
    assert texts(document, "Discriminacao") == ["Análise de sistemas\nsegunda linha"]
    assert prepared.digest_value in document.decode()
    assert (prepared.id, prepared.summary.total) == ("R1SOL03N1", Decimal("1000.00"))
    assert built(CITIES[family], servico__iss_retido="true").xml == document  # SIG-4


def test_groups_that_only_some_have_stand_where_each_version_wants_them():
    also = {
        "intermediario": {"cnpj": "11444777000161", "razao_social": "Intermediário"},
        "numero_rps_substituido": "7",
        "serie_rps_substituido": "A",
        "codigo_obra": "123",
        "art": "45",
        "servico__percentual_total_tributos": "13.45",
        "regime_especial_tributacao": "1",
        "servico__desconto_incondicionado": "10",
    }
    for municipality in CITIES.values():
        document = built(municipality, **also).xml  # valid, or it would be refused
        assert texts(document, "CodigoObra") == ["123"]
        assert "7" in texts(document, "Numero")

    assert texts(built(CITIES["issnet-2.04"], **also).xml, "ValTotTributos") == ["134.50"]
    net = texts(built(CITIES["webiss-1.00"], **also).xml, "ValorLiquidoNfse")
    assert net == ["990.00"]


@pytest.mark.parametrize(
    ("nature", "elsewhere", "exigibility", "due"),
    [
        ("1", False, "1", ["3543402"]),
        ("2", True, "1", ["3550308"]),
        ("3", False, "3", ["3543402"]),
        ("4", False, "5", []),
        ("6", False, "7", ["3543402"]),
    ],
)
def test_the_nature_of_2x_is_an_exigibility_and_a_place(nature, elsewhere, exigibility, due):
    place = SAO_PAULO if elsewhere else CITIES["issnet-2.04"]

    document = built(
        CITIES["issnet-2.04"], natureza_operacao=nature, servico__codigo_municipio=place
    ).xml

    assert texts(document, "ExigibilidadeISS") == [exigibility]
    assert texts(document, "MunicipioIncidencia") == due


def test_what_a_schema_refuses_is_told_by_the_field_of_the_request():
    with pytest.raises(SchemaInvalid) as wrong:
        built(CITIES["issnet-2.04"], servico__item_lista_servico="99.99", tomador__razao_social="")

    fields = [error.campo for error in wrong.value.erros]
    assert "servico.item_lista_servico" in fields
    assert "tomador.razao_social" in fields


@pytest.mark.parametrize("written", ["0107", "1.07", "01.07", "1.7", "107"])
def test_an_item_of_the_list_is_written_as_the_family_wants_it(written):
    families = {name: profiles.family(name) for name in CITIES}

    assert item(written, families["issnet-2.04"]) == "01.07"
    assert item(written, families["webiss-2.02"]) == "1.07"
    assert item("14.01", families["webiss-1.00"]) == "14.01"


@pytest.mark.parametrize("municipality", CITIES.values())
def test_a_cancellation_is_signed_with_the_usual_code_or_the_one_asked_for(municipality):
    of = note(municipality, number="202600000000010")
    made = {
        code: provider(municipality).build_cancellation(
            of, code=code, reason="x" * 15, now=MOMENT, signer=a1.signer()
        )
        for code in ("", "2")
    }

    assert texts(made[""].xml, "CodigoCancelamento") == ["1"]
    assert texts(made["2"].xml, "CodigoCancelamento") == ["2"]
    assert texts(made[""].xml, "CodigoMunicipio") == [municipality]
    assert signatures(made[""].xml) == 1


def test_a_cnpj_of_letters_passes_through_every_family():
    for municipality in (*CITIES.values(), SAO_PAULO):
        document = built(municipality, tomador__cnpj="12ABC34501DE35").xml
        assert b"12ABC34501DE35" in document


def test_who_is_refused_before_a_number_is_spent():
    one_rps = {"numero_rps_substituido": "1", "serie_rps_substituido": "A"}
    nobody = replace(declared(CITIES["webiss-1.00"], **one_rps), data={"numero_rps_substituido": 1})
    nobody = replace(nobody, issuer=replace(nobody.issuer, inscricao_municipal=""))

    fields = [error.campo for error in provider(CITIES["webiss-1.00"]).check(nobody)]

    assert fields == [
        "prestador.inscricao_municipal", "servico.valor_servicos", "numero_rps_substituido",
    ]  # fmt: skip
    assert list(provider(CITIES["issnet-2.04"]).check(declared(CITIES["issnet-2.04"]))) == []


def test_a_schema_speaks_portuguese_and_names_no_list_of_two_hundred():
    (wrong,) = provider(SAO_PAULO).check(declared(SAO_PAULO, codigo_obra="OB123"))
    assert wrong.campo == "codigo_obra"
    assert wrong.mensagem == "Valor não aceito pelo tipo tpNumero (valor: 'OB123')."

    issnet = CITIES["issnet-2.04"]
    (wrong,) = provider(issnet).check(declared(issnet, servico__item_lista_servico="03.01"))
    assert wrong.mensagem == "Valor fora da lista aceita (valor: '03.01')."


def test_a_code_that_the_city_does_not_take_is_refused_before_it_is_asked():
    for municipality in CITIES.values():
        with pytest.raises(InvalidRequest, match="1, 2, 4"):
            provider(municipality).build_cancellation(
                note(municipality, number="1"),
                code="5", reason="x" * 15, now=MOMENT, signer=a1.signer(),
            )  # fmt: skip


# --- São Paulo -------------------------------------------------------------------------------

_RPS = {
    "inscricao": "31000000",
    "serie": "OL03",
    "numero": "1",
    "natureza_operacao": "T",
    "normal": "N",
    "servico.iss_retido": "false",
    "servico.valor_servicos": "20500.00",
    "servico.valor_deducoes": "5000.00",
    "servico.codigo_tributario_municipio": "2658",
    "tomador.cpf": "13167474254",
}


@pytest.mark.parametrize(
    ("layout", "year", "also", "expected"),
    [
        (
            "1",
            "2007-01-03",
            {},
            "31000000OL03 00000000000120070103TNN0000000020500000000000005000000265810001316"
            "7474254",
        ),
        (
            "2",
            "2026-01-01",
            {"inscricao": "123456789012", "serie": "RTNT"},
            "123456789012RTNT 00000000000120260101TNN0000000020500000000000005000000265810001316"
            "7474254",
        ),
        (
            "2",
            "2026-01-01",
            {
                "inscricao": "123456789012", "serie": "RTNT", "tomador.cpf": "",
                "tomador.nif": "W123456789",
            },
            "123456789012RTNT 00000000000120260101TNN0000000020500000000000005000000265840000000"
            "0000000W123456789",
        ),
        (
            "2",
            "2026-01-01",
            {
                "inscricao": "123456789012", "serie": "RTNT", "tomador.cpf": "",
                "tomador.motivo_ausencia_nif": "2",
            },
            "123456789012RTNT 00000000000120260101TNN0000000020500000000000005000000265840000000"
            "00000002",
        ),
        (
            "1",
            "2007-01-03",
            {
                "tomador.cpf": "", "intermediario.cnpj": "11444777000161",
                "iss_retido_intermediario": "true",
            },
            "31000000OL03 00000000000120070103TNN00000000205000000000000050000002658300000000000000"
            "211444777000161S",
        ),
    ],
)  # fmt: skip
def test_the_signed_string_of_an_rps_is_that_of_the_manual(layout, year, also, expected):
    from datetime import date

    day = date.fromisoformat(year)

    assert rps_string({**_RPS, **also}, layout=layout, issued_on=day) == expected


def test_the_signed_string_of_a_cancellation_is_that_of_the_manual():
    assert cancel_string("31000000", "9") == "31000000000000000009"


def test_sao_paulo_takes_layout_2_for_facts_of_2026_and_signs_both_ways():
    of = declared(SAO_PAULO)
    old = replace(of, competence=COMPETENCE_OF_LAYOUT_1)
    sao_paulo = provider(SAO_PAULO)

    new_document, old_document = (
        sao_paulo.build(each, identity(), signer=a1.signer()).xml for each in (of, old)
    )

    assert b'Versao="2"' in new_document
    assert b'Versao="1"' in old_document
    assert (signatures(new_document), signatures(old_document)) == (1, 1)
    opens(
        new_document,
        texts(new_document, "Assinatura")[0],
        "000031000000OL03 00000000000120261120TNN000000000100000000000000000000"
        "026582" + "11444777000161",
    )
    assert texts(new_document, "ValorInicialCobrado") == ["1000.00"]
    assert texts(old_document, "ValorServicos") == ["1000.00"]
    assert texts(new_document, "AliquotaServicos") == ["0.0500"]
    assert texts(new_document, "Discriminacao") == ["Análise de sistemas|segunda linha"]


def test_a_profile_that_prefers_lots_sends_a_lot_of_one():
    of = declared(SAO_PAULO)
    own = profiles.profile("", municipality=SAO_PAULO, ambiente="producao")
    lots = replace(own, family=replace(own.family, operations=("EnvioLoteRPS", "EnvioRPS")))

    for competence, total in ((of.competence, []), (COMPETENCE_OF_LAYOUT_1, ["1000.00"])):
        made = SaoPaulo(lots).build(
            replace(of, competence=competence), identity(), signer=a1.signer()
        )
        assert made.xml.startswith(b"<PedidoEnvioLoteRPS ")
        assert texts(made.xml, "QtdRPS") == ["1"]
        assert texts(made.xml, "ValorTotalServicos") == total
        assert signatures(made.xml) == 1


@pytest.mark.parametrize(
    ("also", "letter"),
    [
        ({"natureza_operacao": "1"}, "T"),
        ({"natureza_operacao": "2", "servico__codigo_municipio": "3304557"}, "F"),
        ({"natureza_operacao": "3"}, "A"),
        ({"natureza_operacao": "3", "servico__codigo_municipio": "3304557"}, "B"),
        ({"natureza_operacao": "4"}, "M"),
        ({"natureza_operacao": "5"}, "X"),
        ({"natureza_operacao": "6", "servico__codigo_municipio": "3304557"}, "V"),
        ({"servico__codigo_pais_prestacao": "US"}, "P"),
    ],
)
def test_the_letter_of_the_taxation_tells_nature_and_place(also, letter):
    assert texts(built(SAO_PAULO, **also).xml, "TributacaoRPS") == [letter]


def test_sao_paulo_asks_for_the_reform_before_a_number_is_spent():
    bare = declared(
        SAO_PAULO, servico__codigo_nbs="", servico__codigo_indicador_operacao="",
        servico__ibs_cbs_classificacao_tributaria="", servico__codigo_tributario_municipio="",
    )  # fmt: skip
    sao_paulo = provider(SAO_PAULO)

    assert [error.campo for error in sao_paulo.check(bare)] == [
        "servico.codigo_tributario_municipio",
        "servico.codigo_nbs",
        "servico.codigo_indicador_operacao",
        "servico.ibs_cbs_classificacao_tributaria",
    ]
    assert len(sao_paulo.check(replace(bare, competence=COMPETENCE_OF_LAYOUT_1))) == 1
    assert list(sao_paulo.check(declared(SAO_PAULO))) == []


def test_a_cancellation_in_sao_paulo_signs_its_string_and_the_message():
    made = provider(SAO_PAULO).build_cancellation(
        note(SAO_PAULO, number="9"), code="", reason="x" * 15, now=MOMENT, signer=a1.signer()
    )

    assert signatures(made.xml) == 1
    opens(made.xml, texts(made.xml, "AssinaturaCancelamento")[0], "31000000000000000009")
    assert not xml.faults(made.xml, "spPedidoCancelamentoNFe2")


# --- profiles --------------------------------------------------------------------------------


def test_every_city_of_the_table_has_a_family_that_exists(settings):
    from fiscal.tables import nfse_cities, places

    settings.FISCAL_ENDPOINTS_BASE = ""
    served = [city for city in nfse_cities.cities().values() if city.family]

    for city in served:
        made = profiles.city(city.code, next(iter(city.addresses)))
        assert (made.slug, made.route) == (city.family, f"M{city.code}")
    assert len(served) >= 20
    assert all(places.municipality(code) for code in nfse_cities.cities())
    assert not profiles.city(SAO_PAULO, "producao").features.resends_safely


def test_a_city_without_service_or_environment_is_not_offered(settings):
    settings.FISCAL_ENDPOINTS_BASE = ""

    for municipality, ambiente in (
        ("1234567", "producao"),  # unknown
        (SAO_PAULO, "homologacao"),  # it has no test environment
    ):
        with pytest.raises(NotOffered):
            profiles.city(municipality, ambiente)
    with pytest.raises(NotOffered):
        profiles.provider("nenhuma", municipality=SAO_PAULO, ambiente="producao")


def test_a_city_whose_system_is_not_spoken_takes_files_only():
    only = profiles.city("1100205", "producao")

    assert (only.slug, only.features.sends, only.route) == ("arquivo", False, "M1100205")
    assert "/v2/lotes_rps" in only.check(declared(SAO_PAULO))[0].mensagem
    calls = (
        lambda: only.build(declared(SAO_PAULO), identity(), signer=a1.signer()),
        lambda: only.find(note("1100205"), credentials=None),
        lambda: only.find_cancellation(note("1100205"), credentials=None),
    )
    for call in calls:
        with pytest.raises(NotOffered):
            call()
