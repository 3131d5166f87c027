"""Each bank's files: what is written stands where its manual says, what comes back is found."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
from support.cnab_files import PAYER, SENDERS, Fact, number_of, retorno, title

from billing.gateways.cnab.base import Layout
from billing.gateways.cnab.layout import InvalidRecord
from billing.gateways.cnab.reader import Reading, entries
from billing.gateways.cnab.registry import OF_240, OF_400, layout
from billing.gateways.cnab.titles import Late, Meaning, Movement

AT = datetime(2026, 8, 1, 9, 30, 15, tzinfo=UTC)
ALL = [*OF_240.values(), *OF_400.values()]
NAMES = [one.code for one in ALL]


def lines_of(one: Layout, *titles, **fields):
    given = titles or (title(one.bank, **fields),)
    content = one.write(SENDERS[one.bank], given, number=7, made_at=AT)
    assert content.endswith(b"\r\n")
    assert content.isascii()
    assert content == content.upper()
    return content.decode().split("\r\n")[:-1]


def at(line: str, first: int, last: int) -> str:
    return line[first - 1 : last]


@pytest.mark.parametrize("one", ALL, ids=NAMES)
def test_files_have_whole_lines_and_right_counts(one):
    titles = [title(one.bank, n, movement=m) for n, m in enumerate(Movement, 1)]
    lines = lines_of(one, *titles)
    again = one.write(SENDERS[one.bank], titles, number=7, made_at=AT)

    assert {len(line) for line in lines} == {one.width}
    assert again.decode().split("\r\n")[:-1] == lines
    if one.width == 400:
        assert [at(line, 395, 400) for line in lines] == [
            f"{n:06d}" for n in range(1, len(lines) + 1)
        ]
        return
    details = lines[2:-2]
    assert [at(line, 9, 13) for line in details] == [f"{n:05d}" for n in range(1, len(details) + 1)]
    # A write-off has nothing to say of fines.
    assert "".join(at(line, 14, 14) for line in details) == "PQR" + "PQ" + "PQR" * 3
    assert [at(line, 16, 17) for line in details[::3]][:1] == ["01"]
    assert at(lines[-2], 18, 23) == f"{len(details) + 2:06d}"
    assert at(lines[-1], 18, 29) == "000001" + f"{len(lines):06d}"


# Where each bank has its number in segment P, and what its headers say (file, lot).
PLACES = {
    "001": (38, "12387980000000001   ", 33, "0012387980014" + "17019  ", "084"),
    "033": (45, "0000000000019", 33, "012300001899775", "040"),
    "104": (24, "24527400000000000" + "14000000000000001", 59, "24527400000000", "101"),
    "237": (38, "00900000" + "000000000011", 33, "00000090404200619007", "084"),
    "341": (38, "109000000019", 53, "00810 000000053678 9", "040"),
    "748": (38, "262000014           ", 53, "00710 000000000129", "081"),
    "756": (38, "0000000010" + "01014     ", 53, "000011000000123456" + "70", "081"),
}


@pytest.mark.parametrize("bank", PLACES)
def test_each_bank_has_its_number_and_agreement_where_it_wants_them(bank):
    first, number, head, place, version = PLACES[bank]
    lines = lines_of(OF_240[bank])

    assert lines[2][first - 1 :].startswith(number)
    assert lines[0][head - 1 :].startswith(place)
    assert at(lines[0], 164, 166) == version
    assert at(lines[0], 143, 143) == "1"
    # FEBRABAN's own places, which every bank keeps.
    assert at(lines[2], 78, 100) == "10082026" + "000000000050000"
    assert at(lines[3], 34, 63) == "CLIENTE ACAI & FILHOS".ljust(30)
    assert at(lines[3], 18, 33) == "2" + "012ABC34501DE35"
    assert at(lines[3], 129, 153) == "01001000" + "SAO PAULO      " + "SP"


@pytest.mark.parametrize("bank", OF_240)
def test_late_3_interest_by_the_month_or_by_the_day_from_the_day_after(bank):
    one = OF_240[bank]
    p, q, r = lines_of(one)[2:5]
    monthly = at(p, 118, 118) + at(p, 119, 141)
    daily = "0" if bank == "341" else "1"

    if one.daily_interest_only:
        assert monthly == daily + "11082026" + "000000000000017"  # 500,00 × 1% / 30
    else:
        assert monthly == "2" + "11082026" + "000000000000100"
    assert at(r, 66, 89) == "2" + "11082026" + "000000000000200"
    assert at(q, 14, 14) == "Q"

    # Rates that two decimals cannot say are registered in reais.
    odd = Late(interest_month=Decimal("0.9999"), fine_percent=Decimal("1.9999"))
    p, _, r = lines_of(one, late=odd)[2:5]
    assert at(p, 118, 141) == daily + "11082026" + "000000000000017"
    assert at(r, 66, 89) == "1" + "11082026" + "000000000001000"

    # Without charges nothing is said of dates.
    p, _, r = lines_of(one, late=Late())[2:5]
    assert at(p, 119, 141) == "0" * 23
    assert at(r, 66, 89) == "0" * 24
    fixed = Late(interest_day=Decimal("0.25"), fine_value=Decimal("10.00"))
    p, _, r = lines_of(one, late=fixed)[2:5]
    assert at(p, 118, 141) == daily + "11082026" + "000000000000025"
    assert at(r, 66, 89) == "1" + "11082026" + "000000000001000"


def test_itau_400_stands_where_its_manual_says():
    header, detail, fine, trailer = lines_of(OF_400["341"], protest_days=5)

    assert at(header, 1, 46) == "01REMESSA01COBRANCA       " + "081000536789" + " " * 8
    assert at(header, 77, 100) == "341BANCO ITAU SA  " + "010826"
    assert at(detail, 1, 37) == "102" + "12ABC34501DE35" + "081000536789" + "    " + "0000"
    assert at(detail, 38, 70) == "77".ljust(25) + "00000001"
    assert at(detail, 84, 86) == "109"
    assert at(detail, 108, 142) == "I01" + "00042-1   " + "100826" + "0000000050000" + "341"
    assert at(detail, 148, 156) == "01N010826"
    assert at(detail, 157, 173) == "34  " + "0000000000017"
    assert at(detail, 219, 264) == "02" + "12ABC34501DE35" + "CLIENTE ACAI & FILHOS".ljust(30)
    assert at(detail, 386, 393) == "110826" + "05"
    assert at(fine, 1, 23) == "2" + "2" + "11082026" + "0000000000200"
    assert at(trailer, 1, 1) == "9"


def test_bradesco_400_stands_where_its_manual_says():
    header, detail, trailer = lines_of(OF_400["237"])

    assert at(header, 27, 46) == "00000090404200619007"
    assert at(header, 77, 117) == "237BRADESCO       " + "010826" + " " * 8 + "MX" + "0000007"
    assert at(detail, 21, 37) == "0" + "009" + "04042" + "0061900" + "7"
    assert at(detail, 66, 82) == "2" + "0200" + "00000000001" + "1"
    assert at(detail, 109, 139) == "01" + "00042-1   " + "100826" + "0000000050000"
    assert at(detail, 161, 173) == "0000000000017"
    assert at(trailer, 395, 400) == "000003"


@pytest.mark.parametrize("one", ALL, ids=NAMES)
def test_what_a_bank_tells_is_found_by_our_number_and_agreement(one):
    sender = SENDERS[one.bank]
    fact = Fact(
        number_of(one.bank, 42),
        value=Decimal("500.00"),
        paid=Decimal("512.34"),
        additions=Decimal("12.34"),
        fee=Decimal("1.90"),
        document_number="00042-1",
        company_use="77",
    )
    reading = Reading(retorno(one, sender, [fact], number=9))
    (entry,) = entries(reading)

    assert (reading.layout, reading.faults) == (one, [])
    assert one.is_of(reading.heading, sender)
    assert (reading.heading.number, reading.heading.made_on) == (9, date(2026, 8, 20))
    assert not one.is_of(
        reading.heading, replace(sender, terms=replace(sender.terms, code="9999999", account="9"))
    )
    assert (entry.nosso_numero, entry.meaning) == (fact.number.number, Meaning.SETTLED)
    assert (entry.value, entry.paid, entry.fee) == (fact.value, fact.paid, fact.fee)
    assert (entry.additions, entry.discount) == (fact.additions, Decimal(0))
    assert (entry.occurred_on, entry.credited_on) == (fact.occurred_on, fact.credited_on)
    assert (entry.document_number, entry.company_use) == ("00042-1", "77")
    assert reading.counted == Decimal("500.00")
    of_portfolio = one.code == "400-237"  # what its trailer sums is not the file
    assert reading.declared == (None if of_portfolio else Decimal("500.00"))


@pytest.mark.parametrize(
    ("bank", "width", "code", "reasons", "meaning", "words"),
    [
        ("001", 240, "02", "", Meaning.REGISTERED, "Entrada confirmada"),
        ("001", 240, "03", "0846", Meaning.REJECTED, "nosso número inválido; CNPJ/CPF do pagador"),
        ("001", 240, "17", "04", Meaning.SETTLED, "compensação eletrônica"),
        ("001", 240, "09", "13", Meaning.CANCELLED, "decurso de prazo do banco"),
        ("001", 240, "14", "", Meaning.CHANGED, "Alteração de vencimento confirmada"),
        ("001", 240, "26", "9X", Meaning.REFUSED, "motivo 9X"),
        ("001", 240, "28", "", Meaning.FEE, "tarifas"),
        ("001", 240, "99", "", Meaning.UNKNOWN, "Ocorrência 99 desconhecida"),
        ("033", 240, "A4", "", Meaning.NOTED, "Pagador do DDA"),
        ("104", 240, "46", "", Meaning.SETTLED, "Liquidação on-line"),
        ("104", 240, "44", "", Meaning.UNKNOWN, "Estorno de baixa ou liquidação"),
        # FEBRABAN's 17 is money and its 26 is a refusal; of Itaú neither is.
        ("341", 240, "17", "42", Meaning.REFUSED, "alteração inválida para título vencido"),
        ("341", 240, "26", "", Meaning.FEE, "Tarifa"),
        ("341", 400, "08", "", Meaning.SETTLED, "Liquidação em cartório"),
        ("341", 400, "03", "9208", Meaning.REJECTED, "DAC do nosso número inválido; nome do"),
        ("748", 240, "36", "60", Meaning.REFUSED, "título não cadastrado"),
        ("237", 400, "15", "", Meaning.SETTLED, "Liquidação em cartório"),
        ("237", 400, "40", "", Meaning.UNKNOWN, "Estorno de pagamento"),
    ],
)
def test_occurrences_and_reasons_are_told_in_words(bank, width, code, reasons, meaning, words):
    one = layout(bank, width)
    fact = Fact(number_of(bank, 1), occurrence=code, reasons=reasons)
    (entry,) = entries(Reading(retorno(one, SENDERS[bank], [fact])))

    assert entry.meaning is meaning
    assert words in f"{entry.text}: {entry.why}"


@pytest.mark.parametrize(
    ("principal", "fee", "late", "discount", "paid"),
    [
        ("500.00", "0", "0", "0", "500.00"),
        ("498.10", "1.90", "0", "0", "500.00"),  # the fee was taken first
        ("500.00", "1.90", "12.00", "0", "512.00"),  # late charges beside the principal
        ("512.00", "1.90", "12.00", "0", "512.00"),
        ("510.10", "1.90", "12.00", "0", "512.00"),
        ("490.00", "0", "0", "10.00", "490.00"),
        ("300.00", "1.90", "0", "0", "300.00"),  # nothing agrees: what was credited
    ],
)
def test_itau_400_tells_what_it_credited(principal, fee, late, discount, paid):
    fact = Fact(
        number_of("341", 1),
        value=Decimal("500.00"),
        paid=Decimal(principal),
        fee=Decimal(fee),
        additions=Decimal(late),
        discount=Decimal(discount),
    )
    (entry,) = entries(Reading(retorno(OF_400["341"], SENDERS["341"], [fact])))
    assert (entry.paid, entry.credited) == (Decimal(paid), Decimal(principal))


def test_what_a_layout_cannot_say_is_refused_in_words(monkeypatch):
    one, sender = OF_240["104"], SENDERS["104"]
    nameless = replace(sender, terms=replace(sender.terms, code=""))
    with pytest.raises(InvalidRecord, match="Informe o código do convênio"):
        one.write(nameless, [title("104")], number=1, made_at=AT)
    # A bank that is not ready for letters says so for the payer, and loses none of them.
    monkeypatch.setattr(type(one), "takes_letters", False)
    with pytest.raises(InvalidRecord, match=f"{PAYER.name}: o banco ainda não aceita CNPJ"):
        one.write(sender, [title("104")], number=1, made_at=AT)
    numeric = title("104", payer=replace(PAYER, document="11222333000181"))
    assert b"011222333000181" in one.write(sender, [numeric], number=1, made_at=AT)


def test_caixa_with_seven_digits_has_versions_of_its_own():
    one, sender = OF_240["104"], SENDERS["104"]
    long = replace(sender, terms=replace(sender.terms, code="1234567"))
    header, lot, p = (
        one.write(long, [title("104")], number=1, made_at=AT).decode().split("\r\n")[:3]
    )
    assert (at(header, 59, 72), at(header, 164, 166)) == ("1234567" + "0" * 7, "107")
    assert (at(lot, 34, 53), at(lot, 60, 73)) == ("1234567".ljust(20, "0"), "0" * 14)
    assert at(p, 24, 40) == "1234567".ljust(17, "0")
    assert one.is_of(one.heading(header), long)
