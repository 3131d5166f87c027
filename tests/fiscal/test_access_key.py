"""Access keys and Ids (KEY-1 to KEY-9, NUM-6)."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fiscal import access_key
from fiscal.access_key import aamm_of, check_digit, compose, is_valid, parse

PARTS: dict[str, Any] = {
    "cuf": "35",
    "aamm": "2611",
    "document": "12ABC34501DE35",
    "modelo": 55,
    "serie": 1,
    "numero": 42,
    "tp_emis": 1,
    "cnf": "18094756",
}


def slow_digit(body: str) -> str:
    """KEY-3 word by word: weights 2, 3, …, 9, 2, 3, … from right to left."""
    total, weight = 0, 2
    for char in body[::-1]:
        worth = "0123456789:;<=>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ".index(char)
        total += worth * weight
        weight = 2 if weight == 9 else weight + 1
    rest = total % 11
    return "0" if rest in (0, 1) else str(11 - rest)


# --- check digit (KEY-3) ---------------------------------------------------------------------


@pytest.mark.parametrize(
    "chave",
    [
        # Published documents of the portal and of packaged samples.
        "35180834128745000152550010000476051695511860",
        "42220575277525000178550030000292481295366801",
        "26180875335849000115550010000016871192213331",
        "41170706117473000150550010000463202612756525",
        "35080599999090910270550010000000015180051273",
    ],
)
def test_published_keys_are_valid(chave: str) -> None:
    assert is_valid(chave)
    assert check_digit(chave[:43]) == chave[43]


@pytest.mark.parametrize(("rest", "digit"), [(0, "0"), (1, "0"), (2, "9"), (10, "1")])
def test_digit_by_rest(rest: int, digit: str) -> None:
    """Rest 0 and rest 1 both give 0; found by trying the last character of cNF."""
    bodies = (f"{n:043d}" for n in range(200))
    body = next(body for body in bodies if _rest(body) == rest)
    assert check_digit(body) == digit


def _rest(body: str) -> int:
    weights = [2, 3, 4, 5, 6, 7, 8, 9] * 6
    return sum(int(char) * weight for char, weight in zip(body[::-1], weights, strict=False)) % 11


@given(st.from_regex(r"[0-9]{6}[0-9A-Z]{12}[0-9]{25}", fullmatch=True))
def test_digit_agrees_with_the_rule_read_word_by_word(body: str) -> None:
    assert check_digit(body) == slow_digit(body)


@given(st.from_regex(r"[0-9]{2}26(0[1-9]|1[0-2])[0-9A-Z]{12}[0-9]{25}", fullmatch=True))
def test_one_changed_character_is_noticed(body: str) -> None:
    """Weights 2–9 and 11 prime: a single wrong digit never passes, save into another rest-0/1."""
    chave = body + check_digit(body)
    wrong = body[:30] + str((int(body[30]) + 1) % 10) + body[31:] + chave[43]
    assert not is_valid(wrong) or check_digit(body) == "0"


def test_letters_count_by_their_code_minus_48() -> None:
    with_letter = compose(**PARTS)
    assert with_letter[43] == slow_digit(with_letter[:43])
    assert with_letter[6:20] == "12ABC34501DE35"
    other = compose(**{**PARTS, "document": "12ABD34501DE35"})
    assert other[43] != with_letter[43]


# --- composition (KEY-1, KEY-2) --------------------------------------------------------------


def test_key_has_its_parts_in_order() -> None:
    chave = compose(**PARTS)
    assert chave[:43] == "35261112ABC34501DE3555001000000042118094756"
    assert re.fullmatch(access_key.PATTERN, chave)
    parts = parse(chave)
    assert parts == access_key.KeyParts(
        "35", "2611", "12ABC34501DE35", 55, 1, 42, 1, "18094756", chave[43]
    )
    assert (parts.uf, parts.issuer, parts.is_cpf) == ("SP", "12ABC34501DE35", False)


def test_cpf_is_padded_with_three_zeros() -> None:
    chave = compose(**{**PARTS, "document": "11144477735", "serie": 920})
    assert chave[6:20] == "00011144477735"
    parts = parse(chave)
    assert parts.is_cpf
    assert parts.issuer == "11144477735"


def test_series_of_persons_says_cpf_even_when_the_block_reads_as_a_cnpj() -> None:
    """A CNPJ may begin with three zeros: 00000000000191 is a bank."""
    company = parse(compose(**{**PARTS, "document": "00000000000191"}))
    assert not company.is_cpf
    assert company.issuer == "00000000000191"


@pytest.mark.parametrize(("serie", "numero"), [(0, 1), (999, 999_999_999), (889, 1)])
def test_edges_of_series_and_number(serie: int, numero: int) -> None:
    parts = parse(compose(**{**PARTS, "serie": serie, "numero": numero}))
    assert (parts.serie, parts.numero) == (serie, numero)


@pytest.mark.parametrize(
    "wrong",
    [
        {"aamm": "2613"},
        {"aamm": "2600"},
        {"aamm": "611"},
        {"cnf": "1809475"},
        {"cnf": "1809475X"},
        {"cnf": "١٢٣٤٥٦٧٨"},
        {"document": "12abc34501de35"},
        {"document": "12ABC34501DE3A"},
        {"document": "1234567890123"},
        {"document": ""},
        {"serie": 1000},
        {"serie": -1},
        {"numero": 1_000_000_000},
        {"tp_emis": 10},
        {"cuf": "355"},
        {"modelo": 155},
    ],
)
def test_parts_that_do_not_fit_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError):
        compose(**{**PARTS, **wrong})


def test_tp_emis_is_inside_the_key() -> None:
    """KEY-7: entering contingency makes another key."""
    normal, svc = compose(**PARTS), compose(**{**PARTS, "tp_emis": 6})
    assert normal[:34] == svc[:34]
    assert parse(svc).tp_emis == 6
    assert nfe_ids_differ(normal, svc)


def nfe_ids_differ(one: str, other: str) -> bool:
    return access_key.nfe_id(one) != access_key.nfe_id(other)


@pytest.mark.parametrize(
    "chave",
    [
        "",
        "3" * 44,
        compose(**PARTS).lower(),
        compose(**PARTS) + "\n",
        " " + compose(**PARTS),
        "35261312345678000195550010000000421180947561",  # month 13
        compose(**PARTS)[:43] + "X",
    ],
)
def test_invalid_keys_are_refused(chave: str) -> None:
    assert not is_valid(chave)
    with pytest.raises(ValueError):
        parse(chave)


def test_month_13_would_be_refused_with_a_right_digit_too() -> None:
    body = "3526131234567800019555001000000042118094756"
    assert not is_valid(body + check_digit(body))


# --- the month (KEY-1) -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("dh_emi", "aamm"),
    [
        ("2026-12-31T23:30:00-03:00", "2612"),  # already January in UTC
        ("2027-01-01T00:10:00-03:00", "2701"),
        ("2027-01-01T00:10:00+01:00", "2701"),  # still December in UTC
        ("2028-02-29T23:59:59-05:00", "2802"),  # leap day, already March in UTC
        ("2026-11-21T10:00:00-03:00", "2611"),
    ],
)
def test_month_is_the_one_written_in_dh_emi(dh_emi: str, aamm: str) -> None:
    assert aamm_of(dh_emi) == aamm


@pytest.mark.parametrize("text", ["", "21/11/2026", "2026-13-01T00:00:00-03:00", "1999-01-01"])
def test_other_texts_have_no_month(text: str) -> None:
    with pytest.raises(ValueError):
        aamm_of(text)


# --- cNF (NUM-6) -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "cnf",
    ["00000000", "11111111", "99999999", "12345678", "01234567", "90123456", "78901234"],
)
def test_refused_codes_are_weak(cnf: str) -> None:
    assert access_key.is_weak_cnf(cnf, numero=5)


def test_code_equal_to_the_number_is_weak() -> None:
    assert access_key.is_weak_cnf("00000042", numero=42)
    assert not access_key.is_weak_cnf("00000042", numero=43)


def test_new_codes_are_eight_digits_and_never_weak(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = iter([0, 11_111_111, 42, 12_345_678, 90_123_456, 1_234_567, 18_094_756])
    monkeypatch.setattr(access_key.secrets, "randbelow", lambda _: next(drawn))
    assert access_key.new_cnf(42) == "18094756"


def test_new_codes_keep_leading_zeros(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(access_key.secrets, "randbelow", lambda _: 94_756)
    assert access_key.new_cnf(42) == "00094756"


# --- Ids (KEY-6) -----------------------------------------------------------------------------


def test_ids_have_their_lengths_and_parts() -> None:
    chave = compose(**PARTS)
    assert access_key.nfe_id(chave) == "NFe" + chave
    event = access_key.event_id("110111", chave, 1)
    assert event == f"ID110111{chave}01"
    assert len(event) == 54
    void = access_key.void_id(
        cuf=35, ano=26, cnpj="12ABC34501DE35", modelo=65, serie=2, first=7, last=12
    )
    assert void == "ID352612ABC34501DE3565002000000007000000012"
    assert len(void) == 43


def test_ids_of_wrong_parts_are_refused() -> None:
    chave = compose(**PARTS)
    for arguments in (("11011", chave, 1), ("110111", chave[:43], 1), ("110111", chave, 0)):
        with pytest.raises(ValueError):
            access_key.event_id(*arguments)
    common: dict[str, Any] = {"cuf": 35, "cnpj": "12ABC34501DE35", "modelo": 55, "serie": 1}
    for wrong in ({"ano": 2026, "first": 1, "last": 2}, {"ano": 26, "first": 3, "last": 2}):
        with pytest.raises(ValueError):
            access_key.void_id(**common, **wrong)
