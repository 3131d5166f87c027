"""The vectors of boleto-pix §2 to §5, and codes that are not one."""

from __future__ import annotations

import random
from datetime import date, timedelta
from decimal import Decimal

import pytest

from billing.gateways.boleto import codes
from billing.gateways.boleto.bank import Agreement, InvalidAgreement, check
from billing.gateways.boleto.digits import mod11_p
from billing.gateways.boleto.registry import BANKS

D = Decimal
DUE, AMOUNT, ISSUED = date(2026, 8, 10), D("500.00"), date(2026, 7, 21)

FACTORS = [
    (date(2000, 7, 3), "1000"),
    (date(2000, 7, 4), "1001"),
    (date(2025, 2, 20), "9998"),
    (date(2025, 2, 21), "9999"),
    (date(2025, 2, 22), "1000"),
    (date(2025, 2, 23), "1001"),
    (date(2025, 12, 31), "1312"),
    (date(2026, 6, 30), "1493"),
    (date(2030, 1, 1), "2774"),
    (date(2049, 10, 13), "9999"),
    (date(2049, 10, 14), "1000"),
]
READ = [
    ("1001", date(2025, 6, 1), date(2025, 2, 23)),
    ("9998", date(2025, 6, 1), date(2025, 2, 20)),
    ("9000", date(2026, 11, 21), date(2022, 5, 29)),
    ("7136", date(2026, 11, 21), date(2041, 12, 11)),
    ("7637", date(2026, 11, 21), date(2018, 9, 4)),
    ("6001", date(2014, 3, 13), date(2014, 3, 13)),
]
A = Agreement
# (bank, agreement, sequence, document, campo livre, linha digitável, nosso número as printed)
BOLETOS = [
    ("001", A(code="1238798", carteira="18", agency="4042", account="00061900"), 7777700168, "",
     "0000001238798777770016818", "00190.00009 01238.798779 77700.168188 2 15340000050000",
     "12387987777700168"),
    ("001", A(code="123879", carteira="18", agency="4042", account="00061900"), 1234, "",
     "1238790123440420006190018", "00191.23876 90123.440423 00061.900189 2 15340000050000", ""),
    ("033", A(code="1899775", carteira="102", agency="0001"), 9000272, "",
     "9189977500000900027250102", "03399.18997 77500.000904 00272.501024 2 15340000050000",
     "000009000272 5"),
    ("104", A(code="245274", modality="1", agency="0001"), 1, "",
     "2452740000100040000000017", "10492.45275 40000.100046 00000.000174 1 15340000050000",
     "14000000000000001-4"),
    ("237", A(agency="4042", carteira="03", account="0061900"), 777700168, "",
     "4042030077770016800619000", "23794.04201 30077.770011 68006.190000 6 15340000050000",
     "03/00777700168-5"),
    ("341", A(carteira="175", agency="0810", account="53678"), 12345678, "",
     "1751234567840810536789000", "34191.75124 34567.840813 05367.890000 5 15340000050000",
     "175/12345678-4"),
    ("341", A(carteira="196", agency="0810", account="53678", code="12345"), 258281, "1234567",
     "1960025828112345671234550", "34191.96005 25828.112349 56712.345505 1 15340000050000", ""),
    ("748", A(agency="0710", post="65", code="00129"), 8902, "",
     "1126208902307106500129101", "74891.12628 08902.307100 65001.291015 3 15340000050000",
     "26/208902-3"),
    ("756", A(agency="0001", code="0000019", carteira="1", modality="01"), 21, "",
     "1000101000001900000218001", "75691.00014 01000.001907 00002.180016 8 15340000050000",
     "0000021-8"),
]  # fmt: skip


@pytest.mark.parametrize(("due", "expected"), FACTORS)
def test_the_factor_of_a_date(due: date, expected: str) -> None:
    assert codes.fator(due) == expected


@pytest.mark.parametrize(("factor", "today", "expected"), READ)
def test_a_factor_is_read_by_the_day_on_which_it_is_read(
    factor: str, today: date, expected: date
) -> None:
    assert codes.due_date(factor, today=today) == expected


def test_factors_between_two_cycles_mean_no_date() -> None:
    today = date(2026, 11, 21)
    for factor in range(7138, 7637):
        with pytest.raises(codes.InvalidCode, match="intervalo de segurança"):
            codes.due_date(str(factor), today=today)
    assert codes.due_date("0000", today=today) is None
    with pytest.raises(ValueError, match="03/07/2000"):
        codes.fator(date(2000, 7, 2))


