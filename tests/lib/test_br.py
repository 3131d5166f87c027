from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from validate_docbr import CNPJ, CPF

from lib import br


@pytest.mark.parametrize(
    "text",
    ["12.ABC.345/01DE-35", "12abc34501de35", " 12.abc.345/01de-35 ", "11.222.333/0001-81"],
)
def test_a_cnpj_is_accepted_masked_or_not_with_or_without_letters(text: str) -> None:
    assert br.is_cnpj(text)
    assert br.document_kind(text) == "cnpj"


@pytest.mark.parametrize(
    "text",
    [
        "12.ABC.345/01DE-36",
        "00000000000000",
        "11111111111111",
        "1122233300018",
        "112223330001811",
        "11222333000A81",
        "12ABC34501DEA5",
        "11.222.333/0001-8１",
        "ıı.222.333/0001-81",
        "",
        "É2ABC34501DE35",
    ],
)
def test_anything_else_is_not_a_cnpj(text: str) -> None:
    assert not br.is_cnpj(text)
    assert br.document_kind(text) is None


@pytest.mark.parametrize("text", ["529.982.247-25", "52998224725", "529 982 247 25"])
def test_a_cpf_is_accepted_masked_or_not(text: str) -> None:
    assert br.is_cpf(text)
    assert br.document_kind(text) == "cpf"


@pytest.mark.parametrize(
    "text",
    ["52998224726", "00000000000", "99999999999", "5299822472", "5299822472A", "５2998224725"],
)
def test_anything_else_is_not_a_cpf(text: str) -> None:
    assert not br.is_cpf(text)
    assert br.document_kind(text) is None


@given(st.from_regex(r"[0-9A-Z]{12}[0-9]{2}", fullmatch=True))
@settings(max_examples=100, deadline=None)
def test_cnpj_check_digits_agree_with_validate_docbr(text: str) -> None:
    right = CNPJ().generate()
    assert br.is_cnpj(right)
    assert br.is_cnpj(text) == (CNPJ().validate(text) and len(set(text)) > 1)


@given(st.from_regex(r"[0-9]{11}", fullmatch=True))
@settings(max_examples=100, deadline=None)
def test_cpf_check_digits_agree_with_validate_docbr(text: str) -> None:
    assert br.is_cpf(CPF().generate())
    assert br.is_cpf(text) == CPF().validate(text)


def test_normalising_a_document_keeps_its_letters() -> None:
    assert br.normalise_document(" 12.abc.345/01de-35\u00a0") == "12ABC34501DE35"


def test_masks() -> None:
    assert br.cnpj_mask("12abc34501de35") == "12.ABC.345/01DE-35"
    assert br.cpf_mask("52998224725") == "529.982.247-25"
    assert br.document_mask("52998224725") == "529.982.247-25"
    assert br.document_mask("11222333000181") == "11.222.333/0001-81"
    assert br.cep_mask("01310100") == "01310-100"


@pytest.mark.parametrize("mask", [br.cnpj_mask, br.cpf_mask, br.document_mask, br.cep_mask])
def test_text_of_another_length_is_not_masked(mask: object) -> None:
    assert callable(mask)
    assert mask("12-3") == "12-3"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("11912345678", "(11) 91234-5678"),
        ("1132345678", "(11) 3234-5678"),
        ("+55 11 91234-5678", "(11) 91234-5678"),
        ("55991234567", "(55) 99123-4567"),
        ("0800 123", "0800 123"),
    ],
)
def test_phone_mask(text: str, shown: str) -> None:
    assert br.phone_mask(text) == shown


@pytest.mark.parametrize(
    ("text", "answer"),
    [("01310100", True), ("01310-100", False), ("0131010", False), ("０1310100", False)],
)
def test_a_cep_is_eight_digits_without_a_dash(text: str, answer: bool) -> None:
    assert br.is_cep(text) is answer


def test_only_digits_prepares_a_typed_cep() -> None:
    assert br.is_cep(br.only_digits("01310-100"))


def test_fold_makes_text_searchable() -> None:
    assert br.fold("  PADARIA   São João\tLtda. Nº 3 ") == "padaria sao joao ltda. no 3"
    assert br.fold("Ação") == br.fold("ACAO")
    assert br.fold("12.ABC") == "12.abc"


@given(st.text(max_size=30))
@settings(max_examples=100, deadline=None)
def test_folding_twice_changes_nothing(text: str) -> None:
    assert br.fold(br.fold(text)) == br.fold(text)


def test_there_are_27_federative_units() -> None:
    assert len(br.UFS) == 27
    assert {"SP", "DF", "RR"} <= br.UFS
    assert "EX" not in br.UFS


@pytest.mark.parametrize(
    "text", ["12/08/2026", "12-08-2026", "2026-08-12", "12082026", " 12/08/2026 "]
)
def test_dates_are_read_in_four_shapes(text: str) -> None:
    assert br.parse_date(text) == date(2026, 8, 12)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "date",
        "31/02/2026",
        "29/02/2026",
        "12/8/2026",
        "12/08/26",
        "12/08/0026",
        "2026/08/12",
        "12/08-2026",
        "20260812T",
        "00/01/2026",
        "１２/08/2026",
        "20261301",
    ],
)
def test_other_dates_are_refused_with_the_text_for_people(text: str) -> None:
    with pytest.raises(ValueError) as refusal:
        br.parse_date(text)

    assert str(refusal.value) == "Data inválida. Use dd/mm/aaaa."


def test_date_br_pads_every_part() -> None:
    assert br.date_br(date(2026, 8, 2)) == "02/08/2026"
    assert br.date_br(date(26, 8, 2)) == "02/08/0026"


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("0", "zero reais"),
        ("0.01", "um centavo"),
        ("0.50", "cinquenta centavos"),
        ("1", "um real"),
        ("1.01", "um real e um centavo"),
        ("16", "dezesseis reais"),
        ("21.15", "vinte e um reais e quinze centavos"),
        ("100", "cem reais"),
        ("101", "cento e um reais"),
        ("999", "novecentos e noventa e nove reais"),
        ("1000", "mil reais"),
        ("1001", "mil e um reais"),
        ("1100", "mil e cem reais"),
        ("1101", "mil cento e um reais"),
        ("2000", "dois mil reais"),
        ("100000", "cem mil reais"),
        ("1000000", "um milhão de reais"),
        ("1000000.10", "um milhão de reais e dez centavos"),
        ("1000001", "um milhão e um reais"),
        ("1001000", "um milhão e mil reais"),
        ("1200000", "um milhão e duzentos mil reais"),
        (
            "1234567.89",
            "um milhão duzentos e trinta e quatro mil quinhentos e sessenta e sete reais"
            " e oitenta e nove centavos",
        ),
        ("2000000000", "dois bilhões de reais"),
        ("3000000000000", "três trilhões de reais"),
        ("14.375", "quatorze reais e trinta e oito centavos"),
        ("-12.30", "menos doze reais e trinta centavos"),
        ("-0.001", "zero reais"),
    ],
)
def test_extenso_writes_amounts_in_words(value: str, words: str) -> None:
    assert br.extenso(Decimal(value)) == words


def test_extenso_stops_before_the_quadrillion() -> None:
    with pytest.raises(ValueError):
        br.extenso(Decimal(10) ** 15)
