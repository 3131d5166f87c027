"""The vectors of boleto-pix §7, and codes that are none."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from billing.gateways.pix import brcode

KEY = "123e4567-e12b-12d1-a456-426655440000"
D = Decimal


def test_the_published_codes() -> None:
    reusable = brcode.static(key=KEY, name="Fulano de Tal", city="BRASÍLIA".replace("Í", "I"))
    assert reusable == (
        "00020126580014br.gov.bcb.pix0136123e4567-e12b-12d1-a456-4266554400005204000053039865802BR"
        "5913Fulano de Tal6008BRASILIA62070503***63041D3D"
    )
    priced = brcode.static(
        key=KEY, name="ACME BRASIL LTDA", city="BRASILIA", amount=D("150.75"), txid="FAT0000123"
    )
    assert priced == (
        "00020126580014br.gov.bcb.pix0136123e4567-e12b-12d1-a456-426655440000520400005303986540615"
        "0.755802BR5916ACME BRASIL LTDA6008BRASILIA62140510FAT000012363046951"
    )
    location = "https://pix.example.com/8b3da2f39a4140d1a91abd93113bd441"
    once = brcode.dynamic(location=location, name="Fulano de Tal", city="BRASILIA")
    assert once == (
        "00020101021226700014br.gov.bcb.pix2548pix.example.com/8b3da2f39a4140d1a91abd93113bd4415204"
        "000053039865802BR5913Fulano de Tal6008BRASILIA62070503***630464E4"
    )


def test_the_check_value_keeps_its_leading_zeros() -> None:
    assert brcode._crc("123456789") == "29B1"
    codes = (brcode.static(key=KEY, name="A", city="B", amount=D(n) / 100) for n in range(1, 200))
    found = [code for code in codes if code[-4] == "0"]
    assert found
    for code in found:
        assert brcode.read(code)[-1].value == code[-4:]


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(
    name=st.text(min_size=1).filter(lambda text: brcode._plain(text, 25)),
    city=st.text(min_size=1).filter(lambda text: brcode._plain(text, 15)),
    cents=st.integers(1, 10**11),
    description=st.text(),
)
def test_whatever_is_written_is_read_back(
    name: str, city: str, cents: int, description: str
) -> None:
    code = brcode.static(
        key=KEY, name=name, city=city, amount=D(cents) / 100, description=description, txid="a1"
    )
    fields = {one.id: one.value for one in brcode.read(code)}
    assert code.isascii()
    assert D(fields["54"]) == D(cents) / 100
    assert len(fields["26"]) <= 99
    assert len(fields["59"]) <= 25
    assert len(fields["60"]) <= 15
    assert {one.id: one.value for one in brcode.fields_of(fields["62"])} == {"05": "a1"}


def test_accents_and_spaces_of_names_become_plain() -> None:
    code = brcode.static(
        key="12ABC34501DE35",
        name="  Padaria  São João & Irmãos – Comércio Ltda",
        city="Florianópolis da Ilha",
    )
    fields = {one.id: one.value for one in brcode.read(code)}
    assert (fields["59"], fields["60"]) == ("Padaria Sao Joao & Irmaos", "Florianopolis d")


@pytest.mark.parametrize(
    "key",
    ["52998224725", "12ABC34501DE35", "+5548999990000", "joao@example.com", KEY],
)
def test_keys_of_each_kind(key: str) -> None:
    assert brcode.is_key(key)


@pytest.mark.parametrize(
    "key",
    [
        "",
        "5299822472",
        "+55 48 99999-0000",
        "joao",
        KEY.upper(),
        "a" * 70 + "@example.com",
        "1" * 99,
    ],
)
def test_a_key_that_the_directory_does_not_know(key: str) -> None:
    with pytest.raises(brcode.InvalidBrCode, match="chave Pix"):
        brcode.static(key=key, name="A", city="B")


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ({"amount": D(0)}, "valor"),
        ({"amount": D("-1")}, "valor"),
        ({"amount": D("1.001")}, "valor"),
        ({"amount": D("1e10")}, "valor"),
        ({"txid": "a b"}, "identificador"),
        ({"txid": "a" * 26}, "identificador"),
        ({"name": "–"}, "nome e da cidade"),
    ],
)
def test_what_no_code_can_carry(given: dict, text: str) -> None:
    with pytest.raises(brcode.InvalidBrCode, match=text):
        brcode.static(**({"key": KEY, "name": "A", "city": "B"} | given))


def test_a_changed_cut_or_foreign_text_is_no_code() -> None:
    code = brcode.static(key=KEY, name="A", city="B", amount=D("150.75"))
    for text in (
        "",
        "0",
        code[:-1],
        code + "0",
        code.replace("150.75", "950.75"),
        "0002ab",
        "é" * 8,
        "00²" * 9,
    ):
        with pytest.raises(brcode.InvalidBrCode, match="incompleto ou foi alterado"):
            brcode.read(text)
    with pytest.raises(brcode.InvalidBrCode, match="77"):
        brcode.dynamic(location="https://" + "a" * 78, name="A", city="B")


@pytest.mark.parametrize(
    "key", ["João@x.com", "A@B.com", "a@b.c\x00d", "a b@c.com", "a@b", "+55 11 91234-5678", ""]
)
def test_what_the_directory_would_not_write_is_no_key(key: str) -> None:
    """A code is counted in characters and sealed in bytes: only ASCII is the same in both."""
    assert not brcode.is_key(key)
