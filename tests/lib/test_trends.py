"""How a figure moved (ux B01)."""

from __future__ import annotations

from decimal import Decimal

import pytest

from lib.trends import trend

PREVIOUS = "em relação ao período anterior"


@pytest.mark.parametrize(
    ("before", "now", "arrow", "text", "spoken"),
    [
        ("100", "112.5", "↑", "12,5%", f"aumento de 12,5% {PREVIOUS}"),
        ("100", "90", "↓", "10,0%", f"diminuição de 10,0% {PREVIOUS}"),
        ("100", "100", "→", "0,0%", "sem alteração"),
        ("100000", "100020", "→", "0,0%", "sem alteração"),
        ("100000", "100050", "↑", "0,1%", f"aumento de 0,1% {PREVIOUS}"),  # half-up
        ("1", "1000", "↑", "99.900,0%", f"aumento de 99.900,0% {PREVIOUS}"),
        ("-100", "-50", "↑", "50,0%", f"aumento de 50,0% {PREVIOUS}"),
        ("0", "50", "↑", "sem base anterior", "aumento, sem base anterior"),
        ("0", "0", "→", "0,0%", "sem alteração"),
    ],
)
def test_the_arrow_the_percentage_and_the_words(before, now, arrow, text, spoken):
    found = trend(Decimal(before), Decimal(now))

    assert (found.direction.value, found.text, found.spoken) == (arrow, text, spoken)
