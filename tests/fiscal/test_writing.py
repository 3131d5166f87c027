"""The canonical writer: XML-1 to XML-8, XML-14, SIG-3 and SIG-5."""

from __future__ import annotations

import re
import subprocess
import sys
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree
from support import nfelib_reading
from support.nfe_documents import document, identity, item, signed

from fiscal import xml
from fiscal.documents.nfe import formats
from fiscal.documents.nfe.groups import places
from fiscal.documents.nfe.layout import layout
from fiscal.documents.nfe.make import key_of
from fiscal.documents.nfe.writing import TEST_ITEM, TEST_RECIPIENT, write
from fiscal.documents.types import Identity
from fiscal.errors import SchemaInvalid

NS = {"n": xml.NFE}


def written(data: dict[str, Any], who: Identity | None = None) -> str:
    """Text of infNFe, valid or not."""
    who = who or identity()
    return write(data, who, chave=key_of(data, who)).decode()


def of_item(**fields: Any) -> str:
    """The written item: fields given as None are taken out."""
    values = {name: value for name, value in item(**fields).items() if value is not None}
    text = written(document(values))
    return text[text.index("<det ") : text.index("</det>")]


def values(text: str, tag: str) -> list[str]:
    return re.findall(rf"<{tag}>([^<]*)</{tag}>", text)


# --- canonical form --------------------------------------------------------------------------

UGLY = "R&D <b>\"aspas\" e 'apóstrofos'</b> ]]> çÇãÿ ¡"


@pytest.mark.parametrize("modelo", [55, 65])
def test_the_document_is_already_in_canonical_form(modelo: int) -> None:
    data = document(
        item(descricao=UGLY, observacoes_contribuinte=[{"campo": 'a"<b>&', "texto": UGLY}]),
        modelo=modelo,
        informacoes_adicionais_contribuinte=UGLY,
        observacoes_contribuinte=[{"campo": 'x "y" & z', "texto": UGLY}],
    )

    made = signed(data, modelo=modelo)

    assert etree.tostring(etree.fromstring(made.xml), method="c14n") == made.xml


def test_the_digested_bytes_are_the_canonical_form_of_the_element_with_its_namespace() -> None:
    data = document(item(descricao=UGLY))
    inner = write(data, identity(), chave=key_of(data, identity()))

    alone = etree.tostring(etree.fromstring(inner), method="c14n")

    assert alone == inner
    assert inner.startswith(b'<infNFe xmlns="http://www.portalfiscal.inf.br/nfe" Id="NFe')


def test_nothing_stands_between_the_tags_and_no_tag_is_empty() -> None:
    text = signed(document(item(), item(2))).xml.decode()

    assert not text.startswith("<?xml")
    assert re.search(r">\s+<", text) is None
    assert re.search(r"<(\w+)[^>]*></\1>", text.partition("<Signature")[0]) is None
    assert "<!--" not in text
    assert re.search(r"<\w+:", text) is None


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=200))
def test_any_cleaned_text_comes_back_as_it_was(text: str) -> None:
    clean = xml.text(text) or "vazio"
    data = document(informacoes_adicionais_contribuinte=clean)

    root = etree.fromstring(write(data, identity(), chave=key_of(data, identity())))

    assert root.findtext("n:infAdic/n:infCpl", namespaces=NS) == clean


def test_the_order_is_that_of_the_schema_whatever_the_order_of_the_data() -> None:
    data = document()
    shuffled = {name: data[name] for name in sorted(data, reverse=True)}
    shuffled["items"] = [dict(sorted(data["items"][0].items(), reverse=True))]

    assert written(shuffled) == written(data)


def test_the_generated_code_does_not_depend_on_the_order_of_hashes() -> None:
    script = (
        "import hashlib; from fiscal.documents.nfe.generator import source_of;"
        "print(hashlib.sha256(source_of(55).encode()).hexdigest())"
    )
    digests = {
        subprocess.run(
            [sys.executable, "-c", script],
            env={"PYTHONHASHSEED": seed, "PATH": "/usr/bin:/bin"},
            capture_output=True,
            check=True,
            text=True,
        ).stdout
        for seed in ("1", "2")
    }

    assert len(digests) == 1


# --- values (XML-4, XML-5) -------------------------------------------------------------------


def test_decimals_are_written_as_their_types_want_them() -> None:
    text = of_item(
        quantidade_comercial=Decimal("3"),
        valor_unitario_comercial=Decimal("0.3333333333"),
        valor_unitario_tributavel=Decimal("1E+2"),
        valor_bruto=Decimal("1"),
        icms_aliquota=Decimal("7"),
        ibs_uf_aliquota=Decimal("0.1"),
    )

    assert values(text, "qCom") == ["3.0000"]
    assert values(text, "vUnCom") == ["0.3333333333"]
    assert values(text, "vUnTrib") == ["100.00"]
    assert values(text, "vProd") == ["1.00"]
    assert values(text, "pICMS") == ["7.0000"]
    assert values(text, "pIBSUF") == ["0.1000"]


