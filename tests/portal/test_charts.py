"""The chart of twelve months: its numbers, its drawing and its words (§1.4)."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

from billing.models import Party
from billing.selectors.customer_charts import Month, twelve_months
from billing.selectors.customer_standing import customer_standings
from portal.charts import month_chart, summary_of


def months(*totals):
    return [
        Month(date(2026, 1 + n, 1), Decimal(paid), Decimal(still), Decimal(late), count=1)
        for n, (paid, still, late) in enumerate(totals)
    ]


def test_bars_are_as_high_as_their_values_and_stand_on_the_line():
    chart = month_chart(
        months((100, 0, 0), (50, 30, 20), (0, 0, 0)), lambda month: f"?mes={month.month:%Y-%m}"
    )

    assert chart is not None
    whole, parts, nothing = chart.columns
    (bar,) = whole.blocks
    assert Decimal(bar.y) + Decimal(bar.height) == chart.baseline
    assert [block.serie for block in parts.blocks] == ["paga", "aberta", "vencida"]
    heights = [Decimal(block.height) for block in parts.blocks]
    assert sum(heights) == Decimal(bar.height)
    assert heights[0] == Decimal(bar.height) / 2
    for below, above in zip(parts.blocks, parts.blocks[1:], strict=False):
        assert Decimal(above.y) + Decimal(above.height) == Decimal(below.y)
    assert nothing.blocks == ()
    assert nothing.label == ""
    assert parts.words == "02/2026: 1 fatura, R$\xa0100,00"
    assert parts.url == "?mes=2026-02"


def test_nothing_to_draw_is_no_chart():
    empty = [Month(date(2026, 1, 1)), Month(date(2026, 2, 1))]

    assert month_chart(empty, lambda month: "") is None
    only_refunded = [Month(date(2026, 1, 1), count=1)]
    chart = month_chart(only_refunded, lambda month: "")
    assert chart is not None
    assert chart.columns[0].blocks == ()


def test_the_summary_is_one_sentence():
    assert summary_of(months((100, 5, 0), (0, "0.50", 3))) == (
        "De 01/2026 a 02/2026: R$\xa0100,00 em faturas pagas, R$\xa05,50 em aberto e "
        "R$\xa03,00 vencidas."
    )


def test_twelve_months_end_with_this_one(demo):
    customer = Party.objects.get(account=demo, document="12ABC34501DE35")
    found = twelve_months(customer_standings(demo, customer, today=date(2026, 8, 12)))

    assert [month.month for month in (found[0], found[-1])] == [date(2025, 9, 1), date(2026, 8, 1)]
    assert len(found) == 12
    assert [str(value) for value in (found[-1].paid, found[-1].open, found[-1].late)] == [
        "0.00",
        "2854.56",
        "0.00",
    ]
    later = twelve_months(customer_standings(demo, customer, today=date(2026, 5, 31)))
    assert later[-1].month == date(2026, 8, 1)  # billed ahead
