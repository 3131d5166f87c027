"""The catalogue of request fields against its own words and the types of the layout (XML-5)."""

from __future__ import annotations

import re
from decimal import Decimal
from importlib.resources import files

import pytest
from lxml import etree

from fiscal.documents.nfe.catalogue import DECIMAL_TYPES, catalogue

_SCHEMAS = files("nfelib") / "nfe" / "schemas" / "v4_0"
_XS = "{http://www.w3.org/2001/XMLSchema}"


def _patterns() -> dict[str, str]:
    found = {}
    for name in ("tiposBasico_v4.00.xsd", "DFeTiposBasicos_v1.00.xsd"):
        root = etree.fromstring((_SCHEMAS / name).read_bytes())
        for kind in root.iter(f"{_XS}simpleType"):
            pattern = kind.find(f".//{_XS}pattern")
            if kind.get("name") and pattern is not None:
                found[kind.get("name")] = pattern.get("value")
    return found


def _digits(number: int, decimals: int) -> str:
    return "1" * number + ("." + "1" * decimals if decimals else "")


@pytest.mark.parametrize("name", sorted(DECIMAL_TYPES))
def test_a_decimal_type_takes_what_its_pattern_takes(name):
    kind, pattern = DECIMAL_TYPES[name], re.compile(_patterns()[name])
    whole = 2 if kind.maximum else kind.integer_digits

    assert pattern.fullmatch(_digits(whole, kind.scale[0]))
    assert pattern.fullmatch(_digits(whole, kind.scale[1]))
    assert not pattern.fullmatch(_digits(kind.integer_digits + 1, kind.scale[1]))
    assert not pattern.fullmatch(_digits(1, kind.scale[1] + 1))
    assert bool(pattern.fullmatch("0")) is kind.zero


def test_every_decimal_has_limits():
    for modelo in (55, 65):
        for field in catalogue(modelo).fields:
            if field.kind == "decimal":
                assert field.integer_digits >= 3, field.path
                assert field.scale[0] <= field.scale[1] <= 10, field.path


@pytest.mark.parametrize(("modelo", "n_fields", "n_forbidden"), [(55, 682, 0), (65, 549, 130)])
def test_both_catalogues_are_whole(modelo, n_fields, n_forbidden):
    source = catalogue(modelo)

    assert (len(source.fields), len(source.forbidden)) == (n_fields, n_forbidden)
    assert len(source.by_path) == n_fields


def test_a_field_knows_the_lists_it_sits_in():
    source = catalogue(55)

    assert source.by_path["natureza_operacao"].parents == ()
    assert source.by_path["items[].cfop"].parents == ("items",)
    numero = source.by_path["items[].documentos_importacao[].adicoes[].numero"]
    assert numero.parents == ("items", "documentos_importacao", "adicoes")
    assert source.level("volumes", "lacres").keys() == {"numero"}


def test_the_layout_wins_where_the_catalogue_errs():
    source = catalogue(55)

    assert source.by_path["items[].icms_valor_substituto"].integer_digits == 13  # TDec_1302
    assert source.by_path["pais_destinatario"].max_length == 60  # xPais is a name
    assert source.by_path["items[].icms_percentual_diferimento"].maximum == Decimal(100)


def test_nfce_lists_the_fields_that_it_refuses_and_why():
    forbidden = catalogue(65).forbidden

    assert forbidden["data_entrada_saida"] == "705"
    assert forbidden["items[].ipi_valor"] == "742"
    assert not forbidden.keys() & catalogue(65).by_path.keys()


def test_inferred_fields_are_fields():
    field = catalogue(55).by_path["items[].numero_recopi"]

    assert (field.inferred, field.xml) == (True, ("det/prod/nRECOPI",))


def test_a_catalogue_is_read_once_and_cannot_be_changed():
    source = catalogue(55)

    assert catalogue(55) is source
    with pytest.raises(TypeError):
        source.tax_groups["icms"]["cst"]["ICMS00"] = ()
    with pytest.raises(AttributeError):
        source.fields[0].name = "outro"