@pytest.mark.parametrize(
    ("value", "shown"),
    [("1.005", "1.01"), ("2.675", "2.68"), ("10.235", "10.24"), ("0.335", "0.34"), ("0", "0.00")],
)
def test_money_rounds_half_up_where_binary_floats_would_not(value: str, shown: str) -> None:
    assert values(of_item(valor_bruto=Decimal(value)), "vProd") == [shown]


@settings(max_examples=200)
@given(
    st.decimals(min_value=0, max_value=10**11 - 1, places=10, allow_nan=False),
    st.integers(min_value=-40, max_value=40),
)
def test_no_decimal_ever_has_an_exponent(value: Decimal, shift: int) -> None:
    scaled = value.scaleb(shift) if value else value.copy_abs().scaleb(shift)
    for write_number in (formats.cents, formats.decimal(4), formats.short_decimal):
        text = write_number(scaled)

        assert re.fullmatch(r"[0-9]+\.[0-9]{2,10}", text), (scaled, text)


@settings(max_examples=200)
@given(st.decimals(min_value=0, max_value=10**11 - 1, places=10, allow_nan=False))
def test_unit_prices_lose_nothing(value: Decimal) -> None:
    assert Decimal(formats.short_decimal(value)) == value


def test_a_zero_that_the_type_forbids_is_left_out_and_a_zero_that_counts_is_written() -> None:
    zero = Decimal("0.00")
    text = of_item(valor_frete=zero, valor_desconto=zero, icms_aliquota=Decimal(0), icms_valor=zero)

    assert "vFrete" not in text
    assert "vDesc" not in text
    assert values(text, "pICMS") == ["0.0000"]
    assert values(text, "vICMS") == ["0.00"]


def test_a_block_of_the_fcp_without_value_is_left_out() -> None:
    text = of_item(fcp_percentual=Decimal(0), fcp_valor=Decimal("0.00"))

    assert "FCP" not in text


def test_retained_st_declared_as_zero_is_written_whole() -> None:
    zero = Decimal("0.00")
    text = of_item(
        icms_situacao_tributaria="60",
        icms_base_calculo_retido_st=zero,
        icms_aliquota_final=zero,
        icms_valor_retido_st=zero,
    )

    assert "<vBCSTRet>0.00</vBCSTRet><pST>0.0000</pST><vICMSSTRet>0.00</vICMSSTRet>" in text


def test_the_totals_of_icms_are_all_there_even_when_nothing_was_given() -> None:
    data = document()
    for name in ("icms_base_calculo", "icms_valor_total", "valor_pis", "valor_cofins"):
        del data[name]

    text = written(data)

    total = text[text.index("<ICMSTot>") : text.index("</ICMSTot>")]
    assert values(total, "vBC") == ["0.00"]
    assert values(total, "vICMS") == ["0.00"]
    assert values(total, "vST") == ["0.00"]


def test_optional_totals_are_whole_or_absent() -> None:
    one = document(ibs_valor_total_monofasico=Decimal("1.00"))

    mono = written(one)

    assert "<gMono><vIBSMono>1.00</vIBSMono><vCBSMono>0.00</vCBSMono>" in mono
    assert "gMono" not in written(document())
    assert "ISSQNtot" not in written(document())
    assert "retTrib" not in written(document(pis_valor_retido=Decimal("0.00")))


# --- groups by CST ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("cst", "group", "shown"),
    [
        ("10_partilha", "ICMSPart", "10"),
        ("41_st", "ICMSST", "41"),
        ("10", "ICMS10", "10"),
        ("41", "ICMS40", "41"),
        ("60", "ICMS60", "60"),
    ],
)
def test_the_special_forms_of_a_cst_choose_another_group(cst: str, group: str, shown: str) -> None:
    text = of_item(icms_situacao_tributaria=cst)

    assert f"<{group}><orig>0</orig><CST>{shown}</CST>" in text


def test_values_that_do_not_belong_to_the_cst_are_not_written() -> None:
    text = of_item(icms_situacao_tributaria="40", pis_situacao_tributaria="07")

    assert "<ICMS><ICMS40><orig>0</orig><CST>40</CST></ICMS40></ICMS>" in text
    assert "<PIS><PISNT><CST>07</CST></PISNT></PIS>" in text


