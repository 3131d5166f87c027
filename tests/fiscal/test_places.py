"""Municipalities, countries and legal time (XML-7)."""

from __future__ import annotations

from datetime import timedelta

import pytest

from fiscal.tables import places


def test_the_table_has_every_municipality_once():
    table = places.municipalities()

    assert len(table) == 5571
    assert len({place.code for place in table}) == 5571
    assert all(place.code.startswith(places.uf_code(place.uf)) for place in table)


@pytest.mark.parametrize(
    ("name", "uf", "code"),
    [
        ("São Paulo", "SP", "3550308"),
        ("SAO PAULO", "SP", "3550308"),
        ("santa bárbara d oeste", "SP", "3545803"),
        ("Santana do Livramento", "RS", "4317103"),  # written Sant'Ana in the table
        ("Mogi Guaçu", "SP", "3530706"),
        ("Água Branca", "PB", "2500106"),
        ("Água Branca", "PI", "2200202"),
        ("Boa Esperança do Norte", "MT", "5101837"),  # installed in 2025
        ("São Paulo", "RJ", ""),
        ("Atlântida", "SP", ""),
    ],
)
def test_a_municipality_is_found_however_it_is_written(name, uf, code):
    assert places.municipality_code(name, uf) == code


def test_a_code_names_its_municipality():
    place = places.municipality("3304557")

    assert place is not None
    assert (place.name, place.uf) == ("Rio de Janeiro", "RJ")
    assert places.municipality("9999999") is None


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("Brasil", "1058"),
        ("ESTADOS UNIDOS", "2496"),
        ("Rússia", "6769"),
        ("alemanha", "230"),
        ("Coreia", ""),  # two of them
        ("Coreia, República da", "1902"),
        ("Atlântida", ""),
    ],
)
def test_a_country_is_found_by_its_name(name, code):
    assert places.country_code(name) == code


def test_leading_zeros_of_a_country_code_do_not_matter():
    assert places.country_name("01058") == places.country_name("1058") == "BRASIL"
    assert places.country_name("0000") == ""


@pytest.mark.parametrize(
    ("uf", "city", "hours"),
    [
        ("SP", "", -3),
        ("AC", "1200401", -5),
        ("AM", "1302603", -4),  # Manaus
        ("AM", "1301407", -5),  # Eirunepé
        ("MT", "", -4),
        ("MS", "", -4),
        ("RO", "", -4),
        ("RR", "", -4),
        ("PE", "2611606", -3),
        ("PE", "2605459", -2),  # Fernando de Noronha
    ],
)
def test_each_place_keeps_its_own_time(uf, city, hours):
    assert places.zone(uf, city).utcoffset(None) == timedelta(hours=hours)