def test_every_date_in_reach_is_read_back() -> None:
    today = date(2026, 11, 21)
    for days in range(-3000, 5501):
        due = today + timedelta(days=days)
        assert codes.due_date(codes.fator(due), today=today) == due


@pytest.mark.parametrize(
    ("bank", "agreement", "sequence", "document", "free", "line", "printed"), BOLETOS
)
def test_the_published_boletos(
    bank: str,
    agreement: Agreement,
    sequence: int,
    document: str,
    free: str,
    line: str,
    printed: str,
) -> None:
    at = BANKS[bank]
    check(at, agreement)
    number = at.nosso_numero(agreement, sequence, on=ISSUED)
    found = at.campo_livre(agreement, number, document=document)
    barcode = codes.barcode(bank=bank, due=DUE, amount=AMOUNT, campo_livre=found)

    assert found == free
    assert codes.line(barcode) == line
    assert codes.read(line) == codes.read(barcode) == barcode
    assert number.printed == printed or not printed
    assert codes.parts(barcode) == codes.Code(bank, "1534", AMOUNT, free)


def test_the_letter_of_bradesco() -> None:
    assert [mod11_p(f"19{n:011d}") for n in (2, 6, 1)] == ["8", "0", "P"]


def test_of_banco_do_brasil_the_size_of_the_agreement_decides() -> None:
    bank = BANKS["001"]
    short = A(code="1234", carteira="18", agency="4042", account="00061900")
    free = A(code="123456", carteira="18", agency="4042", account="00061900", has_free_number=True)
    old = A(code="12345678", carteira="17", agency="4042", account="00061900")
    found = {
        len(one.code): bank.campo_livre(one, bank.nosso_numero(one, 7, on=ISSUED), document="")
        for one in (short, free, old)
    }
    assert found == {
        4: "1234000000740420006190018",
        6: "1234560000000000000000721",
        8: "0000001234567800000000717",
    }
    assert bank.beneficiary(old) == "4042-8 / 00061900"


def test_a_number_that_does_not_fit_is_refused() -> None:
    sicredi = BANKS["748"]
    agreement = A(agency="0710", post="65", code="00129")
    assert sicredi.nosso_numero(agreement, 99_999, on=ISSUED).number == "26299999"
    assert (sicredi.series(ISSUED), BANKS["341"].series(ISSUED)) == ("26", "")
    with pytest.raises(OverflowError, match="acabaram em 99999"):
        sicredi.nosso_numero(agreement, 100_000, on=ISSUED)


def test_an_agreement_names_each_field_that_is_wrong() -> None:
    with pytest.raises(InvalidAgreement) as refused:
        check(BANKS["001"], A(code="12345", carteira="1٣", agency="123", account="00061900"))
    assert refused.value.faults == {
        "agency": "A agência do banco 001 deve ter 4 números.",
        "code": "O convênio do banco 001 deve ter 4 ou 6 ou 7 ou 8 números.",
        "carteira": "A carteira do banco 001 deve ter 2 números.",
    }


def test_any_single_wrong_digit_of_a_line_is_noticed() -> None:
    line = BOLETOS[5][5]
    digits = "".join(one for one in line if one.isdecimal())
    for place in range(len(digits)):
        other = str((int(digits[place]) + random.Random(place).randint(1, 9)) % 10)
        with pytest.raises(codes.InvalidCode):
            codes.read(digits[:place] + other + digits[place + 1 :])
    for text in ("", "abc", digits[:-1], digits * 2):
        with pytest.raises(codes.InvalidCode, match="44 ou 47"):
            codes.read(text)


@pytest.mark.parametrize("amount", ["-0.01", "100000000.00", "0.001"])
def test_an_amount_that_no_boleto_can_have(amount: str) -> None:
    with pytest.raises(ValueError, match="R\\$"):
        codes.barcode(bank="341", due=DUE, amount=D(amount), campo_livre="0" * 25)


@pytest.mark.parametrize(
    ("bank", "agreement", "field"),
    [
        ("341", A(agency="0810", account="53678", carteira="196", code="1234567"), "code"),
        ("341", A(agency="0810", account="53678", carteira="198"), "code"),
        ("748", A(agency="0710", post="65", code="00129", modality="22"), "modality"),
    ],
)
def test_a_field_that_counts_in_some_agreements_has_its_size_there(
    bank: str, agreement: A, field: str
) -> None:
    with pytest.raises(InvalidAgreement) as refused:
        check(BANKS[bank], agreement)
    assert list(refused.value.faults) == [field]
    with pytest.raises(ValueError, match="campo livre"):
        codes.barcode(bank=bank, due=date(2026, 8, 10), amount=D("1.00"), campo_livre="0" * 24)