def test_pis_of_other_operations_goes_by_value_or_by_quantity() -> None:
    by_value = of_item(pis_situacao_tributaria="99")
    by_quantity = of_item(
        pis_situacao_tributaria="99",
        pis_base_calculo=Decimal("0.00"),
        pis_aliquota_porcentual=Decimal(0),
        pis_quantidade_vendida=Decimal("2"),
        pis_aliquota_valor=Decimal("0.5"),
    )
    of_nothing = of_item(
        pis_situacao_tributaria="99",
        pis_base_calculo=Decimal("0.00"),
        pis_aliquota_porcentual=Decimal(0),
        pis_quantidade_vendida=Decimal(0),
        pis_aliquota_valor=Decimal(0),
        pis_valor=Decimal("0.00"),
    )

    assert "<CST>99</CST><vBC>16.40</vBC><pPIS>1.6500</pPIS><vPIS>" in by_value
    assert "<CST>99</CST><qBCProd>2.0000</qBCProd><vAliqProd>0.5000</vAliqProd>" in by_quantity
    assert "<CST>99</CST><vBC>0.00</vBC><pPIS>0.0000</pPIS><vPIS>0.00</vPIS>" in of_nothing


def test_a_service_has_issqn_and_no_icms() -> None:
    text = of_item(
        issqn_base_calculo=Decimal("20.00"),
        issqn_aliquota=Decimal("5"),
        issqn_valor=Decimal("1.00"),
        issqn_codigo_municipio="3550308",
        issqn_item_lista_servico="01.01",
        issqn_indicador_exigibilidade="1",
        issqn_indicador_incentivo="2",
        ipi_situacao_tributaria="53",
        ipi_codigo_enquadramento_legal="999",
    )

    assert "<ICMS>" not in text
    assert text.count("<IPI>") == 1
    assert text.index("<IPI>") < text.index("<ISSQN>") < text.index("<PIS>")


def test_a_quantity_shared_by_ibs_and_cbs_does_not_call_for_the_tax_without_values() -> None:
    text = of_item(
        ibs_cbs_situacao_tributaria="620",
        ibs_cbs_classificacao_tributaria="620001",
        **dict.fromkeys(name for name in item() if re.match(r"ibs_|cbs_", name)
                         and "tributaria" not in name),
        mono_base_calculo_quantidade_tributada=Decimal("10"),
        mono_cbs_aliquota_ad_rem=Decimal("0.5"),
        mono_cbs_valor=Decimal("5.00"),
        mono_total_ibs_item=Decimal("0.00"),
        mono_total_cbs_item=Decimal("5.00"),
    )  # fmt: skip

    assert "gIBSMonoAdRem" not in text
    assert "<gCBSMonoAdRem><gMonoPadrao><qBCMono>10.0000</qBCMono>" in text


# --- what the engine decides -----------------------------------------------------------------


def test_the_identity_fills_ide_and_the_key() -> None:
    made = signed(document(), serie=890, numero=7, cnf="87654321", ambiente="homologacao")

    ide = nfelib_reading.read(made.xml).ide
    found = (ide.cUF.value, ide.cNF, ide.serie, ide.nNF, ide.tpEmis.value, ide.tpAmb.value, ide.cDV)
    assert found == ("35", "87654321", "890", "7", "1", "2", made.chave[43])
    assert made.chave[:43] == "3526111122233300018155890000000007187654321"


def test_contingency_is_written_in_the_offset_of_the_document() -> None:
    began = datetime(2026, 11, 21, 12, 30, tzinfo=UTC)

    text = written(document(), identity(tp_emis=6, dh_cont=began, x_just="SEFAZ & rede fora do ar"))

    assert (
        "<dhCont>2026-11-21T09:30:00-03:00</dhCont><xJust>SEFAZ &amp; rede fora do ar</xJust>"
        in text
    )
    assert "<tpEmis>6</tpEmis>" in text


def test_homologacao_shows_its_texts_and_leaves_the_data_as_they_were() -> None:
    buyer = {
        "cpf_destinatario": "52998224725",
        "nome_destinatario": "Maria",
        "indicador_inscricao_estadual_destinatario": "9",
    }
    data = document(item(), item(2), modelo=65, **buyer)

    text = written(data, identity(65, ambiente="homologacao"))

    assert values(text, "xProd") == [TEST_ITEM, "Caneta azul"]
    assert values(text, "xNome")[1] == TEST_RECIPIENT
    assert (data["items"][0]["descricao"], data["nome_destinatario"]) == ("Caneta azul", "Maria")


def test_producao_shows_the_true_texts() -> None:
    text = written(document(modelo=65), identity(65))

    assert values(text, "xProd") == ["Caneta azul"]


# --- the few special elements ----------------------------------------------------------------


def test_a_referenced_key_with_its_code_hidden_is_another_element() -> None:
    shown = "35261111222333000181550010000001231123456715"
    hidden = f"{shown[:35]}00000000{shown[43]}"

    text = written(document(notas_referenciadas=[{"chave_nfe": shown}, {"chave_nfe": hidden}]))

    assert values(text, "refNFe") == [shown]
    assert values(text, "refNFeSig") == [hidden]


def test_a_foreigner_without_document_is_the_one_empty_element() -> None:
    data = document(uf_destinatario="EX", codigo_municipio_destinatario="9999999")
    del data["cnpj_destinatario"]

    made = signed(data)

    assert b"<dest><idEstrangeiro></idEstrangeiro><xNome>" in made.xml


def test_only_the_first_address_of_the_recipient_is_written() -> None:
    text = written(document(email_destinatario="a@exemplo.com.br, b@exemplo.com.br"))

    assert values(text, "email") == ["a@exemplo.com.br"]


def test_an_uf_is_written_by_its_code_where_the_layout_wants_codes() -> None:
    entry = {"uf": "SP", "mes": "2601", "cnpj": "11222333000181", "modelo": "01",
             "serie": "0", "numero": "5"}  # fmt: skip

    made = signed(document(notas_referenciadas=[entry]))

    assert b"<refNF><cUF>35</cUF><AAMM>2601</AAMM>" in made.xml


# --- size ------------------------------------------------------------------------------------


def test_990_items_make_a_valid_document() -> None:
    lean = {
        name: value
        for name, value in item().items()
        if not name.startswith(("ibs_", "cbs_", "valor_total_item"))
    }
    lean |= {"icms_situacao_tributaria": "40", "pis_situacao_tributaria": "07",
             "cofins_situacao_tributaria": "07"}  # fmt: skip
    items = [{**lean, "numero_item": str(n + 1), "descricao": f"Item {n + 1}"} for n in range(990)]

    made = signed(document(*items))

    read = nfelib_reading.read(made.xml)
    assert [row.nItem for row in read.det] == [str(n + 1) for n in range(990)]
    assert len(made.xml) <= xml.DOCUMENT_LIMIT


def test_more_than_500_kb_are_refused_before_any_number_is_taken() -> None:
    items = [item(n + 1, informacoes_adicionais_item="x" * 500) for n in range(700)]

    with pytest.raises(SchemaInvalid) as refusal:
        signed(document(*items))

    assert [error.campo for error in refusal.value.erros] == ["items"]
    assert "500 KB" in refusal.value.erros[0].mensagem


def test_the_ugliest_text_is_valid_and_comes_back() -> None:
    ugly = xml.text((UGLY + ' 😀 "&" – “ok” €\t\n') * 200)[:5000].strip()

    made = signed(document(informacoes_adicionais_contribuinte=ugly))

    assert len(ugly) > 4900
    assert nfelib_reading.read(made.xml).infAdic.infCpl == ugly


# --- the ordered table (XML-3) ---------------------------------------------------------------


def test_the_order_of_the_layout_is_the_one_of_the_guide() -> None:
    nodes = dict(layout().walk())
    top = [node.name for node in layout().elements()]
    taxes = list(dict.fromkeys(node.name for node in nodes["det/imposto"].elements()))

    assert top[:8] == ["ide", "emit", "avulsa", "dest", "retirada", "entrega", "autXML", "det"]
    assert top[8:13] == ["total", "transp", "cobr", "pag", "infIntermed"]
    assert taxes == [
        "vTotTrib", "ICMS", "IPI", "II", "ISSQN", "PIS", "PISST", "COFINS", "COFINSST",
        "ICMSUFDest", "IS", "IBSCBS",
    ]  # fmt: skip
    assert (nodes["det"].least, nodes["det"].most) == (1, 990)


@pytest.mark.parametrize(
    ("place", "decimals", "drops"),
    [
        ("det/prod/vProd", 2, False),
        ("det/prod/vFrete", 2, True),
        ("det/prod/qCom", 4, False),
        ("det/prod/vUnCom", 10, False),
        ("det/imposto/ICMS/ICMS00/pICMS", 4, False),
        ("det/imposto/ICMS/ICMS00/pFCP", 4, True),
        ("transp/vol/pesoL", 3, False),
        ("det/impostoDevol/pDevol", 2, False),
        ("det/imposto/IBSCBS/gIBSCBS/gIBSUF/pIBSUF", 4, False),
    ],
)
def test_decimals_come_from_the_type(place: str, decimals: int, drops: bool) -> None:
    kind = dict(layout().walk())[place].type

    assert kind is not None
    assert (kind.decimals, kind.drops_zero) == (decimals, drops)


def test_a_service_and_a_sale_share_the_place_of_ipi() -> None:
    assert sum(path == "det/imposto/IPI" for path, _ in layout().walk()) == 2
    assert "det/imposto/IPI/cEnq" in places(55).fields
